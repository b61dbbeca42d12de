"""Where gradients vanish, stay or explode: half-lives measured over a grid of two settings, and against one.

Every point is a run and a sweep of its own, with 32 units and 100 steps: some ten milliseconds. Try the LSTM with the
spectral radius against the forget bias: a bias of 3 to 4 keeps the gradient for any radius up to about 1.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from shared.experiment import choice, number
from spaces.gradient_flow import half_life
from spaces.gradient_flow.cells import GATES
from spaces.gradient_flow.draw import draw_cell, draw_input
from spaces.gradient_flow.flow import line_flow
from spaces.gradient_flow.settings import Flow

RANGES = {
    "spectral_radius": (0.1, 2.5),
    "gain": (0.1, 4.0),
    "forget_bias": (-2.0, 6.0),
    "offset": (-3.0, 3.0),
    "input_scale": (0.0, 4.0),
}
"""What a map can show against what, and from where to where."""
LIMITS = {"columns": (2, 40), "rows": (2, 40), "hidden": (1, 64), "length": (10, 200), "seed": (0, 2**31 - 1)}
AXES = {"across": ("spectral_radius", "gain"), "up": ("forget_bias", "offset", "input_scale")}


@dataclass(frozen=True)
class Map:
    """One cell over a grid of two settings; the rest as in Flow's defaults."""

    cell: str = "lstm"
    across: str = "spectral_radius"
    """The horizontal axis: spectral_radius or gain."""
    up: str = "forget_bias"
    """The vertical one: forget_bias (of no effect on rnn and rnn_relu), offset or input_scale."""
    columns: int = 21
    rows: int = 15
    hidden: int = 32
    length: int = 100
    seed: int = 0

    def __post_init__(self):
        choice("cell", self.cell, tuple(GATES))
        for name, options in AXES.items():
            choice(name, getattr(self, name), options)
        for name, limits in LIMITS.items():
            object.__setattr__(self, name, number(name, getattr(self, name), limits))

    def but(self, **changes: Any) -> Map:
        """This map with some fields changed."""
        return replace(self, **changes)

    def to_json(self) -> str:
        """One JSON object of all fields; `shared.experiment.from_json` reads it."""
        return json.dumps(asdict(self))

    def axis(self, name: str) -> np.ndarray:
        """The grid's values along "across" (columns,) or "up" (rows,)."""
        return np.linspace(*RANGES[getattr(self, name)], self.columns if name == "across" else self.rows)

    def flow(self, x: float, y: float, **more: Any) -> Flow:
        """The settings of the grid point nearest to (x, y): what a click on the map means."""
        at = {getattr(self, axis): round(_nearest(self.axis(axis), v), 4) for axis, v in (("across", x), ("up", y))}
        common = {"cells": (self.cell,), "hidden": self.hidden, "length": self.length, "seed": self.seed}
        common["spectral_radius"] = 0.0  # so that the gain counts where it is an axis
        return Flow(**(common | at | more))


@dataclass(frozen=True)
class Regimes:
    """A map, as far as it is measured: arrays (rows, columns), NaN or "" where it is not, or where the run exploded."""

    map: Map
    rate: np.ndarray
    """Decades per step back."""
    half_life: np.ndarray
    """Steps; inf where nothing is lost."""
    regime: np.ndarray
    """"vanish", "stable", "explode" (half_life.regime over the map's length), "" where not measured."""
    done: float
    """The share measured."""


def regimes(settings: Map) -> Iterator[Regimes]:
    """The map, row by row from below; after each row what is known so far."""
    shape = (settings.rows, settings.columns)
    rate, lives = np.full((2, *shape), np.nan)
    names = np.full(shape, "", dtype="<U7")
    for j, y in enumerate(settings.axis("up")):
        for i, x in enumerate(settings.axis("across")):
            rate[j, i] = measured_rate(settings.cell, settings.flow(x, y))
            lives[j, i] = half_life.half_life(rate[j, i])
            names[j, i] = half_life.regime(rate[j, i], settings.length)
        yield Regimes(settings, rate.copy(), lives.copy(), names.copy(), (j + 1) / settings.rows)


def measured_rate(name: str, settings: Flow) -> float:
    """half_life.rate of one cell under these settings; NaN where it exploded."""
    return line_flow(draw_cell(name, settings).run(draw_input(settings)), settings.but(spectral=False, clip=0.0)).rate


@dataclass(frozen=True)
class Sweep:
    """Half-lives against the forget bias, arrays (n,) as far as measured."""

    name: str
    bias: np.ndarray
    predicted: np.ndarray
    """By the forget bias alone: ln 2 / −ln σ(bias)."""
    by_the_gates: np.ndarray
    """By the gates met on the way."""
    measured: np.ndarray
    """inf where nothing is lost over the length."""
    done: float


def sweep_bias(name: str, settings: Flow, points: int = 17) -> Iterator[Sweep]:
    """Half-lives of lstm, gru or su over forget biases from −2 to 6; after each, what is known so far."""
    bias = np.linspace(*RANGES["forget_bias"], points)
    predicted, gates, measured = np.full((3, points), np.nan)
    for i, b in enumerate(bias):
        at = settings.but(forget_bias=float(b), spectral=False, clip=0.0)
        found = line_flow(draw_cell(name, at).run(draw_input(at)), at)
        predicted[i] = half_life.half_life(half_life.predicted_rate(name, float(b), 0.0))
        gates[i], measured[i] = found.by_the_gates, found.half_life
        yield Sweep(name, bias, predicted.copy(), gates.copy(), measured.copy(), (i + 1) / points)


def _nearest(values: np.ndarray, v: float) -> float:
    return float(values[np.abs(values - v).argmin()])
