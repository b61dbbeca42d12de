"""Verdicts on networks whose gradients are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from shared.experiment import InputError
from shared.i18n import pick
from spaces.gradient_flow import yours
from spaces.gradient_flow.state_dict import parse
from spaces.gradient_flow.sweep import sweep


def report(name: str, **options) -> yours.Report:
    return yours.examine(parse(yours.sample(name)), **options)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_norms_are_those_of_autograd(kind):
    torch.manual_seed(1)
    module = kind(3, 4).double()
    found = yours.examine(parse(module.state_dict()), length=12).layers[0]
    x = torch.randn(12, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    packed = lambda state: (state[None, :4], state[None, 4:]) if kind is nn.LSTM else state[None]  # noqa: E731
    joined = lambda state: torch.cat(state, -1)[0] if kind is nn.LSTM else state[0]  # noqa: E731
    state = torch.zeros(8 if kind is nn.LSTM else 4, dtype=torch.float64)
    states = [state]
    for row in x:
        states.append(joined(module(row[None], packed(states[-1]))[1]).detach())
    for t in (0, 5, 11):
        last = lambda s, t=t: joined(module(x[t:], packed(s))[1])  # noqa: E731
        J = torch.autograd.functional.jacobian(last, states[t])
        assert found.log10[t] == pytest.approx(math.log10(J.norm()), abs=1e-9)


def test_a_diagonal_rnn_decays_as_it_must():
    state = {"weight_hh_l0": 0.5 * torch.eye(4), "weight_ih_l0": torch.zeros(4, 2)}
    found = yours.examine(parse(state), length=50)
    layer = found.layers[0]
    np.testing.assert_allclose(layer.log10, [math.log10(2) + (50 - t) * math.log10(0.5) for t in range(50)])
    assert layer.half_life == pytest.approx(1) and layer.regime == "vanish"
    assert layer.radii == {"candidate": pytest.approx(0.5)} and layer.kept is None
    assert "halves every 1 steps" in pick(found.verdict(), "en") and "消失" in pick(found.verdict(), "zh")


def test_samples_tell_the_article_s_story():
    drawn, open_gate = report("lstm"), report("lstm_forget_2")
    assert drawn.layers[0].half_life < 3 < open_gate.layers[0].half_life
    assert drawn.layers[0].kept.mean == pytest.approx(0.5, abs=0.05)
    assert open_gate.layers[0].kept.mean > 0.8
    assert report("rnn_steep").layers[0].regime == "explode"
    assert report("rnn_orthogonal").layers[0].radii["candidate"] == pytest.approx(1, abs=1e-5)
    names = [pick(layer.name, "en") for layer in report("gru", length=20).layers]
    assert names == ["layer 1", "layer 1, reverse", "layer 2", "layer 2, reverse"]


def test_torch_s_update_gate_keeps():
    state = dict(nn.GRU(3, 4).state_dict())
    state["bias_ih_l0"][4:8] = 50.0
    layer = yours.examine(parse(state), length=30).layers[0]
    assert layer.kept.mean == pytest.approx(1) and layer.kept.half_life > 1e6
    np.testing.assert_allclose(layer.log10, math.log10(2), atol=1e-6)  # ‖1‖ of 4 units


def test_an_exploding_relu_is_named_and_does_not_crash():
    state = {"weight_hh_l0": 1e5 * torch.eye(3), "weight_ih_l0": torch.ones(3, 2)}
    found = yours.examine(parse(state, "relu"), length=200)
    assert found.layers[0].exploded and np.isnan(found.layers[0].log10).all()
    assert "overflows at step" in pick(found.verdict(), "en")


def test_broken_weights_are_named():
    state = dict(nn.LSTM(3, 4, num_layers=2).state_dict())
    state["weight_ih_l0"][0, 0] = math.inf
    found = yours.examine(parse(state), length=10)
    assert "weight_ih_l0" in pick(found.verdict(), "en") and "weight_ih_l0" in pick(found.verdict(), "zh")
    assert np.isnan(found.layers[0].log10).all()


def test_a_wide_network_is_probed_within_a_tenth_of_a_decade(monkeypatch):
    torch.manual_seed(0)
    line = parse(nn.LSTM(8, 48).state_dict()).layers[0].cell.run(torch.randn(40, 8, dtype=torch.float64))
    exact = sweep(line)[0].numpy()
    assert np.abs(yours.probe(line, 256) - exact).max() < 0.1
    monkeypatch.setattr(yours, "EXACT", 16)
    np.testing.assert_allclose(yours.norms(line), yours.probe(line, yours.PROBES))


def test_spectral_radius_by_squaring(monkeypatch):
    torch.manual_seed(0)
    U = torch.randn(60, 60, dtype=torch.float64) / 60**0.5
    exact = yours.spectral_radius(U)
    assert exact == pytest.approx(float(torch.linalg.eigvals(U).abs().max()))
    monkeypatch.setattr(yours, "EXACT", 16)
    assert yours.spectral_radius(U) == pytest.approx(exact, rel=1e-3)
    assert yours.spectral_radius(torch.zeros(20, 20)) == 0


@pytest.mark.parametrize("name", yours.SAMPLES)
def test_samples_are_files_too(name, tmp_path):
    path = yours.write_sample(name, tmp_path)
    found, again = yours.examine_file(path, length=20), report(name, length=20)
    np.testing.assert_array_equal(found.layers[0].log10, again.layers[0].log10)
    assert found.verdict() == again.verdict()


def test_settings_are_bounded_and_progress_is_told():
    network, told = parse(yours.sample("gru")), []
    with pytest.raises(InputError, match="length"):
        yours.examine(network, length=1001)
    with pytest.raises(InputError, match="seed"):
        yours.examine(network, seed=-1)
    with pytest.raises(InputError, match="sample"):
        yours.sample("../passwd")
    yours.examine(network, length=40, progress=told.append)
    assert told == sorted(told) and 0 < told[0] and told[-1] <= 1
