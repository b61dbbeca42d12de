"""Sweeps of the errors: the places they measure, and settings that are refused."""

from __future__ import annotations

import math

import pytest
import torch

from shared.experiment import InputError
from shared.random_features import KINDS
from spaces.attention.errors import SWEEPS, Errors, points, retrieval, sweep
from spaces.attention.winners import ANGLES, NORMS, winners

QUICK = Errors(repeats=20, features=64, dim=8, keys=32)


def test_a_sweep_measures_every_kind_under_every_draw():
    told = []
    curves = sweep(QUICK.but(against="angle", draws=("iid", "quantiles")), told.append)
    assert set(curves) == {(kind, draw) for kind in KINDS for draw in ("iid", "quantiles")}
    assert {len(found) for found in curves.values()} == {len(SWEEPS["angle"])}
    assert told == sorted(told) and told[-1] == pytest.approx(1)
    assert curves["trigonometric", "iid"][0].error < 1e-6  # equal vectors: sin² + cos² = 1
    assert curves["hyperbolic", "iid"][-1].error < 1e-6  # opposite ones: x + y = 0


def test_attention_errs_less_with_more_features_and_taylor_not_at_all_without_scores():
    settings = QUICK.but(measure="attention", kinds=("hyperbolic",), draws=("orthogonal",), repeats=60)
    few, many = (points(settings.but(features=n))["hyperbolic", "orthogonal"] for n in (16, 1024))
    assert many.high < few.low and many.low <= many.error <= many.high
    assert many.error < many.predicted < 2 * many.error  # independent draws err more than orthogonal ones
    flat = points(settings.but(norm=0.0))
    assert flat["taylor", ""].error < 1e-6 and flat["hyperbolic", "orthogonal"].error < 1e-6


def test_taylor_errs_by_the_rest_of_the_series():
    small, large = (points(QUICK.but(measure="attention", norm=r))["taylor", ""].error for r in (0.5, 1.0))
    assert 20 < large / small < 80  # the first missing term is s³/6 with s ~ norm²: 2⁶


def test_each_query_stands_at_the_angle_to_its_key():
    q, k, v = retrieval(QUICK.but(angle=35.0, norm=1.3), 3)
    count = q.shape[2]
    cosine = (q * k[:, :, :count]).sum(-1) / 1.3**2
    assert torch.allclose(cosine, torch.full_like(cosine, math.cos(math.radians(35))), atol=1e-5)
    assert torch.allclose(k.norm(dim=-1), torch.full_like(k[..., 0], 1.3)) and v.shape[2] == 32
    assert not torch.equal(q, retrieval(QUICK.but(angle=35.0, norm=1.3), 4)[0])


def test_the_same_settings_give_the_same_numbers():
    for measured in ("kernel", "attention"):
        settings = QUICK.but(measure=measured, kinds=("positive",), draws=("stratified",))
        assert points(settings) == points(settings)


def test_the_map_follows_the_sign_of_the_product():
    found = winners(QUICK, "iid", "hyperbolic")
    assert found.measured.shape == (len(NORMS), len(ANGLES))
    assert found.agreement() > 0.9
    assert (found.measured[:, 0] < 0).all() and (found.measured[:, -1] > 0).all()


@pytest.mark.parametrize(
    "field, settings",
    [
        ("measure", {"measure": "output"}),
        ("against", {"against": "seed"}),
        ("kinds", {"kinds": ()}),
        ("kinds", {"kinds": ("cosine",)}),
        ("draws", {"draws": ("iid", "iid")}),
        ("features", {"features": 1}),
        ("count", {"features": 33}),
        ("dim", {"dim": 500}),
        ("norm", {"norm": -1}),
        ("angle", {"angle": 200}),
        ("repeats", {"repeats": 5}),
    ],
)
def test_bad_settings_are_named(field, settings):
    with pytest.raises(InputError) as error:
        Errors(**settings)
    assert error.value.field == field
