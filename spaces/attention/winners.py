"""Who wins where: trigonometric against hyperbolic or positive features over norm and angle, at equal features.

For independent draws the border is the right angle: hyperbolic features have e^{z²}(1 − e^{−z²})²/F, trigonometric
ones the same with u = x − y for z = x + y, so the sign of x·y decides (spaces/attention/kernel.py).
Measured, for any draw.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spaces.attention.errors import Errors
from spaces.attention.kernel import closed_form, measure, squares

NORMS = tuple(np.linspace(0.2, 3.0, 15).round(2).tolist())
ANGLES = tuple(float(a) for a in range(0, 181, 10))
REPEATS = 100
FLOOR = 1e-9
"""Errors below count as none: at 0° trigonometric features make none at all."""


@dataclass(frozen=True)
class Winners:
    """log10 of the errors' ratio, trigonometric over the other (negative: trigonometric wins), [norm][angle]."""

    other: str
    draw: str
    measured: np.ndarray
    predicted: np.ndarray

    def agreement(self) -> float:
        """The part of the places, off the border, where the closed form names the measured winner."""
        clear = np.abs(self.predicted) > 0.05
        return float((np.sign(self.measured) == np.sign(self.predicted))[clear].mean())


def winners(settings: Errors, draw: str, other: str, report: Callable[[float], None] = lambda share: None) -> Winners:
    """The map at the settings' dimension and number of features."""
    measured, predicted = np.zeros((2, len(NORMS), len(ANGLES)))
    for i, norm in enumerate(NORMS):
        for j, angle in enumerate(ANGLES):
            place = squares(norm, angle)
            # Both from the same ω: what is compared are the features.
            errors = [
                measure(kind, draw, settings.dim, settings.features, *place, REPEATS,
                        np.random.default_rng([settings.seed, i, j])).rmse
                for kind in ("trigonometric", other)
            ]  # fmt: skip
            measured[i, j] = _ratio(*errors)
            predicted[i, j] = _ratio(
                *(closed_form(kind, settings.features, *place) for kind in ("trigonometric", other))
            )
        report((i + 1) / len(NORMS))
    return Winners(other, draw, measured, predicted)


def _ratio(one: float, two: float) -> float:
    return float(np.log10(max(one, FLOOR)) - np.log10(max(two, FLOOR)))
