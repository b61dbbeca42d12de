"""The API as plain Python."""

from __future__ import annotations

import json

import pytest

from shared.experiment import InputError
from spaces.attention.api import attention_error

SMALL = {"features": 64, "dim": 8, "keys": 32, "repeats": 60}


def test_errors_stand_beside_their_closed_forms():
    out = attention_error(json.dumps(SMALL | {"kind": "hyperbolic", "draw": "iid", "norm": 0.6, "repeats": 2000}))
    kernel = out["kernel"]
    assert kernel["relative_rmse"] == pytest.approx(kernel["closed_form"], rel=0.15)
    assert kernel["mean_ratio"] == pytest.approx(1, abs=5 * kernel["mean_ratio_se"])
    assert out["attention"]["relative_error"] == pytest.approx(out["attention"]["closed_form"], rel=0.3)
    low, high = out["attention"]["interval"]
    assert low <= out["attention"]["relative_error"] <= high
    assert out["taylor"]["features"] == 45 and out["taylor"]["relative_error"] < 0.05
    json.dumps(out, allow_nan=False)


def test_what_json_cannot_hold_is_none():
    out = attention_error(json.dumps(SMALL | {"norm": 4.0, "angle": 0.0, "kind": "positive"}))
    assert "NaN" not in json.dumps(out)


@pytest.mark.parametrize(
    "text, field",
    [("{", "settings"), ('{"size": 1}', "size"), ('{"kind": "cosine"}', "kind"), ('{"draw": "quantiles"}', "draw"),
     ('{"features": 3}', "count"), ('{"norm": 5}', "norm")],
)  # fmt: skip
def test_bad_input_is_named(text, field):
    with pytest.raises(InputError) as error:
        attention_error(text)
    assert error.value.field == field
