"""The article's formulas (archives/7888): scalar paths, the bound 0.44774/|h|, 0.9^n against 1.1^n."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from spaces.gradient_flow.cells import Cell, Linearised
from spaces.gradient_flow.draw import draw_cell, draw_input
from spaces.gradient_flow.flow import flow
from spaces.gradient_flow.ledger import one_path_jacobian
from spaces.gradient_flow.settings import Flow

SCALAR = Flow(spectral_radius=0.0, hidden=1, length=12, gain=1.5, forget_bias=0.5, offset=0.2)


def scalar(name: str) -> tuple[Cell, torch.Tensor, Linearised]:
    cell, x = draw_cell(name, SCALAR), draw_input(SCALAR)
    return cell, x, cell.run(x)


def test_the_simple_rnn_is_one_minus_h_squared_times_U():
    cell, _, line = scalar("rnn")
    for t in range(1, 13):
        h = line.states[t, 0].item()
        assert line.pull(torch.ones(1, 1).double(), t).item() == pytest.approx((1 - h * h) * cell.U.item(), abs=1e-14)


def test_tanh_bounds_the_rnns_derivative_in_U_and_relu_does_not():
    U = torch.linspace(-60, 60, 4001, dtype=torch.float64)
    for h in (0.9, -0.3, 0.05):  # h_{t−1}, with Wx + b = 0
        derivative = ((1 - torch.tanh(U * h) ** 2) * U).abs()
        assert derivative.max().item() == pytest.approx(0.44774 / abs(h), rel=2e-3)
        assert (derivative <= 0.447744 / abs(h)).all()
    c = torch.linspace(0.7, 0.9, 200001, dtype=torch.float64)
    peak = ((1 - torch.tanh(c) ** 2) * c).max(0)
    assert peak.values.item() == pytest.approx(0.44774, abs=5e-6)
    assert c[peak.indices].item() == pytest.approx(0.7717, abs=1e-4)
    one = torch.ones(1, 1, 1, dtype=torch.float64)
    relu = Cell("rnn_relu", one, 1e6 * one, one[0]).run(one[0])
    assert relu.pull(one[0], 1).item() == 1e6  # an open unit's derivative is U itself, however large


@pytest.mark.parametrize("t", range(2, 13))
def test_the_lstms_one_path_is_the_articles_formula_and_finite_differences_with_o_held(t):
    cell, x, line = scalar("lstm")
    (i, f, g, _), o0 = line.gates[t - 1, :, 0].tolist(), line.gates[t - 2, 3].item()
    Ui, Uf, Uc, _ = cell.U.flatten().tolist()
    c0 = line.states[t - 1, 1].item()
    follows = o0 * (1 - math.tanh(c0) ** 2)
    formula = f + follows * (f * (1 - f) * c0 * Uf + i * (1 - i) * g * Ui + (1 - g * g) * i * Uc)
    assert one_path_jacobian(line, t).item() == pytest.approx(formula, abs=1e-14)

    def c1(c: float) -> float:
        c = torch.tensor([c], dtype=torch.float64)
        return cell.step(cell.drive(x[t - 1]), (o0 * torch.tanh(c), c))[0][1].item()

    assert (c1(c0 + 1e-6) - c1(c0 - 1e-6)) / 2e-6 == pytest.approx(formula, abs=1e-6)


@pytest.mark.parametrize("t", range(2, 13))
def test_the_grus_derivative_is_the_articles_formula(t):
    cell, x, line = scalar("gru")
    r, z, g = line.gates[t - 1, :, 0].tolist()
    Ur, Uz, Uh = cell.U.flatten().tolist()
    h = line.states[t - 1, 0].item()
    formula = 1 - z - z * (1 - z) * h * Uz + z * (1 - z) * g * Uz + (1 - g * g) * r * (1 + (1 - r) * h * Ur) * z * Uh
    assert line.pull(torch.ones(1, 1).double(), t).item() == pytest.approx(formula, abs=1e-14)
    step = [cell.step(cell.drive(x[t - 1]), (torch.tensor([h + e], dtype=torch.float64),))[0][0] for e in (1e-6, -1e-6)]
    assert ((step[0] - step[1]) / 2e-6).item() == pytest.approx(formula, abs=1e-6)


@pytest.mark.parametrize("t", range(2, 13))
def test_the_authors_cell_is_the_formula_of_its_equations(t):
    cell, _, line = scalar("su")
    (r, z, g), r0 = line.gates[t - 1, :, 0].tolist(), line.gates[t - 2, 0].item()
    Ur, Uz, Uc = cell.U.flatten().tolist()
    c0, c = line.states[t - 1, 1].item(), line.states[t, 1].item()
    dc = 1 - z + r0 * (z * (1 - z) * (g - c0) * Uz + (1 - g * g) * z * Uc)  # r_{t−1} held: h_{t−1} follows c_{t−1}
    dh = r * dc + c * r * (1 - r) * Ur * r0
    rows = line.reduce(line.pull(torch.eye(2).double(), t), t - 1)
    assert rows.flatten().tolist() == pytest.approx([dh, dc], abs=1e-14)


@pytest.mark.parametrize("radius", [0.9, 1.1])
def test_a_linear_rnn_is_the_powers_of_its_radius(radius):
    settings = Flow(cells=("rnn",), hidden=1, length=600, spectral_radius=radius, activation="linear")
    norms = flow(settings).cells["rnn"].log10
    np.testing.assert_allclose(norms, math.log10(radius) * np.arange(600, 0, -1), rtol=0, atol=1e-9)
    far, near = 10 ** norms[0], 10 ** norms[500]
    assert (far < 1e-27 and near < 1e-4) if radius < 1 else (far > 1e24 and near > 1e4)


def test_without_forgetting_the_lstms_and_grus_carry_is_one():
    settings = Flow(cells=("lstm", "gru", "su"), hidden=5, length=100, forget_bias=10.0, input_scale=0.0)
    settings = settings.but(spectral_radius=0.0, gain=0.0)
    for cell in flow(settings).cells.values():
        assert cell.log10[0] == pytest.approx(cell.log10[-1], abs=100 * math.exp(-10))
