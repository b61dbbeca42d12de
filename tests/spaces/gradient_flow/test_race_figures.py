"""The race's figures: every cell is drawn, changes and divergences are marked, and no NaN breaks them."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from spaces.gradient_flow import race_figures as figures
from spaces.gradient_flow.race import Frame, Race
from spaces.gradient_flow.settings import CELLS

RACE = Race(cells=CELLS, clip=0.1)
FRAME = Frame(1, 1.4, 1.0, 0.25, 0.5, 0.1, 1.0, 0.2, 3.0)
RUN = [FRAME, replace(FRAME, step=5, accuracy=0.5, before=0.05, after=0.05, half_life=None), replace(FRAME, step=20)]
FRAMES = {name: RUN for name in CELLS}


def layers(spec: str, kind: str) -> list[dict]:
    return [layer for layer in json.loads(spec)["layers"] if layer["kind"] == kind]


@pytest.mark.parametrize("field", list(figures.CURVES))
def test_curves_show_every_cell_and_every_change(field):
    spec = figures.curve(field, FRAMES, RACE, [(5, "delay 30 → 60"), (20, "cut")])
    assert [line["name"] for line in layers(spec, "line")] == [figures.NAMES[name] for name in CELLS]
    assert layers(spec, "line")[0]["y"] == [getattr(frame, field) for frame in RUN]
    assert [(mark["at"], mark["text"]) for mark in layers(spec, "vline")] == [(5, "1"), (20, "2")]
    notes = [text["text"][0] for text in layers(spec, "text")]
    assert ("1: delay 30 → 60" in notes[0] and "2: cut" in notes[1]) if field == "accuracy" else not notes
    assert json.loads(spec)["caption"] and json.loads(spec)["y"]["label"]


def test_no_two_cells_look_the_same():
    assert len({json.dumps(style) for style in figures.STYLES.values()}) == len(CELLS) == len(figures.NAMES)


def test_guessing_is_marked():
    assert layers(figures.curve("accuracy", FRAMES, RACE), "hline")[0]["at"] == 0.25
    assert layers(figures.curve("accuracy", FRAMES, RACE.but(task="adding")), "hline")[0]["at"] == pytest.approx(0.0784)
    assert layers(figures.curve("relative", FRAMES, RACE), "hline")[0]["at"] == 1


def test_gradients_before_and_where_clipped_after():
    lines = layers(figures.gradients({"rnn": RUN}, RACE), "line")
    assert lines[0]["y"] == pytest.approx([math.log10(f.before) for f in RUN], abs=1e-4)
    assert lines[1]["y"] == [-1, None, -1] and lines[1]["name"] == ""
    assert layers(figures.gradients({"rnn": RUN}, RACE), "hline")[0]["at"] == -1
    assert not layers(figures.gradients({"rnn": RUN}, RACE.but(clip=0.0)), "hline")


def test_memory_places_a_cell_by_its_half_life():
    spec = figures.memory({"rnn": RUN, "lstm": [replace(FRAME, half_life=math.inf, accuracy=1.0)]}, RACE)
    rnn, lstm = layers(spec, "points")
    assert rnn["x"] == pytest.approx([math.log10(3)], abs=1e-4) and rnn["y"] == pytest.approx([1 / 3], abs=1e-4)
    assert lstm["x"] == [figures.FOREVER] and lstm["y"] == [1]
    assert len(layers(spec, "line")[0]["x"]) == 2  # one place for each half-life measured
    assert layers(spec, "vline")[0]["at"] == pytest.approx(math.log10(30), abs=1e-4)


def test_names_in_one_place_do_not_cover_each_other():
    spec = figures.memory({name: [replace(FRAME, half_life=math.inf, accuracy=1.0)] for name in CELLS}, RACE)
    heights = sorted(text["y"][0] for text in layers(spec, "text"))
    assert len(heights) == len(CELLS) and min(b - a for a, b in zip(heights, heights[1:], strict=False)) >= 0.05


def test_what_is_no_number_is_a_gap_and_a_mark():
    out = replace(FRAME, step=7, loss=math.nan, relative=math.nan, before=math.inf, after=math.inf,
                  direction=math.nan, share=math.nan, half_life=math.nan, diverged=True)  # fmt: skip
    frames = {"rnn_relu": [*RUN[:2], out], "lstm": [replace(FRAME, half_life=0.0, before=0.0, after=0.0)]}
    specs = [figures.curve(field, frames, RACE) for field in figures.CURVES]
    specs += [figures.gradients(frames, RACE), figures.memory(frames, RACE)]
    for spec in specs:
        json.loads(spec, parse_constant=lambda name: pytest.fail(name))
    for spec in specs[:-1]:
        assert any(mark["at"] == 7 and "diverged" in mark["text"] for mark in layers(spec, "vline"))
    assert layers(specs[1], "line")[0]["y"][-1] is None
    assert len(layers(specs[-1], "points")) == 1  # who has diverged has no place


def test_an_empty_race_is_drawn_too():
    empty = {name: [] for name in CELLS}
    for spec in [figures.curve("accuracy", empty, RACE), figures.gradients({}, RACE), figures.memory({}, RACE)]:
        assert json.loads(spec)["layers"] is not None
