"""Every cell's pull against autograd and finite differences; the prepared matrices and the cut paths."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from spaces.gradient_flow.cells import CARRIED, GATES, Cell
from spaces.gradient_flow.draw import draw_cell, draw_input
from spaces.gradient_flow.settings import Flow

NAMES = tuple(GATES)
SETTINGS = Flow(spectral_radius=0.0, hidden=5, length=6, gain=1.5, offset=0.3)


def one_step(cell: Cell, drive: Tensor, state: Tensor, cut: tuple[str, ...] = ()) -> Tensor:
    """A step as a function of the whole state (parts·H,)."""
    return torch.cat(cell.step(drive, state.chunk(cell.parts), cut)[0])


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid", "linear"])
@pytest.mark.parametrize("name", NAMES)
def test_pull_is_the_derivative_of_step(name, activation):
    settings = SETTINGS.but(activation=activation)
    cell, x = draw_cell(name, settings), draw_input(settings)
    line = cell.run(x)
    rows = torch.eye(cell.parts * 5, dtype=torch.float64)
    for t in (1, 4, 6):
        drive, state = cell.drive(x[t - 1]), line.states[t - 1].flatten()
        truth = torch.autograd.functional.jacobian(lambda s, drive=drive: one_step(cell, drive, s), state)
        torch.testing.assert_close(line.pull(rows, t), truth, rtol=1e-12, atol=1e-13)
        torch.testing.assert_close(line.hand_on(*line.at_gates(rows, t), t), truth, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", NAMES)
def test_pull_agrees_with_finite_differences(name):
    cell, x = draw_cell(name, SETTINGS), draw_input(SETTINGS)
    line, t, eps = cell.run(x), 3, 1e-6
    drive, state = cell.drive(x[t - 1]), line.states[t - 1].flatten()
    steps = eps * torch.eye(len(state), dtype=torch.float64)
    columns = [(one_step(cell, drive, state + e) - one_step(cell, drive, state - e)) / (2 * eps) for e in steps]
    torch.testing.assert_close(line.pull(steps / eps, t), torch.stack(columns, 1), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_prepared_matrices_are_the_columns_of_h(name):
    line = draw_cell(name, SETTINGS).run(draw_input(SETTINGS))
    rows = torch.eye(line.cell.parts * 5, dtype=torch.float64)
    columns = torch.stack([line.pull(rows, t)[:, :5] for t in (3, 4, 5)])
    torch.testing.assert_close(line.reads(2, 5), columns, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_a_run_is_a_loop_of_steps_from_zero(name):
    cell, x = draw_cell(name, SETTINGS), draw_input(SETTINGS)
    state, line = cell.start(), cell.run(x)
    for t, drive in enumerate(cell.drive(x), 1):
        state, gates = cell.step(drive, state)
        torch.testing.assert_close(line.states[t], torch.stack(state), rtol=0, atol=0)
        torch.testing.assert_close(line.gates[t - 1], torch.stack(gates), rtol=0, atol=0)
    assert not line.states[0].any() and len(line) == len(x)


@pytest.mark.parametrize("name", NAMES)
def test_a_cut_path_keeps_its_value_and_loses_its_gradient(name):
    cell, x = draw_cell(name, SETTINGS), draw_input(SETTINGS)
    drive, state = cell.drive(x[3]), cell.run(x).states[3].flatten()
    paths = (*GATES[name], *(["carry"] if name in CARRIED else []))
    whole = torch.autograd.functional.jacobian(lambda s: one_step(cell, drive, s), state)
    left = torch.zeros_like(whole)
    for path in paths:  # what each path loses adds up to the whole
        cut = torch.autograd.functional.jacobian(lambda s, path=path: one_step(cell, drive, s, (path,)), state)
        torch.testing.assert_close(one_step(cell, drive, state, (path,)), one_step(cell, drive, state))
        assert not torch.allclose(cut, whole)
        left += whole - cut
    torch.testing.assert_close(left, whole, rtol=1e-12, atol=1e-13)
