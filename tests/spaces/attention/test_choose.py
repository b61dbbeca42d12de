"""How many features for an error of ε: enough, hardly more than enough, and what the closed form says."""

from __future__ import annotations

import math

import pytest

from spaces.attention import choose
from spaces.attention.choose import PRECISE, needed, probe, taylor_features
from spaces.attention.samples import DIM, sample

SCALE = DIM**-0.5


@pytest.fixture(scope="module")
def mild():
    q, k = sample("gaussian")
    return 0.35 * q, 0.35 * k


@pytest.mark.parametrize("kind", ["hyperbolic", "trigonometric"])
def test_the_number_is_enough_and_hardly_more(mild, kind):
    told = []
    found = needed(*mild, kind, "iid", 0.08, SCALE, report=told.append)
    asked = probe(*mild, SCALE, 0)
    assert found.features % 2 == 0 and asked(kind, "iid", found.features) == found.error <= 0.08
    assert asked(kind, "iid", 2 * round(found.features / PRECISE**3 / 2)) > 0.08
    assert found.predicted / 1.5 < found.features < 1.5 * found.predicted
    assert told and max(told) <= 1


def test_more_than_all_is_none(mild, monkeypatch):
    monkeypatch.setattr(choose, "MOST", 32)
    found = needed(*mild, "positive", "orthogonal", 0.01, SCALE)
    assert found.features is None and found.error > 0.01 and math.isfinite(found.predicted)


def test_the_fewest_may_be_enough(mild):
    assert needed(0.1 * mild[0], 0.1 * mild[1], "trigonometric", "orthogonal", 0.5, SCALE).features == choose.FEWEST


def test_taylor_has_the_features_of_its_map():
    assert taylor_features(16) == 153 and taylor_features(32) == 561
