"""How evenly both layouts draw as one knob turns: the coefficient of variation and what it costs the pump."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shared.experiment import InputError
from spaces.aquarium.pipes import solve
from spaces.aquarium.settings import LAYOUTS, PIPE_LIMITS, Pipes

RANGES = {"inlet_mm": (1.0, 16.0), "flow": (3.0, 3000.0), "trunk_mm": (6.0, 40.0), "taper": (0.5, 1.0)}
POINTS = 25


@dataclass(frozen=True)
class Sweep:
    """M values of one knob and what both layouts make of them."""

    name: str
    values: np.ndarray  # (M,)
    variation: dict[str, np.ndarray]  # layout → (M,)
    suction: dict[str, np.ndarray]  # layout → (M,) Pa


def sweep(pipes: Pipes, name: str = "inlet_mm", points: int = POINTS) -> Sweep:
    """Both layouts with one field swept over RANGES (logarithmic but for taper), everything else as given."""
    if name not in RANGES:
        options = ", ".join(RANGES)
        raise InputError("knob", f"须为 {options} 之一。", f"must be one of {options}.")
    low, high = RANGES[name]
    values = np.linspace(low, high, points) if name == "taper" else np.geomspace(low, high, points)
    values = np.clip(values, *PIPE_LIMITS[name])
    flows = {kind: [solve(pipes.but(layout=kind, **{name: float(v)})) for v in values] for kind in LAYOUTS}
    variation = {kind: np.array([f.variation for f in solved]) for kind, solved in flows.items()}
    suction = {kind: np.array([f.suction for f in solved]) for kind, solved in flows.items()}
    return Sweep(name, values, variation, suction)
