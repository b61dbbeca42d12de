"""The API's dictionary: JSON-safe, at full precision, with zeros and explosions told apart."""

from __future__ import annotations

import json

import pytest

from shared.experiment import InputError
from spaces.gradient_flow.api import gradient_flow
from spaces.gradient_flow.flow import flow
from spaces.gradient_flow.settings import CELLS, Flow


def test_norms_are_the_flows_for_every_cell():
    settings = Flow(cells=CELLS, hidden=5, length=12)
    out = gradient_flow(settings.to_json())
    assert list(out["log10_norms"]) == list(CELLS)
    for name, cell in flow(settings).cells.items():
        assert out["log10_norms"][name] == cell.log10.tolist() and len(out["log10_norms"][name]) == 12
    assert "clipping" not in out and "log10_spectral_norms" not in out
    json.dumps(out, allow_nan=False)


def test_an_exact_zero_and_an_explosion_are_none_with_a_reason():
    nothing = Flow(cells=("rnn",), spectral_radius=0.0, gain=0.0, length=5, hidden=3, clip=1.0, spectral=True)
    out = gradient_flow(nothing.to_json())
    assert out["log10_norms"]["rnn"] == [None] * 5 and out["zero"]["rnn"] == 4 and out["exploded"]["rnn"] is None
    assert out["half_life"]["rnn"] == 0 and out["log10_spectral_norms"]["rnn"] == [None] * 5
    assert out["clipping"]["rnn"]["degrees_turned"] == 0
    json.dumps(out, allow_nan=False)
    out = gradient_flow('{"cells": ["rnn_relu"], "spectral_radius": 9, "length": 900, "hidden": 4, "clip": 1}')
    assert out["exploded"]["rnn_relu"] > 100 and set(out["log10_norms"]["rnn_relu"]) == {None}
    assert out["zero"]["rnn_relu"] is None and out["regime"]["rnn_relu"] == "explode"
    assert out["clipping"]["rnn_relu"] is None
    json.dumps(out, allow_nan=False)


def test_empty_settings_are_the_defaults():
    out = gradient_flow("")
    assert list(out["log10_norms"]) == ["rnn", "lstm", "gru"] and len(out["log10_norms"]["lstm"]) == 200


@pytest.mark.parametrize("bad, field", [('{"hidden": 0}', "hidden"), ("{", "settings"), ('{"depth": 3}', "depth")])
def test_bad_settings_are_named(bad, field):
    with pytest.raises(InputError, match=f"^{field}"):
        gradient_flow(bad)
