"""What the sighted model sees in a position: probabilities of moves, and win, draw and loss.

`Sight` reads a game's last plies as the model was trained to (boards in the mover's view, last moves, a style token)
and keeps what it encoded, so that the next move of the same game costs one or two new boards, whatever its length. Many
positions at once (`glance`) are read without history: a search's leaves.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import torch

from shared import accelerator
from spaces.xiangqi.replay import MOVE_TOKEN, NO_MOVE, mover_board, mover_move
from spaces.xiangqi.rules import Position
from spaces.xiangqi.styles import ENGINE

if TYPE_CHECKING:  # building the page loads no models
    from spaces.xiangqi.model import SightedModel

KEPT = 4096
_TOKENS = MOVE_TOKEN.tolist()


@dataclass(frozen=True)
class View:
    """policy: probability of each legal move; the rest of 1 lies on illegal ones; wdl: of the side to move."""

    policy: dict[int, float]
    wdl: tuple[float, float, float]

    @property
    def illegal_mass(self) -> float:
        return max(0.0, 1.0 - sum(self.policy.values()))

    @property
    def value(self) -> float:
        """P(win) − P(loss)."""
        return self.wdl[0] - self.wdl[2]


class Sight:
    """A sighted model with a memory of the positions that it encoded; it imitates `style` unless asked otherwise."""

    def __init__(self, model: SightedModel, style: int = ENGINE):
        self.model, self.plies, self.style = model, model.config.n_positions, style
        self._seen: OrderedDict[tuple, torch.Tensor] = OrderedDict()

    def _encode(self, keys: list[tuple]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """squares (N, 90, D), seen (N, trunk width) and the last moves' tokens (N,)."""
        boards, last = (torch.tensor(column, device=self.model.device) for column in zip(*keys, strict=True))
        return *self.model.encode(boards, last), last

    def _keep(self, keys: list[tuple], seen: torch.Tensor) -> None:
        self._seen.update(zip(keys, seen.unbind(), strict=True))
        while len(self._seen) > KEPT:
            self._seen.popitem(last=False)

    def _memory(self, seen: torch.Tensor, last: torch.Tensor, style: int | None) -> torch.Tensor:
        style = self.style if style is None else style
        return self.model.remember(seen, last, torch.full_like(last, style))[:, -1]

    @torch.inference_mode()
    def look(self, position: Position, style: int | None = None, legal: list[int] | None = None) -> View:
        """The view of a position with as much of its history as the model reads."""
        keys = window(position, self.plies)
        with _precision(self.model.device):
            known = {key: row for key in keys[:-1] if (row := self._seen.get(key)) is not None}
            fresh = [*dict.fromkeys(key for key in keys[:-1] if key not in known), keys[-1]]
            squares, seen, _ = self._encode(fresh)
            self._keep(fresh, seen)
            known |= zip(fresh, seen.unbind(), strict=True)
            last = torch.tensor([[last for _, last in keys]], device=seen.device)
            memory = self._memory(torch.stack([known[key] for key in keys])[None], last, style)
            decision = self.model.decide(squares[-1:], memory)
        legal = position.legal_moves() if legal is None else legal
        return _views(decision, [(legal, position.turn)])[0]

    @torch.inference_mode()
    def glance(self, leaves: list[tuple[Position, list[int]]], style: int | None = None) -> list[View]:
        """The views of positions (N) with their legal moves, each read as a first ply, in one batch.

        A leaf is anything with `board`, `turn` and `moves`, of which only the last move is read.
        """
        if not leaves:
            return []
        keys = [_key(leaf.board, leaf.turn, leaf.moves[-1] if leaf.moves else None) for leaf, _ in leaves]
        with _precision(self.model.device):
            squares, seen, last = self._encode(keys)
            decision = self.model.decide(squares, self._memory(seen[:, None], last[:, None], style))
        return _views(decision, [(legal, leaf.turn) for leaf, legal in leaves])


_autocast_dtype = cache(accelerator.autocast_dtype)  # asks the operating system


def _precision(device: torch.device) -> torch.autocast:
    dtype = _autocast_dtype()
    return torch.autocast(device.type, dtype, enabled=dtype is not None)


def _key(board: list[int], turn: int, last: int | None) -> tuple[tuple[int, ...], int]:
    """(cells, token of the last move), both as the side to move sees them."""
    return tuple(mover_board(board, turn)), NO_MOVE if last is None else _TOKENS[mover_move(last, turn)]


def window(position: Position, plies: int) -> list[tuple[tuple[int, ...], int]]:
    """Keys of the last positions of the game, the present one last."""
    board, turn, keys = list(position.board), position.turn, []
    moves, taken = position.moves, position.captured
    for ply in range(len(moves), max(-1, len(moves) - plies), -1):
        keys.append(_key(board, turn, moves[ply - 1] if ply else None))
        if ply:
            origin, target = divmod(moves[ply - 1], 90)
            board[origin], board[target] = board[target], taken[ply - 1]
            turn ^= 1
    return keys[::-1]


def _views(decision, asked: list[tuple[list[int], int]]) -> list[View]:
    policy, wdl = decision.policy.float().softmax(-1).cpu(), decision.wdl.float().softmax(-1).tolist()
    out = []
    for row, outcome, (legal, turn) in zip(policy, wdl, asked, strict=True):
        p = row[[mover_move(m, turn) for m in legal]].tolist()
        out.append(View(dict(zip(legal, p, strict=True)), tuple(outcome)))
    return out
