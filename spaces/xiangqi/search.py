"""Thinking: alpha–beta that the sighted model's policy and value guide, on a budget of seconds.

The model reads the position with its history, and every position one move on in one batch. Its *policy* orders the
root moves, says which may be looked at less deeply, orders the replies to each, and breaks near ties; its *value* of
the position after a move, against what the tables see there, corrects that move's score. Depth comes from `alphabeta`.
What the rules decide at once (mate, repetition, perpetual check and chase) is asked of `outcome`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spaces.xiangqi.alphabeta import BY_RULE, MATE, MOST, SLOTS, Memory, memory, quiesce, search
from spaces.xiangqi.batches import CP_DRAW, CP_SCALE
from spaces.xiangqi.native import HASH, LIMIT, NODES, STOP, Desk, desk, make, unmake
from spaces.xiangqi.outcome import outcome
from spaces.xiangqi.player import Analysis, Leaf
from spaces.xiangqi.rules import Position
from spaces.xiangqi.sight import Sight, View

VALUE_SHARE, VALUE_MOST = 0.1, 200
"""How much of the difference between the model's value and the tables' counts (`calibrate`), at most of how many
centipawns."""
POLICY_CP, POLICY_LEAST = 3.0, -15.0
"""Centipawns of a factor e in probability, and the least that a move gets for being unlikely."""
GLANCES = 8
"""Of so many root moves, the likeliest, the model also reads the position after."""
HINT = 50_000_000
"""The order of a reply of probability 1: below captures that win and killers, above history."""
ALL_DEPTH, MOST_DEPTH, LINE = 4, 40, 12
"""Every root move gets its own exact score up to ALL_DEPTH; longest depth, longest line shown."""
SOFTNESS = 60.0
"""Centipawns of a factor e in the policy that is reported."""
FIRST_NPS = 200_000

_CP = np.arange(-3000.0, 3001.0, 10)
_VALUE = 1 / (1 + np.exp(-(_CP - CP_DRAW) / CP_SCALE)) - 1 / (1 + np.exp((_CP + CP_DRAW) / CP_SCALE))


def cp_of(value: float) -> float:
    """The centipawns whose expected result is `value` (`batches.wdl_of_cp` backwards)."""
    return float(np.interp(value, _VALUE, _CP))


def value_of(cp: float) -> float:
    """The expected result, −1 to 1, of centipawns; exact once mate is seen."""
    return math.copysign(1.0, cp) if abs(cp) > BY_RULE - 500 else float(np.interp(cp, _CP, _VALUE))


@dataclass
class Try:
    """A root move: its probability, what is known of it, and its score so far."""

    move: int
    p: float
    quiet: bool
    known: int | None = None
    """Its score where the rules end the game."""
    bonus: float = 0.0
    """What policy and value add to what the search finds."""
    replies: tuple[np.ndarray, np.ndarray] | None = None
    """The opponent's moves and their order, by the policy after it."""
    score: float = -MOST
    early: float = -MOST
    """At ALL_DEPTH, where it is exact."""


class Thinking:
    """The player that searches for `seconds` of `clock`, or to `most_depth` when that comes first.

    policy, value: whether the model's are used; the ladder plays without, to show what they add.
    """

    name = "thinking"

    def __init__(self, sight: Sight | None, seconds: float = 1.0, most_depth: int = MOST_DEPTH, *, policy: bool = True,
                 value: bool = True, clock: Callable[[], float] = time.monotonic):
        self.sight, self.seconds, self.most_depth, self.clock = sight, seconds, most_depth, clock
        self.policy, self.value = policy, value
        self.depth = self.nodes = 0
        """Of the last search."""

    def analyse(self, position: Position) -> Analysis:
        began = self.clock()
        table, mind = desk(position), memory()
        tries, illegal = self._tries(position, table, mind)
        best = self._deepen(tries, table, mind, began + self.seconds)
        self.nodes = int(table.state[NODES])
        score = {t.move: min(t.score, best.score - 1) for t in tries} | {best.move: best.score}
        return Analysis(self._policy(tries), illegal, score, value_of(best.score), _line(best, position, table, mind))

    def _tries(self, position: Position, table: Desk, mind: Memory) -> tuple[list[Try], float]:
        """The root moves, likeliest first, with what rules and model say of them; the policy's illegal mass."""
        legal = position.legal_moves()
        view = self.sight.look(position, legal=legal) if self.policy else None
        p = view.policy if view else dict.fromkeys(legal, 1 / len(legal))
        tries, leaves = [], {}
        for move in legal:
            tries.append(Try(move, p[move], not position.board[move % 90]))
            position.push(move)
            answers = position.legal_moves()
            if (end := outcome(position, answers)) is not None:
                won = 0 if end.winner is None else 1 if end.winner != position.turn else -1
                tries[-1].known = won * (BY_RULE if answers else MATE - 1)
            else:
                leaves[move] = Leaf(list(position.board), position.turn, [move]), answers
            position.pop()
        tries.sort(key=lambda t: (t.known or 0, t.p, not t.quiet), reverse=True)
        if self.policy or self.value:
            read = [one for one in tries if one.move in leaves][:GLANCES if self.policy else None]
            for one, seen in zip(read, self.sight.glance([leaves[one.move] for one in read]), strict=True):
                self._guide(one, seen, table, mind)
        if self.policy:
            for one in tries:
                one.bonus += max(POLICY_LEAST, POLICY_CP * math.log((one.p + 1e-9) / max(p.values())))
        return tries, view.illegal_mass if view else 0.0

    def _guide(self, one: Try, seen: View, table: Desk, mind: Memory) -> None:
        """What the model makes of the position after a root move."""
        if self.policy:
            one.replies = np.array(list(seen.policy)), np.array([int(HINT * q) for q in seen.policy.values()])
        if self.value:
            make(table, one.move)
            tables = -quiesce(table, mind, -MOST, MOST, 1, 0)
            unmake(table, one.move)
            one.bonus += VALUE_SHARE * max(-VALUE_MOST, min(VALUE_MOST, -cp_of(seen.value) - tables))

    def _deepen(self, tries: list[Try], table: Desk, mind: Memory, end: float) -> Try:
        """Search deeper and deeper; the best move so far is always the first to be tried."""
        best, pace = tries[0], _Pace(self.clock, end, table.state)
        for depth in range(1, self.most_depth + 1):
            low = -float(MOST)
            for index, one in enumerate(tries):
                if one.known is None:
                    pace.allow(depth)
                    score = self._score(one, depth, index, low, table, mind)
                    if table.state[STOP]:
                        return best
                    one.score = score
                else:
                    one.score = one.known
                if depth <= ALL_DEPTH:
                    one.early = one.score
                if one.score > low:
                    low, best = one.score, one
            self.depth = depth
            tries.sort(key=lambda t: (t is best, t.score if depth <= ALL_DEPTH else 0), reverse=True)
            if abs(low) > BY_RULE - 500 and MATE - abs(low) <= depth or len(tries) == 1 and depth > ALL_DEPTH:
                break
            if best.known is not None and depth > ALL_DEPTH and abs(best.known) >= BY_RULE:
                break
        return best

    def _score(self, one: Try, depth: int, index: int, low: float, table: Desk, mind: Memory) -> float:
        """A root move's score; exact above `low`, and for all moves up to ALL_DEPTH."""
        mind.hint[:] = 0
        if one.replies is not None:
            mind.hint[one.replies[0]] = one.replies[1]
        make(table, one.move)
        found = bar = math.floor(low - one.bonus)
        exact = index == 0 or depth <= ALL_DEPTH
        if not exact:
            less = self._less(one, index, depth)
            found = -search(table, mind, depth - 1 - less, -bar - 1, -bar, 1, 1)
            if found > bar and less and not table.state[STOP]:
                found = -search(table, mind, depth - 1, -bar - 1, -bar, 1, 1)
        if exact or found > bar and not table.state[STOP]:
            found = -search(table, mind, depth - 1, -MOST, MOST if exact else -bar, 1, 1)
        unmake(table, one.move)
        return found + one.bonus * (abs(found) < BY_RULE - 500)

    def _less(self, one: Try, index: int, depth: int) -> int:
        """By how much a late root move is looked at less deeply at first: the unlikelier, the less."""
        if depth < 4 or not one.quiet or index < 3:
            return 0
        if not self.policy:
            return 1 + (index > 12)
        return (one.p < 0.1) + (one.p < 0.02) + (one.p < 0.002)

    def _policy(self, tries: list[Try]) -> dict[int, float]:
        """The model's policy, made sharper by the scores at ALL_DEPTH."""
        most = max(t.early for t in tries)
        soft = {t.move: (t.p + 1e-4) * math.exp(max(-30.0, (t.early - most) / SOFTNESS)) for t in tries}
        return {move: share / sum(soft.values()) for move, share in soft.items()}


class _Pace:
    """Grants each search the nodes that the time left is good for."""

    def __init__(self, clock: Callable[[], float], end: float, state: np.ndarray):
        self.clock, self.began, self.end, self.state, self.first = clock, clock(), end, state, int(state[NODES])

    def allow(self, depth: int) -> None:
        """Set LIMIT, or STOP where the time is up; the first iteration always ends."""
        now, nodes = self.clock(), int(self.state[NODES])
        elapsed, done = now - self.began, nodes - self.first
        pace = done / elapsed if done > 20_000 and elapsed > 0 else FIRST_NPS
        self.state[STOP] = depth > 1 and now >= self.end
        self.state[LIMIT] = nodes + 2_000 + int(max(0.0, self.end - now) * pace)


def _line(best: Try, position: Position, table: Desk, mind: Memory) -> tuple[int, ...]:
    """The best move and what the table remembers after it."""
    line, seen = [best.move], set()
    position.push(best.move)
    make(table, best.move)
    while len(line) < LINE and table.state[HASH] not in seen:
        seen.add(int(table.state[HASH]))
        slot = table.state[HASH] & (SLOTS - 1)
        move = int(mind.slots[slot, 0])
        if mind.keys[slot] != table.state[HASH] or move not in position.legal_moves():
            break
        line.append(move)
        position.push(move)
        make(table, move)
    for _ in line:
        position.pop()
    return tuple(line)
