"""The equations: nothing lost, signs, known limits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spaces.aquarium.nitrogen import OXYGEN, POOLS, Bacteria, Law
from spaces.aquarium.parameters import defaults
from spaces.aquarium.place import capacities, feed_nitrogen, place
from spaces.aquarium.settings import Tank

V = defaults()
INDEX = {name: i for i, name in enumerate(POOLS)}
TANKS = [Tank(), Tank(pump=False), Tank(ceramsite_kg=0.0), Tank(plants_g=0.0), Tank(ph=8.5, temperature=30.0)]


def law(tank: Tank, stocked: bool = True, **changes: float) -> Law:
    v = {**V, **changes}
    return Law(tank, v, place(tank, v), stocked)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(TANKS), st.booleans(), st.lists(st.floats(0, 1000), min_size=17, max_size=17))
def test_no_nitrogen_appears_or_vanishes(tank, stocked, pools):
    if not tank.ceramsite_kg:
        pools = [0.0 if name.startswith("bed") else p for name, p in zip(POOLS, pools, strict=True)]
    d = np.array(law(tank, stocked)(0.0, pools))
    gained = d.sum() - d[list(OXYGEN)].sum()
    assert gained == pytest.approx(feed_nitrogen(tank, V), abs=1e-9 * np.abs(d).sum())


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(TANKS), st.sampled_from(POOLS), st.lists(st.floats(1e-3, 1000), min_size=17, max_size=17))
def test_an_empty_pool_is_not_drawn_from(tank, name, pools):
    pools[INDEX[name]] = 0.0
    if not tank.ceramsite_kg:
        pools = [0.0 if n.startswith("bed") else p for n, p in zip(POOLS, pools, strict=True)]
    assert law(tank)(0.0, pools)[INDEX[name]] >= -1e-9


def bacteria(tank: Tank = Tank(), **changes: float) -> Bacteria:  # noqa: B008  frozen
    v = {**V, **changes}
    return Bacteria(tank, v, *capacities(place(tank, v), v)[2:])


def test_half_saturation_halves():
    b = bacteria()
    many = b(1e6, 0.0, 1e6, 1.0, 0.0)[0]
    assert b(V["aob_half"], 0.0, 1e6, 1.0, 0.0)[0] == pytest.approx(many / 2, rel=1e-4)
    assert b(1e6, 0.0, V["aob_oxygen"], 1.0, 0.0)[0] == pytest.approx(many / 2, rel=1e-4)
    free = b(1.0, 1e6, 1e6, 0.0, 1.0)[1]
    assert b(1.0, V["nob_half"], 1e6, 0.0, 1.0)[1] == pytest.approx(free / 2, rel=1e-4)


def test_a_surface_carries_its_areal_rate_at_most():
    tank = Tank(temperature=30.0, ph=9.0)
    here = place(tank, V)
    b = bacteria(tank)
    full = capacities(here, V)[2]
    assert b(1e6, 0, 1e6, full, 0)[0] == pytest.approx(1000 * V["areal_rate"] * here.bed_surface, rel=0.01)
    built, lost = b(1e6, 0, 1e6, full, 0)[3], b(1e6, 0, 1e6, full, 0)[5]
    assert lost > built  # a full surface sheds all that grows, and decay besides


def test_ammonia_poisons_nitrite_oxidisers_at_high_ph():
    mild, harsh = bacteria(Tank(ph=7.5)), bacteria(Tank(ph=8.8))
    assert harsh(5, 1, 8, 0, 1)[1] < 0.7 * mild(5, 1, 8, 0, 1)[1]


def test_pumped_bed_has_the_waters_oxygen_and_an_unstocked_tank_feeds_no_animals():
    tank = Tank()
    pools = np.full(17, 1.0)
    here = place(tank, V)
    pools[INDEX["oxygen"]], pools[INDEX["bed_oxygen"]] = 8 * here.open, 2 * here.bed
    d = law(tank)(0.0, pools)
    assert d[INDEX["bed_oxygen"]] > 0.9 * here.exchange * 6
    assert law(tank, stocked=False)(0.0, pools)[INDEX["animals"]] == 0
    assert d[INDEX["animals"]] == pytest.approx(V["retained"] * feed_nitrogen(tank, V))


def test_denitrification_needs_a_bed_without_oxygen():
    tank = Tank(pump=False)
    here = place(tank, V)
    pools = np.zeros(17)
    pools[INDEX["waste"]], pools[INDEX["bed_no3"]] = 100.0, 10 * here.bed
    without = law(tank)(0.0, pools)[INDEX["denitrified"]]
    pools[INDEX["bed_oxygen"]] = 8 * here.bed
    assert law(tank)(0.0, pools)[INDEX["denitrified"]] < 0.05 * without


def test_plants_prefer_ammonium_and_stop_when_the_floor_is_full():
    tank = Tank()
    here = place(tank, V)
    pools = np.zeros(17)
    pools[[INDEX["tan"], INDEX["no3"]]] = 5 * here.open
    pools[[INDEX["bed_tan"], INDEX["bed_no3"]]] = 5 * here.bed  # nothing to exchange
    pools[INDEX["plants"]] = 400.0
    d = law(tank, stocked=False, ration=1e-9, volatilisation=0.0)(0.0, pools)
    assert -d[INDEX["tan"]] == pytest.approx(V["plant_preference"] * -d[INDEX["no3"]], rel=1e-3)
    pools[INDEX["plants"]] = 1e5
    assert law(tank)(0.0, pools)[INDEX["plants"]] < 0
