"""Thinking: a search that the sighted model's policy and value guide, on a budget of seconds.

PUCT as in AlphaZero (Silver et al., 2017), leaves in batches with a virtual loss, and what mate and repetition decide
is proved upwards (Winands et al., 2008, "Monte-Carlo Tree Search Solver"). At the root the policy is read with the
game's history, at the leaves without.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from spaces.xiangqi.outcome import outcome
from spaces.xiangqi.player import Analysis, Leaf
from spaces.xiangqi.rules import Position
from spaces.xiangqi.sight import Sight

C_PUCT, FIRST_PLAY = 1.6, 0.25
LEAVES, MOST_VISITS = 16, 100_000


class Node:
    """A position: statistics (M,) of its M legal moves, for the side to move; `proved` is its exact value, if known."""

    __slots__ = ("moves", "prior", "visits", "total", "children", "proved", "value")

    def __init__(self, policy: dict[int, float], value: float):
        self.moves = list(policy)
        prior = np.array(list(policy.values()), np.float64) + 1e-6
        self.prior, self.value = prior / prior.sum(), value
        self.visits, self.total = np.zeros(len(prior)), np.zeros(len(prior))
        self.children: list[Node | None] = [None] * len(prior)
        self.proved: float | None = None

    @classmethod
    def end(cls, value: float) -> Node:
        """A finished game."""
        node = cls({}, value)
        node.proved = value
        return node

    def choose(self) -> int:
        """The index of the move with the highest upper bound; moves proved lost come last."""
        count = self.visits.sum()
        mean = (self.value + self.total.sum()) / (1 + count) - FIRST_PLAY
        q = np.where(self.visits > 0, self.total / np.maximum(self.visits, 1), mean)
        for index, child in enumerate(self.children):
            if child is not None and child.proved is not None:
                q[index] = -child.proved - 10 * (child.proved == 1)
        return int(np.argmax(q + C_PUCT * self.prior * np.sqrt(1 + count) / (1 + self.visits)))

    def prove(self) -> bool:
        """Whether the children's proofs prove this node just now."""
        if self.proved is not None:
            return False
        known = [-child.proved for child in self.children if child is not None and child.proved is not None]
        if 1.0 in known or len(known) == len(self.moves):
            self.proved = max(known)
        return self.proved is not None

    def best(self) -> int:
        """The index to play: proved won, else most visited of those not proved lost."""
        def merit(index: int) -> tuple:
            child = self.children[index]
            proved = 0.0 if child is None or child.proved is None else -child.proved
            return proved if abs(proved) == 1 else 0.0, self.visits[index], self.prior[index]
        return max(range(len(self.moves)), key=merit)


Path = list[tuple[Node, int]]


class Thinking:
    """The player that searches for `seconds`, or until `most_visits` when that comes first."""

    name = "thinking"

    def __init__(self, sight: Sight, seconds: float = 1.0, most_visits: int = MOST_VISITS,
                 clock: Callable[[], float] = time.monotonic):
        self.sight, self.seconds, self.most_visits, self.clock = sight, seconds, most_visits, clock

    def analyse(self, position: Position) -> Analysis:
        end, view = self.clock() + self.seconds, self.sight.look(position)
        root = Node(view.policy, view.value)
        while self.clock() < end and root.visits.sum() < self.most_visits and root.proved is None:
            self._round(root, position, min(LEAVES, int(self.most_visits - root.visits.sum())))
        best = root.best()
        policy = root.visits / max(1.0, root.visits.sum()) if root.visits.any() else root.prior
        score = dict.fromkeys(root.moves, 0.0) | {root.moves[best]: 1.0}
        return Analysis(dict(zip(root.moves, policy.tolist(), strict=True)), view.illegal_mass, score,
                        self._value(root, best), self._line(root))

    @staticmethod
    def _value(root: Node, best: int) -> float:
        if root.proved is not None:
            return root.proved
        return float(root.total[best] / root.visits[best]) if root.visits[best] else root.value

    @staticmethod
    def _line(node: Node) -> tuple[int, ...]:
        """The moves most visited, one after another."""
        line = []
        while node is not None and node.moves and (not line or node.visits.any()):
            index = node.best()
            line.append(node.moves[index])
            node = node.children[index]
        return tuple(line)

    def _round(self, root: Node, position: Position, leaves: int) -> None:
        """Descend up to `leaves` times, read the new leaves together, and report their values upwards."""
        paths: list[Path] = []
        asked: list[tuple[Leaf, list[int]]] = []
        waiting: set[tuple[int, int]] = set()
        for _ in range(leaves):
            path, node = self._descend(root, position)
            parent, index = path[-1]
            again = node is None and (id(parent), index) in waiting
            if node is None and not again:
                legal = position.legal_moves()
                node = parent.children[index] = self._ended(position, legal)
                if node is None:
                    waiting.add((id(parent), index))
                    paths.append(path)
                    asked.append((Leaf(list(position.board), position.turn, position.moves[-1:]), legal))
            for _ in path:
                position.pop()
            if again:
                break  # the tree is too small for so many leaves at once
            _visit(path)
            if node is not None:
                _report(path, node)
            if root.proved is not None:
                break
        for path, view in zip(paths, self.sight.glance(asked), strict=True):
            node = path[-1][0].children[path[-1][1]] = Node(view.policy, view.value)
            _report(path, node)

    @staticmethod
    def _descend(root: Node, position: Position) -> tuple[Path, Node | None]:
        """Down the highest upper bounds to a leaf not yet read (None) or a proved node; the moves stay made."""
        node, path = root, []
        while node is not None and (node.proved is None or node is root):
            index = node.choose()
            position.push(node.moves[index])
            path.append((node, index))
            node = node.children[index]
        return path, node

    @staticmethod
    def _ended(position: Position, legal: list[int]) -> Node | None:
        end = outcome(position, legal)
        if end is None:
            return None
        return Node.end(0.0 if end.winner is None else 1.0 if end.winner == position.turn else -1.0)


def _visit(path: Path) -> None:
    """Count the visits, as lost until the value is known."""
    for node, index in path:
        node.visits[index] += 1
        node.total[index] -= 1


def _report(path: Path, leaf: Node) -> None:
    """Replace the loss by the leaf's value, turning it at every ply, and prove what can be proved."""
    value, proving = leaf.value if leaf.proved is None else leaf.proved, leaf.proved is not None
    for node, index in reversed(path):
        value = -value
        node.total[index] += 1 + value
        proving = proving and node.prove()
