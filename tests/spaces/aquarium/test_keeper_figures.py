from datetime import date

import numpy as np
import pytest

from spaces.aquarium import keeper_figures as drawn
from spaces.aquarium.fit import band, fit
from spaces.aquarium.plan import Entry, Plan
from spaces.aquarium.readings import SERIES, Readings
from spaces.aquarium.settings import Tank
from spaces.aquarium.tank import simulate
from spaces.aquarium.verdicts import Outcome, draw, judge
from tests.spaces.aquarium.test_figures import whole


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    rng = np.random.default_rng(0)
    names = ("complete", "pump", "ceramsite", "plants")
    return [
        Outcome(values, dict(zip(names, rng.uniform(0.2, 3, 4), strict=True)), dict.fromkeys(names, 0.5))
        for values in draw(12)
    ]


def test_comparisons_show_four_tanks():
    judged = judge(Tank(days=40, removal_day=20))
    for quantity in drawn.QUANTITIES:
        spec = whole(drawn.comparison(judged, quantity))
        assert sum(layer["kind"] == "line" for layer in spec["layers"]) == 4
        assert spec["x"]["range"][0] == 10
    never = judge(Tank(days=40, removal_day=20), situation="never")
    spec = whole(drawn.comparison(never))
    assert spec["x"]["range"][0] == 0
    assert not any("taken out" in layer.get("text", "") for layer in spec["layers"])  # it never was there


def test_every_draw_is_a_point(outcomes):
    for quantity in ("hazard", "nitrate"):
        points = [layer for layer in whole(drawn.hazards(outcomes, quantity))["layers"] if layer["kind"] == "points"]
        assert [len(layer["x"]) for layer in points] == [12] * 4
    assert whole(drawn.hazards([]))


def test_votes_are_percentages_of_those_asked(outcomes):
    bars = [layer for layer in whole(drawn.votes(outcomes))["layers"] if layer["kind"] == "bars"]
    well = [o for o in outcomes if o.hazard["complete"] <= 1]
    expected = 100 * np.mean([o.hazard["ceramsite"] > 1 for o in well])
    assert bars[0]["y"][1] == pytest.approx(expected, rel=1e-3) and bars[1]["y"] == [0, 0, 0]
    assert whole(drawn.votes([]))["layers"][0]["y"] == [None] * 3


def test_decisive_parameters_have_names(outcomes):
    spec = whole(drawn.decisive(outcomes, "ceramsite"))
    assert sum(layer["kind"] == "text" for layer in spec["layers"]) == 6
    assert whole(drawn.decisive([], "pump"))


def test_a_fit_with_its_readings_and_intervals():
    days = np.arange(2, 30, 4.0)
    run = simulate(Tank(days=30))
    exact = np.stack([np.interp(days, run.day, run.concentration(s)) for s in SERIES], axis=1)
    known = fit(Tank(days=30), Readings(days, exact), ("ration", "seed"))
    spec = whole(drawn.fitted(known, band(known, draws=4)))
    assert [layer["kind"] for layer in spec["layers"]].count("band") == 3
    assert sum(layer["kind"] == "points" for layer in whole(drawn.estimates(known))["layers"]) == 2


def test_a_plan_on_one_axis():
    start = date(2020, 12, 1)
    run = simulate(Tank(days=50))
    entries = (
        Entry("fish", 10, date(2020, 12, 11), date(2020, 12, 9), None, 0.8),
        Entry("water", None, None, None, None, 0.0),
    )
    spec = whole(drawn.timeline(Plan(entries, run, None), start))
    lines = [layer for layer in spec["layers"] if layer["kind"] == "line"]
    assert lines[0]["x"] == [8, 53] and lines[1]["x"] == [50, 53]
    assert sum(layer["kind"] == "points" for layer in spec["layers"]) == 1
    assert spec["x"]["names"][0] == "12-01"
