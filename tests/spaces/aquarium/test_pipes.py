"""The network against closed forms, against an independent solver, and against its own conservation laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import root

from spaces.aquarium import layouts, losses, pipes
from spaces.aquarium.pipes import LITRES_PER_HOUR, solve
from spaces.aquarium.settings import Pipes


def kept(flows: pipes.Flows) -> np.ndarray:
    """Water that appears or vanishes at each node but the outlet, L/h."""
    layout = flows.layout
    inflow = np.zeros(len(layout.position))
    inflow[layout.inlets] += flows.inlet
    for edge, towards in enumerate(layout.towards):
        inflow[towards] += flows.pipe[edge]
        inflow[edge + 1] -= flows.pipe[edge]
    return inflow


@pytest.mark.parametrize("losses_", ["full", "laminar"])
@pytest.mark.parametrize("flow", [5, 300, 3000])
@pytest.mark.parametrize("levels", [1, 2, 5, 8])
def test_h_tree_is_even_by_symmetry(levels, flow, losses_):
    setting = Pipes(levels=levels, flow=flow, losses=losses_)
    assert solve(setting).variation == 0
    start = np.random.default_rng(levels).uniform(0.1, 2, 2**levels)
    assert solve(setting, start).variation < 1e-11  # not only because it starts there


def ladder(flow: float, header: list[float], rung: float) -> np.ndarray:
    """Flow of each rung of a ladder by its continued fraction: header resistances from the outlet on, equal rungs."""
    beyond = []  # resistance of everything behind header segment i, its rung included
    tail = np.inf
    for h in reversed(header):
        here = 1 / (1 / rung + 1 / tail)
        beyond.append(here)
        tail = h + here
    beyond.reverse()
    flows, left = [], flow
    for here in beyond:
        taken = left * here / rung
        flows.append(taken)
        left -= taken
    return np.array(flows)


@pytest.mark.parametrize("levels", [2, 3, 4, 6])
@pytest.mark.parametrize("grain", [0.0, 10.0, 1.0])
def test_laminar_comb_is_its_continued_fraction(levels, grain):
    setting = Pipes(layout="comb", levels=levels, losses="laminar", grain_mm=grain, flow=100)
    solved = solve(setting)
    layout = solved.layout
    header = losses.resistance(layout.length, layout.diameter)[layout.level == 0]
    tooth = losses.resistance(layout.length, layout.diameter)[layout.level == 1][0]
    bed = losses.bed_resistance(grain / 1000, setting.inlet_mm / 1000)
    exact = ladder(100, list(header), (tooth + bed) / 2)  # two teeth at every station
    assert solved.inlet.reshape(-1, 2).sum(axis=1) == pytest.approx(exact, rel=1e-9)
    suction = (header[0] + exact[0] / 100 * (tooth + bed) / 2) * 100 * LITRES_PER_HOUR
    assert solved.suction == pytest.approx(suction, rel=1e-9)


@pytest.mark.parametrize("layout", ["h_tree", "comb"])
def test_an_independent_solver_of_the_nodes_pressures_agrees(layout):
    setting = Pipes(layout=layout, levels=3, blocked=("2", "5"))
    solved = solve(setting)
    net, total = solved.layout, setting.flow * LITRES_PER_HOUR
    hole = setting.inlet_mm / 1000
    bed = losses.bed_resistance(setting.grain_mm / 1000, hole)
    square = losses.K_HOLE * losses.DENSITY / 2 / (np.pi * hole**2 / 4) ** 2
    of = {int(node): i for i, node in enumerate(net.inlets)}
    edges = len(net.towards)

    def equations(unknown):  # flows of all pipes and suction of all nodes, in units of their size
        flow, pressure = unknown[:edges] * total, unknown[edges:] * solved.suction
        lost = losses.pipe_loss(flow, net.length, net.diameter, net.k)
        along = (pressure[net.towards] - pressure[1:] - lost) / solved.suction
        balance = np.zeros(edges + 1)
        balance[0] = -1
        np.add.at(balance, net.towards, flow / total)
        balance[1:] -= flow / total
        for node, i in of.items():
            if solved.open[i]:  # what an inlet draws under the suction at its node: the root of bed q + square q²
                p = max(pressure[node], 0)
                balance[node] += (np.sqrt(bed**2 + 4 * square * p) - bed) / (2 * square) / total
        return np.concatenate([along, balance])

    guess = np.concatenate([solved.pipe / solved.pipe.max(), np.linspace(1.2, 0.6, edges + 1)])
    found = root(equations, guess, method="lm", options={"xtol": 1e-12, "ftol": 1e-12})
    assert np.abs(found.fun).max() < 1e-8
    assert found.x[:edges] * setting.flow == pytest.approx(solved.pipe, abs=1e-5 * setting.flow)
    assert found.x[edges:] * solved.suction == pytest.approx(solved.pressure, abs=1e-5 * solved.suction)


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(["h_tree", "comb"]),
    st.integers(1, 6),
    st.floats(1, 3000),
    st.floats(4, 50),
    st.floats(0.5, 1),
    st.floats(1, 30),
    st.randoms(use_true_random=False),
)
def test_water_is_kept_at_every_node_and_every_path_costs_the_same(layout, levels, flow, trunk, taper, hole, chance):
    blocked = tuple(str(i) for i in chance.sample(range(2**levels), chance.randint(0, 2**levels - 1)))
    setting = Pipes(layout, levels, trunk, taper, hole, flow, blocked=blocked)
    solved = solve(setting)
    lost = kept(solved)
    assert np.abs(lost[1:]).max() < 1e-9 * flow and lost[0] == pytest.approx(flow, rel=1e-9)
    assert (solved.inlet[solved.open] > 0).all() and (solved.inlet[~solved.open] == 0).all()
    at_inlets = pipes._hole_law(setting)(solved.inlet * LITRES_PER_HOUR)
    open_nodes = solved.layout.inlets[solved.open]
    assert solved.pressure[open_nodes] == pytest.approx(at_inlets[solved.open], abs=1e-8 * solved.suction)


def test_a_comb_is_uneven_and_a_clogged_tree_too():
    even = solve(Pipes(blocked=("0",)))
    assert even.variation > 0.01
    assert even.inlet[1] == even.inlet.max()  # its twin draws more
    assert solve(Pipes(layout="comb")).variation > 0.1


def test_small_holes_make_a_comb_even_at_a_price():
    wide, small = (solve(Pipes(layout="comb", inlet_mm=mm)) for mm in (10, 2))
    assert small.variation < 0.01 < wide.variation
    assert small.suction > 10 * wide.suction


@pytest.mark.parametrize(("run", "branch", "percent"), [(0.0, 0.0, 10), (0.9, 2.0, 38)])
def test_how_much_the_combs_unevenness_owes_to_its_tees(monkeypatch, run, branch, percent):
    monkeypatch.setattr(layouts, "K_RUN", run)
    monkeypatch.setattr(layouts, "K_BRANCH", branch)
    assert round(100 * solve(Pipes(layout="comb")).variation) == percent  # as the tab says
    assert solve(Pipes()).variation < 1e-12


def test_slow_water_is_laminar_either_way():
    slow = Pipes(layout="comb", flow=1.0, inlet_mm=30.0, trunk_mm=30.0)
    # tees and holes are turbulent losses; at a crawl they are small beside nothing else but thin pipes
    thin = slow.but(trunk_mm=4.0)
    full, laminar = solve(thin), solve(thin.but(losses="laminar"))
    assert full.reynolds.max() < 100
    assert full.variation == pytest.approx(laminar.variation, rel=0.1)
