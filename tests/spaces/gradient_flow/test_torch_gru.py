"""torch's GRU: its equations against nn.GRU, its pull against autograd."""

from __future__ import annotations

import torch

from spaces.gradient_flow.state_dict import parse
from spaces.gradient_flow.sweep import sweep


def drawn(hidden: int = 7, inputs: int = 5):
    torch.manual_seed(3)
    module = torch.nn.GRU(inputs, hidden).double()
    return module, parse(module.state_dict()).layers[0].cell


def test_outputs_are_those_of_torch():
    module, cell = drawn()
    x = torch.randn(20, 5, dtype=torch.float64)
    assert (cell.run(x).states[1:, 0] - module(x)[0]).abs().max() < 1e-12


def test_pull_and_hand_on_are_the_jacobian():
    module, cell = drawn()
    x = torch.randn(9, 5, dtype=torch.float64)
    line = cell.run(x)
    for t in (1, 5, 9):
        step = lambda h, t=t: module(x[t - 1 : t], h[None])[1][0]  # noqa: E731
        J = torch.autograd.functional.jacobian(step, line.states[t - 1, 0])
        eye = torch.eye(7, dtype=torch.float64)
        assert (line.pull(eye, t) - J).abs().max() < 1e-12
        assert (line.hand_on(*line.at_gates(eye, t), t) - J).abs().max() < 1e-12
        assert (line.reads(t - 1, t)[0] - J).abs().max() < 1e-12


def test_sweep_takes_it_like_the_other_cells():
    _, cell = drawn()
    line = cell.run(torch.randn(30, 5, dtype=torch.float64))
    M, expected = torch.eye(7, dtype=torch.float64), []
    for t in range(30, 0, -1):
        M = line.pull(M, t)
        expected.append(M.norm().log10())
    assert (sweep(line)[0] - torch.stack(expected[::-1])).abs().max() < 1e-9
