"""How much water each inlet draws: the network of pipes solved for the flow that loses the same pressure on every path.

The article's claim: with paths of equal length every inlet draws the same. Here: the unblocked H-tree has a
coefficient of variation of 0 (to rounding), whatever the flow; a comb has not, unless its holes are so small that they
cost more than its pipes. Try first: `solve(Pipes())`, `solve(Pipes(layout="comb"))`, then `blocked=("0",)` in both.

Unknowns are the flows q of the N open inlets; the pipes carry A q (A: pipes × inlets), which keeps water at every node
by construction, and the equations are Aᵀh(Aq) + r(q) = p for all inlets with Σq = Q. All losses grow with the flow, so
this is the minimum of a convex function and damped Newton steps always arrive.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from spaces.aquarium import losses
from spaces.aquarium.layouts import Layout, lay
from spaces.aquarium.settings import Pipes

LITRES_PER_HOUR = 1e-3 / 3600
"""m³/s in one L/h."""
TOLERANCE = 1e-13
"""Of the paths' pressures, relative: Newton stops here or where rounding stops it."""
STEPS = 100


@dataclass(frozen=True)
class Flows:
    """What a network does, in L/h and Pa."""

    layout: Layout
    inlet: np.ndarray  # (N,) L/h, 0 where blocked
    pipe: np.ndarray  # (E,) L/h towards the outlet
    pressure: np.ndarray  # (E + 1,) Pa below the water outside, at every node; largest at the outlet
    reynolds: np.ndarray  # (E,)
    open: np.ndarray  # (N,) bool

    @property
    def variation(self) -> float:
        """Coefficient of variation of the open inlets: standard deviation over mean."""
        drawn = self.inlet[self.open]
        return float(drawn.std() / drawn.mean())

    @property
    def suction(self) -> float:
        """Pressure that the pump must supply, Pa (98 Pa are 1 cm of water)."""
        return float(self.pressure[0])


def solve(pipes: Pipes, start: np.ndarray | None = None) -> Flows:
    """The flow at every inlet; `start` (N open inlets, L/h) only to test that the answer does not depend on it."""
    layout = lay(pipes)
    unblocked = np.ones(len(layout.inlets), bool)
    unblocked[[int(n) for n in pipes.blocked]] = False
    paths = _paths(pipes.layout, pipes.levels)[:, unblocked]
    total = pipes.flow * LITRES_PER_HOUR
    q = np.full(unblocked.sum(), total / unblocked.sum())
    if start is not None:
        q = np.asarray(start, float) * total / np.sum(start)
    q = _newton(q, paths, _pipe_law(pipes, layout), _hole_law(pipes))
    inlet = np.zeros(len(unblocked))
    inlet[unblocked] = q
    flow = paths @ q
    pressure = _pressures(layout, _pipe_law(pipes, layout)(flow), _hole_law(pipes)(inlet), unblocked)
    re = losses.reynolds(flow, layout.diameter)
    return Flows(layout, inlet / LITRES_PER_HOUR, flow / LITRES_PER_HOUR, pressure, re, unblocked)


@lru_cache(maxsize=32)
def _paths(name: str, levels: int) -> np.ndarray:
    paths = lay(Pipes(layout=name, levels=levels)).paths
    paths.setflags(write=False)
    return paths


def _pipe_law(pipes: Pipes, layout: Layout):
    if pipes.losses == "laminar":
        resistance = losses.resistance(layout.length, layout.diameter)
        return lambda flow: resistance * flow
    return lambda flow: losses.pipe_loss(flow, layout.length, layout.diameter, layout.k)


def _hole_law(pipes: Pipes):
    """Loss of one inlet: its hole, and the bed that the water converges through."""
    hole = pipes.inlet_mm / 1000
    bed = losses.bed_resistance(pipes.grain_mm / 1000, hole)
    k = 0.0 if pipes.losses == "laminar" else losses.K_HOLE
    square = k * losses.DENSITY / 2 / (np.pi * hole**2 / 4) ** 2
    return lambda flow: bed * flow + square * flow * np.abs(flow)


def _slope(law, flow: np.ndarray, scale: float) -> np.ndarray:
    """dh/dQ by central differences, of a size that suits the largest flow."""
    step = 1e-6 * np.maximum(np.abs(flow), 1e-3 * scale)
    return (law(flow + step) - law(flow - step)) / (2 * step)


def _newton(q: np.ndarray, paths: np.ndarray, pipe_law, hole_law) -> np.ndarray:
    """Damped Newton steps on the plane Σq = Q until all paths lose the same pressure."""
    total, count = q.sum(), len(q)

    def spread(q: np.ndarray) -> tuple[np.ndarray, float]:
        lost = paths.T @ pipe_law(paths @ q) + hole_law(q)
        return lost, float(np.abs(lost - lost.mean()).max())

    lost, error = spread(q)
    for _ in range(STEPS):
        if error <= TOLERANCE * np.abs(lost).max():
            break
        slope = paths.T @ (_slope(pipe_law, paths @ q, total)[:, None] * paths)
        slope[np.diag_indices(count)] += _slope(hole_law, q, total / count)
        uniform, needed = np.linalg.solve(slope, np.stack([np.ones(count), lost], axis=1)).T
        step = uniform * (needed.sum() / uniform.sum()) - needed  # Σ step = 0
        better = _shorten(q, step, error, spread)
        if better is None:
            break
        q, lost, error = better
    return q * (total / q.sum())


def _shorten(q: np.ndarray, step: np.ndarray, error: float, spread):
    """The step, halved until it helps; None where rounding leaves nothing to gain."""
    for _ in range(40):
        moved = q + step
        lost, now = spread(moved)
        if now < error:
            return moved, lost, now
        step = step / 2
    return None


def _pressures(layout: Layout, pipe: np.ndarray, hole: np.ndarray, unblocked: np.ndarray) -> np.ndarray:
    """Suction at every node, walking outwards from the outlet, Pa."""
    pressure = np.zeros(len(layout.towards) + 1)
    first = int(np.argmax(unblocked))
    node = int(layout.inlets[first])
    pressure[0] = hole[first]
    while node:
        pressure[0] += pipe[node - 1]
        node = int(layout.towards[node - 1])
    for edge, towards in enumerate(layout.towards):
        pressure[edge + 1] = pressure[towards] - pipe[edge]
    return pressure
