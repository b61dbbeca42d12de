"""The map's grid, its partial rows, the jump to a point, and half-lives against the forget bias."""

from __future__ import annotations

import numpy as np
import pytest

from shared.experiment import InputError, from_json
from spaces.gradient_flow.flow import flow
from spaces.gradient_flow.regimes import Map, measured_rate, regimes, sweep_bias
from spaces.gradient_flow.settings import Flow

TINY = Map(cell="rnn", up="input_scale", columns=5, rows=3, hidden=12, length=60)


def test_the_map_comes_row_by_row():
    stages = list(regimes(TINY))
    assert [s.done for s in stages] == pytest.approx([1 / 3, 2 / 3, 1])
    assert np.isfinite(stages[0].rate[0]).all() and np.isnan(stages[0].rate[1:]).all()
    assert (stages[0].regime[1:] == "").all() and (stages[-1].regime != "").all()
    np.testing.assert_array_equal(stages[0].rate[0], stages[-1].rate[0])


def test_a_point_of_the_map_is_what_the_flow_there_measures():
    last = list(regimes(TINY))[-1]
    settings = TINY.flow(1.29, 2.1)
    assert settings == Flow(
        cells=("rnn",), hidden=12, length=60, spectral_radius=1.3, input_scale=2.0, seed=0
    )
    cell = flow(settings).cells["rnn"]
    assert last.rate[1, 2] == cell.rate and last.half_life[1, 2] == cell.half_life
    assert last.regime[1, 2] == cell.regime


def test_a_small_radius_vanishes_and_a_large_one_explodes_without_input():
    found = list(regimes(TINY.but(columns=3)))[-1].regime
    assert found[0].tolist()[0] == "vanish" and (found[:, 0] == "vanish").all()
    linear = Flow(cells=("rnn",), hidden=12, length=60, activation="linear")
    assert measured_rate("rnn", linear.but(spectral_radius=2.0)) == pytest.approx(np.log10(2), rel=0.05)


def test_a_larger_forget_bias_keeps_longer():
    found = list(regimes(Map(columns=2, rows=4, hidden=8, length=60)))[-1]
    assert (np.diff(found.rate[:, 0]) > 0).all()


@pytest.mark.parametrize(
    "field, value",
    [("cell", "transformer"), ("across", "offset"), ("up", "gain"), ("columns", 1), ("hidden", 65), ("length", 9)],
)
def test_bad_maps_name_their_field(field, value):
    with pytest.raises(InputError, match=f"^{field}"):
        Map(**{field: value})


def test_a_map_survives_json():
    assert from_json(Map, TINY.to_json()) == TINY


def test_half_lives_against_the_bias_come_one_by_one():
    settings = Flow(spectral_radius=0.0, hidden=6, length=60, gain=0.0, input_scale=0.0)
    stages = list(sweep_bias("gru", settings, points=5))
    assert len(stages) == 5 and np.isnan(stages[0].measured[1:]).all()
    last = stages[-1]
    np.testing.assert_allclose(last.measured, last.predicted, rtol=1e-6)  # nothing but the forget gate is there
    np.testing.assert_allclose(last.by_the_gates, last.predicted, rtol=1e-6)
    assert last.bias.tolist() == [-2, 0, 2, 4, 6]
