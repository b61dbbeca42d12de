"""How a game ends: mate, stalemate, repetition with perpetual check and chase, the draw rules.

The third occurrence of a position, no capture between, ends the game. Who has checked at every move since the first
occurrence loses, unless both have; likewise, where nobody has, who has chased one and the same piece at every move.
All else is a draw, and so are 50 moves each without a capture (of each side's checks, those beyond the tenth do not
count) and positions in which neither side has a piece that can cross the river. Held against pyffish's `xiangqi`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from spaces.xiangqi.board import BLACK, CANNON, HORSE, KING, RED, ROOK, SOLDIER
from spaces.xiangqi.chase import chased
from spaces.xiangqi.rules import Position, attacked

FOLD, QUIET_PLIES, FREE_CHECKS = 3, 100, 10

REASONS = {
    "checkmate": ("将死", "checkmate"),
    "stalemate": ("困毙", "stalemate"),
    "perpetual check": ("长将判负", "perpetual check"),
    "perpetual chase": ("长捉判负", "perpetual chase"),
    "repetition": ("三次重复局面", "threefold repetition"),
    "quiet moves": ("双方五十回合未吃子", "50 moves each without a capture"),
    "material": ("双方都无攻击子力", "neither side can attack"),
}
"""What each `Outcome.reason` says, in Chinese and in English."""

RESULT = {RED: "1-0", BLACK: "0-1", None: "1/2-1/2"}
"""A winner as PGN writes it."""


@dataclass(frozen=True)
class Outcome:
    """winner: RED, BLACK, or None for a draw; reason: a key of REASONS."""

    winner: int | None
    reason: str

    @property
    def result(self) -> str:
        """As PGN writes it."""
        return RESULT[self.winner]


class _Past:
    """The game backwards to before the last capture: state k is the position k plies ago."""

    def __init__(self, position: Position):
        self.moves, self.start = position.moves[::-1], len(position.moves)
        self.end, self.turn = min(position.clock, self.start), position.turn
        self.boards = [list(position.board)]
        for move, taken in zip(self.moves[: self.end + 1], position.captured[::-1], strict=False):
            board = list(self.boards[-1])
            origin, target = divmod(move, 90)
            board[origin], board[target] = board[target], taken
            self.boards.append(board)

    def check(self, k: int) -> bool:
        """Whether the side to move k plies ago stood in check."""
        side = self.turn ^ k & 1
        return attacked(self.boards[k], self.boards[k].index(KING + 8 * side), side)

    def third(self) -> int | None:
        """How many plies ago the position first occurred, when this is the third time."""
        same = [k for k in range(4, self.end + 1, 2) if self.boards[k] == self.boards[0]]
        return same[FOLD - 2] if len(same) >= FOLD - 1 else None

    def checks_always(self, first: int, since: int) -> bool:
        """Whether all states first, first + 2, … up to `since` plies ago are checks."""
        return all(self.check(k) for k in range(first, since + 1, 2))

    def chases_always(self, first: int, since: int) -> bool:
        """Whether one piece is chased in all those states, wherever it moved in between."""
        hunted = self._chased(first)
        for k in range(first + 2, since + 1, 2):
            if not hunted or k == self.start:
                break
            origin, target = divmod(self.moves[k - 1], 90)
            hunted = {origin if s == target else s for s in hunted} & self._chased(k)
        return bool(hunted)

    def _chased(self, k: int) -> set[int]:
        """The pieces of the side to move k plies ago that the move before chased."""
        return chased(self.boards[k + 1], self.moves[k]) if k < self.start else set()


def repetition(position: Position) -> Outcome | None:
    """The verdict on the third occurrence of this position, None before."""
    if min(position.clock, len(position.moves)) < 4 * (FOLD - 1):
        return None
    past = _Past(position)
    since = past.third()
    if since is None:
        return None
    us, them = position.turn, 1 - position.turn
    for always, reason in ((past.checks_always, "perpetual check"), (past.chases_always, "perpetual chase")):
        by_them, by_us = always(0, since), always(1, since)
        if by_them and by_us:
            break
        if by_them or by_us:
            return Outcome(us if by_them else them, reason)
    return Outcome(None, "repetition")


def repeats(position: Position) -> bool:
    """Whether this position has been on the board before, no capture between."""
    past = _Past(position)
    return any(past.boards[k] == past.boards[0] for k in range(4, past.end + 1, 2))


def seen_twice(position: Position) -> set[tuple[int, ...]]:
    """The boards that, with the same side to move as now, have stood twice since the last capture."""
    past = _Past(position)
    count = Counter(tuple(board) for board in past.boards[: past.end + 1 : 2])
    return {board for board, times in count.items() if times >= FOLD - 1}


def _too_quiet(position: Position) -> bool:
    if position.clock < QUIET_PLIES:
        return False
    past = _Past(position)
    if past.start < 20:
        return True
    checks = [sum(past.check(k) for k in range(first, past.end, 2)) for first in (0, 1)]
    return position.clock - 2 * max(max(checks) - FREE_CHECKS, 0) >= QUIET_PLIES


def _bare(board: list[int]) -> bool:
    return not any(piece & 7 in (ROOK, HORSE, CANNON, SOLDIER) for piece in board)


def outcome(position: Position, legal: list[int] | None = None) -> Outcome | None:
    """How the game has ended, None when it goes on; `legal`: the legal moves, if known already."""
    if not (position.legal_moves() if legal is None else legal):
        return Outcome(1 - position.turn, "checkmate" if position.in_check() else "stalemate")
    if (verdict := repetition(position)) is not None:
        return verdict
    if _too_quiet(position):
        return Outcome(None, "quiet moves")
    return Outcome(None, "material") if _bare(position.board) else None
