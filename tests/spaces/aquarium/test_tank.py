"""The tank's history: nitrogen kept through every event, an independent integrator, known ends, time."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from spaces.aquarium import tank as tanks
from spaces.aquarium.nitrogen import POOLS, Law
from spaces.aquarium.parameters import defaults, values
from spaces.aquarium.place import feed_nitrogen, place
from spaces.aquarium.settings import REMOVALS, TANK_LIMITS, Tank
from spaces.aquarium.tank import INDEX, Due, alarms, simulate
from spaces.aquarium.verdicts import draw
from spaces.aquarium.water import LIMITS, ammonia_share

CASES = [
    Tank(),
    Tank(days=365, change_every=30, change_share=0.5),
    Tank(removed="pump"),
    Tank(removed="ceramsite"),
    Tank(removed="plants"),
    Tank(removed="ceramsite", removal_day=45),  # on the day of a water change
    Tank(removed="ceramsite", ceramsite_kg=0.0),
    Tank(stocking_day=40, dose=3.0),
    Tank(pump=False, ceramsite_kg=0.0, plants_g=0.0),
    Tank(turtles=0, paradise_fish=0, loaches=0, dose=5.0),
    Tank(turtles=50, paradise_fish=100, ph=8.8, temperature=33.0, days=60),
    Tank(temperature=5.0, ph=6.0, pump=False, change_share=0.0),
    Tank(change_share=1.0, change_every=7),
]


@pytest.mark.parametrize("tank", CASES, ids=range(len(CASES)))
def test_nitrogen_is_kept(tank):
    run = simulate(tank)
    assert abs(run.imbalance) < 1e-6
    assert run.pools.min() > -1e-3 * run.pools.max()
    for series in (run.tan, run.no2, run.no3, run.oxygen):
        assert np.isfinite(series).all() and series.min() > -1e-3


FREE = {n: r for n, r in TANK_LIMITS.items() if n not in ("days", "change_every", "removal_day")}
ANY = st.fixed_dictionaries({n: (st.integers if isinstance(r[0], int) else st.floats)(*r) for n, r in FREE.items()})


@settings(deadline=None, max_examples=15)
@given(ANY, st.integers(2, 60), st.booleans(), st.sampled_from(REMOVALS), st.sampled_from(draw(12, seed=5)))
def test_any_tank_under_any_plausible_parameters_is_solved(drawn, days, pump, removed, parameters):
    tank = Tank(**drawn, days=days, change_every=7, removal_day=days // 2, pump=pump, removed=removed)
    run = simulate(tank, parameters)
    assert abs(run.imbalance) < 1e-6 and np.isfinite(run.pools).all()
    assert min(run.tan.min(), run.no2.min(), run.no3.min(), run.oxygen.min()) > -1e-3


def test_the_ledger_is_kept_apart_from_the_equations():
    tank = Tank(days=100, change_every=30, change_share=0.3, tap_nitrate=2.0)
    run, here = simulate(tank), place(tank, defaults())
    before = [i for i in range(len(run.day) - 1) if run.day[i] == run.day[i + 1]]  # just before each change
    out = sum(0.3 * here.open * (run.tan[i] + run.no2[i] + run.no3[i]) for i in before)
    assert list(run.day[before]) == [30, 60, 90] == list(run.renewed)
    assert run.ledger["changed_water"] == pytest.approx(out, rel=1e-9)
    assert run.ledger["tap"] == pytest.approx(3 * 0.3 * here.open * 2.0)
    assert run.ledger["food"] == pytest.approx(100 * feed_nitrogen(tank, defaults()))
    for i in before:
        assert run.no3[i + 1] == pytest.approx(0.7 * run.no3[i] + 0.3 * 2.0)
        assert run.tan[i + 1] == pytest.approx(0.7 * run.tan[i])


def test_a_tight_implicit_integrator_agrees():
    tank, v = Tank(days=40, change_share=0.0), defaults()
    here, start = tanks._start(tank, v)
    law = Law(tank, v, here, stocked=True)
    exact = solve_ivp(lambda t, y: law(t, y), (0, 40), start, method="Radau", rtol=1e-9, atol=1e-9, t_eval=[10, 20, 40])
    run = simulate(tank)
    for column, day in enumerate((10, 20, 40)):
        at = np.searchsorted(run.day, day)
        assert run.pools[:, at] == pytest.approx(exact.y[:, column], rel=1e-3, abs=1e-2)


def test_without_life_ammonia_just_stays():
    still = {"volatilisation": 0.0, "seed": 0.0}
    tank = Tank(turtles=0, paradise_fish=0, loaches=0, plants_g=0.0, dose=4.0, change_share=0.0)
    run = simulate(tank, still)
    assert run.tan == pytest.approx(np.full_like(run.tan, 4.0))
    assert run.no2.max() == 0 and run.no3 == pytest.approx(np.full_like(run.no3, 1.0))


def test_without_bacteria_food_becomes_ammonia_at_the_known_rate():
    tank = Tank(days=10, plants_g=0.0)
    run = simulate(tank, {"seed": 0.0, "volatilisation": 0.0, "mineralisation": 0.0})
    here, v = place(tank, defaults()), defaults()
    expected = 10 * v["excreted"] * feed_nitrogen(tank, v) / (here.open + here.bed)
    assert run.tan[-1] == pytest.approx(expected, rel=0.01)  # the bed lags a few minutes behind


def test_a_new_tank_cycles_ammonia_then_nitrite_then_nitrate():
    run = simulate(Tank())
    peak = {name: run.day[run.concentration(name)[: 45 * 4].argmax()] for name in ("tan", "no2")}
    assert 5 < peak["tan"] < peak["no2"] < 40
    assert run.tan[-1] < 0.5 and run.no2[-1] < 0.1 and run.no3[-1] > 10


def test_seeded_tanks_cycle_sooner():
    slow, fast = simulate(Tank(), {"seed": 1e-6}), simulate(Tank(), {"seed": 1e-2})
    assert fast.day[fast.no2.argmax()] < slow.day[slow.no2.argmax()] - 10
    assert fast.no2.max() < slow.no2.max()


def test_un_ionised_ammonia_is_part_of_the_total():
    run = simulate(Tank(ph=8.0, days=30))
    assert run.nh3 == pytest.approx(run.tan * ammonia_share(24.0, 8.0))


def test_steady_state_of_the_bacteria_is_monods():
    # at rest growth equals decay: S = K b / (μ f − b) in the pumped bed, far below its capacity
    tank, v = Tank(days=300, plants_g=0.0, change_share=0.0), values({"glass_share": 1e-9})
    run = simulate(tank, {"glass_share": 1e-9})
    law = Law(tank, v, place(tank, v), True)
    air = run.bed_oxygen[-1] / (v["aob_oxygen"] + run.bed_oxygen[-1])
    aob = run.pools[INDEX["bed_aob"], -1]
    loss = law.grains.aob_death
    # shedding by crowding: μ f (1 − X/C) = b
    growth = loss / (1 - aob / law.grains.aob_capacity)
    expected = v["aob_half"] * growth / (law.grains.aob_speed * air - growth)
    bed_tan = run.pools[INDEX["bed_tan"], -1] / place(tank, v).bed
    assert bed_tan == pytest.approx(expected, rel=0.01)


def test_taking_out_the_ceramsite_takes_its_bacteria():
    run = simulate(Tank(removed="ceramsite"))
    after = run.day > 60
    for name in ("bed_aob", "bed_nob", "bed_tan", "bed_no3", "bed_oxygen"):
        assert run.pools[INDEX[name], -1] == 0
    assert np.isnan(run.bed_oxygen[after]).all() and run.ledger["carried_out"] > 0


def test_alarms_are_stretches_above_a_limit():
    run = simulate(Tank())
    found = [a for a in alarms(run) if a.name == "no2" and a.level == "harm"]
    assert len(found) == 1
    above = run.day[run.no2 > LIMITS["no2"].harm]
    assert (found[0].first, found[0].last, found[0].peak) == (above[0], above[-1], run.no2.max())


def test_nobody_is_harmed_before_the_fish_come():
    assert all(a.first >= 50 for a in alarms(simulate(Tank(stocking_day=50))))


def test_water_is_changed_when_it_is_due():
    run = simulate(Tank(change_share=0.5), due=Due(11.3, since=10))
    assert len(run.renewed) >= 3 and min(run.renewed) > 10
    assert run.no3[run.day > 10].max() < 11.3 * 1.001
    assert abs(run.imbalance) < 1e-6
    assert len(simulate(Tank(change_share=0.5), due=Due(11.3, most=2)).renewed) == 2


def test_a_change_too_small_is_followed_by_another_the_next_day():
    run = simulate(Tank(change_share=0.2), due=Due(11.3, since=100))
    assert run.renewed[:4] == (100.0, 101.0, 102.0, 103.0)
    enough = next(d for d, after in zip(run.renewed, run.renewed[1:], strict=False) if after > d + 1)
    assert run.no3[run.day > enough].max() < 11.3 * 1.001 and abs(run.imbalance) < 1e-6


def test_changes_of_nothing_are_made_once_a_day():
    run = simulate(Tank(days=110, change_share=0.0), due=Due(11.3, since=100, most=5))
    assert run.renewed == (100.0, 101.0, 102.0, 103.0, 104.0)


def test_alkalinity_falls_by_one_charge_for_each_nitrate_made_of_food():
    run = simulate(Tank())
    assert run.alkalinity_used[0] == 0
    assert run.alkalinity_used.max() == pytest.approx((run.no3[-1] - 1) / 14.007, rel=0.01)  # nothing but nitrate left
    rotten = simulate(Tank(days=9), {"seed": 0.0})
    assert rotten.alkalinity_used[-1] < 0  # ammonia alone makes water harder


def test_sustained_is_exceeded_for_a_day():
    run = simulate(Tank())
    level = run.sustained("no2")
    step = np.diff(run.day, prepend=0)
    assert step[run.no2 > level].sum() == pytest.approx(1, abs=0.26)


def test_a_default_tank_takes_less_than_300_ms():
    simulate(Tank())
    took = []
    for _ in range(5):
        begin = time.process_time()
        simulate(Tank())
        took.append(time.process_time() - begin)
    assert min(took) < 0.3


def test_pools_are_as_many_as_their_names():
    assert len(set(POOLS)) == len(POOLS) == simulate(Tank(days=1)).pools.shape[0]
