"""Where the pipes lie: the H-tree of the article and a comb, both trees with 2^levels inlets on the same floor.

An H-tree splits every pipe in two, alternately along the tank and across it (two splits make one 工), and halves the
reach every second split: each inlet sits in the middle of its cell of the floor, and every path from an inlet to the
outlet has the same pipes. The comb covers the same floor: a header along the middle, drawn at one end, teeth on both
sides. A layout is a rooted tree of edges, each towards the outlet of the next.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spaces.aquarium.losses import K_BRANCH, K_RUN
from spaces.aquarium.settings import FLOOR, Pipes


@dataclass(frozen=True)
class Layout:
    """A tree of E pipes with N inlets. Edge e leads from node e + 1 to node `towards[e]`; node 0 is the outlet."""

    towards: np.ndarray  # (E,) int, always smaller than e + 1
    position: np.ndarray  # (E + 1, 2) metres on the floor
    length: np.ndarray  # (E,) m
    diameter: np.ndarray  # (E,) m
    k: np.ndarray  # (E,) minor losses on the pipe's own velocity
    inlets: np.ndarray  # (N,) int, nodes
    level: np.ndarray  # (E,) int, 0 next to the outlet

    @property
    def pitch(self) -> float:
        """Metres along the tank from one row of inlets to the next; the tank's length where there is but one row."""
        across = np.unique(self.position[self.inlets, 0].round(9))
        return float(np.diff(across).min()) if len(across) > 1 else FLOOR[0]

    @property
    def fits(self) -> bool:
        """Whether the pipes at the inlets have room beside each other."""
        return bool(self.diameter[self.inlets - 1].max() <= self.pitch)

    @property
    def paths(self) -> np.ndarray:
        """(E, N) 0/1: which pipes lie between an inlet and the outlet."""
        on = np.zeros((len(self.towards), len(self.inlets)))
        for column, node in enumerate(self.inlets):
            while node:
                on[node - 1, column] = 1
                node = self.towards[node - 1]
        return on


def lay(pipes: Pipes) -> Layout:
    """The layout that the settings name."""
    return h_tree(pipes) if pipes.layout == "h_tree" else comb(pipes)


def h_tree(pipes: Pipes) -> Layout:
    """Binary splits from the middle of the floor; level i has 2^(i+1) pipes of diameter trunk · taper^i."""
    places, towards, levels = [np.array(FLOOR) / 2], [], []
    front = [0]
    for level in range(pipes.levels):
        step = np.zeros(2)
        step[level % 2] = FLOOR[level % 2] / 2 ** (level // 2 + 2)
        following = []
        for node in front:
            for side in (-1, 1):
                following.append(len(places))
                places.append(places[node] + side * step)
                towards.append(node)
                levels.append(level)
        front = following
    level = np.array(levels)
    diameter = pipes.trunk_mm / 1000 * pipes.taper**level
    k = np.full(len(level), K_BRANCH)
    along = np.array([FLOOR[i % 2] / 2 ** (i // 2 + 2) for i in range(pipes.levels)])
    return Layout(np.array(towards), np.array(places), along[level], diameter, k, np.array(front), level)


def comb(pipes: Pipes) -> Layout:
    """A header of 2^(levels−1) stations, drawn at its left end, with a tooth to either side of every station."""
    stations = 2 ** (pipes.levels - 1)
    pitch, reach = FLOOR[0] / stations, FLOOR[1] / 4
    places, towards, level, k, inlets = [(0.0, FLOOR[1] / 2)], [], [], [], []
    header = 0
    for i in range(stations):
        towards.append(header)
        header = len(places)
        places.append(((i + 0.5) * pitch, FLOOR[1] / 2))
        level.append(0)
        k.append(K_RUN)
        for side in (-1, 1):
            towards.append(header)
            inlets.append(len(places))
            places.append(((i + 0.5) * pitch, FLOOR[1] / 2 + side * reach))
            level.append(1)
            k.append(K_BRANCH)
    position, kinds = np.array(places), np.array(level)
    length = np.linalg.norm(position[1:] - position[towards], axis=1)
    diameter = pipes.trunk_mm / 1000 * pipes.taper**kinds
    return Layout(np.array(towards), position, length, diameter, np.array(k), np.array(inlets), kinds)
