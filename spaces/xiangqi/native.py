"""The rules once more, compiled: what alpha–beta needs a million times a second.

`rules.Position` is the reference, and about 60,000 legal generations a second; here the same moves come from flat
tables under numba, nogil, so that a search neither waits for Python nor holds up the page. The tests hold the two
against each other. A board is int8 (91,), the last square always empty: the "leg" of whoever needs none.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from spaces.xiangqi import worth
from spaces.xiangqi.board import ADVISOR, CANNON, ELEPHANT, HORSE, KING, ROOK, SOLDIER
from spaces.xiangqi.rules import (
    ADVISOR_MOVES,
    ELEPHANT_MOVES,
    HORSE_ATTACKS,
    HORSE_MOVES,
    KING_MOVES,
    ORTHOGONAL,
    SOLDIER_ATTACKS,
    SOLDIER_MOVES,
    Position,
    ray_of,
)

NOWHERE = 90
MOST_MOVES, MOST_PLIES = 128, 96
TURN, RED_KING, BLACK_KING, EARLY, LATE, PHASE, HASH, PLY, QUIET, NODES, LIMIT, STOP = range(12)


def _filled(rows: list[list[tuple[int, ...]]], shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Ragged lists as one array of `shape` and their lengths."""
    table, count = np.zeros(shape, np.int16), np.zeros(shape[0], np.int16)
    for i, row in enumerate(rows):
        count[i] = len(row)
        for j, entry in enumerate(row):
            table[i, j] = entry
    return table, count


def _leaps(piece: int, s: int) -> list[tuple[int, int]]:
    """(leg, target) of whatever does not slide."""
    kind, black = piece & 7, piece >> 3
    plain = {KING: KING_MOVES, ADVISOR: ADVISOR_MOVES, SOLDIER: SOLDIER_MOVES}
    if kind in plain:
        return [(NOWHERE, t) for t in plain[kind][black][s]]
    return list(HORSE_MOVES[s]) if kind == HORSE else list(ELEPHANT_MOVES[black][s]) if kind == ELEPHANT else []


_rays = [[ray_of(s, *d) for d in ORTHOGONAL] for s in range(90)]
RAY = np.zeros((90, 4, 9), np.int16)
RAY_LENGTH = np.array([[len(ray) for ray in rays] for rays in _rays], np.int16)
for _s, _four in enumerate(_rays):
    for _d, _one in enumerate(_four):
        RAY[_s, _d, : len(_one)] = _one
_leap, _leap_count = _filled([_leaps(p, s) if p & 7 else [] for p in range(16) for s in range(90)], (1440, 8, 2))
LEAP, LEAP_COUNT = _leap.reshape(16, 90, 8, 2), _leap_count.reshape(16, 90)
HORSE_FROM, HORSE_FROM_COUNT = _filled([list(h) for h in HORSE_ATTACKS], (90, 8, 2))
_soldier, _soldier_count = _filled([[(f,) for f in SOLDIER_ATTACKS[c][s]] for c in (0, 1) for s in range(90)],
                                   (180, 4, 1))
SOLDIER_FROM, SOLDIER_FROM_COUNT = _soldier.reshape(2, 90, 4), _soldier_count.reshape(2, 90)
_rng = np.random.default_rng(7877)
ZOBRIST = _rng.integers(-(2**63), 2**63 - 1, (16, 90), np.int64)
ZOBRIST_TURN = np.int64(_rng.integers(-(2**63), 2**63 - 1))
WORTH_EARLY, WORTH_LATE, PHASE_OF = worth.tables()
"""Centipawns for red (16, 90) with all pieces on the board and with none, and how much of all each piece is (16,)."""


class Desk(NamedTuple):
    """A position under search: everything that making and unmaking a move touches."""

    board: np.ndarray
    """int8 (91,)"""
    state: np.ndarray
    """int64 (12,): TURN, … as named above."""
    keys: np.ndarray
    """int64: hashes of the states up to now."""
    checks: np.ndarray
    """int8: whether the side to move in those states was in check."""
    past: np.ndarray
    """int64 (…, 3): captured piece, plies since a capture, hash, before each move."""


def desk(position: Position) -> Desk:
    """The position with its history, which the repetitions need."""
    size = len(position.moves) + MOST_PLIES + 8
    out = Desk(np.zeros(91, np.int8), np.zeros(12, np.int64), np.zeros(size, np.int64), np.zeros(size, np.int8),
               np.zeros((size, 3), np.int64))
    first = Position(position.start_fen)
    out.board[:90] = first.board
    out.state[TURN], out.state[QUIET] = first.turn, first.clock
    out.state[RED_KING : BLACK_KING + 1] = first.kings
    for s, piece in enumerate(first.board):
        if piece:
            out.state[EARLY] += WORTH_EARLY[piece, s]
            out.state[LATE] += WORTH_LATE[piece, s]
            out.state[PHASE] += PHASE_OF[piece]
            out.state[HASH] ^= ZOBRIST[piece, s]
    out.state[HASH] ^= ZOBRIST_TURN * first.turn
    out.keys[0], out.checks[0] = out.state[HASH], first.in_check()
    for move in position.moves:
        make(out, move)
    return out


@numba.njit(nogil=True, cache=True)
def attacked(board, s, turn):
    """`rules.attacked`: whether the king of side `turn`, standing on s, is attacked."""
    enemy = 8 - 8 * turn
    for d in range(4):
        screen = False
        for i in range(RAY_LENGTH[s, d]):
            q = board[RAY[s, d, i]]
            if q:
                if screen:
                    if q == enemy + CANNON:
                        return True
                    break
                if q == enemy + ROOK or q == enemy + KING:
                    return True
                screen = True
    for i in range(HORSE_FROM_COUNT[s]):
        if board[HORSE_FROM[s, i, 1]] == enemy + HORSE and not board[HORSE_FROM[s, i, 0]]:
            return True
    for i in range(SOLDIER_FROM_COUNT[turn, s]):
        if board[SOLDIER_FROM[turn, s, i]] == enemy + SOLDIER:
            return True
    return False


@numba.njit(nogil=True, cache=True)
def guarded(board, s, side):
    """Whether `side` could retake on s."""
    if attacked(board, s, 1 - side):
        return True
    for kind in (ADVISOR, ELEPHANT, KING):
        piece = kind + 8 * side
        for i in range(LEAP_COUNT[piece, s]):  # their moves are symmetric
            if board[LEAP[piece, s, i, 1]] == piece and not board[LEAP[piece, s, i, 0]]:
                return True
    return False


@numba.njit(nogil=True, cache=True)
def generate(board, turn, out, captures):
    """Write the pseudo-legal moves (all, or captures alone) into `out`, and return how many."""
    count = 0
    for s in range(90):
        piece = board[s]
        if not piece or piece >> 3 != turn:
            continue
        kind, base = piece & 7, 90 * s
        if kind == ROOK or kind == CANNON:
            for d in range(4):
                screen = False
                for i in range(RAY_LENGTH[s, d]):
                    t = RAY[s, d, i]
                    q = board[t]
                    if screen:
                        if q:
                            if q >> 3 != turn:
                                out[count] = base + t
                                count += 1
                            break
                    elif q:
                        if kind == CANNON:
                            screen = True
                            continue
                        if q >> 3 != turn:
                            out[count] = base + t
                            count += 1
                        break
                    elif not captures:
                        out[count] = base + t
                        count += 1
        else:
            for i in range(LEAP_COUNT[piece, s]):
                t = LEAP[piece, s, i, 1]
                q = board[t]
                if (q >> 3 != turn if q else not captures) and not board[LEAP[piece, s, i, 0]]:
                    out[count] = base + t
                    count += 1
    return count


@numba.njit(nogil=True, cache=True)
def make(desk, move):
    """Make a pseudo-legal move; False, and nothing changed, when it leaves the own king attacked."""
    board, state = desk.board, desk.state
    f, t = move // 90, move % 90
    piece, taken, turn, ply = board[f], board[t], state[TURN], state[PLY]
    past = desk.past[ply]
    past[0], past[1], past[2] = taken, state[QUIET], state[HASH]
    board[t], board[f] = piece, 0
    if piece & 7 == KING:
        state[RED_KING + turn] = t
    if attacked(board, state[RED_KING + turn], turn):
        board[f], board[t] = piece, taken
        if piece & 7 == KING:
            state[RED_KING + turn] = f
        return False
    state[EARLY] += WORTH_EARLY[piece, t] - WORTH_EARLY[piece, f]
    state[LATE] += WORTH_LATE[piece, t] - WORTH_LATE[piece, f]
    state[HASH] ^= ZOBRIST[piece, f] ^ ZOBRIST[piece, t] ^ ZOBRIST_TURN
    state[QUIET] += 1
    if taken:
        state[EARLY] -= WORTH_EARLY[taken, t]
        state[LATE] -= WORTH_LATE[taken, t]
        state[PHASE] -= PHASE_OF[taken]
        state[HASH] ^= ZOBRIST[taken, t]
        state[QUIET] = 0
    state[TURN], state[PLY] = 1 - turn, ply + 1
    desk.keys[ply + 1] = state[HASH]
    desk.checks[ply + 1] = attacked(board, state[RED_KING + 1 - turn], 1 - turn)
    return True


@numba.njit(nogil=True, cache=True)
def unmake(desk, move):
    """Take back the move just made."""
    board, state = desk.board, desk.state
    f, t = move // 90, move % 90
    ply, turn = state[PLY] - 1, 1 - state[TURN]
    past, piece = desk.past[ply], board[t]
    taken = past[0]
    board[f], board[t] = piece, taken
    if piece & 7 == KING:
        state[RED_KING + turn] = f
    state[EARLY] -= WORTH_EARLY[piece, t] - WORTH_EARLY[piece, f]
    state[LATE] -= WORTH_LATE[piece, t] - WORTH_LATE[piece, f]
    if taken:
        state[EARLY] += WORTH_EARLY[taken, t]
        state[LATE] += WORTH_LATE[taken, t]
        state[PHASE] += PHASE_OF[taken]
    state[QUIET], state[HASH] = past[1], past[2]
    state[TURN], state[PLY] = turn, ply


@numba.njit(nogil=True, cache=True)
def pass_turn(desk):
    """Let the side to move pass (a null move); not from check."""
    state = desk.state
    ply = state[PLY]
    desk.past[ply, 0], desk.past[ply, 1], desk.past[ply, 2] = 0, state[QUIET], state[HASH]
    state[HASH] ^= ZOBRIST_TURN
    state[TURN], state[PLY], state[QUIET] = 1 - state[TURN], ply + 1, 0  # no repetition reaches across
    desk.keys[ply + 1], desk.checks[ply + 1] = state[HASH], 0


@numba.njit(nogil=True, cache=True)
def unpass(desk):
    """Take back a pass."""
    state = desk.state
    ply = state[PLY] - 1
    state[QUIET], state[HASH] = desk.past[ply, 1], desk.past[ply, 2]
    state[TURN], state[PLY] = 1 - state[TURN], ply


@numba.njit(nogil=True, cache=True)
def perft(desk, depth):
    """`rules.perft`."""
    if depth == 0:
        return 1
    moves, total = np.empty(MOST_MOVES, np.int32), 0
    for i in range(generate(desk.board, desk.state[TURN], moves, False)):
        if make(desk, moves[i]):
            total += perft(desk, depth - 1)
            unmake(desk, moves[i])
    return total
