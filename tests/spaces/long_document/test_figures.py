"""Figures are JSON that names what it shows; the heat map's numbers add up."""

import json

import numpy as np
import pytest

from spaces.long_document import figures
from spaces.long_document.evidence import Evidence, document
from spaces.long_document.head import fit
from spaces.long_document.heat import heat
from spaces.long_document.moving import Moved
from spaces.long_document.readings import Reading
from spaces.long_document.similarity import sweep, trained_positions, window
from tests.spaces.long_document import tiny


def test_readings_stand_side_by_side():
    readings = [Reading("512", {"甲": 0.7, "乙": 0.3}, 512, 1, 2), Reading("whole", {"乙": 0.9, "甲": 0.1}, 900, 1, 2)]
    spec = json.loads(figures.readings_figure(readings))
    assert [layer["y"] for layer in spec["layers"]] == [[0.3, 0.7], [0.9, 0.1]]
    assert spec["x"]["names"] == ["乙", "甲"] and json.loads(figures.readings_figure([]))["layers"] == []


def test_the_least_confidence_is_named():
    moved = Moved("甲", [0, 490, 512, 900], [0.9, 0.8, 0.2, 0.9], 0.1, 1500, 512)
    spec = json.loads(figures.moved_figure(moved))
    assert "512" in spec["caption"] and "edge" in spec["caption"]
    assert [layer["at"] for layer in spec["layers"] if layer["kind"] == "vline"] == [512, 1024]


@pytest.mark.parametrize("low, edge", [(1040, True), (1010, True), (1300, False), (20, False)])
def test_edges_that_are_not_drawn_are_edges(low, edge):
    moved = Moved("甲", [0, low, 9000], [0.9, 0.2, 0.9], 0.1, 16_384, 512)
    assert ("at an edge" in json.loads(figures.moved_figure(moved))["caption"]) == edge


def test_faithfulness_is_in_the_caption():
    curve = {"share": [0, 0.1], "named": [0.9, 0.2], "random": [0.9, 0.7]}
    spec = json.loads(figures.deletion_figure(Evidence("甲", np.zeros(3), curve)))
    assert "+0.50" in spec["caption"]


def test_positions_and_measurements():
    p = trained_positions(tiny.reader())
    spec = json.loads(figures.similarity_figure(window(p, 0.4, 0, 256), 16))
    assert len(spec["layers"][0]["z"]) == 96 and spec["layers"][0]["z"][3][3] == pytest.approx(1, abs=1e-3)
    assert json.loads(figures.sweep_figure(sweep(p), 0.4))["layers"]
    ways = {"α = 0.4": [0.5, 0.6], "tile": [0.5, 0.4]}
    measured = {"documents": 4, "places": [0, 512], "lengths": [512, 1024], "by_place": ways, "by_length": ways}
    assert all(len(json.loads(spec)["layers"]) == 2 for spec in figures.measured_figures(measured))


def test_confusion():
    rows = np.random.default_rng(0).normal(size=(30, 4)) + np.repeat(np.eye(3, 4) * 9, 10, axis=0)
    spec = json.loads(figures.confusion_figure(fit(rows, ["a"] * 10 + ["b"] * 10 + ["c"] * 10)))
    heat = spec["layers"][0]
    assert heat["z"] == [[0, 0, 1], [0, 1, 0], [1, 0, 0]] and spec["y"]["names"] == ["c", "b", "a"]  # "a" on top
    assert heat["texts"] == [["0", "0", "10"], ["0", "10", "0"], ["10", "0", "0"]]


def test_the_heat_map_holds_every_token_once():
    text = "甲乙。<img src=x onerror=alert(1)>丙\n丁戊！"
    doc = document(tiny.reader(), text)
    parts = np.random.default_rng(0).normal(size=doc.ids.shape[1])
    data = json.loads(heat(doc, Evidence("x", parts)))
    assert data["text"] == text and len(data["parts"]) == len(doc.inner) == len(data["starts"])
    assert sum(s[2] for s in data["sentences"]) == pytest.approx(sum(p[2] for p in data["paragraphs"]), abs=0.05)
    best = max(data["paragraphs"], key=lambda p: p[2])
    inside = [i for i, s in enumerate(data["sentences"]) if best[0] <= s[0] < best[1]]
    assert data["chosen"] == max(inside, key=lambda i: data["sentences"][i][2])
