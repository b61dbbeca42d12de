"""Decoding in int8: a quarter of the bytes to read for each token, behind the same seam as full precision.

Weights are rounded once, each output with its own scale (symmetric, 127 steps); activations at every product, with one
scale for all rows in it. The product is torch's own (fbgemm on x86, qnnpack on ARM): its products of a whole token took
2.7 ms on one busy core, those of torch._int_mm (which would give every row its own scale) 5.2, float32's 8.3.

Chosen by measurement (benchmarks/decode.py, 30 M parameters, two shared cores and threads): 329 tokens a second, 4.6
times `generate`; CTranslate2 4.8.5 in int8 193, and it has no seam for batches, forks and every token's alternatives.
What rounding costs a trained model in bits per character is for spaces.chat.evaluate to say once weights ship.
"""

from __future__ import annotations

import warnings

import torch
from transformers import GPT2LMHeadModel

from spaces.chat.decode import Decoder
from spaces.chat.pace import Pace, torch_threads
from spaces.chat.products import Dense


def quantise(weight: torch.Tensor) -> torch.Tensor:
    """weight (in, out) as (out, in) in int8, a scale for each output."""
    rows = weight.t().float()
    scale = rows.abs().amax(1).clamp(min=1e-12).double() / 127
    with warnings.catch_warnings():  # torch will move these tensors elsewhere one day; its version is pinned here
        warnings.simplefilter("ignore", UserWarning)
        return torch.quantize_per_channel(rows, scale, torch.zeros(len(scale), dtype=torch.long), 0, torch.qint8)


def dense8(weight: torch.Tensor, bias: torch.Tensor) -> Dense:
    """x (B, in) → x W + b (B, out) with W in int8."""
    packed = torch.ops.quantized.linear_prepack(quantise(weight), bias.float())
    narrow = not torch.cpu._is_vnni_supported()  # without VNNI, sums of two full products overflow 16 bits
    held = weight.numel() + 16 * len(bias)  # of each output its bias, scale, zero point and column's sum
    return Dense(lambda x: torch.ops.quantized.linear_dynamic(x, packed, narrow), held)


class Int8Decoder(Decoder):
    """The same loop over int8 products; on the CPU only, keys and values in float32."""

    def __init__(self, model: GPT2LMHeadModel, layout: str = "gpt2"):
        super().__init__(model, layout, dense8, torch.float32)
        self.pace = Pace(torch_threads)
