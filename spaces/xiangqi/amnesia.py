"""The same position by other ways: does a model answer what stands on the board, or how it came about?

`transposed` swaps moves of one side as long as every move stays legal and the same position is reached; `detour` lets
pieces wander at random before the last move and return the way they came. The last move, the side to move and, for a
transposition, the number of plies stay. A FEN has no way at all: sighted sees its board alone; faithful cannot be shown
one, and is asked what it says to an empty history. Policies are compared whole, legal or not.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import torch

from shared import accelerator
from spaces.xiangqi.api import weights
from spaces.xiangqi.board import SOLDIER
from spaces.xiangqi.breaks import breach
from spaces.xiangqi.faithful import PLIES
from spaces.xiangqi.record import play
from spaces.xiangqi.rules import Position
from spaces.xiangqi.styles import STYLES
from spaces.xiangqi.voices import MODELS, Saying, check_line, faithful_words, sighted_moves, sort

if TYPE_CHECKING:  # building the page loads no models
    from transformers import PreTrainedModel

WAYS = ("played", "transposed", "detour", "fen")
DRAWS, SWAPS, WALKS = 4, 200, 60
MOST_DETOUR = 40


@dataclass(frozen=True)
class Distance:
    """Between two policies over all words: tv, total variation 0 … 1; kl in bits, of the first from the second."""

    tv: float
    kl: float


@dataclass(frozen=True)
class Heard:
    """What a model says after one way: to a first draw of it, and its distances from `played`, one for each draw."""

    saying: Saying
    distances: list[Distance]


@dataclass(frozen=True)
class Forgetting:
    """lines: {way: moves of its first draw, None for a FEN}; heard: {way: {model: Heard}}; apart: tv of the models."""

    lines: dict[str, tuple[int, ...] | None]
    heard: dict[str, dict[str, Heard]]
    apart: float


def _reaches(moves: list[int], since: int, board: list[int]) -> bool:
    """Whether a line whose first `since` moves are known to be legal is legal throughout and ends in this board."""
    position = Position()
    for ply, move in enumerate(moves):
        if ply >= since and breach(position, move):
            return False
        position.push(move)
    return position.board == board


def transposed(moves: tuple[int, ...], seed: int, swaps: int = SWAPS) -> tuple[int, ...] | None:
    """The line with moves of either side in another order, by random legal swaps; None where none was found."""
    rng, line, board = random.Random(seed), list(moves), play("", moves).board
    free = len(line) - 1  # the last move stays
    for _ in range(swaps if free > 2 else 0):
        i = rng.randrange(free - 2)
        j = rng.randrange(i + 2, free, 2)
        if line[i] == line[j]:
            continue
        line[i], line[j] = line[j], line[i]
        if not _reaches(line, i, board):
            line[i], line[j] = line[j], line[i]
    return tuple(line) if tuple(line) != moves else None


def changed(moves: tuple[int, ...], other: tuple[int, ...]) -> int:
    """In how many plies two lines of one length differ."""
    return sum(a != b for a, b in zip(moves, other, strict=True))


def detour(moves: tuple[int, ...], plies: int, seed: int) -> tuple[int, ...] | None:
    """The line with `plies`, rounded down to a multiple of 4, before its last move; None where none is found."""
    rng, at = random.Random(seed), max(0, len(moves) - 1)
    there = min(plies, PLIES - len(moves)) // 4 * 2
    position = play("", moves[:at])
    for _ in range(WALKS if there > 0 else 0):
        walk = _walk(position, there, rng)
        if walk:
            return moves[:at] + walk + moves[at:]
    return None


def _walk(position: Position, there: int, rng: random.Random) -> tuple[int, ...] | None:
    """Random quiet moves of either side and their reversals, or None where the way back is closed."""
    made: list[int] = []
    for ply in range(2 * there):
        if ply < there:
            quiet = [m for m in position.legal_moves() if _quiet(position, m)]
            move = rng.choice(quiet) if quiet else None
        else:  # red takes back its last move, then black its last, then red the one before
            own = made[ply % 2 : there : 2]
            origin, target = divmod(own[-1 - (ply - there) // 2], 90)
            move = 90 * target + origin
            move = None if breach(position, move) else move
        if move is None:
            break
        position.push(move)
        made.append(move)
    for _ in made:
        position.pop()
    return tuple(made) if len(made) == 2 * there else None


def _quiet(position: Position, move: int) -> bool:
    """Whether a move takes nothing and can be taken back: a soldier's never can."""
    return not position.board[move % 90] and position.board[move // 90] & 7 != SOLDIER


def distance(p: torch.Tensor, q: torch.Tensor) -> Distance:
    """Between two distributions (N,) over the same outcomes."""
    p, q = p.double(), q.double()
    kept = p > 0
    kl = (p[kept] * (p[kept] / q[kept].clamp(min=1e-12)).log2()).sum()
    return Distance(float((p - q).abs().sum() / 2), max(0.0, float(kl)))


def forget(moves: tuple[int, ...], style: str, plies: int, seed: int) -> Forgetting:
    """What both models say in the position after `moves`, by every way that there is; remembered."""
    check_line(moves)
    both = tuple(weights(level) for level in ("article", "sighted"))  # before the device's turn
    return _remembered(both, moves, style, plies, seed)


@lru_cache(maxsize=64)
def _remembered(both: tuple[PreTrainedModel, ...], moves: tuple[int, ...], style: str, plies: int,
                seed: int) -> Forgetting:
    draws: dict[str, list[tuple[int, ...]]] = {"played": [moves]}
    for way, draw in (("transposed", lambda s: transposed(moves, s)), ("detour", lambda s: detour(moves, plies, s))):
        found = dict.fromkeys(line for s in range(DRAWS) if (line := draw(seed + s)) is not None)
        draws |= {way: list(found)} if found else {}
    heard, apart = _forget(draws, STYLES.index(style))
    return Forgetting({way: lines[0] for way, lines in draws.items()} | {"fen": None}, heard, apart)


@accelerator.run(duration=20)
def _forget(draws: dict[str, list[tuple[int, ...]]], style: int) -> tuple[dict[str, dict[str, Heard]], float]:
    position = play("", draws["played"][0])
    bare = Position(position.fen())
    said = {way: [_policies(list(line), play("", line), style) for line in lines] for way, lines in draws.items()}
    said["fen"] = [_policies([], bare, style)]
    played = said["played"][0]
    heard = {way: {model: Heard(sort(position, rows[0][model][:-1], float(rows[0][model][-1])),
                                [distance(played[model], row[model]) for row in rows])
                   for model in MODELS} for way, rows in said.items()}
    return heard, distance(played["faithful"], played["sighted"]).tv


def _policies(history: list[int], position: Position, style: int) -> dict[str, torch.Tensor]:
    """Each model's whole distribution (8101,), the last entry for words that are no pair of squares."""
    faithful, sighted = (weights(level).to(accelerator.device()) for level in ("article", "sighted"))
    words, malformed = faithful_words(faithful, history, [len(history)], [[]], followed=0)
    moves = sighted_moves(sighted, position, [len(position.moves)], style)
    return {"faithful": torch.cat([words[0], malformed]), "sighted": torch.cat([moves[0], torch.zeros(1)])}
