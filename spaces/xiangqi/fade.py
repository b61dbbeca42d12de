"""Attention to past plies: how far back does each model look when it is about to choose a move?

*faithful* reads four characters a ply: from the last one read, a head's attention to a ply is the sum over its four.
*sighted* sees boards; its trunk attends from the present ply to the last plies' summaries. Everything the models read
before the first move (the [PAD] that begins a text, the position at the start) is ply 0. Shares are softmax weights,
averaged over the heads chosen: where a model looks, which is not yet what it uses.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import nn

from shared import accelerator, models
from spaces.xiangqi.faithful import characters
from spaces.xiangqi.record import play
from spaces.xiangqi.rules import Position
from spaces.xiangqi.sight import window
from spaces.xiangqi.styles import STYLES
from spaces.xiangqi.voices import MODELS, check_line
from spaces.xiangqi.weights import WEIGHTS

if TYPE_CHECKING:  # building the page loads no models
    from transformers import GPT2LMHeadModel

    from spaces.xiangqi.model import SightedModel


@dataclass(frozen=True)
class Attention:
    """shares (layers, heads, n + 1): of the attention at ply n to plies 0 … n; first: the earliest that can be seen."""

    shares: torch.Tensor
    first: int

    @property
    def rows(self) -> int:
        """Heads in all layers."""
        return self.shares.shape[0] * self.shares.shape[1]

    def head(self, number: int) -> torch.Tensor:
        """(n + 1,): head `number`, counted from 1 through all layers; 0 is the mean of all."""
        flat = self.shares.flatten(0, 1)
        return flat.mean(0) if number == 0 else flat[min(number, len(flat)) - 1]

    def name(self, number: int) -> str:
        """`2.3`: layer 2, head 3."""
        layer, head = divmod(number - 1, self.shares.shape[1])
        return f"{layer + 1}.{head + 1}"

    def half(self, number: int) -> int:
        """The least k such that the last k plies hold half of the attention that goes to moves."""
        shares = self.head(number)[1:]
        back = shares.flip(0).cumsum(0)
        return int((back < back[-1] / 2).sum()) + 1 if len(shares) else 0


@contextmanager
def watched(blocks: nn.ModuleList) -> Iterator[list[torch.Tensor]]:
    """Collects the last query's weights (heads, keys) of every block that runs in this thread."""
    seen, mine = [], threading.get_ident()

    def keep(module: nn.Module, inputs: tuple, output: tuple) -> None:
        if threading.get_ident() == mine:
            seen.append(output[1][0, :, -1].float().cpu())

    hooks = [block.attn.register_forward_hook(keep) for block in blocks]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


@torch.inference_mode()
def faithful_attention(model: GPT2LMHeadModel, moves: list[int]) -> Attention:
    """Of an eager model, before the first character of the next move."""
    ids = torch.cat([torch.zeros(1, dtype=torch.long), characters(torch.tensor(moves, dtype=torch.long)).flatten()])
    with watched(model.transformer.h) as seen:
        model.transformer(ids[None].to(model.device), use_cache=False)
    weights = torch.stack(seen)  # (layers, heads, 1 + 4n)
    plies = weights[..., 1:].unflatten(-1, (len(moves), 4)).sum(-1) if moves else weights[..., 1:]
    return Attention(torch.cat([weights[..., :1], plies], -1), 0)


@torch.inference_mode()
def sighted_attention(model: SightedModel, position: Position, style: int) -> Attention:
    """Of an eager model's trunk, at the present ply; earlier plies than its window have share 0."""
    keys = window(position, model.config.n_positions)
    first = len(position.moves) + 1 - len(keys)
    boards, last = (torch.tensor(column, device=model.device) for column in zip(*keys, strict=True))
    _, seen = model.encode(boards, last)
    with watched(model.trunk.h) as weights:
        model.remember(seen[None], last[None], torch.full_like(last, style)[None])
    return Attention(nn.functional.pad(torch.stack(weights), (first, 0)), first)


def look_back(moves: tuple[int, ...], style: str) -> dict[str, Attention]:
    """The attention of both models at the end of a line."""
    check_line(moves)
    both = tuple(eager(name) for name in MODELS)  # before the device's turn
    return _remembered(both, moves, STYLES.index(style))


@lru_cache(maxsize=64)
def _remembered(both: tuple[nn.Module, ...], moves: tuple[int, ...], style: int) -> dict[str, Attention]:
    return _look_back(moves, style)


def eager(name: str) -> nn.Module:
    """The model from the shelf in the implementation that tells its weights."""
    from spaces.xiangqi.model import SightedModel

    kind = SightedModel if name == "sighted" else "AutoModelForCausalLM"
    return models.load("", kind, embedded=WEIGHTS / name, attention="eager").model


@accelerator.run(duration=5)
def _look_back(moves: tuple[int, ...], style: int) -> dict[str, Attention]:
    faithful, sighted = (eager(name).to(accelerator.device()) for name in MODELS)
    return {"faithful": faithful_attention(faithful, list(moves)),
            "sighted": sighted_attention(sighted, play("", moves), style)}


def travellers(moves: tuple[int, ...]) -> dict[int, list[int]]:
    """{square: the plies, from 1 on, in which the piece that stands there now has moved}."""
    plies: dict[int, list[int]] = {}
    for ply, move in enumerate(moves, 1):
        origin, target = divmod(move, 90)
        plies[target] = plies.pop(origin, []) + [ply]
    return plies


def opacities(moves: tuple[int, ...], shares: torch.Tensor, least: float = 0.22) -> dict[int, float]:
    """{square: opacity} of every piece: `least` where nothing is looked at, 1 for the piece looked at most."""
    board = play("", moves).board
    looked = {square: float(sum(shares[ply] for ply in plies)) for square, plies in travellers(moves).items()}
    most = max(looked.values(), default=0.0) or 1.0
    return {s: least + (1 - least) * looked.get(s, 0.0) / most for s, piece in enumerate(board) if piece}
