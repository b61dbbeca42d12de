import re
from xml.etree import ElementTree

import pytest

from spaces.aquarium.drawing import FASTEST, SLOWEST, floor
from spaces.aquarium.pipes import solve
from spaces.aquarium.settings import Pipes

SVG = "{http://www.w3.org/2000/svg}"


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


@pytest.mark.parametrize("layout", ["h_tree", "comb"])
@pytest.mark.parametrize("levels", [1, 4, 8])
def test_every_pipe_and_inlet_is_drawn_inside(layout, levels):
    pipes = Pipes(layout=layout, levels=levels, blocked=("0",))
    svg = floor(solve(pipes))
    root = parsed(svg)
    _, _, width, height = map(float, root.get("viewBox").split())
    lines = root.findall("line")
    assert len(lines) == 2 * len(solve(pipes).layout.towards)
    assert all(
        0 <= float(line.get(k)) <= (width if k[0] == "x" else height)
        for line in lines
        for k in ("x1", "x2", "y1", "y2")
    )
    inlets = [g for g in root.findall("g") if g.get("data-inlet") is not None]
    assert [int(g.get("data-inlet")) for g in inlets] == list(range(2**levels))
    assert inlets[0].find("path").get("class") == "clogged"


def test_water_runs_faster_where_it_is_faster_and_rests_where_it_rests():
    solved = solve(Pipes(layout="comb", levels=3, blocked=("0", "1")))
    beats = re.findall(r'class="(water[^"]*)"[^>]*--beat: ([\d.]+)s', floor(solved))
    assert len(beats) == len(solved.pipe)
    assert all(SLOWEST <= float(b) <= FASTEST for _, b in beats)
    still = [kind == "water still" for kind, _ in beats]
    assert still == (solved.pipe == 0).tolist() and sum(still) == 2
    slow = floor(solve(Pipes(layout="comb", levels=3, flow=30)))
    slower = [float(b) for _, b in re.findall(r'class="(water[^"]*)"[^>]*--beat: ([\d.]+)s', slow)]
    assert slower[0] > float(beats[0][1])


def test_motion_yields_to_the_readers_preference():
    assert "prefers-reduced-motion: reduce" in floor(solve(Pipes()))


def test_uneven_inlets_stand_out():
    assert "inlet strong" not in floor(solve(Pipes()))
    assert "inlet strong" in floor(solve(Pipes(layout="comb")))


def test_nothing_external_is_asked_for():
    svg = floor(solve(Pipes()))
    assert "http" not in svg and "url(" not in svg and "<script" not in svg


def test_it_says_what_it_shows_in_both_languages():
    label = parsed(floor(solve(Pipes(levels=3)))).get("aria-label")
    assert "8" in label and "\u2063" in label
