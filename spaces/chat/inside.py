"""Inside a GPT-2 while it reads a visitor's text: who attends to whom, and which places it takes for alike.

The pass is GPT-2's, written out so that the attention weights can be seen; the model itself, which all visitors share,
keeps its fused attention.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from shared import accelerator
from shared.experiment import InputError, number
from spaces.chat.answer import checked
from spaces.chat.decode import readable
from spaces.chat.engines import load
from spaces.chat.layout import Reading, compare, speakers
from spaces.chat.voices import is_server, shelf_name, speaker

if TYPE_CHECKING:  # building the page loads no model code
    from transformers import GPT2LMHeadModel

MOST = 96
"""Tokens that are drawn; of a longer text the end."""
LONGEST = 2000


@dataclass(frozen=True)
class Looking:
    """A text, a model, and where to look: layer from 1, head from 1; head 0 is the mean of all."""

    text: str = "张三是语文老师，李四是医生。张三教语文，李四看病人。"
    model: str = ""
    layer: int = 1
    head: int = 0

    def __post_init__(self):
        if not isinstance(self.text, str) or not self.text.strip() or len(self.text) > LONGEST:
            raise InputError("text", f"须为 1 到 {LONGEST} 字。", f"must have 1 to {LONGEST} characters.")
        object.__setattr__(self, "layer", number("layer", self.layer, (1, 512)))
        object.__setattr__(self, "head", number("head", self.head, (0, 1024)))


@dataclass(frozen=True)
class Inside:
    """What one layer does with the text."""

    pieces: tuple[str, ...]
    """The tokens as text; the first is the beginning of the text."""
    attention: np.ndarray
    """(L, L): row i is how token i divides its attention among tokens 0 … i."""
    similarity: np.ndarray
    """(L, L): cosines of the hidden states after the layer, their mean over the text taken off."""
    layers: int
    heads: int
    cut: int
    """Tokens at the beginning that are not shown."""

    @property
    def shares(self) -> dict[str, float]:
        """Mean attention of tokens 2 … to the text's beginning, to the token before, to themselves."""
        rows = range(2, len(self.pieces))
        mean = lambda values: float(np.mean(list(values))) if len(rows) else math.nan  # noqa: E731
        return {
            "first": mean(self.attention[i, 0] for i in rows),
            "before": mean(self.attention[i, i - 1] for i in rows),
            "itself": mean(self.attention[i, i] for i in rows),
        }


@torch.inference_mode()
def layer_of(model: GPT2LMHeadModel, ids: list[int], layer: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention weights (H, L, L) and hidden states (L, D) after a layer, counted from 1."""
    body, length = model.transformer, len(ids)
    tokens = torch.tensor(ids, device=model.device)
    x = body.wte(tokens) + body.wpe.weight[:length]
    future = torch.ones(length, length, dtype=torch.bool, device=x.device).triu(1)
    for block in body.h[:layer]:
        heads = block.attn.num_heads
        q, k, v = block.attn.c_attn(block.ln_1(x)).view(length, 3, heads, -1).permute(1, 2, 0, 3)  # (H, L, D/H)
        weights = (q @ k.mT / math.sqrt(q.shape[-1])).masked_fill(future, -math.inf).softmax(-1)
        x = x + block.attn.c_proj((weights @ v).transpose(0, 1).reshape(length, -1))
        x = x + block.mlp(block.ln_2(x))
    return weights.float().cpu(), x.float().cpu()


def cosines(states: torch.Tensor) -> torch.Tensor:
    """(L, L) cosines of states (L, D) less their mean over the text: a common direction would drown the rest."""
    centred = states - states.mean(0)
    unit = centred / centred.norm(dim=1, keepdim=True).clamp(min=1e-12)
    return unit @ unit.T


@accelerator.run(duration=20)
def look(asked: Looking) -> Inside:
    """One layer on a text; raises InputError for a model without GPT-2's layout, or a layer or head it has not."""
    model, one = gpt2(asked.model), speaker(asked.model)
    ids = [*one.start, *one.tokenizer.encode(checked(asked.text))]
    cut = max(0, len(ids) - min(MOST, model.config.n_positions))
    ids = [*one.start, *ids[len(one.start) + cut :]]
    layers, heads = model.config.n_layer, model.config.n_head
    for name, value, most in (("layer", asked.layer, layers), ("head", asked.head, heads)):
        if value > most:
            raise InputError(name, f"这个模型只有 {most} 个。", f"must be at most {most}: the model has no more.")
    weights, states = layer_of(model, ids, asked.layer)
    chosen = weights.mean(0) if not asked.head else weights[asked.head - 1]
    pieces = tuple(one.tokenizer.decode([i]) for i in ids)
    return Inside(pieces, chosen.numpy(), cosines(states).numpy(), layers, heads, cut)


@accelerator.run(duration=60)
def layouts(asked: Looking) -> list[Reading]:
    """The same weights read as GPT-2, as GPT2_ML, and without GPT-2's last norm."""
    model, one = gpt2(asked.model), speaker(asked.model)
    made = model.__dict__.setdefault("_layouts", {})  # they go when the model goes
    if not made:
        made.update(speakers(model, one.tokenizer, one.start))
    return [replace(reading) for reading in compare(made, asked.text)]


def gpt2(name: str) -> GPT2LMHeadModel:
    """The model of a name, which must be in GPT-2's layout."""
    if is_server(name):
        raise InputError("model", "须为本进程里的模型。", "must be one of this process, not a server.")
    model = load(shelf_name(name)).model
    if not readable(model):
        raise InputError("model", "须为 GPT-2 布局的模型。", "must be a model in GPT-2's layout.")
    return model
