"""The game under study: a line from the start, the ply looked at, and how the models are asked there.

Every view of "See it think" reads one `Study`; the game is kept as ICCS words without separators, so it fits a link.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cached_property

from shared.experiment import InputError, choice, number
from spaces.xiangqi.amnesia import MOST_DETOUR, WAYS, detour
from spaces.xiangqi.board import START_FEN, iccs, parse_iccs
from spaces.xiangqi.faithful import PLIES
from spaces.xiangqi.record import MOST_CHARACTERS, read_game
from spaces.xiangqi.rules import Position
from spaces.xiangqi.styles import STYLES
from spaces.xiangqi.voices import check_line

LENSES = ("side", "amnesia", "attention", "belief", "recitation")
MOST_HEADS = 400
OPENING = "h2e2h9g7h0g2i9h9i0h0b9c7c3c4g6g5h0h6h7i7h6g6i7i8"
PLAYED_ON = ("b2c2i8g8g6f6g5g4f6g6g8g6g3g4g6g2c2g2h9h1g2g7b7g7g4g5g7g0f0e1"
             "a9b9g5g6g0i0c4c5c6c5e2e6c7e6g6f6h1h0e1f0h0f0e0f0b9b0a0b0i0g0f6e6g0i0")
ANOTHER_ORDER = "c3c4g6g5h2e2b9c7h0g2h9g7i0h0i9h9h0h6h7i7h6g6i7i8"


def packed(moves: tuple[int, ...] | list[int]) -> str:
    """Moves as ICCS words without separators."""
    return "".join(map(iccs, moves))


def unpacked(text: str) -> tuple[int, ...]:
    """The moves of such a string."""
    return tuple(parse_iccs(text[at : at + 4]) for at in range(0, len(text), 4))


@dataclass(frozen=True)
class Study:
    """A line, a ply of it, and a lens."""

    lens: str = "side"
    game: str = OPENING + PLAYED_ON
    """Anything that `record.read_game` reads, from the usual start; kept as ICCS words."""
    ply: int = 13
    """How many of the moves have been made; beyond the end it is the end."""
    style: str = "human"
    """Whom sighted imitates."""
    way: str = "transposed"
    """Of `amnesia`: how the position came about."""
    detour: int = 16
    """Plies of the random detour."""
    seed: int = 0
    faithful_head: int = 0
    """Counted from 1 through all layers; 0 is the mean of all."""
    sighted_head: int = 0

    def __post_init__(self):
        choice("lens", self.lens, LENSES)
        choice("style", self.style, STYLES)
        choice("way", self.way, WAYS)
        limits = {"ply": (0, PLIES), "detour": (4, MOST_DETOUR), "seed": (0, 10**6),
                  "faithful_head": (0, MOST_HEADS), "sighted_head": (0, MOST_HEADS)}
        for name, span in limits.items():
            object.__setattr__(self, name, number(name, getattr(self, name), span))
        object.__setattr__(self, "game", packed(_read(self.game)))

    @cached_property
    def line(self) -> tuple[int, ...]:
        """The whole game."""
        return unpacked(self.game)

    @property
    def at(self) -> int:
        """The ply, within the game."""
        return min(self.ply, len(self.line))

    @property
    def moves(self) -> tuple[int, ...]:
        """The moves made so far."""
        return self.line[: self.at]


def _from_start(text: str) -> tuple[int, ...]:
    """The moves of a game; InputError where it has another start than the usual one."""
    if not isinstance(text, str) or len(text) > MOST_CHARACTERS:
        raise InputError("game", f"棋谱应为不超过 {MOST_CHARACTERS} 字的文本。",
                         f"must be text of at most {MOST_CHARACTERS} characters.")
    record = read_game(text)
    if record.fen != START_FEN:
        raise InputError("game", "须从通常的开局开始：faithful 读不了别的起始局面。",
                         "must begin from the usual start: faithful reads no other.")
    return record.moves


def _read(text: str) -> tuple[int, ...]:
    """The moves of a game that faithful can read whole."""
    return check_line(_from_start(text))


def cut(text: str) -> tuple[str, bool]:
    """A game as `Study` keeps it, cut after the plies that faithful reads, and whether it was cut."""
    moves = _from_start(text)
    return packed(moves[:PLIES]), len(moves) > PLIES


def random_line(plies: int, seed: int) -> str:
    """Random legal moves from the start."""
    rng, position = random.Random(seed), Position()
    for _ in range(plies):
        legal = position.legal_moves()
        if not legal:
            break
        position.push(rng.choice(legal))
    return packed(position.moves)


def examples() -> dict[str, tuple[str, int]]:
    """{name: (game, ply)} of lines of our own: a common opening played on by sighted, and three strange ones."""
    return {
        "opening": (OPENING + PLAYED_ON, 13),
        "order": (ANOTHER_ORDER + PLAYED_ON, 12),
        "detour": (packed(detour(unpacked(OPENING), MOST_DETOUR, 1)) + PLAYED_ON[:40], 51),
        "random": (random_line(60, 5), 40),
    }
