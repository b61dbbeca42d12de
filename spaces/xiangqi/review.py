"""After the game: what every move cost, by *thinking*.

Each position of the game is searched once; the expected score of whoever is to move, W = 50 (1 + P(win) − P(loss)) in
percent, before the move (if the best is played) and after it gives what the move lost. Its accuracy is
103.1668 exp(−0.04354 (W_before − W_after)) − 3.1669, cut to 0 … 100, the formula of lichess.org/page/accuracy; a
side's accuracy here is the plain mean of its moves'. Try first: `Review().begin("", moves, 0.3)`, then `run()`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean

from shared.experiment import InputError
from shared.live import LiveRun
from spaces.xiangqi.api import read_moves, study
from spaces.xiangqi.board import BLACK, RED
from spaces.xiangqi.outcome import outcome
from spaces.xiangqi.record import play
from spaces.xiangqi.rules import Position

SECONDS = (0.1, 0.3, 1.0, 3.0)
"""What may be spent on a position."""
COSTLIEST, LEAST = 3, 2.0
"""So many moves are named, those that cost at least so many percent."""


def accuracy(before: float, after: float) -> float:
    """0 … 100 for a move, of the mover's expected score in percent before and after it."""
    return max(0.0, min(100.0, 103.1668 * math.exp(-0.04354 * max(0.0, before - after)) - 3.1669))


@dataclass(frozen=True)
class Asked:
    """A review as a link names it."""

    seconds: float = SECONDS[1]
    """For each position."""
    fen: str = ""
    """The first position; empty: the usual start."""
    moves: str = ""
    """The game, as ICCS words; empty: that of the table."""

    def __post_init__(self):
        if self.seconds not in SECONDS:
            names = ", ".join(map(str, SECONDS))
            raise InputError("seconds", f"每个局面的秒数应为 {names} 之一。", f"seconds must be one of {names}.")
        play(self.fen, read_moves(self.moves))


@dataclass(frozen=True)
class Seen:
    """A position as it was searched: what red expects, −1 … 1, and the best line."""

    value: float
    line: tuple[int, ...] = ()


@dataclass(frozen=True)
class Judged:
    """A move and its price: `before` and `after` are the mover's expected score in percent."""

    ply: int
    side: int
    move: int
    line: tuple[int, ...]
    """What was better, the first move included; the move itself where nothing was."""
    before: float
    after: float

    @property
    def cost(self) -> float:
        return max(0.0, self.before - self.after)


class Review(LiveRun):
    """A game under review, position by position; it can be stopped, and goes on where it was."""

    def __init__(self):
        super().__init__()
        self.fen, self.moves, self.each, self.seen = "", (), 0.0, []

    def begin(self, fen: str, moves: tuple[int, ...], seconds: float) -> None:
        """Take up a game (legal moves from a FEN, empty for the start), to be searched for `seconds` a position."""
        Asked(seconds)
        if not moves:
            raise InputError("game", "还没有着法可复盘：请先下一盘，或读入棋谱。",
                             "there is no move to review: play a game first, or read one in.")
        play(fen, moves)
        self.pause()
        self.fen, self.moves, self.each, self.seen, self.seconds = fen, tuple(moves), seconds, [], 0.0

    @property
    def started(self) -> bool:
        return bool(self.moves)

    @property
    def step(self) -> int:
        return len(self.seen)

    @property
    def goal(self) -> int:
        return len(self.moves) + 1

    @property
    def over(self) -> tuple[str, str]:
        if self.step < self.goal:
            return super().over
        return "复盘已完。", "the review is complete."

    def position(self, ply: int) -> Position:
        """The position after `ply` moves."""
        return play(self.fen, self.moves[:ply])

    def _advance(self, steps: int) -> None:
        for _ in range(steps):
            position = self.position(self.step)
            # A game that people went on with after a draw by the rules is no draw there.
            last = self.step == len(self.moves) or not position.legal_moves()
            if last and (end := outcome(position)) is not None:
                self.seen.append(Seen(0.0 if end.winner is None else 1.0 - 2.0 * end.winner))
                continue
            found = study(position.start_fen, list(position.moves), self.each)
            self.seen.append(Seen(-found.value if position.turn else found.value, found.line))

    def judged(self) -> list[Judged]:
        """The moves whose positions before and after were searched."""
        out, first = [], self.position(0).turn
        for ply, (here, there) in enumerate(zip(self.seen, self.seen[1:], strict=False)):
            side, move = (first + ply) % 2, self.moves[ply]
            before, after = (50 + 50 * (-seen.value if side else seen.value) for seen in (here, there))
            if here.line[:1] == (move,):
                before = after  # the best move costs nothing, whatever the next search made of it
            out.append(Judged(ply, side, move, here.line, before, after))
        return out

    def costliest(self) -> list[Judged]:
        """The moves that cost most, the dearest first."""
        dear = sorted((j for j in self.judged() if j.cost >= LEAST), key=lambda j: -j.cost)
        return dear[:COSTLIEST]

    def accuracy(self) -> dict[int, float | None]:
        """Of RED and BLACK: the mean of their moves', None before there is one."""
        out: dict[int, float | None] = {}
        for side in (RED, BLACK):
            mine = [accuracy(j.before, j.after) for j in self.judged() if j.side == side]
            out[side] = fmean(mine) if mine else None
        return out
