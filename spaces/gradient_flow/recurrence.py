"""A whole batch of sequences through a cell, differentiated by the same pull that the tab draws: how the models train.

Autograd over a loop of steps would multiply for ∂U once a step, in small products; here the gradients at the gates are
kept and ∂U is one product over all steps. In float32: at these sizes bf16 products gain nothing (24 µs a character for
the simple RNN and 84 to 96 for the LSTM either way, batches of 32 × 96, one shared core).
"""

from __future__ import annotations

import torch
from torch import Tensor

from spaces.gradient_flow.cells import Cell, Linearised


def recur(name: str, drive: Tensor, U: Tensor) -> Tensor:
    """All outputs h (T, B, H) of cell `name` from the zero state; drive (T, B, G, H), U (G, H, H)."""
    return _Recurrence.apply(name, drive, U)


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(ctx, name: str, drive: Tensor, U: Tensor) -> Tensor:
        ctx.cell = Cell(name, U, U, U)  # a step that is given its drive reads U alone
        state, states, gates = ctx.cell.start(drive.shape[1]), [], []
        states.append(torch.stack(state))
        for a in drive:
            state, values = ctx.cell.step(a, state)
            states.append(torch.stack(state))
            gates.append(torch.stack(values))
        states, gates = torch.stack(states), torch.stack(gates)  # (T+1, parts, B, H), (T, G, B, H)
        ctx.save_for_backward(states, gates)
        return states[1:, 0].contiguous()

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[None, Tensor, Tensor]:
        states, gates = ctx.saved_tensors
        cell, hidden = ctx.cell, ctx.cell.hidden
        line = Linearised(cell, grad, states, gates)  # one row a sequence
        rows = grad.new_zeros(grad.shape[1], cell.parts * hidden)
        at_gates = grad.new_empty(len(gates), grad.shape[1], len(cell.gates), hidden)
        for t in range(len(gates), 0, -1):
            rows[:, :hidden] += grad[t - 1]
            at_gates[t - 1], carry = line.at_gates(rows, t)
            rows = line.hand_on(at_gates[t - 1], carry, t)
        return None, at_gates, _outer(cell.name, at_gates, states[:-1, 0], gates)


def _outer(name: str, at_gates: Tensor, before: Tensor, gates: Tensor) -> Tensor:
    """∂L/∂U (G, H, H): gradients at the gates (T, B, G, H) times what each gate read; before (T, B, H)."""
    columns = before.flatten(0, 1)
    out = torch.stack([at_gates[:, :, g].flatten(0, 1).T @ columns for g in range(at_gates.shape[2])])
    if name == "gru":  # its candidate reads r∘h
        out[2] = at_gates[:, :, 2].flatten(0, 1).T @ (gates[:, 0] * before).flatten(0, 1)
    return out
