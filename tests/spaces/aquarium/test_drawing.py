import re
from xml.etree import ElementTree

import numpy as np
import pytest

from spaces.aquarium.drawing import DASH, FASTEST, REAL, SLOWEST, _beat, _place, floor
from spaces.aquarium.pipes import solve
from spaces.aquarium.settings import Pipes

SVG = "{http://www.w3.org/2000/svg}"


def drawn(root: ElementTree.Element, kind: str) -> list[tuple[list[tuple[float, float]], float]]:
    """Both ends of every pipe of one kind, and the seconds of its dashes."""
    found = []
    for path in root.findall(f"path[@class='{kind}']"):
        beat = float((re.findall(r"--beat: ([\d.]+)s", path.get("style", "")) or ["0"])[0])
        for x0, y0, x1, y1 in re.findall(r"M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)", path.get("d")):
            found.append(([(float(x0), float(y0)), (float(x1), float(y1))], beat))
    return found


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


@pytest.mark.parametrize("layout", ["h_tree", "comb"])
@pytest.mark.parametrize("levels", [1, 4, 8])
def test_every_pipe_and_inlet_is_drawn_inside(layout, levels):
    pipes = Pipes(layout=layout, levels=levels, blocked=("0",))
    svg = floor(solve(pipes))
    root = parsed(svg)
    _, _, width, height = map(float, root.get("viewBox").split())
    flows = solve(pipes)
    walls, water = drawn(root, "pipe"), drawn(root, "water")
    assert len(walls) == len(flows.pipe) and len(water) == int((flows.pipe > 0).sum())
    assert all(0 <= x <= width and 0 <= y <= height for line, _ in walls + water for x, y in line)
    assert len(root.findall("path")) < 60  # alike pipes are one path, or 510 animations would crawl
    inlets = [g for g in root.findall("g") if g.get("data-inlet") is not None]
    assert [int(g.get("data-inlet")) for g in inlets] == list(range(2**levels))
    assert inlets[0].find("path").get("class") == "clogged"


def test_water_runs_as_fast_as_it_does():
    solved = solve(Pipes(layout="comb", levels=3, blocked=("0", "1")))
    water = drawn(parsed(floor(solved)), "water")
    speed = solved.pipe / solved.layout.diameter**2
    running = [edge for edge in range(len(speed)) if speed[edge] > 0]
    assert len(water) == len(running) == len(speed) - 2  # water rests in the two clogged teeth
    by_end = {line[0]: beat for line, beat in water}  # a pipe's far end → its beat
    header = [by_end[tuple(np.round(_place(solved.layout.position[edge + 1]), 1))] for edge in (0, 3, 6, 9)]
    assert header == sorted(header) and header[-1] > 2 * header[0]  # slower, the further from the pump
    assert all(SLOWEST <= beat <= FASTEST for beat in by_end.values())
    slow = drawn(parsed(floor(solve(Pipes(layout="comb", levels=3, flow=30)))), "water")
    assert min(beat for _, beat in slow) > 3 * min(by_end.values())


@pytest.mark.parametrize("speed", [0.01, 0.1, 0.3])
def test_a_dash_takes_its_time_within_a_step(speed):
    assert _beat(speed) == pytest.approx(min(REAL * DASH / 1000 / speed, FASTEST), rel=0.06)


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
