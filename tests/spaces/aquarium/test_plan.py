from datetime import date

import numpy as np
import pytest

from shared.experiment import InputError
from spaces.aquarium.fit import fit
from spaces.aquarium.plan import Entry, Plan, plan, stocking_day
from spaces.aquarium.readings import SERIES, Readings
from spaces.aquarium.settings import Tank
from spaces.aquarium.tank import simulate
from spaces.aquarium.water import LIMITS

START = date(2020, 12, 1)
TRUTH = {"ration": 0.013, "seed": 3e-4, "aob_growth": 1.6, "nob_growth": 1.2}


@pytest.fixture(scope="module")
def blind() -> Plan:
    return plan(Tank(stocking_day=40), START, draws=3)


def test_fish_come_after_calm_days_and_are_not_harmed(blind):
    fish = blind.entries[0]
    assert fish.kind == "fish" and fish.when.toordinal() == START.toordinal() + fish.day
    waiting = simulate(Tank(stocking_day=120))
    calm = (waiting.day > fish.day - 3) & (waiting.day <= fish.day)
    assert (waiting.nh3[calm] <= LIMITS["nh3"].caution).all() and (waiting.no2[calm] <= LIMITS["no2"].caution).all()
    stocked = simulate(Tank(stocking_day=fish.day))
    assert stocked.sustained("no2", fish.day) <= LIMITS["no2"].harm
    earlier = (waiting.day > fish.day - 4) & (waiting.day <= fish.day)
    assert (waiting.no2[earlier] > LIMITS["no2"].caution).any()  # not a day later than need be


def test_water_is_due_at_the_limit_of_nitrate(blind):
    water = [e for e in blind.entries if e.kind == "water"]
    days = [e.day for e in water]
    assert days == sorted(days) and days == [int(np.ceil(d)) for d in blind.run.renewed[: len(days)]]
    at = np.searchsorted(blind.run.day, blind.run.renewed[0])
    assert blind.run.no3[at] == pytest.approx(LIMITS["no3"].caution, rel=1e-3)
    assert blind.enough and blind.share_needed == pytest.approx(0, abs=1e-3)


def test_ranges_hold_most_draws(blind):
    for entry in blind.entries:
        if entry.earliest and entry.latest:
            assert entry.earliest <= entry.latest
        assert 0 <= entry.share_of_draws <= 1
    assert blind.entries[0].earliest is not None


def test_a_longer_calm_means_later_fish():
    assert stocking_day(Tank(stocking_day=40), {}, calm=10) == stocking_day(Tank(stocking_day=40), {}, calm=3) + 7


def test_nothing_to_wait_for_without_a_peak():
    tank = Tank(stocking_day=40, turtles=0, paradise_fish=1, loaches=0)
    assert stocking_day(tank, {}, calm=3) == 3


def test_a_tank_that_never_calms_gets_no_fish():
    assert stocking_day(Tank(stocking_day=40), {"nob_growth": 0.01}) is None
    none = plan(Tank(stocking_day=40, days=20), START, draws=2)
    assert none.entries[0].when is None


def test_a_fitted_tank_is_planned_from_its_last_reading():
    days = np.arange(1, 41, 3.0)
    run = simulate(Tank(days=40), TRUTH)
    exact = np.stack([np.interp(days, run.day, run.concentration(s)) for s in SERIES], axis=1)
    known = fit(Tank(), Readings(days, exact), ("ration", "seed"))
    made = plan(Tank(days=80), START, known, draws=3)
    assert made.entries[0].day == 43 and made.entries[0].earliest == made.entries[0].latest
    assert made.entries[1].day == 40  # nitrate is over the limit already
    assert not made.enough and made.share_needed > 0.3
    limit, tap = LIMITS["no3"].caution, made.run.tank.tap_nitrate
    high = made.run.no3[made.run.day <= 40].max()
    assert (1 - made.share_needed) * high + made.share_needed * tap == pytest.approx(limit)


def test_the_plan_reaches_beyond_the_readings():
    known = fit(Tank(), Readings(np.arange(5.0, 30, 5), np.ones((5, 3))), ("ration",))
    with pytest.raises(InputError, match="days"):
        plan(Tank(days=25), START, known)


@pytest.mark.parametrize("start", ["soon", None, "2020-02-30"])
def test_bad_dates_are_named(start):
    with pytest.raises(InputError, match="start"):
        plan(Tank(), start)


@pytest.mark.parametrize("calm", [0, 31, 1.5, True, "3"])
def test_bad_calm_is_named(calm):
    with pytest.raises(InputError, match="calm"):
        plan(Tank(), START, calm=calm)


def test_a_plan_without_water_says_so():
    empty = Tank(days=10, change_share=0.2)
    made = plan(empty, START, draws=2)
    water = made.entries[1]
    assert isinstance(water, Entry) and water.when is None and water.kind == "water" and made.share_needed is None
