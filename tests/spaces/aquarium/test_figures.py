import json

import numpy as np
import pytest

from spaces.aquarium import figures
from spaces.aquarium.pipes import solve
from spaces.aquarium.settings import Pipes, Tank
from spaces.aquarium.sweeps import RANGES, sweep
from spaces.aquarium.tank import simulate


@pytest.fixture(scope="module")
def run():
    return simulate(Tank(removed="pump", stocking_day=10))


def whole(text: str) -> dict:
    """The figure, if it has a name, a caption in both languages and layers as long as their x."""
    spec = json.loads(text)
    assert spec["name"].startswith("aquarium-") and "\u2063" in spec["caption"]
    for layer in spec["layers"]:
        if "x" in layer and "y" in layer:
            assert len(layer["x"]) == len(layer["y"])
    return spec


@pytest.mark.parametrize("name", ["cycle", "nitrate", "danger", "oxygen", "balance"])
def test_histories_are_whole(run, name):
    whole(getattr(figures, name)(run))


def test_events_are_marked(run):
    marks = [layer["at"] for layer in whole(figures.cycle(run))["layers"] if layer["kind"] == "vline"]
    assert sorted(marks) == [10, 45, 60, 90]


def test_lines_are_the_run(run):
    lines = [layer for layer in whole(figures.cycle(run))["layers"] if layer["kind"] == "line"]
    assert lines[0]["y"][-1] == pytest.approx(run.tan[-1], rel=1e-4)
    assert lines[1]["y"][100] == pytest.approx(run.no2[100], rel=1e-4)


def test_destinations_are_all_that_came(run):
    book = run.ledger
    assert sum(figures.destinations(run).values()) == pytest.approx(book["start"] + book["food"] + book["tap"])


def test_every_destination_is_told_by_name_and_none_is_empty(run):
    told = {layer["name"]: layer["y"][0] for layer in whole(figures.balance(run))["layers"] if layer.get("hidden")}
    masses = {figures.DESTINATIONS[name][0]: mass for name, mass in figures.destinations(run).items() if mass > 0}
    assert told == pytest.approx(masses, rel=1e-4)


def test_an_even_layout_stands_on_the_line_named_zero():
    spec = whole(figures.evenness(sweep(Pipes(levels=2), "flow", points=3)))
    assert spec["layers"][0]["y"] == [-4.0] * 3 == [spec["y"]["ticks"][0]] * 3 and spec["y"]["names"][0] == "0"


def test_inlets_of_one_and_of_two_networks():
    tree, comb = solve(Pipes(levels=3)), solve(Pipes(layout="comb", levels=3, blocked=("1",)))
    one = [layer for layer in whole(figures.inlets(tree))["layers"] if layer["kind"] == "bars"]
    two = [layer for layer in whole(figures.inlets(tree, comb, ("a", "b")))["layers"] if layer["kind"] == "bars"]
    assert len(one) == 1 and one[0]["y"] == [100.0] * 8
    assert len(two) == 2 and two[1]["y"][-1] == 0 and two[1]["y"] == sorted(two[1]["y"], reverse=True)


@pytest.mark.parametrize("name", RANGES)
def test_sweeps_draw_both_layouts(name):
    swept = sweep(Pipes(levels=2), name, points=4)
    for drawn in (figures.evenness(swept), figures.suction(swept)):
        assert len(whole(drawn)["layers"]) == 2


def test_ticks_of_decades():
    assert figures.decades(np.array([1.0, 20.0]))["names"] == ["1", "2", "5", "10", "20"]
    assert figures.decades(np.array([0.1, 100.0]), few=True)["names"] == ["0.1", "1", "10", "100"]
