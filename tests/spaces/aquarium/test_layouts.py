import numpy as np
import pytest

from spaces.aquarium.layouts import comb, h_tree, lay
from spaces.aquarium.settings import FLOOR, Pipes

ALL = [Pipes(layout=kind, levels=n) for kind in ("h_tree", "comb") for n in range(1, 9)]


@pytest.mark.parametrize("pipes", ALL, ids=lambda p: f"{p.layout}-{p.levels}")
def test_a_tree_of_real_lengths_with_all_inlets_on_the_floor(pipes):
    layout = lay(pipes)
    edges = np.arange(len(layout.towards))
    assert (layout.towards <= edges).all()  # every pipe leads to an earlier node: a tree rooted at the outlet
    apart = np.linalg.norm(layout.position[1:] - layout.position[layout.towards], axis=1)
    assert layout.length == pytest.approx(apart)
    assert len(layout.inlets) == 2**pipes.levels
    at = layout.position[layout.inlets]
    assert (at > 0).all() and (at < FLOOR).all()


@pytest.mark.parametrize("levels", range(1, 9))
def test_h_tree_has_equal_paths_and_inlets_in_the_middle_of_their_cells(levels):
    layout = h_tree(Pipes(levels=levels))
    assert np.ptp(layout.paths.T @ layout.length) < 1e-12
    columns, rows = 2 ** ((levels + 1) // 2), 2 ** (levels // 2)
    xs, ys = np.unique(layout.position[layout.inlets].round(9), axis=0).T
    assert sorted(set(xs)) == pytest.approx((np.arange(columns) + 0.5) * FLOOR[0] / columns)
    assert sorted(set(ys)) == pytest.approx((np.arange(rows) + 0.5) * FLOOR[1] / rows)
    assert len(xs) == 2**levels


def test_comb_has_unequal_paths():
    layout = comb(Pipes(layout="comb", levels=4))
    assert np.ptp(layout.paths.T @ layout.length) == pytest.approx(7 / 8 * FLOOR[0])


@pytest.mark.parametrize("pipes", ALL, ids=lambda p: f"{p.layout}-{p.levels}")
def test_paths_follow_the_tree(pipes):
    layout = lay(pipes)
    on = layout.paths
    ends = layout.inlets - 1
    assert (on[ends, np.arange(len(ends))] == 1).all()
    for edge, towards in enumerate(layout.towards):
        if towards:
            assert (on[towards - 1] >= on[edge]).all()  # whoever uses a pipe uses the next one towards the outlet


def test_diameters_taper():
    layout = h_tree(Pipes(levels=3, trunk_mm=20, taper=0.5))
    assert [float(layout.diameter[layout.level == i].mean()) for i in range(3)] == pytest.approx([0.02, 0.01, 0.005])


def test_teeth_need_room_beside_each_other():
    assert lay(Pipes(layout="comb", levels=4)).pitch == pytest.approx(0.6 / 8)
    assert lay(Pipes(layout="comb", levels=6)).fits  # 12.8 mm every 18.75 mm
    assert not lay(Pipes(layout="comb", levels=7)).fits
    assert all(lay(Pipes(levels=n)).fits for n in range(1, 9))
