"""Whether a mate is forced, exactly: every move of the attacker, every answer, to a number of plies.

Stalemate wins as well. Repetition is left out: a shortest forced win repeats nothing. What was proved is remembered by
position; `search`'s scores are bounds and guesses beside this, so the studies rest on it alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from spaces.xiangqi.native import (
    HASH,
    LIMIT,
    MOST_MOVES,
    NODES,
    PLY,
    STOP,
    TURN,
    desk,
    generate,
    make,
    unmake,
)
from spaces.xiangqi.rules import Position

SLOTS, MOST_PLIES = 1 << 20, 16


class Proofs(NamedTuple):
    """keys: int64 (SLOTS,); bounds: int8 (SLOTS, 2), plies within which it is proved, and within which it is not."""

    keys: np.ndarray
    bounds: np.ndarray
    moves: np.ndarray
    """int32 (MOST_PLIES, MOST_MOVES)"""


def proofs() -> Proofs:
    return Proofs(np.zeros(SLOTS, np.int64), np.zeros((SLOTS, 2), np.int8),
                  np.zeros((MOST_PLIES, MOST_MOVES), np.int32))


@numba.njit(nogil=True, cache=True)
def forced(desk, proofs, plies):
    """1 when the attacker, to move where `plies` is odd, wins within so many plies; 0 when not, or at the LIMIT."""
    state = desk.state
    state[NODES] += 1
    if state[NODES] >= state[LIMIT]:
        state[STOP] = 1
    if state[STOP]:
        return np.int64(0)
    slot, attacking = state[HASH] & (SLOTS - 1), plies % 2
    bounds = proofs.bounds[slot]
    if proofs.keys[slot] == state[HASH]:
        if 0 < bounds[0] <= plies + 1:
            return np.int64(1)
        if bounds[1] > plies:
            return np.int64(0)
    moves = proofs.moves[plies]
    count, won, legal = generate(desk.board, state[TURN], moves, False), 1 - attacking, 0
    for checks in (1, 0) if attacking else (0, 0):  # checks first
        for i in range(count):
            if moves[i] < 0 or not make(desk, moves[i]):
                continue
            legal += 1
            if attacking and (desk.checks[state[PLY]] != checks or (plies == 1 and not checks and _mobile(desk))):
                unmake(desk, moves[i])
                continue
            answer = forced(desk, proofs, plies - 1) if plies else np.int64(0)
            unmake(desk, moves[i])
            if answer == attacking:
                won = attacking
                break
        if won == attacking or not attacking:
            break
    if legal == 0:
        won = 1 - attacking
    if not state[STOP]:
        if proofs.keys[slot] != state[HASH]:
            proofs.keys[slot], bounds[0], bounds[1] = state[HASH], 0, 0
        if won:
            bounds[0] = plies + 1
        else:
            bounds[1] = plies + 1
    return np.int64(won)


@numba.njit(nogil=True, cache=True)
def _mobile(desk):
    """Whether the side to move has a legal move, found quickly: else a quiet last move has stalemated."""
    moves = np.empty(MOST_MOVES, np.int32)
    for i in range(generate(desk.board, desk.state[TURN], moves, False)):
        if make(desk, moves[i]):
            unmake(desk, moves[i])
            return True
    return False


class Undecided(Exception):
    """The limit of nodes was reached."""


class Prover:
    """Proofs about a position and what follows from it, within a number of nodes."""

    def __init__(self, position: Position, limit: int = 20_000_000):
        self.table, self.proofs, self.limit = desk(position), proofs(), limit

    @property
    def nodes(self) -> int:
        return int(self.table.state[NODES])

    def wins(self, plies: int) -> bool:
        """Whether the side to move (plies odd), or the other (even), forces its win within so many plies."""
        self.table.state[LIMIT] = self.limit
        won = forced(self.table, self.proofs, plies)
        if self.table.state[STOP]:
            raise Undecided
        return bool(won)

    def distance(self, most: int) -> int | None:
        """In how many of its moves the side to move wins, at most `most`."""
        return next((n for n in range(1, most + 1) if self.wins(2 * n - 1)), None)

    def keys(self, position: Position, number: int) -> list[int]:
        """The moves that win within `number` moves, the one to be made counted."""
        out = []
        for move in position.legal_moves():
            make(self.table, move)
            if self.wins(2 * number - 2):
                out.append(move)
            unmake(self.table, move)
        return out

    def defence(self, position: Position, most: int) -> tuple[int, int | None]:
        """The answer that holds out longest, and how many moves the attacker then needs, None if over `most`."""
        longest: tuple[int, int | None] = (position.legal_moves()[0], 0)
        for move in position.legal_moves():
            make(self.table, move)
            left = self.distance(most)
            unmake(self.table, move)
            if left is None:
                return move, None
            if left > longest[1]:
                longest = move, left
        return longest
