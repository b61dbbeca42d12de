"""∂L/∂θ against autograd, beyond float64's range too, and clipping against its definition."""

from __future__ import annotations

import math

import pytest
import torch

from spaces.gradient_flow.cells import GATES, Cell
from spaces.gradient_flow.draw import draw_cell, draw_input
from spaces.gradient_flow.gradient import adjoint, clip, gradient, readout
from spaces.gradient_flow.settings import Flow


def by_autograd(cell: Cell, x: torch.Tensor, every: bool = False) -> list[torch.Tensor]:
    """∂L/∂W, ∂L/∂U, ∂L/∂b of L = w·s_T, or of the mean of w·s_τ."""
    W, U, b = (p.clone().requires_grad_() for p in (cell.W, cell.U, cell.b))
    live = Cell(cell.name, W, U, b, cell.activation)
    state, losses = live.start(), []
    for drive in live.drive(x):
        state, _ = live.step(drive, state)
        s = state[1] if cell.name == "su" else torch.cat(state)
        losses.append(readout(len(s)) @ s)
    loss = torch.stack(losses).mean() if every else losses[-1]
    return list(torch.autograd.grad(loss, [W, U, b]))


@pytest.mark.parametrize("name", tuple(GATES))
def test_the_gradient_is_autograds(name):
    settings = Flow(spectral_radius=0.0, hidden=5, length=12, gain=1.3)
    cell, x = draw_cell(name, settings), draw_input(settings)
    vector, exponent = gradient(cell.run(x))
    truth = torch.cat([g.flatten() for g in by_autograd(cell, x)])
    torch.testing.assert_close(vector * 10**exponent, truth, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("name", tuple(GATES))
def test_the_adjoint_of_a_mean_loss_is_autograds(name):
    settings = Flow(spectral_radius=0.0, hidden=4, length=9, gain=1.3)
    cell, x = draw_cell(name, settings), draw_input(settings)
    deltas, exponents = adjoint(cell.run(x), every=True)
    bias = (deltas * 10 ** exponents[:, None, None]).sum(0)
    torch.testing.assert_close(bias, by_autograd(cell, x, every=True)[2], rtol=1e-10, atol=1e-13)


def test_gradients_beyond_float64_keep_their_logarithm():
    settings = Flow(hidden=1, length=900, spectral_radius=3.0, activation="linear", input_scale=0.0, offset=0.0)
    line = draw_cell("rnn", settings).run(draw_input(settings))
    deltas, exponents = adjoint(line)
    assert deltas[0, 0, 0].abs().log10().item() + exponents[0].item() == pytest.approx(899 * math.log10(3), abs=1e-6)


def test_clipping_by_norm_shortens_and_clipping_values_to_the_same_norm_turns():
    g = torch.tensor([3.0, 4.0, 0.0], dtype=torch.float64)
    clipped = clip(g, 0.0, 1.0)
    assert (clipped.before, clipped.after) == (pytest.approx(math.log10(5)), 0)
    # at the level 1/√2 both entries are equal: (1, 1)/√2 against (3, 4)/5
    assert clipped.turned == pytest.approx(math.degrees(math.acos(7 / (5 * math.sqrt(2)))))
    partly = clip(g, 0.0, 4.5)  # the 3 stays, the 4 becomes √(4.5² − 3²)
    level = math.sqrt(4.5**2 - 9)
    assert partly.turned == pytest.approx(math.degrees(math.acos((9 + 4 * level) / (5 * 4.5))))
    assert clip(g, 2.0, 1e3) == clip(100 * g, 0.0, 1e3) == type(partly)(math.log10(500), math.log10(500), 0.0)


def test_clipping_a_zero_or_an_enormous_gradient():
    assert clip(torch.zeros(3, dtype=torch.float64), 0.0, 1.0).before == -math.inf
    huge = clip(torch.tensor([1.0, 2.0], dtype=torch.float64), 5000.0, 1.0)
    assert huge.after == 0 and huge.turned == pytest.approx(math.degrees(math.acos(3 / math.sqrt(10))))
