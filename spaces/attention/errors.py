"""Performer, honestly: the error of three kinds of features under every draw, against everything that moves it.

Two measures. "kernel": one pair of vectors, the relative root mean squared error of the estimate of e^{x·y}, for which
closed forms stand beside (spaces/attention/kernel.py). "attention": whole outputs through shared.attention, relative to
exact attention, for queries that each look for one key at a given angle among random ones, with the first-order
prediction (spaces/attention/predict.py) and order-2 Taylor attention beside.

Norms and angles are those of x = q/d^¼ and y = k/d^¼, for which the weight is e^{x·y}.

Try first: `sweep(Errors())`, or `sweep(Errors(against="norm", measure="attention"))`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from shared.attention import attention
from shared.experiment import choice, choices, number
from shared.random_features import KINDS, Features
from shared.threads import one_thread
from spaces.attention.kernel import DOMINATED, DRAWS, closed_form, measure, squares
from spaces.attention.predict import relative_error

MEASURES = ("kernel", "attention")
SWEEPS = {
    "features": tuple(2**k for k in range(4, 12)),
    "dim": tuple(2**k for k in range(2, 9)),
    "norm": (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0),
    "angle": tuple(float(a) for a in range(0, 181, 15)),
    "keys": tuple(2**k for k in range(4, 13)),
}
LIMITS = {
    "features": (2, 8192),
    "dim": (2, 256),
    "norm": (0.0, 4.0),
    "angle": (0.0, 180.0),
    "keys": (2, 8192),
    "repeats": (20, 5000),
    "seed": (0, 2**31 - 1),
}
QUERIES, HEADS, VALUES = 16, 4, 16
ATTENTION_SHARE = 10
"""Of so many repeats one is made for whole attention, with HEADS sets of vectors each."""
Report = Callable[[float], None]


@dataclass(frozen=True)
class Errors:
    """What is measured, against what, at which point."""

    measure: str = "kernel"
    """kernel: one pair; attention: whole outputs."""
    against: str = "features"
    """The axis: one of SWEEPS."""
    kinds: tuple[str, ...] = KINDS
    draws: tuple[str, ...] = ("iid", "orthogonal", "stratified")
    """Some of DRAWS; quantiles is measured for the kernel only."""
    features: int = 256
    """m, features of a head; even, so that every kind can have them."""
    dim: int = 16
    norm: float = 0.7
    """|q| = |k|, after the division by d^¼."""
    angle: float = 60.0
    """Between q and k, in degrees; for attention, between each query and the key that it looks for."""
    keys: int = 256
    """n; for attention only."""
    repeats: int = 300
    """Draws of ω; a tenth of them for attention."""
    seed: int = 0

    def __post_init__(self):
        choice("measure", self.measure, MEASURES)
        choice("against", self.against, tuple(SWEEPS))
        object.__setattr__(self, "kinds", choices("kinds", self.kinds, KINDS))
        object.__setattr__(self, "draws", choices("draws", self.draws, DRAWS))
        for name, limits in LIMITS.items():
            object.__setattr__(self, name, number(name, getattr(self, name), limits))
        Features("hyperbolic", "iid", self.features)  # even

    def but(self, **changes: Any) -> Errors:
        """These settings with some fields changed."""
        return replace(self, **changes)


@dataclass(frozen=True)
class Point:
    """One measured error with its interval of 68 %, and what the closed form says of independent draws."""

    error: float
    low: float
    high: float
    predicted: float
    bias: float = math.nan
    """Mean of estimate over truth, for a kernel."""
    bias_se: float = math.nan
    dominated: bool = False


Curves = dict[tuple[str, str], list[Point]]
"""By (kind, draw); ("taylor", "") is order-2 Taylor attention."""


def sweep(settings: Errors, report: Report = lambda share: None) -> Curves:
    """The error of every kind under every draw, at each value of the swept setting."""
    values, curves = SWEEPS[settings.against], {}
    for i, value in enumerate(values):
        at = settings.but(**{settings.against: value})
        for name, point in points(at, lambda share, i=i: report((i + share) / len(values))).items():
            curves.setdefault(name, []).append(point)
    return curves


def points(settings: Errors, report: Report = lambda share: None) -> dict[tuple[str, str], Point]:
    """The errors at one place."""
    return (kernel_points if settings.measure == "kernel" else attention_points)(settings, report)


def kernel_points(settings: Errors, report: Report) -> dict[tuple[str, str], Point]:
    """Of one pair of vectors."""
    found, names = {}, [(kind, how) for kind in settings.kinds for how in settings.draws]
    plus, minus = squares(settings.norm, settings.angle)
    for i, (kind, how) in enumerate(names):
        random = np.random.default_rng([settings.seed, DRAWS.index(how), KINDS.index(kind)])
        m = measure(kind, how, settings.dim, settings.features, plus, minus, settings.repeats, random)
        predicted = closed_form(kind, settings.features, plus, minus)
        interval = max(m.rmse - m.rmse_se, 0.0), m.rmse + m.rmse_se
        found[kind, how] = Point(m.rmse, *interval, predicted, m.mean, m.mean_se, m.dominated)
        report((i + 1) / len(names))
    return found


def attention_points(settings: Errors, report: Report) -> dict[tuple[str, str], Point]:
    """Of whole outputs: the median over draws of ‖Ô − O‖/‖O‖, with the order statistics that bound it."""
    names = [(kind, how) for kind in settings.kinds for how in settings.draws if how != "quantiles"]
    repeats = max(6, settings.repeats // ATTENTION_SHARE)
    wrong: dict[tuple[str, str], list[float]] = {name: [] for name in [*names, ("taylor", "")]}
    with one_thread(), torch.no_grad():
        for i in range(repeats):
            q, k, v = retrieval(settings, i)
            exact = attention(q, k, v, scale=1.0)
            size = exact.norm()
            for kind, how in names:
                features = Features(kind, how, settings.features, seed=settings.seed + 7919 * i)
                out = attention(q, k, v, scale=1.0, backend="performer", features=features)
                wrong[kind, how].append(float((out - exact).norm() / size))
            out = attention(q, k, v, scale=1.0, backend="taylor")
            wrong["taylor", ""].append(float((out - exact).norm() / size))
            report((i + 1) / (repeats + 1))
        q, k, _ = retrieval(settings, 0)
        predicted = {kind: relative_error(q[0, 0], k[0, 0], kind, settings.features, 1.0) for kind in settings.kinds}
    return {name: _median(np.array(errors), predicted.get(name[0], math.nan)) for name, errors in wrong.items()}


def retrieval(settings: Errors, index: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """q (1, H, n, D), k (1, H, N, D), v (1, H, N, V): the first n keys at the angle to their query, others anywhere."""
    random = torch.Generator().manual_seed(settings.seed * 100_003 + index)
    count, dim = min(QUERIES, settings.keys), settings.dim
    q, k, aside = (_unit(torch.randn(1, HEADS, n, dim, generator=random)) for n in (count, settings.keys, count))
    aside = _unit(aside - (aside * q).sum(-1, keepdim=True) * q)
    turn = math.radians(settings.angle)
    k[:, :, :count] = math.cos(turn) * q + math.sin(turn) * aside
    v = torch.randn(1, HEADS, settings.keys, VALUES, generator=random)
    return settings.norm * q, settings.norm * k, v


def _unit(x: torch.Tensor) -> torch.Tensor:
    return x / x.norm(dim=-1, keepdim=True)


def _median(errors: np.ndarray, predicted: float) -> Point:
    """The median and the order statistics half a standard deviation of the rank away."""
    ordered, n = np.sort(errors), len(errors)
    away = math.sqrt(n) / 2
    low, high = ordered[max(0, math.floor(n / 2 - away))], ordered[min(n - 1, math.ceil(n / 2 + away) - 1)]
    dominated = bool(ordered[-1] ** 2 > DOMINATED * np.square(ordered).sum()) if n >= 6 else False
    return Point(float(np.median(ordered)), float(low), float(high), predicted, dominated=dominated)
