"""The batched recurrence: the same values as the cell's own steps, the same gradients as autograd through them."""

from __future__ import annotations

import pytest
import torch

from spaces.gradient_flow.cells import GATES, Cell
from spaces.gradient_flow.recurrence import recur


@pytest.mark.parametrize("name", GATES)
def test_values_and_gradients_are_autograds(name):
    torch.manual_seed(0)
    gates, T, B, H = len(GATES[name]), 9, 3, 5
    drive = torch.randn(T, B, gates, H, dtype=torch.float64, requires_grad=True)
    U = (0.5 * torch.randn(gates, H, H, dtype=torch.float64)).requires_grad_()
    weights = torch.randn(T, B, H, dtype=torch.float64)
    cell, outputs = Cell(name, U, U, U), []
    state = cell.start(B)
    for a in drive:
        state, _ = cell.step(a, state)
        outputs.append(state[0])
    expected, h = torch.stack(outputs), recur(name, drive, U)
    assert (h - expected).abs().max() < 1e-14
    ours = torch.autograd.grad((h * weights).sum(), (drive, U))
    theirs = torch.autograd.grad((expected * weights).sum(), (drive, U))
    for a, b in zip(ours, theirs, strict=True):
        assert (a - b).abs().max() < 1e-13
        assert b.abs().max() > 0.1
