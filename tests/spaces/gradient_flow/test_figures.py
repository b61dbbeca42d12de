"""Every figure is JSON with finite numbers, bounded in size, and says what exploded or vanished."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from shared.i18n import SEPARATOR
from spaces.gradient_flow.figures import POINTS, clipping_figure, flow_figure, gates_figure, terms_figure
from spaces.gradient_flow.flow import FlowResult, flow, trajectory
from spaces.gradient_flow.lags import lags
from spaces.gradient_flow.ledger import ledger, terms
from spaces.gradient_flow.ledger_figures import lag_norms_figure, lags_figure, ledger_figure, shares_figure
from spaces.gradient_flow.map_figures import bias_figure, map_figure
from spaces.gradient_flow.race_figures import NAMES
from spaces.gradient_flow.regimes import Map, regimes, sweep_bias
from spaces.gradient_flow.settings import CELLS, Flow

SETTINGS = Flow(cells=CELLS, hidden=4, length=900, clip=0.1, forget_bias=1.0)


def parsed(text: str) -> dict:
    """The figure; every text that holds both languages must hold two halves, and every number must be finite."""
    spec = json.loads(text, parse_constant=lambda c: pytest.fail(f"{c} in a figure"))
    assert spec["caption"].count(SEPARATOR) == 1
    for label in (spec["x"]["label"], spec["y"]["label"], *(layer.get("name", "") for layer in spec["layers"])):
        assert label.count(SEPARATOR) <= 1
    return spec


@pytest.fixture(scope="module")
def result() -> FlowResult:
    return flow(SETTINGS)


def test_a_long_flow_is_thinned_and_keeps_the_last_step(result):
    text = flow_figure(result)
    spec = parsed(text)
    named = [layer for layer in spec["layers"] if layer.get("name") in NAMES.values()]
    assert len(text) < 60_000
    for layer, cell in zip(named, result.cells.values(), strict=True):
        assert len(layer["x"]) <= POINTS and layer["x"][-1] == 1
        assert layer["y"][-1] == pytest.approx(cell.log10[-1], abs=1e-3)
    against_t = parsed(flow_figure(result, "t"))["layers"][0]
    assert against_t["x"][-1] == 899


def test_explosions_and_zeros_stand_in_the_legend():
    found = flow(Flow(cells=("rnn", "rnn_relu"), hidden=4, length=900, spectral_radius=9.0))
    names = [layer.get("name", "") for layer in parsed(flow_figure(found))["layers"]]
    assert any(f"步溢出（爆炸）{SEPARATOR}" in name for name in names)
    dead = flow(Flow(cells=("rnn", "lstm"), hidden=4, length=30, spectral_radius=0.0, gain=0.0))
    names = [layer.get("name", "") for layer in parsed(flow_figure(dead))["layers"]]
    assert any("exactly zero from 1 steps back" in name for name in names)


def test_the_predicted_line_has_the_predicted_slope(result):
    layers = parsed(flow_figure(result))["layers"]
    lstm = next(i for i, layer in enumerate(layers) if layer.get("name") == "LSTM")
    line = layers[lstm + 1]
    slope = (line["y"][0] - line["y"][-1]) / (line["x"][0] - line["x"][-1])
    assert line["dash"] and slope == pytest.approx(math.log10(1 / (1 + math.exp(-1))), rel=1e-3)


def test_float32s_end_is_drawn_only_where_a_line_comes_near():
    long, short = (flow(Flow(cells=("rnn",), spectral_radius=0.1, hidden=8, length=n)) for n in (200, 9))
    assert [layer["kind"] for layer in parsed(flow_figure(long))["layers"]].count("hline") == 1
    assert "hline" not in [layer["kind"] for layer in parsed(flow_figure(short))["layers"]]


def test_every_other_figure_is_sound(result):
    settings = Flow(hidden=4, length=40)
    book, by_lag = ledger("lstm", settings), [lags(name, settings) for name in ("rnn", "lstm", "su")]
    names = [layer["name"] for layer in parsed(ledger_figure(book))["layers"]]
    assert len(names) == len(set(names)) == 1 + 5 + 2
    for text in (
        shares_figure(book),
        ledger_figure(ledger("su", settings)),
        lags_figure(by_lag),
        lag_norms_figure(by_lag),
        clipping_figure(result),
        *(gates_figure(cell) for cell in result.cells.values()),
        *(terms_figure(n, 3, terms(trajectory(n, settings), 3)) for n in CELLS[:5]),
        *(bias_figure(s) for s in sweep_bias("gru", settings, 3)),
    ):
        assert parsed(text)["layers"]


def test_the_map_shows_the_half_life_and_the_regimes_sign():
    stages = list(regimes(Map(columns=3, rows=4, hidden=8, length=60)))
    hidden, shown = parsed(map_figure(stages[-1]))["layers"]
    assert hidden["opacity"] == 0
    vanish = stages[-1].regime == "vanish"
    assert vanish.any() and (np.array(shown["z"], float)[vanish] < 0).all()
    np.testing.assert_allclose(np.array(hidden["z"], float)[vanish], np.log10(stages[-1].half_life[vanish]), rtol=1e-3)
    assert parsed(map_figure(stages[0]))["layers"][1]["z"][-1] == [None] * 3
