"""Maps recovered by feeding V = I are the weights."""

from __future__ import annotations

import pytest
import torch

from shared.random_features import Features, feature_map
from spaces.attention.maps import BLOCK, difference, pooled, weights
from spaces.attention.taylor import taylor


def vectors(queries: int, keys: int, dim: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    return torch.randn(queries, dim, generator=random), torch.randn(keys, dim, generator=random)


def test_exact_maps_are_softmax_across_blocks():
    q, k = vectors(5, BLOCK + 90)
    assert torch.allclose(weights(q, k, "sdpa", 0.3), (0.3 * q @ k.T).softmax(1), atol=1e-6)


def test_taylor_maps_are_normalised_polynomials():
    q, k = vectors(7, 30)
    kernel = taylor(0.3 * q @ k.T, 2)
    assert torch.allclose(weights(q, k, "taylor", 0.3), kernel / kernel.sum(1, keepdim=True), atol=1e-5)


@pytest.mark.parametrize("kind", ["positive", "hyperbolic"])
def test_performer_maps_are_normalised_feature_products(kind):
    q, k = vectors(7, 30)
    features = Features(kind, "orthogonal", 64, seed=2)
    omega = features.omega(8)
    kernel = feature_map(0.3**0.5 * q, omega, kind) @ feature_map(0.3**0.5 * k, omega, kind).T
    assert torch.allclose(weights(q, k, "performer", 0.3, features), kernel / kernel.sum(1, keepdim=True), atol=1e-5)


def test_differences_are_what_they_say():
    exact = torch.tensor([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])
    other = torch.tensor([[0.5, 0.25, 0.25], [0.25, 1.0, -0.25]])
    found = difference(other, exact)
    assert found.error == pytest.approx(((0.125 + 0.5625 + 1 + 0.0625) / 1.5) ** 0.5)
    assert found.moved == pytest.approx((0.25 + 1.0) / 2)
    assert found.same_top == 0.5 and found.negative == pytest.approx(1 / 6)
    same = difference(exact, exact)
    assert same.error == same.moved == 0 and same.same_top == 1


def test_pooling_keeps_small_maps_and_the_mean_of_large_ones():
    small = torch.rand(10, 64)
    assert pooled(small) is not None and torch.equal(pooled(small), small)
    large = torch.rand(256, 128)
    shown = pooled(large)
    assert shown.shape == (64, 64) and shown.mean() == pytest.approx(float(large.mean()), abs=1e-6)
    assert pooled(torch.rand(100, 70)).shape == (50, 35)
