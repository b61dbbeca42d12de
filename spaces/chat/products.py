"""The products of a decoding step, x W + b with W (in, out): whichever library reads a weight fastest.

One row is bound by reading W. torch's own product of one row runs on one thread: 20 GB/s for (512, 2048) with one
thread and with two, where numpy's OpenBLAS reads 23 and 37; and a tall W is read faster turned, (2048, 512): 10 and 10
GB/s by torch, 15 and 15 by numpy, 18 and 32 by numpy turned. For several rows oneDNN with W packed in its own order
takes half the time of torch's product (8 rows of the whole default model: 9.0 ms, 17.7; 64 rows: 37, 51). Measured on
two busy cores, one thread's CPU time or the best of many.

Turned and packed weights are copies, 1.5 times the model's memory: for small models only. All are float32 and exact.

A decoding loop runs in a thread of its own, where torch has one thread unless pace.py gives it more: between two
products of numpy's threads, torch's would spin for those of the attention (7 ms a token on busy cores; 200 ms).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from spaces.chat import pace

SMALL = 100_000_000  # parameters of a model whose copies do not matter
MOST_ROWS = 128  # for which the packed order is made; more rows take it too


@dataclass(frozen=True)
class Dense:
    """x (B, in) → x W + b (B, out), and the bytes that it holds beside the model's own."""

    product: Callable[[torch.Tensor], torch.Tensor]
    extra: int = 0

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return self.product(x)


def hand() -> ThreadPoolExecutor:
    """A thread to decode in, where torch's operators run on that thread alone."""
    return ThreadPoolExecutor(1, thread_name_prefix="decode", initializer=pace.torch_threads, initargs=(1,))


def suited(model: torch.nn.Module, dtype: torch.dtype) -> Callable[[torch.Tensor, torch.Tensor], Dense]:
    """How this model's products are made on its device."""
    if model.device.type != "cpu" or dtype != torch.float32:
        return plain
    small = sum(parameter.numel() for parameter in model.parameters()) <= SMALL
    return copied if small and torch.backends.mkldnn.is_available() else row_by_numpy


def plain(weight: torch.Tensor, bias: torch.Tensor) -> Dense:
    """torch's own product over the model's weights."""
    return Dense(lambda x: torch.addmm(bias, x, weight))


def row_by_numpy(weight: torch.Tensor, bias: torch.Tensor) -> Dense:
    """One row by numpy, more by torch, over the model's weights."""
    return _by_rows(_row(weight, bias), plain(weight, bias))


def copied(weight: torch.Tensor, bias: torch.Tensor) -> Dense:
    """One row by numpy over the weight turned as it is read fastest, more by oneDNN over a packed one."""
    tall = weight.shape[0] > weight.shape[1]
    turned = weight.t().contiguous().t() if tall else weight.contiguous()
    again = 0 if turned.data_ptr() == weight.data_ptr() else weight.nbytes
    return _by_rows(_row(turned, bias, again), _packed(weight, bias))


def _by_rows(one: Dense, several: Dense) -> Dense:
    return Dense(lambda x: one.product(x) if len(x) == 1 else several.product(x), one.extra + several.extra)


def _row(weight: torch.Tensor, bias: torch.Tensor, extra: int = 0) -> Dense:
    w, b = weight.numpy(), bias.numpy()

    def product(x: torch.Tensor) -> torch.Tensor:
        out = np.dot(x[0].numpy(), w)
        out += b
        return torch.from_numpy(out)[None]

    return Dense(product, extra)


def _packed(weight: torch.Tensor, bias: torch.Tensor) -> Dense:
    packed = torch.ops.mkldnn._reorder_linear_weight(weight.t().contiguous(), MOST_ROWS)
    product = torch.ops.mkldnn._linear_pointwise
    return Dense(lambda x: product(x, packed, bias, "none", [], ""), weight.nbytes)
