import pytest
import torch

from spaces.simsiam import metrics


def gaussian(rows=4000, dim=32, seed=0):
    return torch.randn(rows, dim, generator=torch.Generator().manual_seed(seed))


def test_even_spread_is_one_and_a_point_is_zero():
    assert metrics.spread(gaussian()) == pytest.approx(1, abs=0.01)
    assert metrics.spread(torch.ones(50, 8)) == pytest.approx(0, abs=1e-6)
    assert metrics.spread(gaussian() * 1e-6) == pytest.approx(1, abs=0.01)  # the length does not matter


def test_spread_of_a_cone_follows_its_angle():
    z = gaussian(20_000) * 0.1
    z[:, 0] += 1  # |mean of unit vectors| = cos, and std² d = 1 − cos²
    unit = torch.nn.functional.normalize(z, dim=1)
    root_mean_square = unit.var(0, correction=0).mean().mul(32).sqrt()
    assert float(root_mean_square**2 + unit.mean(0).norm() ** 2) == pytest.approx(1, abs=1e-4)
    assert metrics.spread(z) <= float(root_mean_square) + 1e-6


def test_effective_rank_counts_directions():
    axes = torch.eye(16)[:5].repeat(100, 1)
    assert metrics.effective_rank(axes) == pytest.approx(5, abs=1e-3)
    assert metrics.effective_rank(torch.ones(50, 8)) == pytest.approx(1, abs=1e-3)
    assert metrics.effective_rank(gaussian()) == pytest.approx(32, rel=0.01)


def test_spectrum_sums_to_the_variance():
    z = gaussian(500, 12) * torch.arange(1, 13)
    values = metrics.spectrum(z)
    unit = torch.nn.functional.normalize(z, dim=1)
    assert float(values.sum()) == pytest.approx(float(unit.var(0, correction=0).sum()), rel=1e-4)
    assert (values.diff() <= 0).all()


def test_neighbours_vote():
    bank, labels = torch.eye(3).repeat_interleave(6, 0), torch.arange(3).repeat_interleave(6)
    assert metrics.neighbours(bank, labels, torch.eye(3), torch.arange(3)) == 1
    assert metrics.neighbours(bank, labels, torch.eye(3), torch.tensor([0, 1, 0])) == pytest.approx(2 / 3)


def test_axes_follow_without_jumps():
    z = gaussian(300, 16) * torch.linspace(3, 1, 16)
    axes = metrics.principal_axes(z, None)
    turn = torch.linalg.qr(torch.eye(16) + 0.02 * gaussian(16, 16, 1)).Q
    turn = turn * turn.diagonal().sign()
    after = metrics.principal_axes(z @ turn, axes)
    assert torch.allclose(after.T @ after, torch.eye(2), atol=1e-5)
    assert (z @ turn @ after - z @ axes).norm() / (z @ axes).norm() < 0.3
    kept = metrics.principal_axes(z, axes)
    assert torch.allclose(kept, axes, atol=1e-3)


def test_axes_survive_collapse():
    axes = metrics.principal_axes(gaussian(100, 8), None)
    for point in (torch.ones(100, 8), torch.zeros(100, 8)):
        axes = metrics.principal_axes(point, axes)
        assert torch.isfinite(axes).all() and torch.allclose(axes.T @ axes, torch.eye(2), atol=1e-4)
