"""Errors of a kernel value: closed forms, the distribution that shared.random_features draws, biased quantiles."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from shared.random_features import (
    KINDS,
    draw,
    kernel_estimate,
    mse_hyperbolic,
    mse_positive,
    mse_trigonometric,
)
from spaces.attention.kernel import chi_quantile, closed_form, measure, projections, squares, summary

SHARED = {"positive": mse_positive, "hyperbolic": mse_hyperbolic, "trigonometric": mse_trigonometric}


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def pair(norm: float, degrees: float, dim: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    turn = math.radians(degrees)
    x, y = torch.zeros(2, dim, dtype=torch.float64)
    x[0], y[0], y[1] = norm, norm * math.cos(turn), norm * math.sin(turn)
    return x, y


@pytest.mark.parametrize("kind", KINDS)
def test_closed_forms_are_shareds_at_equal_features(kind):
    x, y = pair(0.9, 70)
    draws = 64 if kind == "positive" else 32
    theirs = math.sqrt(float(SHARED[kind](x, y, draws))) / math.exp(float(x @ y))
    assert closed_form(kind, 64, *squares(0.9, 70)) == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_independent_draws_err_as_the_closed_form_says(kind):
    place = squares(0.6, 50)
    found = measure(kind, "iid", 8, 32, *place, 20_000, random())
    assert found.rmse == pytest.approx(closed_form(kind, 32, *place), abs=4 * found.rmse_se)
    assert found.mean == pytest.approx(1, abs=4 * found.mean_se)
    assert not found.dominated


@pytest.mark.parametrize("how", ["orthogonal", "stratified"])
@pytest.mark.parametrize("kind", KINDS)
def test_one_direction_has_the_error_of_whole_draws(kind, how):
    """The shortcut of this file against shared.random_features itself, d = 8, a block and a half."""
    x, y = (v.float() for v in pair(0.7, 60))
    features = 24
    draws = features if kind == "positive" else features // 2
    whole = [float(kernel_estimate(x, y, draw(8, draws, how, seed), kind) / (x @ y).exp()) for seed in range(400)]
    theirs = summary(np.array(whole))
    ours = measure(kind, how, 8, features, *squares(0.7, 60), 20_000, random(1))
    assert ours.rmse == pytest.approx(theirs.rmse, abs=4 * math.hypot(ours.rmse_se, theirs.rmse_se))
    assert ours.mean == pytest.approx(1, abs=4 * ours.mean_se)


def test_norms_at_fixed_quantiles_are_biased_and_drawn_within_strata_are_not():
    place = squares(1.5, 0)  # |x + y| = 3
    for kind in ("positive", "hyperbolic"):
        fixed = measure(kind, "quantiles", 8, 16 if kind == "positive" else 32, *place, 40_000, random(2))
        assert fixed.mean == pytest.approx(0.75, abs=0.06) and fixed.mean + 4 * fixed.mean_se < 1
        drawn = measure(kind, "stratified", 8, 16 if kind == "positive" else 32, *place, 40_000, random(3))
        assert drawn.mean == pytest.approx(1, abs=5 * drawn.mean_se)


def test_hyperbolic_always_beats_positive_and_the_sign_of_the_product_decides_the_rest():
    for norm in (0.3, 1.0, 2.0):
        for angle in range(0, 181, 10):
            error = {kind: closed_form(kind, 64, *squares(norm, angle)) for kind in KINDS}
            assert error["hyperbolic"] <= error["positive"]
            if angle != 90:
                assert (error["trigonometric"] < error["hyperbolic"]) == (angle < 90)
            else:
                assert error["trigonometric"] == pytest.approx(error["hyperbolic"])


def test_a_block_is_a_unit_vector_times_norms():
    found = projections(16, 16, "orthogonal", 4000, random(4))
    assert np.square(found).mean() == pytest.approx(1, abs=0.02)
    fixed = projections(16, 16, "quantiles", 500, random(5))
    norms = np.sort(stats.chi.ppf((np.arange(16) + 0.5) / 16, 16))
    bound = np.square(fixed).sum(1)
    assert (bound > norms[0] ** 2).all() and (bound < norms[-1] ** 2).all()


@pytest.mark.parametrize("dim", [1, 8, 256])
def test_chi_quantiles_are_scipys(dim):
    u = random(6).random(5000)
    u[:4] = 1e-9, 0.00999, 0.0101, 1 - 1e-9
    assert np.abs(chi_quantile(u, dim) - stats.chi.ppf(u, dim)).max() < 2e-5


def test_a_single_huge_error_is_called_a_heavy_tail():
    ratios = np.ones(100) + 0.01 * random(7).standard_normal(100)
    assert not summary(ratios).dominated
    ratios[3] = 9.0
    assert summary(ratios).dominated


def test_nothing_overflows():
    for kind in KINDS:
        found = measure(kind, "orthogonal", 4, 16, *squares(4.0, 0), 50, random(8))
        assert math.isfinite(found.mean)
    assert closed_form("positive", 4, 800, 0) == math.inf
