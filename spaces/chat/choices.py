"""Where an answer could have gone: each token's alternatives, and the tree of all continuations tried so far.

    tree, node = Tree(prompt_ids).grow(ROOT, tokens)
    tree, node = tree.fork(node, other_token)          # "what if it had said this instead?"

A tree is data: a fork never changes what was there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from shared.experiment import InputError
from spaces.chat.batching import Token

ROOT = -1
MOST = 5000


@dataclass(frozen=True)
class Node:
    """A token of some continuation, and the node it follows."""

    parent: int
    token: Token


@dataclass(frozen=True)
class Tree:
    """A prompt and everything that was said after it; nodes are named by their place."""

    prompt: tuple[int, ...]
    nodes: tuple[Node, ...] = ()

    def path(self, node: int) -> list[int]:
        """The nodes from the prompt to this one."""
        path = []
        while node != ROOT:
            path.append(node)
            node = self._at(node).parent
        return path[::-1]

    def ids(self, node: int) -> list[int]:
        """The prompt and all tokens up to this node."""
        return [*self.prompt, *(self.nodes[i].token.id for i in self.path(node))]

    def children(self, node: int) -> list[int]:
        """The nodes that follow this one."""
        return [i for i, child in enumerate(self.nodes) if child.parent == node]

    def grow(self, parent: int, tokens: Iterable[Token]) -> tuple[Tree, int]:
        """The tree with these tokens after a node, and the last of them."""
        nodes = list(self.nodes)
        for token in tokens:
            nodes.append(Node(parent, token))
            parent = len(nodes) - 1
        if len(nodes) > MOST:
            raise InputError("tree", f"至多 {MOST} 个节点，请重新开始。", f"holds at most {MOST} tokens: begin anew.")
        return replace(self, nodes=tuple(nodes)), parent

    def fork(self, node: int, token: int) -> tuple[Tree, int]:
        """The tree in which another of a node's alternatives stands beside it, and that one's node."""
        here = self._at(node)
        there = next((i for i in self.children(here.parent) if self.nodes[i].token.id == token), None)
        if there is not None:
            return self, there
        chance = dict(here.token.alternatives).get(token)
        if chance is None:
            raise InputError("token", "不在这一步的候选里。", "is not among the alternatives here.")
        return self.grow(here.parent, [Token(token, math.log(max(chance, 1e-45)), here.token.alternatives)])

    def _at(self, node: int) -> Node:
        if not isinstance(node, int) or not 0 <= node < len(self.nodes):
            raise InputError("node", "树上没有这个节点。", "is not in the tree.")
        return self.nodes[node]
