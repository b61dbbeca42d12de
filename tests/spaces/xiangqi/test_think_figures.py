"""The figures say what they were given."""

import json

import pytest
import torch

from spaces.xiangqi import think_figures as figures
from spaces.xiangqi.board import parse_iccs
from spaces.xiangqi.fade import Attention
from spaces.xiangqi.voices import MODELS, Saying

FIRST, SECOND = parse_iccs("h2e2"), parse_iccs("b2e2")


@pytest.fixture
def said():
    one = Saying({FIRST: 0.6, SECOND: 0.2}, [("a0a9", 0.2, "blocked")], {"blocked": 0.2}, 0.0)
    two = Saying({FIRST: 0.5, SECOND: 0.5}, [], {}, 0.0)
    return {"faithful": {0: one, 1: two}, "sighted": {0: two}}


def _layers(text: str) -> list[dict]:
    return json.loads(text)["layers"]


def test_curves_along_a_game(said):
    faithful, sighted, here = _layers(figures.illegal_curve(said, 1, 1))
    assert faithful["y"] == [20, 0] and sighted["y"] == [0, None] and here["at"] == 1
    assert (faithful["color"], sighted["color"]) == ("accent", "counter")
    assert _layers(figures.entropy_curve(said, 0, 1))[1]["y"] == [1, None]
    *curves, line, here = _layers(figures.entropy_with_line(said, 2, 0, 1))
    assert [curve["y"][0] for curve in curves] == [pytest.approx(0.811, abs=1e-3), 1]
    assert (line["at"], here["at"]) == (2.5, 0)
    assert _layers(figures.rank_curve(said, [SECOND], 0, 1))[0]["y"] == [2, None]  # nothing was played after the end


def test_a_map_of_heads_has_the_mean_below():
    shares = torch.tensor([[[0.9, 0.1], [0.1, 0.9]]])
    cells, chosen = _layers(figures.heads("faithful", Attention(shares, 0), 2))
    assert cells["y"] == [0, 1, 2] and cells["z"][0] == pytest.approx([-0.301, -0.301], abs=1e-3)
    assert cells["z"][1][0] == pytest.approx(-0.0458, abs=1e-3) and chosen["at"] == 2
    bars = _layers(figures.attention_bars(dict.fromkeys(MODELS, Attention(shares, 0)), {"faithful": 1, "sighted": 2}))
    assert bars[0]["y"] == pytest.approx([90, 10]) and bars[1]["y"] == pytest.approx([10, 90])


def test_openings_are_counted_on_a_log_axis():
    bars, line, here = _layers(figures.openings_bars([100, 10, 0], 2, 1))
    assert bars["y"] == [2, 1, None] and line["at"] == 2.5 and here["at"] == 1


def test_the_report_and_the_average():
    part = {"accuracy": [0.9, None], "unusual": [None, 0.5], "boards": [0, 0]}
    report = {"held_out": 3, **{name: {"by_ply": part} for name in figures.PROBES}}
    assert [layer["y"] for layer in _layers(figures.report_curve(report, "accuracy"))] == [[90, None]] * 3
    assert len(_layers(figures.report_curve(report, "unusual"))) == 2
    mean = {"at": [0, 1], "n": [20, 20], **{key: {"mean": [1, 2], "error": [0.5, 0]} for key in figures.UNITS}}
    both = dict.fromkeys(MODELS, mean)
    measured = {"games": 20, "around": both, "met": both, "gone": both}
    band, line, *_ = _layers(figures.around_line(measured, "entropy"))
    assert band["low"] == pytest.approx([0.02, 2]) and line["y"] == [1, 2]
    assert _layers(figures.around_line(measured, "illegal_mass"))[1]["y"] == [100, 200]
    assert len(_layers(figures.met_and_gone(measured, "entropy"))) == 4
