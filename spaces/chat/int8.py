"""Decoding in int8: a quarter of the bytes to read for each token, behind the same seam as full precision.

Weights are rounded once, each output with its own scale (symmetric, 127 steps); activations at every product, with one
scale for all rows in it. The product is torch's own (fbgemm on x86, qnnpack on ARM): its products of a whole token took
2.7 ms on one busy core, those of torch._int_mm (which would give every row its own scale) 5.2, float32's 8.3.

Chosen by measurement (benchmarks/decode.py, 30 M parameters, two shared cores and threads): 329 tokens a second, 4.6
times `generate`; CTranslate2 4.8.5 in int8 193, and it has no seam for batches, forks and every token's alternatives.
What rounding costs a trained model in bits per character is for spaces.chat.evaluate to say once weights ship.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open

from shared import accelerator
from shared.checkpoint import weight_files
from shared.experiment import InputError
from spaces.chat.calculator import Shape
from spaces.chat.decode import Decoder, readable
from spaces.chat.pace import Pace, torch_threads
from spaces.chat.products import Dense

if TYPE_CHECKING:  # building the page loads no model code
    from transformers import GPT2LMHeadModel


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

    def __init__(self, model: GPT2LMHeadModel, layout: str = "gpt2", parameter=None):
        super().__init__(model, layout, dense8, torch.float32, parameter)
        self.pace = Pace(torch_threads)


class Int8GPT2(torch.nn.Module):
    """A GPT-2 as int8 products alone, as shared.models reads it: one matrix after the other, never the whole."""

    def __init__(self, model: GPT2LMHeadModel, decoder: Int8Decoder):
        super().__init__()
        self.config, self.decoder = model.config, decoder
        self._parameters_of, self._bytes = model.num_parameters(), decoder.extra_bytes
        decoder.extra_bytes = 0  # nothing stands beside it

    @classmethod
    def from_pretrained(cls, folder: Path, **_: Any) -> tuple[Int8GPT2 | None, dict[str, set[str]]]:
        """The model of a folder in Hugging Face format, and what its files lack: then there is no model."""
        model = _shape(folder)
        where: dict[str, tuple[Path, str]] = {}  # the oldest checkpoints of GPT-2 name their tensors without the prefix
        for file in weight_files(folder):
            with safe_open(file, framework="pt") as tensors:
                where |= {name.removeprefix("transformer."): (file, name) for name in tensors.keys()}  # noqa: SIM118
        if missing := {name.removeprefix("transformer.") for name, _ in model.named_parameters()} - where.keys():
            return None, {"missing_keys": missing}

        def parameter(name: str) -> torch.Tensor:
            accelerator.return_memory()  # 5.0 GB at the end of CPM's 2.6 billion without, 2.9 with
            file, stored = where[name.removeprefix("transformer.")]
            with safe_open(file, framework="pt") as tensors:  # opened anew: what was read of it leaves the memory
                return tensors.get_tensor(stored)

        return cls(model, Int8Decoder(model, parameter=parameter)), {"missing_keys": set()}

    @staticmethod
    def bytes_needed(folder: Path) -> int:
        """Of memory, once it is read."""
        return Shape.of(_shape(folder).config).weights("int8")

    def num_parameters(self) -> int:
        return self._parameters_of

    def get_memory_footprint(self) -> int:
        return self._bytes


def _shape(folder: Path) -> GPT2LMHeadModel:
    """The model without weights; InputError where it is none in GPT-2's layout."""
    from transformers import GPT2Config, GPT2LMHeadModel

    if json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type") == "gpt2":
        with torch.device("meta"):
            model = GPT2LMHeadModel(GPT2Config.from_pretrained(folder, local_files_only=True))
        if readable(model):
            return model
    raise refusal()


def refusal() -> InputError:
    """Of a model or a device that int8 is not for."""
    zh, en = "int8 只用于 CPU 上 GPT-2 布局的模型。", "int8 is for models in GPT-2's layout on the CPU."
    return InputError("precision", zh, en)
