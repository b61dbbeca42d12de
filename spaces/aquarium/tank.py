"""One tank, day by day: the equations of nitrogen.py solved between the days on which a keeper does something.

Try first: `simulate(Tank())`, a new tank with the article's animals put in on day 0, and `Tank(stocking_day=40)`.
Water changes, stocking and the removal of pump, ceramsite or plants are jumps between stiff pieces (LSODA). The ledger
counts every mg of nitrogen: what came (start, food, tap) is what is there and what went (changed water, trimmed plants,
ceramsite or plants carried out).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.integrate import solve_ivp

from spaces.aquarium.nitrogen import OXYGEN, POOLS, Law
from spaces.aquarium.parameters import Values, values
from spaces.aquarium.place import Place, capacities, feed_nitrogen, place, plant_nitrogen
from spaces.aquarium.settings import Tank
from spaces.aquarium.water import LIMITS, alkalinity_used, ammonia_share, oxygen_saturation

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
    renewed: tuple[float, ...]
    """Days of water changes."""
    ledger: dict[str, float]
    """mg N: start, food, tap; changed_water, trimmed, carried_out; left (in the pools at the end)."""

    @property
    def alkalinity_used(self) -> np.ndarray:
        """(T,) mmol/L of the tap water's alkalinity that the open water's nitrogen has cost, net (water.py)."""
        return alkalinity_used(self.tan, self.no2, self.no3, self.tank.tap_nitrate)

    @property
    def imbalance(self) -> float:
        """Nitrogen that came less what is there or went, relative to what came."""
        book = self.ledger
        came = book["start"] + book["food"] + book["tap"]
        return (came - book["left"] - book["changed_water"] - book["trimmed"] - book["carried_out"]) / came

    def concentration(self, name: str) -> np.ndarray:
        """(T,) of "tan", "nh3", "no2", "no3" or "oxygen"."""
        return getattr(self, name)

    def sustained(self, name: str, since: float = 0.0) -> float:
        """The level that a concentration exceeds for one whole day in all from a day on."""
        values = np.sort(self.concentration(name)[self.day > since])
        return float(values[-min(POINTS_A_DAY + 1, len(values))])


@dataclass(frozen=True)
class Due:
    """Water is changed whenever nitrate is past a limit (mg N/L), from a day on, at most so many times; again on the
    next day where one change is not enough."""

    limit: float
    since: int = 0
    most: int = 1000


@dataclass(frozen=True)
class Alarm:
    """A stretch of days in which something is above its limit of caution or harm."""

    name: str
    level: str
    first: float
    last: float
    peak: float


def simulate(tank: Tank, changes: Mapping[str, float] | None = None, due: Due | None = None) -> Run:
    """The tank's history under the default parameters with some changed; `due` in place of the fixed water changes."""
    v = values(changes)
    here, pools = _start(tank, v)
    book = {"start": _nitrogen(pools), "food": feed_nitrogen(tank, v) * tank.days, "tap": 0.0}
    book |= {"changed_water": 0.0, "trimmed": 0.0, "carried_out": 0.0}
    now, pieces, renewed, todo = tank, [], [], _stops(tank, due)
    fixed = () if due else _fixed(tank)
    begin = 0.0
    while todo:
        if tank.removed != "none" and begin == tank.removal_day:
            now, before = _without(now), here
            here = place(now, v)
            _carry_out(pools, tank, before, here, v, book)
        if begin in fixed or _reached(pools, _watched(due, begin, here, len(renewed))):
            _renew(pools, now, tank.change_share, tank.change_share * here.open, book)
            _trim(pools, now, v, book)
            renewed.append(begin)
        watch = _watched(due, begin, here, len(renewed))
        if _reached(pools, watch):  # not enough: nobody looks before the next day
            watch = np.inf
            todo = [begin + 1] * (begin + 1 < todo[0]) + todo
        law = Law(now, v, here, stocked=begin >= tank.stocking_day)
        grid, history, pools = _solve(law, begin, todo[0], pools, watch)
        pieces.append((grid, history, here))
        begin = float(grid[-1])
        if begin == todo[0]:
            todo.pop(0)
    book["left"] = _nitrogen(pools)
    return _gather(tank, pieces, renewed, book)


def _watched(due: Due | None, day: float, here: Place, renewed: int) -> float:
    """Nitrate in the open water, mg, at which water is due; infinite where nobody looks."""
    return due.limit * here.open if due and day >= due.since and renewed < due.most else np.inf


def _reached(pools: np.ndarray, watch: float) -> bool:
    """Whether nitrate is at `watch` mg, to what the solver can tell."""
    return bool(pools[INDEX["no3"]] >= 0.999999 * watch)


def _solve(law: Law, begin: float, end: float, pools: np.ndarray, watch: float) -> tuple[np.ndarray, ...]:
    """Times, pools (17, T) and the last pools, up to the end or to where nitrate rises past `watch` mg."""
    points = np.arange(np.floor(begin * POINTS_A_DAY) + 1, np.ceil(end * POINTS_A_DAY)) / POINTS_A_DAY
    grid = np.concatenate([[begin], points, [end]])

    def passed(_: float, y: np.ndarray) -> float:
        return y[INDEX["no3"]] - watch

    passed.terminal, passed.direction = True, 1
    options = {"events": passed} if np.isfinite(watch) else {}
    solved = solve_ivp(
        lambda t, y: law(t, y.tolist()), (begin, end), pools, "LSODA", grid, rtol=RTOL, atol=ATOL, **options
    )
    if not solved.success:
        raise ArithmeticError(f"the tank's equations could not be solved: {solved.message}")
    if solved.status == 0:
        return grid, solved.y, solved.y[:, -1].copy()
    last = solved.y_events[0][0]
    return np.append(solved.t, solved.t_events[0]), np.column_stack([solved.y, last]), last.copy()


def _fixed(tank: Tank) -> Collection[int]:
    """The days of the fixed water changes."""
    return range(tank.change_every, tank.days, tank.change_every) if tank.change_share else ()


def _stops(tank: Tank, due: Due | None) -> list[int]:
    """Days on which something is done or decided, the last day included."""
    done = {tank.stocking_day, tank.removal_day if tank.removed != "none" else 0}
    done |= {due.since} if due else {*_fixed(tank)}
    return sorted({tank.days, *(d for d in done if 0 < d < tank.days)})


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


def _gather(tank: Tank, pieces: list, renewed: list[float], book: dict) -> Run:
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
        tuple(renewed),
        book,
    )


def alarms(run: Run) -> list[Alarm]:
    """Every stretch in which NH₃, nitrite or nitrate is above its limit of harm, then of caution."""
    found = []
    for name in LIMITS:
        for level in ("harm", "caution"):
            found += _stretches(run, name, level)
    return found


def _stretches(run: Run, name: str, level: str) -> list[Alarm]:
    """Each unbroken stretch above one limit while there are animals to be harmed."""
    series = run.concentration(name)
    above = np.flatnonzero((series > getattr(LIMITS[name], level)) & (run.day >= run.tank.stocking_day))
    groups = np.split(above, np.flatnonzero(np.diff(above) > 1) + 1) if len(above) else []
    return [Alarm(name, level, float(run.day[g[0]]), float(run.day[g[-1]]), float(series[g].max())) for g in groups]
