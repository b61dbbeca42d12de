import numpy as np
import pytest

from spaces.aquarium.parameters import defaults
from spaces.aquarium.place import AREA, ONSET, convection, exchange, feed_nitrogen, food, place, rayleigh
from spaces.aquarium.settings import Tank

V = defaults()


def test_volumes_of_the_articles_tank():
    here = place(Tank(), V)
    assert here.open + here.bed / 0.45 == pytest.approx(72)  # 60 × 40 × 30 cm
    assert here.bed == pytest.approx(0.45 * 25)  # 20 kg of 0.8 kg/L
    spheres = 0.55 * 0.025 / (np.pi / 6 * 0.01**3)  # so many grains of 1 cm
    assert here.bed_surface == pytest.approx(spheres * np.pi * 0.01**2)


def test_no_ceramsite_no_bed():
    here = place(Tank(ceramsite_kg=0), V)
    assert (here.open, here.bed, here.bed_surface, here.exchange) == (72, 0, 0, 0)
    assert here.glass_surface > place(Tank(), V).glass_surface  # the bare floor
    assert place(Tank(ceramsite_kg=1e-300), V) == here


def test_a_heap_leaves_some_water():
    here = place(Tank(ceramsite_kg=40, depth_cm=10), V)
    assert here.open == pytest.approx(0.2 * 24)


def test_pump_exchange_is_its_flow():
    assert exchange(Tank(pump_flow=100), V, 25) == pytest.approx(2400)
    assert exchange(Tank(pump=False), V, 25) < 200


def test_convection_sets_in_at_the_known_rayleigh_number():
    tank, height = Tank(pump=False), 0.1
    per_kelvin = rayleigh(tank, {**V, "convection_kelvin": 1.0}, height)
    onset = ONSET / per_kelvin
    for factor, moving in ((0.99, False), (1.01, True)):
        v = {**V, "convection_kelvin": factor * onset}
        assert rayleigh(tank, v, height) == pytest.approx(factor * ONSET)
        assert (convection(tank, v, height) > 0) is moving
    assert convection(tank, {**V, "convection_kelvin": 0.0}, height) == 0


def test_fine_grains_do_not_convect():
    v = {**V, "convection_kelvin": 0.5}
    assert convection(Tank(pump=False, grain_mm=10), v, 0.1) > 0 == convection(Tank(pump=False, grain_mm=2), v, 0.1)


def test_food_of_the_articles_animals():
    assert food(Tank(), V) == pytest.approx(0.01 * (5 * 10 + 8 * 2.5 + 4 * 4))
    assert feed_nitrogen(Tank(), V) == pytest.approx(1000 * 0.4 * 0.16 * food(Tank(), V))
    assert AREA == pytest.approx(0.24)
