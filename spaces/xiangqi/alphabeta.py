"""Alpha–beta, compiled: a position's score to a depth, exact where the rules decide.

Principal variations with a transposition table, check extensions, null moves, late moves reduced, captures played out
at the leaves; the static score is `worth`'s. What guides it comes from outside: `Memory.hint` orders the replies at the
first ply, and whoever asks chooses the root moves. A position that occurs again counts as a draw, or as lost for the
side that checked at every move between.

A function that calls itself must be compiled for one signature only, or numba's cache on disk crashes the next process
(numba issue 6061): whatever is passed on is int64, constants included.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numba
import numpy as np

from spaces.xiangqi.board import parse_iccs
from spaces.xiangqi.native import (
    EARLY,
    HASH,
    LATE,
    LIMIT,
    MOST_MOVES,
    MOST_PLIES,
    NODES,
    PHASE,
    PLY,
    QUIET,
    STOP,
    TURN,
    desk,
    generate,
    guarded,
    make,
    pass_turn,
    unmake,
    unpass,
)
from spaces.xiangqi.outcome import QUIET_PLIES
from spaces.xiangqi.prover import Prover
from spaces.xiangqi.rules import Position
from spaces.xiangqi.worth import FULL

MATE, BY_RULE, MOST = 30_000, 20_000, 32_000
"""Mated now; lost by repetition; beyond every score."""
TEMPO = 30
SLOTS = 1 << 19
EXACT, AT_LEAST, AT_MOST = 0, 1, 2
_PRICE = np.array([0, 5000, 120, 120, 400, 900, 450, 150] * 2, np.int32)
REDUCTION = np.array([[0 if d < 3 or n < 3 else int(0.6 + np.log(d) * np.log(n) / 2.2) for n in range(MOST_MOVES)]
                      for d in range(64)], np.int32)


class Memory(NamedTuple):
    """What searches of one game share."""

    keys: np.ndarray
    """int64 (SLOTS,)"""
    slots: np.ndarray
    """int32 (SLOTS, 4): move, score, depth, kind of bound."""
    killers: np.ndarray
    """int32 (MOST_PLIES, 2)"""
    history: np.ndarray
    """int32 (2, 8100): how often a quiet move refuted."""
    hint: np.ndarray
    """int32 (8100,): order of the first replies, from outside."""
    moves: np.ndarray
    """int32 (MOST_PLIES, MOST_MOVES): a page a ply."""
    order: np.ndarray
    """int32, likewise."""


def memory() -> Memory:
    return Memory(np.zeros(SLOTS, np.int64), np.zeros((SLOTS, 4), np.int32), np.zeros((MOST_PLIES, 2), np.int32),
                  np.zeros((2, 8100), np.int32), np.zeros(8100, np.int32),
                  np.zeros((MOST_PLIES, MOST_MOVES), np.int32), np.zeros((MOST_PLIES, MOST_MOVES), np.int32))


@numba.njit(nogil=True, cache=True)
def static(state):
    """The score of the side to move, as the tables see it."""
    phase = min(state[PHASE], FULL)
    red = (state[EARLY] * phase + state[LATE] * (FULL - phase)) // FULL
    return TEMPO + (-red if state[TURN] else red)


@numba.njit(nogil=True, cache=True)
def repeated(desk, ply):
    """0 when this position is new since the last capture, else 1 + its score for the side to move + MOST."""
    state = desk.state
    now = state[PLY]
    for back in range(4, min(state[QUIET], now) + 1, 2):
        if desk.keys[now - back] == state[HASH]:
            us, them = True, True  # in check, each time
            for k in range(now - back + 2, now + 1, 2):
                us, them = us and desk.checks[k], them and desk.checks[k - 1]
            score = (BY_RULE - ply) * (us - them)
            return 1 + MOST + score
    return 0


@numba.njit(nogil=True, cache=True)
def pick(moves, order, i, count):
    """Bring the best of the moves from i on to i."""
    best = i
    for j in range(i + 1, count):
        if order[j] > order[best]:
            best = j
    if best != i:
        moves[i], moves[best] = moves[best], moves[i]
        order[i], order[best] = order[best], order[i]
    return moves[i]


@numba.njit(nogil=True, cache=True)
def gain(board, move):
    """What a capture wins if it is answered: below zero when a dear piece takes a guarded cheap one."""
    taken, own, t = board[move % 90], board[move // 90], move % 90
    win = _PRICE[taken]
    if _PRICE[own] > win:
        board[move // 90] = 0
        board[t] = own
        lost = guarded(board, t, 1 - (own >> 3))
        board[move // 90], board[t] = own, taken
        if lost:
            win -= _PRICE[own]
    return win


@numba.njit(nogil=True, cache=True)
def quiesce(desk, memory, alpha, beta, ply, left):
    """The score when captures that win something, and answers to check, are played out."""
    board, state = desk.board, desk.state
    state[NODES] += 1
    if ply >= MOST_PLIES - 1:
        return static(state)
    again = repeated(desk, ply)
    if again:
        return again - 1 - MOST
    turn = state[TURN]
    check = desk.checks[state[PLY]] and left > -4
    best = -MATE + ply if check else static(state)
    if not check:
        if best >= beta:
            return best
        alpha = max(alpha, best)
    stand, moves, order = best, memory.moves[ply], memory.order[ply]
    count = generate(board, turn, moves, not check)
    for i in range(count):
        move = moves[i]
        taken = board[move % 90]
        order[i] = 100_000 + 16 * gain(board, move) - (board[move // 90] & 7) if taken else memory.history[turn, move]
    for i in range(count):
        move = pick(moves, order, i, count)
        if not check:
            if order[i] < 99_900 or stand + _PRICE[board[move % 90]] + 150 <= alpha:
                continue
        if not make(desk, move):
            continue
        score = -quiesce(desk, memory, -beta, -alpha, ply + 1, left - 1)
        unmake(desk, move)
        if score > best:
            best = score
            if best > alpha:
                alpha = best
                if alpha >= beta:
                    break
    return best


@numba.njit(nogil=True, cache=True)
def rank(desk, memory, ply, first, count):
    """Write the order of the moves of this ply: the table's, good captures, killers, history, bad captures."""
    board, turn, moves, order = desk.board, desk.state[TURN], memory.moves[ply], memory.order[ply]
    for i in range(count):
        move = moves[i]
        if move == first:
            order[i] = 2_000_000_000
        elif board[move % 90]:
            won = gain(board, move)
            order[i] = (1_000_000_000 if won >= 0 else -1_000_000) + 16 * won - (board[move // 90] & 7)
        elif move == memory.killers[ply, 0]:
            order[i] = 900_000_000
        elif move == memory.killers[ply, 1]:
            order[i] = 800_000_000
        else:
            order[i] = memory.history[turn, move]
        if ply == 1 and move != first:
            order[i] += memory.hint[move]


@numba.njit(nogil=True, cache=True)
def search(desk, memory, depth, alpha, beta, ply, may_pass):
    """The score of the side to move, within (alpha, beta) or a bound; meaningless once state[STOP] is set."""
    board, state = desk.board, desk.state
    again = repeated(desk, ply)
    if again:
        return again - 1 - MOST
    if state[QUIET] >= QUIET_PLIES:
        return 0
    check = desk.checks[state[PLY]] != 0
    if check:
        depth += 1
    if depth <= 0:
        return quiesce(desk, memory, alpha, beta, ply, np.int64(0))
    state[NODES] += 1
    if state[NODES] >= state[LIMIT]:
        state[STOP] = 1
    if state[STOP] or ply >= MOST_PLIES - 2:
        return static(state)
    alpha, beta = max(alpha, -MATE + ply), min(beta, MATE - ply - 1)
    if alpha >= beta:
        return alpha
    turn, slot, first, zero = state[TURN], state[HASH] & (SLOTS - 1), 0, beta - alpha == 1
    if memory.keys[slot] == state[HASH]:
        first, score, known, kind = memory.slots[slot]
        if abs(score) > BY_RULE:  # mate is counted from here
            score += -ply if score > 0 else ply
        if zero and known >= depth and abs(score) != BY_RULE:
            if kind == EXACT or (kind == AT_LEAST and score >= beta) or (kind == AT_MOST and score <= alpha):
                return score
    value = static(state)
    if zero and not check and abs(beta) < BY_RULE - 200:
        if depth <= 5 and value - 90 * depth >= beta:
            return value
        if may_pass and depth >= 3 and value >= beta and state[PHASE] >= 6 and _armed(board, turn):
            pass_turn(desk)
            score = -search(desk, memory, depth - 3 - depth // 5, -beta, 1 - beta, ply + 1, np.int64(0))
            unpass(desk)
            if state[STOP]:
                return 0
            if score >= beta:
                return beta if score > BY_RULE - 200 else score
    if first == 0 and depth >= 5:
        depth -= 1  # nothing known: a shallower look first costs less
    moves, order = memory.moves[ply], memory.order[ply]
    count = generate(board, turn, moves, False)
    rank(desk, memory, ply, first, count)
    best, best_move, low, tried = -MOST, 0, alpha, 0
    for i in range(count):
        move = pick(moves, order, i, count)
        taken = board[move % 90]
        if zero and not check and depth <= 3 and tried and not taken and best > -BY_RULE \
                and value + 100 + 120 * depth <= alpha and (depth == 1 or tried > 6):
            continue
        if not make(desk, move):
            continue
        tried += 1
        checks = desk.checks[state[PLY]] != 0
        less = 0
        if depth >= 3 and tried > 3 and not check and not checks and (not taken or order[i] < 0):
            less = REDUCTION[min(depth, 63), tried]
            if order[i] >= 800_000_000:
                less = max(0, less - 1)
            if not zero:
                less = max(0, less - 1)
            less = min(less, depth - 2)
        if tried == 1:
            score = -search(desk, memory, depth - 1, -beta, -alpha, ply + 1, np.int64(1))
        else:
            score = -search(desk, memory, depth - 1 - less, -alpha - 1, -alpha, ply + 1, np.int64(1))
            if score > alpha and less:
                score = -search(desk, memory, depth - 1, -alpha - 1, -alpha, ply + 1, np.int64(1))
            if alpha < score < beta:
                score = -search(desk, memory, depth - 1, -beta, -alpha, ply + 1, np.int64(1))
        unmake(desk, move)
        if state[STOP]:
            return 0
        if score > best:
            best, best_move = score, move
            alpha = max(alpha, score)
            if alpha >= beta:
                if not taken:
                    _refuted(memory, turn, move, depth, ply, tried)
                break
    if not tried:
        return -MATE + ply
    _store(memory, slot, state[HASH], best_move, best, depth, low, beta, ply)
    return best


@numba.njit(nogil=True, cache=True)
def _armed(board, turn):
    """Whether the side has two pieces that cross the river: else zugzwang is near."""
    count = 0
    for s in range(90):
        count += board[s] >> 3 == turn and (board[s] & 7) >= 4
    return count >= 2


@numba.njit(nogil=True, cache=True)
def _refuted(memory, turn, move, depth, ply, tried):
    if memory.killers[ply, 0] != move:
        memory.killers[ply, 1] = memory.killers[ply, 0]
        memory.killers[ply, 0] = move
    memory.history[turn, move] += depth * depth
    for i in range(tried - 1):
        memory.history[turn, memory.moves[ply, i]] -= depth * depth // 8
    if memory.history[turn, move] > 10_000_000:
        memory.history[:] //= 2


@numba.njit(nogil=True, cache=True)
def _store(memory, slot, key, move, score, depth, low, beta, ply):
    if abs(score) > BY_RULE:
        score += ply if score > 0 else -ply
    memory.keys[slot] = key
    entry = memory.slots[slot]
    entry[0], entry[1], entry[2] = move, score, depth
    entry[3] = AT_LEAST if score >= beta else AT_MOST if score <= low else EXACT


def compile_all() -> None:
    """Compile whatever a search needs, or read it from numba's cache on disk."""
    table, mind, move = desk(Position()), memory(), parse_iccs("h2e2")
    table.state[LIMIT] = 1_000
    make(table, move)
    quiesce(table, mind, -MOST, MOST, 1, 0)
    unmake(table, move)
    search(table, mind, 2, -MOST, MOST, 1, 1)
    Prover(Position("4k4/9/9/9/9/9/9/9/R8/1R3K3 w")).wins(1)


def warm() -> None:
    """Have everything compiled: once an installation that takes some 20 s, and whoever comes meanwhile waits.

    It happens in a process of its own, for numba holds Python's lock while it compiles, and leaves a cache on disk.
    """
    with _warming:
        _warm()


_warming = threading.Lock()


@cache
def _warm() -> None:
    code = "from spaces.xiangqi.alphabeta import compile_all; compile_all()"
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False)
    compile_all()


@cache
def warm_soon() -> None:
    """Begin to compile beside what else goes on, so that the first search need not wait for it."""
    threading.Thread(target=warm, daemon=True).start()
