"""A dated plan: from when fish may be added, and when water is due, each with the range that the uncertainty leaves.

Fish may be added once NH₃ and nitrite have stayed below their limits of caution for so many days, and the simulated
tank with the fish in it stays below the limits of harm. Water is due when nitrate passes its limit of caution (50 mg
NO₃/L). The range is the middle 80 % over draws: of the fit, or without readings of every parameter's plausible range.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from shared.experiment import InputError
from spaces.aquarium.fit import Fit, Report
from spaces.aquarium.settings import TANK_LIMITS, Tank, read_date
from spaces.aquarium.tank import Due, Run, simulate
from spaces.aquarium.verdicts import draw
from spaces.aquarium.water import LIMITS

CALM_DAYS = 3
DRAWS = 16
MOST_CHANGES = 6
"""Lines of the plan that speak of water."""
PATIENCE = 14
"""Days to wait before trying again where the fish would come to harm."""


@dataclass(frozen=True)
class Entry:
    """One line of the plan. `when` is None where it does not happen within the tank's days; the range may be open."""

    kind: str
    """fish or water"""
    day: int | None
    when: date | None
    earliest: date | None
    latest: date | None
    share_of_draws: float
    """In how many draws it happens within the tank's days at all."""


@dataclass(frozen=True)
class Plan:
    """The plan, the run that it follows, and how much water a change must take."""

    entries: tuple[Entry, ...]
    run: Run
    share_needed: float | None
    """Share of the open water that brings nitrate back to the limit at the first change; None where none is due, over 1
    where tap water cannot."""

    @property
    def enough(self) -> bool:
        """Whether a change of the tank's own share does."""
        return self.share_needed is None or self.share_needed <= self.run.tank.change_share


def plan(
    tank: Tank,
    start: str | date,
    fitted: Fit | None = None,
    calm: int = CALM_DAYS,
    draws: int = DRAWS,
    seed: int = 0,
    report: Report = lambda share: None,
) -> Plan:
    """Dates for a tank that began on `start` (day 0), within the tank's days; `report` is told the share done."""
    begin = read_date("start", start)
    if isinstance(calm, bool) or not isinstance(calm, int) or not 1 <= calm <= 30:
        raise InputError("calm", "须为 1 到 30 之间的整数。", "must be a whole number from 1 to 30.")
    tank = tank.but(removed="none")
    seen = math.ceil(fitted.readings.day.max()) if fitted else 0
    if seen >= tank.days:
        raise InputError("days", f"须大于最后一次读数的天数 {seen}。", f"must be more than the last reading's {seen}.")
    scenarios: Sequence[Mapping[str, float]] = fitted.draws(draws, seed) if fitted else draw(draws, seed)
    best, run = _follow(tank, fitted.changes if fitted else {}, calm, seen, tank.days)
    drawn = []
    for changes in scenarios:
        report((1 + len(drawn)) / (1 + len(scenarios)))
        drawn.append(_follow(tank, changes, calm, seen, MOST_CHANGES))
    entries = [_entry("fish", best, [day for day, _ in drawn], begin)]
    for i in range(max(1, min(MOST_CHANGES, len(run.renewed)))):
        others = [_renewal(other, i) for _, other in drawn]
        entries.append(_entry("water", _renewal(run, i), others, begin))
    return Plan(tuple(entries), run, share_needed(run))


def _follow(tank: Tank, changes: Mapping[str, float], calm: int, seen: int, most: int) -> tuple[int | None, Run]:
    """The day of the fish and the tank from then on, its water changed whenever it is due (once if that is no use)."""
    useless = tank.change_share == 0 or tank.tap_nitrate >= LIMITS["no3"].caution
    day = stocking_day(tank, changes, calm, seen)
    stocked = tank if tank.stocking_day == 0 or day is None else tank.but(stocking_day=day)
    return day, simulate(stocked, changes, Due(LIMITS["no3"].caution, seen, 1 if useless else most))


def _renewal(run: Run, index: int) -> int | None:
    return math.ceil(run.renewed[index]) if index < len(run.renewed) else None


def stocking_day(tank: Tank, changes: Mapping[str, float], calm: int = CALM_DAYS, since: float = 0.0) -> int | None:
    """First day on which (more) animals may be put in; None if not within the tank's days."""
    waiting = tank if tank.stocking_day == 0 else tank.but(stocking_day=min(tank.days, TANK_LIMITS["stocking_day"][1]))
    run = simulate(waiting, changes)
    first = _calm_since(run, calm, since)
    if first is None:
        return None
    day = math.ceil(first) + calm
    while tank.stocking_day and day < tank.days and _harmed(tank.but(stocking_day=day), changes):
        day += PATIENCE
    return day if day < tank.days else None


def _calm_since(run: Run, calm: int, since: float) -> float | None:
    """After the worst of NH₃ and nitrite: the day from which both stay below caution for so many days."""
    level = np.maximum(run.nh3 / LIMITS["nh3"].caution, run.no2 / LIMITS["no2"].caution)
    worst = float(run.day[level.argmax()]) if level.max() > 1 else 0.0
    last = max(worst, since)
    for day in run.day[(level > 1) & (run.day > last)]:
        if day - last >= calm:
            break
        last = float(day)
    return last if last + calm <= run.tank.days else None


def _harmed(tank: Tank, changes: Mapping[str, float]) -> bool:
    run = simulate(tank, changes)
    return any(run.sustained(name, tank.stocking_day) > LIMITS[name].harm for name in ("nh3", "no2"))


def share_needed(run: Run) -> float | None:
    """Share of the open water to change when it is first due, so that nitrate is back at the limit."""
    if not run.renewed:
        return None
    limit, tap = LIMITS["no3"].caution, run.tank.tap_nitrate
    high = float(run.no3[run.day <= run.renewed[0]].max())
    return (high - limit) / (high - tap) if high > tap and limit > tap else math.inf


def _entry(kind: str, day: int | None, drawn: Sequence[int | None], begin: date) -> Entry:
    """A line with the 10–90 % range over the draws; "never" counts as later than any day."""

    def on(value: float | None) -> date | None:
        return begin + timedelta(days=round(value)) if value is not None and math.isfinite(value) else None

    days = np.sort([math.inf if d is None else d for d in drawn])
    low, high = days[int(0.1 * (len(days) - 1))], days[math.ceil(0.9 * (len(days) - 1))]
    return Entry(kind, day, on(day), on(low), on(high), float(np.isfinite(days).mean()))
