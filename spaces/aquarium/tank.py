"""One tank, day by day: the equations of nitrogen.py solved between the days on which a keeper does something.

Try first: `simulate(Tank())`, a new tank with the article's animals put in on day 0, and `Tank(stocking_day=40)`.
Water changes, stocking and the removal of pump, ceramsite or plants are jumps between stiff pieces (LSODA). The ledger
counts every mg of nitrogen: what came (start, food, tap) is what is there and what went (changed water, trimmed plants,
ceramsite or plants carried out).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.integrate import solve_ivp

from spaces.aquarium.nitrogen import OXYGEN, POOLS, Law
from spaces.aquarium.parameters import Values, values
from spaces.aquarium.place import Place, capacities, feed_nitrogen, place, plant_nitrogen
from spaces.aquarium.settings import Tank
from spaces.aquarium.water import LIMITS, ammonia_share, oxygen_saturation

POINTS_A_DAY = 4
RTOL, ATOL = 1e-6, 1e-7
INDEX = {name: i for i, name in enumerate(POOLS)}
DISSOLVED = ("tan", "no2", "no3")
BACTERIA = ("aob", "nob", "bed_aob", "bed_nob")


@dataclass(frozen=True)
class Run:
    """A tank's history: T times in days, concentrations of the open water in mg/L (of nitrogen, or oxygen)."""

    tank: Tank
    day: np.ndarray  # (T,)
    tan: np.ndarray  # (T,)
    nh3: np.ndarray  # (T,) un-ionised, part of tan
    no2: np.ndarray  # (T,)
    no3: np.ndarray  # (T,)
    oxygen: np.ndarray  # (T,)
    bed_oxygen: np.ndarray  # (T,) NaN without a bed
    pools: np.ndarray  # (17, T) mg, in the order of nitrogen.POOLS
    ledger: dict[str, float]
    """mg N: start, food, tap; changed_water, trimmed, carried_out; left (in the pools at the end)."""

    @property
    def imbalance(self) -> float:
        """Nitrogen that came less what is there or went, relative to what came."""
        book = self.ledger
        came = book["start"] + book["food"] + book["tap"]
        return (came - book["left"] - book["changed_water"] - book["trimmed"] - book["carried_out"]) / came

    def concentration(self, name: str) -> np.ndarray:
        """(T,) of "tan", "nh3", "no2", "no3" or "oxygen"."""
        return getattr(self, name)

    def days_above(self, name: str, limit: float, since: float = 0.0) -> float:
        """Days that a concentration spends above a limit from a day on."""
        step = np.diff(self.day, prepend=self.day[0])
        return float(step[(self.concentration(name) > limit) & (self.day > since)].sum())


@dataclass(frozen=True)
class Alarm:
    """A stretch of days in which something is above its limit of caution or harm."""

    name: str
    level: str
    first: float
    last: float
    peak: float


def simulate(tank: Tank, changes: Mapping[str, float] | None = None) -> Run:
    """The tank's history under the default parameters with some of them changed."""
    return _simulate(tank, values(changes))


def _simulate(tank: Tank, v: Values) -> Run:
    here, pools = _start(tank, v)
    book = {"start": _nitrogen(pools), "food": feed_nitrogen(tank, v) * tank.days, "tap": 0.0}
    book |= {"changed_water": 0.0, "trimmed": 0.0, "carried_out": 0.0}
    now, stops, pieces = tank, _stops(tank), []
    for begin, end in zip(stops, stops[1:], strict=False):
        if begin == tank.removal_day and tank.removed != "none":
            now, before = _without(tank), here
            here = place(now, v)
            _carry_out(pools, tank, before, here, v, book)
        if begin and tank.change_share and begin % tank.change_every == 0:
            _renew(pools, now, tank.change_share, tank.change_share * here.open, book)
            _trim(pools, now, v, book)
        law = Law(now, v, here, stocked=begin >= tank.stocking_day)
        grid = np.linspace(begin, end, (end - begin) * POINTS_A_DAY + 1)
        solved = solve_ivp(law, (begin, end), pools, method="LSODA", t_eval=grid, rtol=RTOL, atol=ATOL)
        if not solved.success:
            raise ArithmeticError(f"the tank's equations could not be solved: {solved.message}")
        pools = solved.y[:, -1].copy()
        pieces.append((grid, solved.y, here))
    book["left"] = _nitrogen(pools)
    return _gather(tank, pieces, book)


def _stops(tank: Tank) -> list[int]:
    """Days on which something is done, the first and the last included."""
    done = set(range(tank.change_every, tank.days, tank.change_every)) if tank.change_share else set()
    done |= {d for d in (tank.stocking_day, tank.removal_day * (tank.removed != "none")) if 0 < d < tank.days}
    return sorted(done | {0, tank.days})


def _start(tank: Tank, v: Values) -> tuple[Place, np.ndarray]:
    """A new tank: tap water with the dosed ammonia, saturated with oxygen, few bacteria, the plants."""
    here = place(tank, v)
    pools = np.zeros(len(POOLS))
    saturation = oxygen_saturation(tank.temperature)
    for prefix, volume in (("", here.open), ("bed_", here.bed)):
        pools[INDEX[prefix + "tan"]] = tank.dose * volume
        pools[INDEX[prefix + "no3"]] = tank.tap_nitrate * volume
        pools[INDEX[prefix + "oxygen"]] = saturation * volume
    pools[[INDEX[n] for n in BACTERIA]] = v["seed"] * np.array(capacities(here, v))
    pools[INDEX["plants"]] = plant_nitrogen(tank, v)
    return here, pools


def _nitrogen(pools: np.ndarray) -> float:
    return float(pools.sum() - pools[list(OXYGEN)].sum())


def _without(tank: Tank) -> Tank:
    """The tank once its pump, ceramsite or plants are gone."""
    gone = {"pump": {"pump": False}, "ceramsite": {"ceramsite_kg": 0.0}, "plants": {"plants_g": 0.0}}
    return tank.but(removed="none", **gone[tank.removed])


def _renew(pools: np.ndarray, tank: Tank, share: float, volume: float, book: dict) -> None:
    """Pour away a share of the open water, and pour in so many litres of aerated tap water."""
    for name in DISSOLVED:
        out = share * pools[INDEX[name]]
        pools[INDEX[name]] -= out
        book["changed_water"] += out
    pools[INDEX["no3"]] += tank.tap_nitrate * volume
    book["tap"] += tank.tap_nitrate * volume
    pools[INDEX["oxygen"]] += oxygen_saturation(tank.temperature) * volume - share * pools[INDEX["oxygen"]]


def _trim(pools: np.ndarray, tank: Tank, v: Values, book: dict) -> None:
    """Cut the plants back to what was planted."""
    cut = max(0.0, pools[INDEX["plants"]] - plant_nitrogen(tank, v))
    pools[INDEX["plants"]] -= cut
    book["trimmed"] += cut


def _carry_out(pools: np.ndarray, tank: Tank, before: Place, after: Place, v: Values, book: dict) -> None:
    """Take out what `removed` names, with everything that lives on it; tap water fills the grains' room."""
    out = np.zeros(len(POOLS))
    if tank.removed == "ceramsite":
        for name in (*DISSOLVED, "oxygen"):  # the water between the grains stays
            pools[INDEX[name]] += pools[INDEX["bed_" + name]]
            pools[INDEX["bed_" + name]] = 0
        for name in ("bed_aob", "bed_nob"):
            out[INDEX[name]] = pools[INDEX[name]]
        out[INDEX["waste"]] = v["settled"] * pools[INDEX["waste"]] * (before.bed > 0)
        _renew(pools, tank, 0.0, after.open - before.open - before.bed, book)
    elif tank.removed == "plants":
        out[INDEX["plants"]] = pools[INDEX["plants"]]
        for name in ("aob", "nob"):
            out[INDEX[name]] = pools[INDEX[name]] * (1 - after.glass_surface / before.glass_surface)
    pools -= out
    book["carried_out"] += float(out.sum())


def _gather(tank: Tank, pieces: list, book: dict) -> Run:
    """Concentrations of all pieces, each with its own volumes."""
    pools = np.concatenate([y for _, y, _ in pieces], axis=1)
    opened = np.concatenate([np.full(len(grid), here.open) for grid, _, here in pieces])
    bed = np.concatenate([np.full(len(grid), here.bed or np.nan) for grid, _, here in pieces])
    tan, no2, no3, oxygen = (pools[INDEX[n]] / opened for n in (*DISSOLVED, "oxygen"))
    return Run(
        tank,
        np.concatenate([grid for grid, _, _ in pieces]),
        tan,
        tan * ammonia_share(tank.temperature, tank.ph),
        no2,
        no3,
        oxygen,
        pools[INDEX["bed_oxygen"]] / bed,
        pools,
        book,
    )


def alarms(run: Run) -> list[Alarm]:
    """Every stretch in which NH₃, nitrite or nitrate is above its limit of caution or harm, worst first."""
    found = []
    for name in LIMITS:
        for level in ("harm", "caution"):
            found += _stretches(run, name, level)
    return found


def _stretches(run: Run, name: str, level: str) -> list[Alarm]:
    """Each unbroken stretch above one limit."""
    series = run.concentration(name)
    above = np.flatnonzero(series > getattr(LIMITS[name], level))
    groups = np.split(above, np.flatnonzero(np.diff(above) > 1) + 1) if len(above) else []
    return [Alarm(name, level, float(run.day[g[0]]), float(run.day[g[-1]]), float(series[g].max())) for g in groups]
