"""Players: whoever analyses a position and plays a legal move, model, rule of thumb or search.

Levels of the tab: *article* (characters alone, candidates scored by their log-probability), *sighted* (the policy's
favourite that does not lose by repetition), *sighted_value* (every move tried on the board: exact mate and repetition,
else the model's value), *thinking* (`search.Thinking`). *random* and *greedy* are the first rungs of the ladder.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from spaces.xiangqi.board import KING
from spaces.xiangqi.faithful import PLIES, spell_moves
from spaces.xiangqi.outcome import outcome, repeats, repetition, seen_twice
from spaces.xiangqi.rules import Position, attacked
from spaces.xiangqi.sight import Sight

if TYPE_CHECKING:  # building the page loads no models
    from transformers import GPT2LMHeadModel

WORTH = (0, 1000, 2, 2, 4, 9, 4.5, 1)
"""Customary worth of K A B N R C P, after 0 for none; a soldier counts 2 across the river."""
POLICY_WEIGHT = 0.05
PLAUSIBLE = 0.1
"""Of the favourite's probability: what is less likely is played only where it wins or all else loses."""


@dataclass(frozen=True)
class Analysis:
    """policy: {legal move: probability}; illegal_mass: what the model put elsewhere.

    score: {move: what the player maximises}, the policy itself where nothing else is known; value: expected result
    from −1 to 1 for the side to move; line: the moves expected.
    """

    policy: dict[int, float]
    illegal_mass: float = 0.0
    score: dict[int, float] = field(default_factory=dict)
    value: float | None = None
    line: tuple[int, ...] = ()

    @property
    def best(self) -> int:
        """The move with the highest score."""
        score = self.score or self.policy
        return max(score, key=score.__getitem__)


class Player(Protocol):
    """Plays any position that has a legal move."""

    name: str

    def analyse(self, position: Position) -> Analysis: ...


def uniform(moves: list[int]) -> dict[int, float]:
    return {move: 1 / len(moves) for move in moves}


class Random:
    """Any legal move."""

    name = "random"

    def __init__(self, seed: int | None = None):
        self.rng = random.Random(seed)

    def analyse(self, position: Position) -> Analysis:
        policy = uniform(position.legal_moves())
        return Analysis(policy, score={move: self.rng.random() for move in policy})


class Greedy:
    """Mate where there is one, else the capture worth most, else any move."""

    name = "greedy"

    def __init__(self, seed: int | None = None):
        self.rng = random.Random(seed)

    def analyse(self, position: Position) -> Analysis:
        score = {move: self._worth(position, move) for move in position.legal_moves()}
        most = max(score.values())
        best = [move for move, worth in score.items() if worth == most]
        return Analysis(uniform(best), score={move: worth + 0.1 * self.rng.random() for move, worth in score.items()})

    def _worth(self, position: Position, move: int) -> float:
        target, piece = move % 90, position.board[move % 90]
        if mates(position, move):
            return WORTH[KING]
        return WORTH[piece & 7] + (piece & 7 == 7 and (target // 9 <= 4) == bool(piece & 8))


def mates(position: Position, move: int) -> bool:
    """Whether a legal move ends the game at once: mate, or stalemate, which wins as well."""
    position.push(move)
    # Stalemate is rare and legal moves are dear: only checks, and moves against few pieces, are looked into.
    suspicious = position.in_check() or _few(position.board, position.turn)
    over = suspicious and not position.legal_moves()
    position.pop()
    return over


def _few(board: list[int], side: int) -> bool:
    return sum(piece != 0 and piece >> 3 == side for piece in board) <= 4


def mate_in_one(position: Position, legal: list[int]) -> int | None:
    """A legal move that ends the game at once, or None."""
    return next((move for move in legal if mates(position, move)), None)


class Article:
    """The article's player: the faithful model spells every candidate after the game so far."""

    name = "article"

    def __init__(self, model: GPT2LMHeadModel):
        self.model = model

    def analyse(self, position: Position) -> Analysis:
        history = position.moves[-PLIES:]
        spelled = spell_moves(self.model, history, [position.legal_moves()], len(history))[0]
        policy = {move: math.exp(log_p) for move, log_p in spelled.log_p.items()}
        return Analysis(policy, spelled.illegal_mass, spelled.log_p)


class Sighted:
    """The sighted model's favourite legal move.

    What the rules of repetition lose (perpetual check or chase) is not played; nor is what repeats with check or, by
    whoever is ahead, at all.
    """

    name = "sighted"

    def __init__(self, sight: Sight):
        self.sight = sight

    def analyse(self, position: Position) -> Analysis:
        view = self.sight.look(position)
        score = dict(view.policy)
        for move in sorted(score, key=score.__getitem__, reverse=True):
            willing = _willing(position, move, view.value > 0)
            score[move] *= willing
            if willing == 1:
                break
        return Analysis(view.policy, view.illegal_mass, score, value=view.value)


def _willing(position: Position, move: int, ahead: bool) -> float:
    """1 for a move that may be played, below zero for one that loses by repetition, near zero for one that repeats."""
    if position.clock < 3:
        return 1.0
    position.push(move)
    verdict, again = repetition(position), (ahead or position.in_check()) and repeats(position)
    lost = verdict is not None and verdict.winner == position.turn
    position.pop()
    return -1.0 if lost else 0.001 if again else 1.0


class SightedValue:
    """Every legal move is made: mate, being mated and repetition are exact, the rest is the model's value.

    The score of a move is the value of what it leads to, plus a little of its log-probability; moves that the policy
    hardly considers come after all others, for a value read after one move errs most where games seldom go.
    """

    name = "sighted_value"

    def __init__(self, sight: Sight):
        self.sight = sight

    def analyse(self, position: Position) -> Analysis:
        view = self.sight.look(position)
        values, least = self.values(position, list(view.policy)), PLAUSIBLE * max(view.policy.values())
        score = {m: value if abs(value) == 1 else
                 value + POLICY_WEIGHT * math.log(view.policy[m] + 1e-9) - (view.policy[m] < least)
                 for m, value in values.items()}
        return Analysis(view.policy, view.illegal_mass, score, value=max(values.values()))

    def values(self, position: Position, moves: list[int]) -> dict[int, float]:
        """From −1 to 1 for the side that makes the move; ±1 and the draws of the rules are exact."""
        out, most, leaves, twice = {}, {}, [], seen_twice(position)
        for move in moves:
            position.push(move)
            legal = position.legal_moves()
            end = outcome(position, legal)
            if end is not None:
                out[move] = 0.0 if end.winner is None else -1.0 if end.winner == position.turn else 1.0
            elif mate_in_one(position, legal) is not None:
                out[move] = -1.0
            else:
                most[move] = _repeated(position, legal, twice) if twice else 1.0
                leaves.append((Leaf(list(position.board), position.turn, [move]), legal))
            position.pop()
        views = self.sight.glance(leaves)
        return out | {move: min(least, -view.value) for (move, least), view in zip(most.items(), views, strict=True)}


def _repeated(position: Position, replies: list[int], twice: set[tuple[int, ...]]) -> float:
    """What is left, −1 … 1, for whoever has just moved, where a reply makes a position of `twice` stand again."""
    left = 1.0
    for reply in replies:
        position.push(reply)
        if tuple(position.board) in twice and (verdict := repetition(position)) is not None:
            left = min(left, 0.0 if verdict.winner is None else 1.0 if verdict.winner == position.turn else -1.0)
        position.pop()
    return left


@dataclass(frozen=True)
class Leaf:
    """A position set aside for `Sight.glance`: of its moves only the last is kept."""

    board: list[int]
    turn: int
    moves: list[int]

    def in_check(self) -> bool:
        return attacked(self.board, self.board.index(KING + 8 * self.turn), self.turn)
