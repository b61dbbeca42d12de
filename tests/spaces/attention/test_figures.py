"""Every figure is JSON with finite numbers and a caption in both languages, empty or full."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from shared.i18n import SEPARATOR
from spaces.attention import (
    classifier_figures,
    dropin_figures,
    error_figures,
    even_figures,
    pay_figures,
    yours_figures,
)
from spaces.attention.choose import Needed
from spaces.attention.classifier import Classifier, advance, start
from spaces.attention.dropin import COUNTS, Dropin, Frame
from spaces.attention.errors import SWEEPS, Errors, Point, sweep
from spaces.attention.maps import difference
from spaces.attention.pay import Pay, Row
from spaces.attention.taylor import Even
from spaces.attention.winners import ANGLES, NORMS, Winners


def parsed(text: str) -> dict:
    spec = json.loads(text, parse_constant=lambda c: pytest.fail(f"{c} in a figure"))
    assert spec["caption"].count(SEPARATOR) == 1
    for label in (spec["x"]["label"], spec["y"]["label"], *(layer.get("name", "") for layer in spec["layers"])):
        assert label.count(SEPARATOR) <= 1
    return spec


def names(spec: dict) -> set[str]:
    return {layer["name"] for layer in spec["layers"] if layer.get("name")}


@pytest.mark.parametrize("even", [Even(), Even(order=3), Even(order=20, left=-30), Even(order=1, scores="-1, 1, 4")])
def test_even(even):
    spec = parsed(even_figures.curve(even))
    assert ("零点" in json.dumps(spec, ensure_ascii=False)) == bool(even.order % 2)
    parsed(even_figures.logarithms(even))
    shares = parsed(even_figures.shares(even))
    bars = [layer for layer in shares["layers"] if layer["kind"] == "bars"]
    assert len(bars) == 3 - even.order % 2
    assert all(sum(b["y"]) == pytest.approx(1, abs=1e-3) for b in bars)
    values, _, exp = parsed(even_figures.minima())["layers"]
    assert values["y"][0] == pytest.approx(-0.30103)
    assert all(1.29 < 10 ** (a - b) < 1.37 for a, b in zip(values["y"], exp["y"], strict=True))  # as the caption says


@pytest.mark.parametrize("measure", ["kernel", "attention"])
def test_errors(measure):
    settings = Errors(measure=measure, against="norm", repeats=20, features=16, dim=4, keys=16)
    curves = sweep(settings)
    spec = parsed(error_figures.error_figure(curves, settings))
    assert len(names(spec)) == 9 + (measure == "attention")
    parsed(error_figures.gain_figure(curves, settings))
    if measure == "kernel":
        parsed(error_figures.bias_figure(curves, settings))
    assert not parsed(error_figures.gain_figure({k: v for k, v in curves.items() if k[1] != "iid"}, settings))[
        "layers"
    ][1:]
    order = error_figures.ordering(curves, 3)
    assert [error for _, error in order] == sorted(error for _, error in order)


def test_a_logarithmic_axis_says_so():
    settings = Errors(repeats=20, dim=4)
    spec = parsed(error_figures.error_figure(sweep(settings), settings))
    assert spec["x"]["log"] and spec["x"]["names"][0] == f"{10 ** spec['x']['ticks'][0]:.0f}"
    assert parsed(pay_figures.time_figure([], Pay()))["x"]["log"]


@pytest.mark.parametrize("bias, reach", [(1.01, 0.05), (0.9, 0.2), (1.4, 1.0), (5.0, 1.0)])
def test_the_bias_fills_its_figure(bias, reach):
    point = Point(error=0.1, low=0.1, high=0.1, predicted=0.1, bias=bias, bias_se=0.01, dominated=False)
    curves = {("positive", "iid"): [point] * len(SWEEPS["norm"])}
    spec = parsed(error_figures.bias_figure(curves, Errors(against="norm")))
    assert spec["y"]["range"] == pytest.approx([1 - reach, 1 + reach])


def test_winners():
    parsed(error_figures.winners_figure(None))
    ratios = torch.randn(len(NORMS), len(ANGLES)).numpy()
    spec = parsed(error_figures.winners_figure(Winners("positive", "iid", ratios, ratios)))
    assert "100%" in spec["caption"]


def test_a_lead_within_the_error_is_a_tie():
    level = np.array([0.95, 0.96, 0.94])
    values = {"softmax": level, "taylor2": level + [0.01, -0.008, 0.002], "sparsemax": level - [0.02, 0.021, 0.022]}
    assert classifier_figures.leaders(values) == ["taylor2", "softmax"]
    assert classifier_figures.leaders(values, lowest=True) == ["sparsemax"]
    assert classifier_figures.leaders({"softmax": level, "taylor2": level + 0.001}) == ["taylor2"]  # paired


def test_yours():
    exact, other = torch.rand(70, 130), torch.rand(70, 130) - 0.2
    spec = parsed(yours_figures.map_figure("performer", "Performer", other, 1.0, difference(other, exact)))
    (cells,) = spec["layers"]
    assert len(cells["x"]) == len(cells["z"][0]) and len(cells["y"]) == len(cells["z"]) <= 64
    assert "%" in spec["caption"]
    empty = parsed(yours_figures.needs_figure([], 64, None, 0.1))
    assert not [layer for layer in empty["layers"] if layer["kind"] == "bars"]
    needs = [Needed("positive", None, 0.8, float("inf")), Needed("hyperbolic", 128, 0.1, 150.0)]
    parsed(yours_figures.needs_figure(needs, 64, (561, 0.01), 0.1))


def test_classifiers():
    settings = Classifier(normalisers=("softmax", "sparsemax"), hidden=0, steps=10, runs=2)
    state, frames = advance(start(settings), settings, 10)
    for field in classifier_figures.CURVES:
        assert names(parsed(classifier_figures.curve(field, frames))) == {"softmax", "sparsemax"}
        parsed(classifier_figures.curve(field, {}))
    parsed(classifier_figures.calibration(frames))
    parsed(classifier_figures.calibration({}))
    for draw in (classifier_figures.diagram, classifier_figures.histogram):
        parsed(draw(None))
        assert {"softmax", "sparsemax"} <= names(parsed(draw(state)))


def test_pay():
    settings = Pay(longest=512)
    rows = [Row(b, n, s * n, n) for n in (256, 512) for b, s in (("auto", 2e-5 * n), ("taylor", 7e-3))]
    spec = parsed(pay_figures.time_figure(rows, settings))
    assert any("350" in name for name in names(spec))  # where 2e-5 n = 7e-3
    for draw in (pay_figures.time_figure, pay_figures.memory_figure, pay_figures.ratio_figure):
        parsed(draw(rows, settings))
        parsed(draw([], settings))


def test_dropin():
    settings = Dropin()
    frames = {"softmax": [Frame(5, 1.0, 0.3)], "taylor": [Frame(150, 1.0, 0.3), Frame(155, 0.5, 0.6)]}
    assert names(parsed(dropin_figures.curve(frames, settings))) >= {dropin_figures.NAMES["taylor"]}
    parsed(dropin_figures.damage_figure(None, "recall"))
    found = {kind: [[0.1, 0.2, 0.3]] * len(COUNTS) for kind in ("positive", "hyperbolic")}
    spec = parsed(dropin_figures.damage_figure(found | {"softmax": [[1.0]], "taylor": [[0.4]]}, "digits"))
    assert len(names(spec)) == 5
