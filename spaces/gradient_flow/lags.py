"""The article's real claim: the total gradient is healthy, and what comes from far back is gone.

∂L/∂U is a sum over the steps at which U was used; by lag k it splits into what was used k steps before the loss that it
serves. L = w·s_T, or the mean of w·s_τ over all steps τ; w is fixed (gradient.readout). A share is
⟨part, total⟩/‖total‖²: shares are signed and add up to 1. Try the simple RNN with spectral radius 0.9: the total is of
order one, and all of it comes from the last steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from shared.experiment import choice
from spaces.gradient_flow.cells import GATES, Linearised
from spaces.gradient_flow.flow import exploded, trajectory
from spaces.gradient_flow.gradient import adjoint, read, readout
from spaces.gradient_flow.settings import Flow
from spaces.gradient_flow.sweep import arithmetic

Progress = Callable[[float], None]
LOSSES = ("last", "every")
MOST_ENTRIES = 2**23  # of the parts' matrices that are kept at once: 64 MiB
CHUNK = 16  # steps whose outer products are taken together
RESCALE = 8  # steps after which the rows are brought back to length one


@dataclass(frozen=True)
class Lags:
    """∂L/∂U by lag; all NaN where the run exploded."""

    name: str
    loss: str
    total: float
    """log10 of ‖∂L/∂U‖, all gates together."""
    shares: np.ndarray
    """Share of each lag k = 0 … T−1, (T,)."""
    cumulative: np.ndarray
    """Share of all lags up to k, (T,)."""
    lags: np.ndarray
    """The first lag of each group, (B,): every lag, but for the mean loss at great lengths."""
    log10: np.ndarray
    """log10 of the norm of each group's part, (B,)."""
    exploded: int | None


def lags(name: str, settings: Flow, loss: str = "last", progress: Progress | None = None) -> Lags:
    """By lag, the gradient of a recurrent cell drawn from the settings; loss is "last" or "every"."""
    choice("loss", loss, LOSSES)
    return line_lags(trajectory(choice("cell", name, tuple(GATES)), settings), loss, progress)


@torch.no_grad()
def line_lags(line: Linearised, loss: str = "last", progress: Progress | None = None) -> Lags:
    """By lag, the gradient of any run of a cell."""
    steps, burst = len(line), exploded(line)
    if burst:
        nothing = np.full(steps, np.nan)
        return Lags(line.cell.name, loss, math.nan, nothing, nothing, np.arange(steps), nothing, burst)
    deltas, exponents = adjoint(line, every=loss == "every")
    top = exponents.max().item()
    scaled = deltas * 10.0 ** (exponents - top)[:, None, None]
    total = torch.einsum("tgh,tgk->ghk", scaled, read(line))
    size = torch.linalg.vector_norm(total)
    toward = torch.einsum("ghk,tgk->tgh", total / size, read(line))  # ⟨δ ⊗ read, total⟩/‖total‖ = δ · toward
    with arithmetic():
        if loss == "last":
            first, shares, log10 = _last(line, deltas, exponents, top, toward)
        else:
            first, shares, log10 = _Every(line, top, toward).split(progress)
    shares = shares / size
    return Lags(
        line.cell.name,
        loss,
        size.log10().item() + top,
        shares.numpy(),
        shares.cumsum(0).numpy(),
        first,
        log10.numpy(),
        None,
    )


def _last(
    line: Linearised, deltas: Tensor, exponents: Tensor, top: float, toward: Tensor
) -> tuple[np.ndarray, Tensor, Tensor]:
    """Each step's part has rank one a gate: its norm is a product of two."""
    sizes = deltas.norm(dim=-1) * read(line).norm(dim=-1)  # (T, G)
    shares = (deltas * toward).sum((1, 2)) * 10.0 ** (exponents - top)
    return np.arange(len(line)), shares.flip(0), (sizes.norm(dim=-1).log10() + exponents).flip(0)


class _Every:
    """The mean loss: at each step back, one row of gradients for each loss that lies ahead."""

    def __init__(self, line: Linearised, top: float, toward: Tensor):
        steps, gates = len(line), len(line.cell.gates)
        self.line, self.toward = line, toward
        self.width = -(-steps // max(1, MOST_ENTRIES // (gates * line.cell.hidden**2)))  # lags in a group
        self.groups = -(-steps // self.width)
        self.parts = line.states.new_zeros(self.groups, gates, line.cell.hidden, line.cell.hidden)
        self.shares = line.states.new_zeros(steps)
        self.top = top

    def split(self, progress: Progress | None) -> tuple[np.ndarray, Tensor, Tensor]:
        """First lag of each group, shares times ‖total‖, log10 norms of the groups."""
        steps, seed = len(self.line), self.line.seed()
        row = readout(len(seed)).to(seed)[None] @ seed / steps
        rows, exponents, waiting = row[:0], self.shares[:0], []
        for t in range(steps, 0, -1):
            rows = torch.cat([rows, row])  # of lags T−t … 0
            exponents = torch.nn.functional.pad(exponents, (0, 1), value=-self.top)
            gates, carry = self.line.at_gates(rows, t)
            by_lag = (gates * 10.0 ** exponents[:, None, None]).flip(0)
            rows = self.line.hand_on(gates, carry, t)
            if t % RESCALE == 0:
                sizes = rows.abs().amax(1).clamp(min=1e-300)
                rows, exponents = rows / sizes[:, None], exponents + sizes.log10()
            self.shares[: len(by_lag)] += by_lag.flatten(1) @ self.toward[t - 1].flatten()
            waiting.append(self._grouped(by_lag))
            if len(waiting) == CHUNK or t == 1:
                self._add(torch.stack(waiting), torch.arange(t - 1, t - 1 + len(waiting)).flip(0))
                waiting = []
                if progress:
                    progress(1 - ((t - 1) / steps) ** 2)
        norms = self.parts.flatten(1).norm(dim=1).log10() + self.top
        return np.arange(0, steps, self.width), self.shares, norms

    def _grouped(self, by_lag: Tensor) -> Tensor:
        """Rows (n, G, H) by lag, added up in groups of lags (groups, G, H)."""
        whole = by_lag.new_zeros(self.groups * self.width, *by_lag.shape[1:])
        whole[: len(by_lag)] = by_lag
        return whole.unflatten(0, (self.groups, self.width)).sum(1)

    def _add(self, deltas: Tensor, steps: Tensor) -> None:
        """Outer products of some steps: deltas (n, groups, G, H) at steps t − 1 (n,)."""
        self.parts += torch.einsum("nbgh,ngk->bghk", deltas, read(self.line)[steps])
