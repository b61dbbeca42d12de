"""The Taylor polynomials of exp at 0: positive for even n (archives/7919), and what that is worth as a softmax.

The claim: f_n(x) = Σ_{k≤n} x^k/k! > 0 for even n, since f_n' = f_{n−1}: where f_n is smallest, f_{n−1} vanishes, and
f_n = x^n/n! is left. For odd n it goes to −∞. f_{n−1} has f_{n−2} > 0 as its derivative, so it has one root x_n: on its
left f_n falls, on its right it rises. Held at f_n(x_n) on the left it becomes monotone, as a softmax should be.

Try first: `minimum(2)`, `taylor(np.array([-10.0, 0.0]), 2)` (41 and 1: the worst score wins), `clamped` of the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import cache
from typing import Any

import numpy as np

from shared.experiment import InputError, number

ORDERS = tuple(range(2, 21, 2))
"""Even orders whose minima the table lists."""
DIGITS = 40
LIMITS = {"order": (1, 20), "left": (-30.0, -1.0), "shift": (-20.0, 20.0)}
MOST_SCORES, LARGEST_SCORE = 12, 50.0


@dataclass(frozen=True)
class Even:
    """One polynomial, and scores that it turns into weights."""

    order: int = 2
    """n; an odd one fails, and is allowed to."""
    left: float = -6.0
    """Where the x axis begins."""
    scores: str = "-10, 0, 2"
    """Numbers to normalise, separated by commas."""
    shift: float = 0.0
    """Added to every score: softmax does not notice."""

    def __post_init__(self):
        for name, limits in LIMITS.items():
            object.__setattr__(self, name, number(name, getattr(self, name), limits))
        self.values()

    def values(self) -> np.ndarray:
        """The shifted scores (K,)."""
        words = str(self.scores).replace("，", ",").split(",")
        try:
            found = np.array([float(word) for word in words])
        except ValueError:
            found = np.array([math.nan])
        if not 2 <= len(found) <= MOST_SCORES or not (np.abs(found) <= LARGEST_SCORE).all():
            raise InputError(
                "scores",
                f"须为 2 到 {MOST_SCORES} 个以逗号分隔、绝对值不超过 {LARGEST_SCORE:g} 的数。",
                f"must be 2 to {MOST_SCORES} numbers of at most ±{LARGEST_SCORE:g}, separated by commas.",
            )
        return found + self.shift


@dataclass(frozen=True)
class Minimum:
    """Where f_n is smallest, and how small; 30 correct digits."""

    order: int
    x: Decimal
    value: Decimal


def taylor(x: Any, n: int) -> Any:
    """f_n(x) by Horner's scheme, for an array, a tensor or a number."""
    total = x * 0 + 1.0
    for k in range(n, 0, -1):
        total = 1.0 + total * x / k
    return total


def clamped(x: np.ndarray, n: int) -> np.ndarray:
    """f_n(x), held at its minimum on the left of it: positive and never falling; n even."""
    return taylor(np.maximum(x, float(minimum(n).x)), n)


@cache
def minimum(n: int) -> Minimum:
    """The minimum of f_n, n even: at the one root x of f_{n−1}, of value x^n/n!."""
    if n < 2 or n % 2:
        raise InputError("order", "须为 2 或更大的偶数。", "must be even, and 2 at least.")
    with localcontext(prec=DIGITS + 15):
        x = _root(n - 1)
        value = x**n / math.factorial(n)
    with localcontext(prec=30):
        return Minimum(n, +x, +value)


@cache
def _root(odd: int) -> Decimal:
    """The one root of f_n, n odd, by bisection: f_n rises from −∞, and f_n(−n−1) < 0 < f_n(0)."""
    low, high = Decimal(-odd - 1), Decimal(0)
    with localcontext(prec=DIGITS + 15):
        for _ in range(4 * DIGITS):
            middle = (low + high) / 2
            low, high = (middle, high) if _exact(middle, odd) < 0 else (low, middle)
    return low


def _exact(x: Decimal, n: int) -> Decimal:
    total = Decimal(1)
    for k in range(n, 0, -1):
        total = 1 + total * x / k
    return total


def zero(n: int) -> float | None:
    """Left of this x f_n is negative: its root for odd n, None for even n, which has none."""
    return float(_root(n)) if n % 2 else None


def weights(scores: np.ndarray, n: int) -> dict[str, np.ndarray]:
    """Scores (K,) normalised by exp, by f_n, and for even n by f_n clamped: {"softmax", "taylor", "clamped"}."""
    kernels = {"softmax": np.exp(scores - scores.max()), "taylor": taylor(scores, n)}
    if n % 2 == 0:
        kernels["clamped"] = clamped(scores, n)
    return {name: kernel / kernel.sum() for name, kernel in kernels.items()}
