"""Closed forms of the continued positions."""

import numpy as np
import pytest
import torch

from spaces.long_document.positions import hierarchical
from spaces.long_document.similarity import (
    CELLS,
    compose,
    mirror_distance,
    nearest_distance,
    nearest_pair,
    sweep,
    window,
)

P = torch.randn(12, 8, generator=torch.Generator().manual_seed(0))


def test_compose_is_the_decomposition():
    torch.testing.assert_close(compose(torch.arange(144), P, 0.3), hierarchical(P, 144, 0.3))


def test_a_half_makes_mirrored_positions_one():
    i, j = torch.tensor([2, 5, 11]), torch.tensor([7, 0, 3])
    apart = compose(i * 12 + j, P, 0.3) - compose(j * 12 + i, P, 0.3)
    torch.testing.assert_close(apart, (1 - 3 / 7) * (P[j] - P[i]))
    torch.testing.assert_close(compose(i * 12 + j, P, 0.5), compose(j * 12 + i, P, 0.5))
    assert mirror_distance(P, 0.5) == 0 and mirror_distance(P, 0.4) == pytest.approx(torch.pdist(P).min() / 3)
    assert nearest_distance(P, 0.5)[0] < 1e-6 < nearest_distance(P, 0.4)[0]


def test_the_nearest_of_all_is_found():
    q = hierarchical(P, 144, 0.4).double()
    all_distances = torch.cdist(q, q).fill_diagonal_(torch.inf).min(1).values
    least, median = nearest_distance(P, 0.4, asked=400)
    assert least == pytest.approx(float(all_distances.min()), rel=1e-4)
    assert median == pytest.approx(float(all_distances.median()), rel=0.2)


@pytest.mark.parametrize("alpha, kind", [(0.1, 1), (0.4, 2), (0.5, 2), (0.6, 2), (0.9, 0)])
def test_the_nearest_pair_is_no_nearer_than_it_says(alpha, kind):
    near, found = nearest_pair(P, alpha)
    q = compose(torch.arange(144), P.double(), alpha).reshape(12, 12, 8)
    i, j = divmod(int(torch.cdist(P, P).fill_diagonal_(torch.inf).argmin()), 12)
    pair = ((q[0, i], q[0, j]), (q[i, 0], q[j, 0]), (q[i, j], q[j, i]))[kind]
    assert found == kind and near == pytest.approx(float((pair[0] - pair[1]).norm()), abs=1e-6)
    assert float(torch.pdist(q.reshape(144, 8)).min()) <= near + 1e-6


def test_windows_stay_inside_and_small():
    found = window(P, 0.4, 140, 100)
    assert found.positions[0] == 44 and found.positions[-1] == 143 and len(found.positions) <= CELLS
    np.testing.assert_allclose(np.diag(found.similarity), 1, atol=1e-5)
    assert len(window(P, 0.4, 0, 10**9).positions) == CELLS


def test_a_sweep_dips_at_a_half():
    found = sweep(P)
    assert int(np.argmin(found["mirror"])) == found["alpha"].index(0.5)
    bound = [nearest_pair(P, alpha)[0] for alpha in found["alpha"]]
    assert all(0 <= least <= most for least, most in zip(found["least"], bound, strict=True))
