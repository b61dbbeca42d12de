"""How wrong random features are about one kernel value e^{x·y}: measured in the one direction that matters.

The estimate of a pair divided by its truth depends on ω·z or ω·u alone, with z = x + y and u = x − y:

    positive       mean of exp(ω·z − |z|²/2)
    hyperbolic     mean of cosh(ω·z) exp(−|z|²/2)
    trigonometric  mean of cos(ω·u) exp(+|u|²/2)

and along one direction the d vectors of an orthogonal block are a random unit vector of d entries times their norms. So
a million draws cost milliseconds, in any dimension. With independent draws and F features the relative mean squared
errors are (e^{z²} − 1)/F, e^{z²}(1 − e^{−z²})²/F and e^{u²}(1 − e^{−u²})²/F: at equal features hyperbolic ones always
beat positive ones, and trigonometric beat hyperbolic ones exactly where x·y > 0 (|u| < |z|).

Try first: `measure("hyperbolic", "orthogonal", 64, 256, *squares(1.0, 60.0), 400, np.random.default_rng(0))`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import gammaincinv

from shared.random_features import DRAWS as UNBIASED

DRAWS = (*UNBIASED, "quantiles")
"""quantiles: orthogonal, with norms at fixed quantiles, one in the middle of each stratum: biased, for comparison."""
CHUNK = 2**20  # numbers held at once
TAIL = 0.01
GRID = np.linspace(TAIL, 1 - TAIL, 2**13)
DOMINATED = 0.3
"""From this part of the sum of squared errors in a single draw on the tail decides, and the number means little."""


@dataclass(frozen=True)
class Measured:
    """Over many draws: the mean of estimate/truth, and its root mean squared error, each with a standard error."""

    mean: float
    mean_se: float
    rmse: float
    rmse_se: float
    dominated: bool
    """One draw makes up most of the error: a heavy tail that so few draws do not show."""


def squares(norm: float, degrees: float) -> tuple[float, float]:
    """|x + y|² and |x − y|² of two vectors of one norm at an angle."""
    cosine = math.cos(math.radians(degrees))
    return 2 * norm**2 * (1 + cosine), 2 * norm**2 * (1 - cosine)


def closed_form(kind: str, features: int, plus: float, minus: float) -> float:
    """Relative root mean squared error with independent draws; plus = |x + y|², minus = |x − y|²."""
    square = minus if kind == "trigonometric" else plus
    if square > 700:
        return math.inf
    growth = math.expm1(square)
    return math.sqrt(growth * (1.0 if kind == "positive" else -math.expm1(-square)) / features)


def projections(dim: int, draws: int, how: str, repeats: int, random: np.random.Generator) -> np.ndarray:
    """ω·e for a unit vector e, (repeats, draws), of `repeats` draws of ω (draws, dim)."""
    if how == "iid":
        return random.standard_normal((repeats, draws))
    blocks = random.standard_normal((repeats, math.ceil(draws / dim), dim))
    cosines = (blocks / np.linalg.norm(blocks, axis=-1, keepdims=True)).reshape(repeats, -1)[:, :draws]
    if how == "orthogonal":
        return cosines * np.sqrt(random.chisquare(dim, (repeats, draws)))
    strata = random.permuted(np.broadcast_to(np.arange(draws), (repeats, draws)), axis=1)
    within = 0.5 if how == "quantiles" else random.random((repeats, draws))
    return cosines * chi_quantile((strata + within) / draws, dim)


def chi_quantile(u: np.ndarray, dim: int) -> np.ndarray:
    """The norm that a Gaussian in `dim` dimensions stays below with probability u, to 10⁻⁵: a table but for tails."""
    norms = np.interp(u, GRID, _table(dim))
    tails = (u < TAIL) | (u > 1 - TAIL)
    norms[tails] = np.sqrt(2 * gammaincinv(dim / 2, u[tails]))
    return norms


@cache
def _table(dim: int) -> np.ndarray:
    return np.sqrt(2 * gammaincinv(dim / 2, GRID))


def ratios(kind: str, along: np.ndarray, plus: float, minus: float) -> np.ndarray:
    """Estimate over truth (repeats,) from projections (repeats, draws)."""
    if kind == "positive":
        return np.exp(math.sqrt(plus) * along - plus / 2).mean(1)
    if kind == "hyperbolic":
        far = math.sqrt(plus) * np.abs(along)  # cosh in parts: no overflow on the way
        return ((np.exp(far - plus / 2) + np.exp(-far - plus / 2)) / 2).mean(1)
    return np.cos(math.sqrt(minus) * along).mean(1) * math.exp(min(minus / 2, 700))


def measure(
    kind: str, how: str, dim: int, features: int, plus: float, minus: float, repeats: int, random: np.random.Generator
) -> Measured:
    """The error of `features` features over so many draws; a trigonometric or hyperbolic draw makes two of them."""
    draws = features if kind == "positive" else features // 2
    rows = max(1, CHUNK // draws)
    parts = [min(rows, repeats - start) for start in range(0, repeats, rows)]
    found = np.concatenate([ratios(kind, projections(dim, draws, how, n, random), plus, minus) for n in parts])
    return summary(found)


def summary(found: np.ndarray) -> Measured:
    """Mean and root mean squared error of ratios (repeats,) that should be 1."""
    wrong = np.square(found - 1)
    mse, root = float(wrong.mean()), math.sqrt(len(found))
    rmse = math.sqrt(mse)
    se = float(wrong.std(ddof=1)) / root / (2 * rmse) if rmse else 0.0
    dominated = bool(wrong.max() > DOMINATED * wrong.sum()) if mse else False
    return Measured(float(found.mean()), float(found.std(ddof=1)) / root, rmse, se, dominated)
