"""The first-order error of whole attention against simulation through shared.attention."""

from __future__ import annotations

import math

import pytest
import torch

from shared.attention import attention
from shared.random_features import KINDS, Features
from spaces.attention.predict import relative_error

N, DIM = 40, 6


def vectors(size: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    q, k = (size * torch.randn(n, DIM, generator=random) for n in (12, N))
    return q, k, torch.eye(N)


@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_simulated_error_of_independent_draws(kind):
    q, k, v = vectors(0.3)
    features = 1024
    exact = attention(q[None, None], k[None, None], v[None, None], scale=1.0)
    wrong = []
    for seed in range(150):
        how = Features(kind, "iid", features, seed=seed)
        out = attention(q[None, None], k[None, None], v[None, None], scale=1.0, backend="performer", features=how)
        wrong.append(float((out - exact).square().sum() / exact.square().sum()))
    wrong = torch.tensor(wrong)
    se = float(wrong.std()) / math.sqrt(len(wrong))
    predicted = relative_error(q, k, kind, features, 1.0)
    assert predicted**2 == pytest.approx(float(wrong.mean()), abs=4 * se + 0.05 * float(wrong.mean()))


@pytest.mark.parametrize("kind", KINDS)
def test_shrinks_like_one_over_the_root_and_scales_with_the_scale(kind):
    q, k, _ = vectors(0.5)
    assert relative_error(q, k, kind, 400, 1.0) == pytest.approx(relative_error(q, k, kind, 100, 1.0) / 2)
    assert relative_error(2 * q, 2 * k, kind, 100, 0.25) == pytest.approx(relative_error(q, k, kind, 100, 1.0))


def test_is_none_where_nothing_is_asked_and_infinite_where_it_overflows():
    q, k, _ = vectors(0.5)
    assert relative_error(0 * q, 0 * k, "positive", 8, 1.0) == 0
    assert relative_error(200 * q, 200 * k, "positive", 8, 1.0) == math.inf
