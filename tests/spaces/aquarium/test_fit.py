"""The fit on readings of which the truth is known, and on readings that tell nothing."""

import numpy as np
import pytest

from shared.experiment import InputError
from spaces.aquarium.fit import DEFAULT_FREE, FLOOR, FREE, SHARE, Fit, band, fit, spoken
from spaces.aquarium.readings import SERIES, Readings
from spaces.aquarium.settings import Tank
from spaces.aquarium.tank import simulate

TRUTH = {"ration": 0.013, "seed": 3e-4, "aob_growth": 1.6, "nob_growth": 1.2}
TANK = Tank(days=30)
DAYS = np.arange(1, 31, 1.5)


def measured(seed: int | None, days: np.ndarray = DAYS, truth: dict = TRUTH) -> Readings:
    """Readings of the true tank with a kit's error; None: without."""
    run = simulate(TANK, truth)
    exact = np.stack([np.interp(days, run.day, run.concentration(s)) for s in SERIES], axis=1)
    noise = 0 if seed is None else np.random.default_rng(seed).standard_normal(exact.shape)
    return Readings(days, np.maximum(exact + noise * (FLOOR + SHARE * exact), 0))


def test_exact_readings_give_the_truth_back():
    found = fit(TANK, measured(None))
    assert found.changes == pytest.approx(TRUTH, rel=0.02)
    assert found.rms < 0.05


def test_intervals_hold_the_truth_as_often_as_they_say():
    fits = [fit(TANK, measured(seed)) for seed in range(1, 5)]
    inside = [e.low <= TRUTH[e.name] <= e.high for found in fits for e in found.estimates]
    assert np.mean(inside) >= 0.8  # 16 intervals of 95 %: fewer than 13 would be a chance of 1 in 140
    assert all(e.determined for found in fits for e in found.estimates)
    assert all(0.6 < found.rms < 1.4 for found in fits)


def test_missing_cells_are_left_out():
    readings = measured(0)
    readings.values[::2, 0] = np.nan
    readings.values[:, 2] = np.nan
    found = fit(TANK, readings, ("ration", "seed"))
    assert readings.count == 30 and found.rms < 1.5
    assert np.isfinite(found.covariance).all()


def test_readings_from_before_the_cycle_cannot_tell_the_bacteria():
    found = fit(TANK, measured(0, days=np.array([1.0, 2.0, 3.0])))
    told = {e.name: e.determined for e in found.estimates}
    assert told["ration"] and not (told["seed"] or told["aob_growth"] or told["nob_growth"])
    zh, en = spoken(found)
    assert "cannot determine" in en and "NOB growth" in en and "定不下来" in zh and "feed" not in en


def test_a_parameter_that_does_nothing_is_undetermined():
    found = fit(TANK.but(plants_g=0.0), measured(0, truth={"ration": 0.013}), ("ration", "plant_growth"))
    told = {e.name: e for e in found.estimates}
    assert told["ration"].determined and not told["plant_growth"].determined
    assert np.isfinite([v for changes in found.draws(8) for v in changes.values()]).all()


@pytest.fixture(scope="module")
def known() -> Fit:
    return fit(TANK, measured(0))


def test_draws_spread_as_the_covariance(known):
    drawn = np.log([[d[e.name] for e in known.estimates] for d in known.draws(4000)])
    size = np.sqrt(np.diag(known.covariance))
    assert drawn.std(axis=0) == pytest.approx(size, rel=0.06)
    assert np.corrcoef(drawn.T) == pytest.approx(known.covariance / np.outer(size, size), abs=0.06)
    assert drawn.mean(axis=0) == pytest.approx(np.log([e.value for e in known.estimates]), abs=0.02)


def test_the_band_holds_the_fit(known):
    drawn = band(known, draws=12)
    middle = np.stack([np.interp(drawn.day, known.run.day, known.run.concentration(s)) for s in SERIES])
    assert (drawn.low <= drawn.high + 1e-12).all()
    assert np.mean((drawn.low - 0.05 <= middle) & (middle <= drawn.high + 0.05)) > 0.95


def test_tank_and_intervals_are_reported(known):
    assert known.tank.days == 30 and [e.name for e in known.estimates] == list(DEFAULT_FREE)
    for e in known.estimates:
        assert e.low < e.value < e.high
    assert spoken(known)[1] == "The readings determine all of these parameters."


@pytest.mark.parametrize("free", [(), ("bogus",), ("seed", "seed"), ("ph",)])
def test_unknown_parameters_are_named(free):
    with pytest.raises(InputError, match="free"):
        fit(TANK, measured(0), free)


def test_more_parameters_than_numbers_are_refused():
    readings = Readings(np.arange(5.0), np.column_stack([np.ones(5), np.full((5, 2), np.nan)]))
    with pytest.raises(InputError, match="at least 6 numbers"):
        fit(TANK, readings, FREE)
