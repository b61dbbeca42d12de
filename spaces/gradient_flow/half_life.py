"""Half-lives: after how many steps back a gradient has halved, measured from its norms and predicted from the settings.

Measured: the log-norms are nearly a straight line over the lag, after a beginning of their own; its slope is the median
of all slopes between points half the window apart, which neither the beginning nor single steps move. Predicted for a
gated cell: only the kept share σ(forget bias) counts, as the article argues; for the simple RNN: the powers of the
spectral radius, as 0.9^n and 1.1^n are.
"""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor

from spaces.gradient_flow.cells import CARRIED, Linearised

STABLE = 1.0
"""Decades over the whole window within which a gradient counts as stable."""


def rate(log10_norms: np.ndarray) -> float:
    """Decades that a norm gains with each step back: log10_norms (T,) over t = 0 … T−1.

    −inf where more than half of the slopes lead to an exact zero, NaN where a norm is NaN (exploded).
    """
    back = log10_norms[::-1]
    half = len(back) // 2
    with np.errstate(invalid="ignore"):
        slopes = (back[half:] - back[: len(back) - half]) / half
    slopes[np.isneginf(back[half:])] = -np.inf
    return float(np.sort(slopes)[(len(slopes) - 1) // 2]) if not np.isnan(back).any() else math.nan


def half_life(rate: float) -> float:
    """Steps back until half is left; infinite where nothing is lost, 0 where all is lost at once."""
    if math.isnan(rate):
        return math.nan
    return -math.log10(2) / rate if rate < 0 else math.inf


def regime(rate: float, steps: int) -> str:
    """vanish, stable or explode: more than a decade lost or won over so many steps, or neither."""
    if math.isnan(rate):
        return "explode"
    change = rate * steps
    return "vanish" if change < -STABLE else "explode" if change > STABLE else "stable"


def predicted_rate(name: str, forget_bias: float, radius: float) -> float | None:
    """Decades per step back by the forget bias (lstm, gru, su) or by U's spectral radius (rnn); None for the others."""
    if name in CARRIED:
        return -math.log10(1 + math.exp(-forget_bias))
    return (math.log10(radius) if radius > 0 else -math.inf) if name == "rnn" else None


def by_the_gates(line: Linearised) -> float | None:
    """The half-life by the gates met on the way: by the kept share's mean logarithm; None without a carry."""
    carry: Tensor | None = line.factors.get("carry")
    return None if carry is None else half_life(float(carry.log10().mean()))
