"""Lags against autograd with U cut out of all steps but one; shares add up; both losses."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shared.experiment import InputError
from spaces.gradient_flow import lags as module
from spaces.gradient_flow.cells import GATES, Cell
from spaces.gradient_flow.draw import draw_cell, draw_input
from spaces.gradient_flow.gradient import readout
from spaces.gradient_flow.lags import lags
from spaces.gradient_flow.settings import Flow

SETTINGS = Flow(spectral_radius=0.0, hidden=4, length=9, gain=1.3)


def parts_by_lag(name: str, loss: str) -> torch.Tensor:
    """∂L/∂U's part of each lag (T, G, H, H): each step has a U of its own, and each loss its own backward pass."""
    cell, x = draw_cell(name, SETTINGS), draw_input(SETTINGS)
    Us = [cell.U.clone().requires_grad_() for _ in x]
    state, states = cell.start(), []
    for U, a in zip(Us, cell.drive(x), strict=True):
        state, _ = Cell(name, cell.W, U, cell.b).step(a, state)
        states.append(state[1] if name == "su" else torch.cat(state))
    parts = torch.zeros(len(x), *cell.U.shape, dtype=torch.float64)
    for tau in range(len(x)) if loss == "every" else [len(x) - 1]:
        value = readout(len(states[tau])) @ states[tau] / (len(x) if loss == "every" else 1)
        for k, grad in enumerate(torch.autograd.grad(value, Us[tau::-1] if tau else Us[:1], retain_graph=True)):
            parts[k] += grad
    return parts


@pytest.mark.parametrize("loss", module.LOSSES)
@pytest.mark.parametrize("name", tuple(GATES))
def test_each_lag_is_autograds(name, loss):
    parts, found = parts_by_lag(name, loss), lags(name, SETTINGS, loss)
    total = parts.sum(0)
    assert found.total == pytest.approx(total.norm().log10().item(), abs=1e-10)
    shares = (parts * total).flatten(1).sum(1) / total.norm() ** 2
    np.testing.assert_allclose(found.shares, shares, rtol=0, atol=1e-10)
    np.testing.assert_allclose(10**found.log10, parts.flatten(1).norm(dim=1), rtol=1e-8, atol=1e-14)
    np.testing.assert_array_equal(found.lags, np.arange(9))


@pytest.mark.parametrize("loss", module.LOSSES)
def test_shares_add_up_to_one_whatever_the_magnitude(loss):
    for radius, activation in ((3.0, "tanh"), (0.5, "tanh"), (8.0, "linear")):
        settings = Flow(hidden=8, length=300, spectral_radius=radius, activation=activation)
        found = lags("rnn", settings, loss)
        assert found.cumulative[-1] == pytest.approx(1, abs=1e-9)
        np.testing.assert_allclose(found.cumulative, np.cumsum(found.shares), atol=1e-12)


def test_great_lengths_are_grouped_and_their_norms_are_those_of_the_sums(monkeypatch):
    parts = parts_by_lag("lstm", "every")
    monkeypatch.setattr(module, "MOST_ENTRIES", 4 * 16 * 4)  # four lags' matrices at most
    found = lags("lstm", SETTINGS, "every")
    assert found.lags.tolist() == [0, 3, 6]
    sums = torch.stack([parts[i : i + 3].sum(0) for i in (0, 3, 6)])
    np.testing.assert_allclose(10**found.log10, sums.flatten(1).norm(dim=1), rtol=1e-8)
    assert found.shares.shape == (9,) and found.cumulative[-1] == pytest.approx(1)


def test_the_rnns_total_is_healthy_and_its_distant_share_is_gone():
    found = lags("rnn", Flow(spectral_radius=0.9, hidden=32, length=100))
    assert abs(found.total) < 1.5 and found.cumulative[10] > 0.999
    assert found.log10[50] - found.total < -5


def test_an_exploded_run_has_no_lags_and_bad_names_are_refused():
    found = lags("rnn_relu", Flow(spectral_radius=0.0, hidden=4, length=900, gain=10.0))
    assert found.exploded and np.isnan(found.shares).all()
    with pytest.raises(InputError, match="loss"):
        lags("rnn", SETTINGS, "first")
    with pytest.raises(InputError, match="cell"):
        lags("transformer", SETTINGS)


def test_progress_grows_to_one():
    told = []
    lags("gru", Flow(hidden=4, length=60), "every", told.append)
    assert told == sorted(told) and told[-1] == 1
