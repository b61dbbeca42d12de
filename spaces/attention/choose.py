"""The question turned round: which kernel, and how many features, for an error of ε on these queries and keys?

Measured by doubling and bisection through shared.attention, beside the number that the first-order closed form
(spaces/attention/predict.py) names for independent draws: (error of one feature / ε)².

Try first: `needed(*sample("topics"), "trigonometric", "orthogonal", 0.1, DIM**-0.5)`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from shared.attention import attention
from shared.random_features import Features
from shared.threads import one_thread
from spaces.attention.predict import relative_error

FEWEST, MOST = 8, 8192
SEEDS = 7
PRECISE = 1.08  # the bisection ends where the two ends differ by so much
QUERIES, VALUES = 64, 64
Report = Callable[[float], None]


@dataclass(frozen=True)
class Needed:
    """The fewest features whose median error is within ε, or None where MOST are not enough."""

    kind: str
    features: int | None
    error: float
    """Measured there, or at MOST."""
    predicted: float
    """By the closed form; inf where it says no number."""


def needed(
    q: torch.Tensor,
    k: torch.Tensor,
    kind: str,
    draw: str,
    epsilon: float,
    scale: float,
    seed: int = 0,
    report: Report = lambda share: None,
) -> Needed:
    """Of one kind of features, on q (n, D) and k (N, D)."""
    alone = relative_error(q, k, kind, 1, scale)
    predicted = (alone / epsilon) ** 2 if math.isfinite(alone) else math.inf
    asked = probe(q, k, scale, seed)
    steps, done = 11 + math.ceil(math.log2(math.log(2) / math.log(PRECISE))), [0]

    def error(features: int) -> float:
        done[0] += 1
        report(min(1.0, done[0] / steps))
        return asked(kind, draw, features)

    high = FEWEST
    found = error(high)
    while found > epsilon and high < MOST:
        high *= 2
        found = error(high)
    if found > epsilon:
        return Needed(kind, None, found, predicted)
    low = high // 2 if high > FEWEST else high
    while high / low > PRECISE and high - low > 2:
        middle = 2 * round(math.sqrt(low * high) / 2)
        tried = error(middle)
        low, high, found = (low, middle, tried) if tried <= epsilon else (middle, high, found)
    return Needed(kind, high, found, predicted)


def probe(q: torch.Tensor, k: torch.Tensor, scale: float, seed: int) -> Callable[[str, str, int], float]:
    """(kind, draw, features) → the median over SEEDS draws of ‖Ô − O‖/‖O‖ for random values.

    Values of independent entries make this ‖Â − A‖/‖A‖ of the weights but for a few per cent. At most QUERIES queries.
    """
    random = torch.Generator().manual_seed(seed)
    q = q[:: -(-len(q) // QUERIES)][None, None]
    k, v = k[None, None], torch.randn(1, 1, len(k), VALUES, generator=random)
    exact = attention(q, k, v, scale=scale)

    def error(kind: str, draw: str, features: int) -> float:
        found = []
        with one_thread(), torch.no_grad():
            for i in range(SEEDS):
                chosen = Features(kind, draw, features, seed=seed + i)
                out = attention(q, k, v, scale=scale, backend="performer", features=chosen)
                found.append(float((out - exact).norm() / exact.norm()))
        return float(np.median(found))

    return error


def taylor_features(dim: int) -> int:
    """Features of order-2 Taylor attention."""
    return 1 + dim + dim * (dim + 1) // 2
