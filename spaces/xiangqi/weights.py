"""The weights that ship: where they lie and how they are loaded.

`weights/sighted` and `weights/faithful` are in Hugging Face format (config.json and safetensors in bf16).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from shared.attention import register
from shared.experiment import InputError

if TYPE_CHECKING:  # building the page loads no models
    from transformers import GPT2LMHeadModel

    from spaces.xiangqi.model import SightedModel

WEIGHTS = Path(__file__).parent / "weights"


def load(name: str, folder: Path = WEIGHTS, device: torch.device | str = "cpu",
         dtype: torch.dtype = torch.float32) -> SightedModel | GPT2LMHeadModel:
    """The model `sighted` or `faithful` of a folder, in evaluation mode; InputError when it is not there."""
    from transformers import GPT2LMHeadModel

    from spaces.xiangqi.model import SightedModel

    path = Path(folder) / name
    if not (path / "config.json").exists():
        raise InputError("weights", f"没有 {name} 的权重（应在 {path}）。",
                         f"the weights of {name} are missing (expected in {path}).")
    register()
    kind = SightedModel if name == "sighted" else GPT2LMHeadModel
    return kind.from_pretrained(path, dtype=dtype, attn_implementation="xformers").to(device).eval()
