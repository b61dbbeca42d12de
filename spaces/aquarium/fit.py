"""The model fitted to a keeper's readings: up to five parameters, each with its uncertainty, or the word that the data
cannot tell.

Least squares in the parameters' logarithms. A reading y is taken to be good to 0.1 mg N/L + 10 % of y, and that guess
is rescaled by how well the fit does. Intervals are the linear ones, from the Jacobian at the optimum, with Student's t:
they hold where the data determine a parameter and are only a warning where they do not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
from scipy.optimize import least_squares
from scipy.stats import t as student

from shared.experiment import InputError
from spaces.aquarium.parameters import PARAMETERS
from spaces.aquarium.readings import SERIES, Readings
from spaces.aquarium.settings import Tank
from spaces.aquarium.tank import Run, simulate

FREE = ("ration", "seed", "aob_growth", "nob_growth", "plant_growth")
"""Parameters that may be fitted: the load, the start, both bacteria, the plants."""
DEFAULT_FREE = FREE[:4]
ROOM = 10.0
"""A fit may leave a parameter's plausible range by this factor."""
FLOOR, SHARE = 0.1, 0.1
KNOWN_WITHIN = 3.0
"""A parameter whose 95 % interval is wider than ×/÷ this is called undetermined."""
Report = Callable[[float], None]
USUAL = 30
"""Simulations of a usual fit, roughly."""
STARTS = (1e-5, 1e-4, 1e-3)
"""Seeds to start from: the one parameter that is known to no order of magnitude."""


@dataclass(frozen=True)
class Estimate:
    """One fitted parameter with its 95 % interval."""

    name: str
    value: float
    low: float
    high: float
    at_bound: bool

    @property
    def determined(self) -> bool:
        """Whether the data tell it within a factor of KNOWN_WITHIN either way."""
        known = self.high <= KNOWN_WITHIN * self.value and self.low >= self.value / KNOWN_WITHIN
        return known and not self.at_bound


@dataclass(frozen=True)
class Fit:
    """What the readings say about P parameters."""

    tank: Tank
    readings: Readings
    estimates: tuple[Estimate, ...]
    covariance: np.ndarray  # (P, P) of the logarithms; inf where nothing is known
    rms: float
    """Root mean square of the residuals, in units of the assumed error of a reading."""
    run: Run

    @property
    def changes(self) -> dict[str, float]:
        """The fitted parameters for `simulate`."""
        return {e.name: e.value for e in self.estimates}

    def draws(self, count: int = 24, seed: int = 0) -> list[dict[str, float]]:
        """Parameters as uncertain as the fit left them: normal in the logarithm, cut at the fit's bounds."""
        low, high = _bounds([e.name for e in self.estimates])
        known = np.where(np.isfinite(self.covariance), self.covariance, 0.0)
        np.fill_diagonal(known, np.minimum(np.diag(self.covariance), ((high - low) / 4) ** 2))
        spread, axes = np.linalg.eigh(known)
        normal = np.random.default_rng(seed).standard_normal((count, len(spread)))
        centre = np.log([e.value for e in self.estimates])
        logs = np.clip(centre + normal * np.sqrt(np.maximum(spread, 0)) @ axes.T, low, high)
        return [{e.name: math.exp(x) for e, x in zip(self.estimates, row, strict=True)} for row in logs]


def fit(tank: Tank, readings: Readings, free: Sequence[str] = DEFAULT_FREE, report: Report = lambda share: None) -> Fit:
    """The best fit of the named parameters; the tank's days are set to those of the readings.

    `report` is told a share done, 0 … 1, before each simulation.
    """
    names = _checked(free, readings)
    tank = tank.but(days=max(1, math.ceil(readings.day.max())), removed="none")
    low, high = _bounds(names)
    tried = count(1)

    def residuals(x: np.ndarray) -> np.ndarray:
        report(1 - 1 / (1 + next(tried) / USUAL))  # how many it takes is not known before
        return _residuals(tank, readings, names, x)

    result = least_squares(
        residuals,
        _start(tank, readings, names),
        bounds=(low, high),
        diff_step=1e-3,
        x_scale="jac",
        xtol=1e-5,
        ftol=1e-6,
        max_nfev=40,
    )
    freedom = readings.count - len(names)
    covariance = _covariance(result.jac) * 2 * result.cost / freedom
    half = student.ppf(0.975, freedom) * np.sqrt(np.diag(covariance))
    bound = (result.x - low < 1e-2) | (high - result.x < 1e-2)
    estimates = tuple(
        Estimate(name, *np.exp([x, max(x - h, a), min(x + h, z)]).tolist(), bool(b))
        for name, x, h, a, z, b in zip(names, result.x, half, low, high, bound, strict=True)
    )
    run = simulate(tank, {e.name: e.value for e in estimates})
    return Fit(tank, readings, estimates, covariance, math.sqrt(2 * result.cost / readings.count), run)


def _checked(free: Sequence[str], readings: Readings) -> tuple[str, ...]:
    names = tuple(free)
    if not names or set(names) - set(FREE) or len(set(names)) < len(names):
        options = ", ".join(FREE)
        raise InputError("free", f"须为下列若干项，不重复：{options}。", f"must be some of {options}, each once.")
    if readings.count <= len(names):
        need = len(names) + 1
        raise InputError(
            "readings",
            f"拟合 {len(names)} 个参数至少要 {need} 个读数。",
            f"must hold at least {need} numbers to fit {len(names)} parameters.",
        )
    return names


def _bounds(names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of the widest values that a fit may try."""
    low = np.log([PARAMETERS[n].low / ROOM for n in names])
    return low, np.log([PARAMETERS[n].high * ROOM for n in names])


def _start(tank: Tank, readings: Readings, names: Sequence[str]) -> np.ndarray:
    """The defaults, with the best of a few seeds."""
    x = np.log([PARAMETERS[n].value for n in names])
    if "seed" not in names:
        return x
    tried = np.tile(x, (len(STARTS), 1))
    tried[:, names.index("seed")] = np.log(STARTS)
    return min(tried, key=lambda row: float(np.square(_residuals(tank, readings, names, row)).sum()))


def _residuals(tank: Tank, readings: Readings, names: Sequence[str], x: np.ndarray) -> np.ndarray:
    """(K,) of all numbers measured, in units of their error."""
    run = simulate(tank, {n: math.exp(v) for n, v in zip(names, x, strict=True)})
    said = np.stack([np.interp(readings.day, run.day, run.concentration(s)) for s in SERIES], axis=1)
    seen = np.isfinite(readings.values)
    return ((said - readings.values) / (FLOOR + SHARE * readings.values))[seen]


def _covariance(jacobian: np.ndarray) -> np.ndarray:
    """(JᵀJ)⁻¹, with an infinite variance for a parameter that the data do not see at all."""
    _, size, axes = np.linalg.svd(jacobian, full_matrices=False)
    blind = size < 1e-8 * max(size.max(), 1e-300)
    inverse = (axes.T / np.where(blind, np.inf, size) ** 2) @ axes
    lost = (np.square(axes[blind]) > 1e-6).any(axis=0)
    inverse[lost, lost] = np.inf
    return inverse


@dataclass(frozen=True)
class Band:
    """The 5–95 % range of TAN, nitrite and nitrate over a fit's draws."""

    day: np.ndarray  # (T,)
    low: np.ndarray  # (3, T)
    high: np.ndarray  # (3, T)


def band(fitted: Fit, draws: int = 24, seed: int = 0, report: Report = lambda share: None) -> Band:
    """How far the fitted curves may be off, at one point a day; `report` is told the share done."""
    day, runs = np.arange(fitted.tank.days + 1.0), []
    for changes in fitted.draws(draws, seed):
        report(len(runs) / draws)
        runs.append(simulate(fitted.tank, changes))
    drawn = np.array([[np.interp(day, r.day, r.concentration(s)) for s in SERIES] for r in runs])
    low, high = np.quantile(drawn, [0.05, 0.95], axis=0)
    return Band(day, low, high)


def spoken(fitted: Fit) -> tuple[str, str]:
    """What the readings could and could not determine, in Chinese and in English."""
    lost = [PARAMETERS[e.name] for e in fitted.estimates if not e.determined]
    if not lost:
        return "读数把这几个参数都定下来了。", "The readings determine all of these parameters."
    zh, en = "、".join(p.zh for p in lost), "; ".join(p.en for p in lost)
    return f"读数定不下来：{zh}。", f"The readings cannot determine: {en}."
