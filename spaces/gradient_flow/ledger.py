"""The path ledger: how much of ∂s_T/∂s_t came along the carried path, and how much through each gate.

J_s = D_s + Σ_gates B_s, with D_s the carried path (c_{s−1} times the forget gate, and its read-out into h_s) and B_s
what h_{s−1} does through one gate; sorted by the first gate that a path takes after t, the product splits exactly:

    J_{T←t} = Π D + Σ_gates Σ_s J_{T←s} · B_s · D_{s−1} ⋯ D_{t+1}

The article (archives/7888) follows one path, ∂c_s/∂c_{s−1} with o_{s−1} held fixed, and lets the forget gate lead.
Try spectral radius 0.9 and forget bias 5. In the GRU the product of the kept shares alone is then the truth. In the
LSTM the article's formula is (to a tenth of a decade over 200 steps), but not the forget gates alone: what comes back
through the candidate makes the gradient some 700 times larger.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from shared.experiment import choice
from spaces.gradient_flow.cells import CARRIED, GATES, Linearised
from spaces.gradient_flow.flow import exploded, trajectory
from spaces.gradient_flow.settings import Flow
from spaces.gradient_flow.sweep import arithmetic

Progress = Callable[[float], None]


@dataclass(frozen=True)
class Ledger:
    """Arrays over t = 0 … T−1, log10 of Frobenius norms; NaN where the run exploded."""

    name: str
    total: np.ndarray
    """Of ∂s_T/∂s_t."""
    parts: dict[str, np.ndarray]
    """Of each part: "carry", then the gates."""
    shares: dict[str, np.ndarray]
    """⟨part, J⟩/‖J‖² of each part: signed, together 1; NaN where J is zero."""
    product: np.ndarray
    """Of the product of the forget gates (1 − z in gru and su) alone."""
    one_path: np.ndarray | None
    """lstm: of the product of the article's ∂c_s/∂c_{s−1}, o_{s−1} held fixed at every step."""
    one_path_truth: np.ndarray | None
    """lstm: of the whole ∂c_T/∂c_t, h_t following c_t with o_t held fixed: what the article's product stands for."""
    exploded: int | None


def ledger(name: str, settings: Flow, progress: Progress | None = None) -> Ledger:
    """The ledger of lstm, gru or su drawn from the settings; InputError for a cell without a carried path."""
    return line_ledger(trajectory(choice("cell", name, CARRIED), settings), progress)


@torch.no_grad()
def line_ledger(line: Linearised, progress: Progress | None = None) -> Ledger:
    """The ledger of any run of lstm, gru or su."""
    name, burst = line.cell.name, exploded(line)
    parts = ("carry", *GATES[name])
    book = _Book(len(parts), len(line))
    if burst is None:
        with arithmetic():
            book.fill(line, progress)
    kept = _carried(line)
    one_path, truth = (_one_path(line).numpy(), book.truth.numpy()) if name == "lstm" else (None, None)
    return Ledger(
        name,
        book.total.numpy(),
        dict(zip(parts, book.norms.numpy(), strict=True)),
        dict(zip(parts, book.shares.numpy(), strict=True)),
        _log10_norm(kept).numpy(),
        one_path,
        truth,
        burst,
    )


class _Book:
    """The entries while they are written, from t = T−1 back to 0."""

    def __init__(self, parts: int, steps: int):
        self.total, self.truth = torch.full((2, steps), torch.nan, dtype=torch.float64)
        self.norms, self.shares = torch.full((2, parts, steps), torch.nan, dtype=torch.float64)

    def fill(self, line: Linearised, progress: Progress | None) -> None:
        steps, exponent, kept = len(line), 0.0, _carried(line)
        whole = line.seed()
        gated = whole.new_zeros(len(line.cell.gates), *whole.shape)
        self.norms[0] = _log10_norm(kept, _ends(line))
        for t in range(steps, 0, -1):
            whole, gated = back(line, whole, gated, t)
            size = torch.linalg.vector_norm(whole).item()
            if size and not 1e-30 < size < 1e30:
                whole, gated, exponent = whole / size, gated / size, exponent + math.log10(size)
            self._enter(line, whole, gated, kept[t - 1] - exponent, exponent, t - 1)
            if progress and t % 16 == 1:
                progress(1 - (t - 1) / steps)

    def _enter(self, line: Linearised, whole: Tensor, gated: Tensor, kept: Tensor, exponent: float, t: int) -> None:
        J, parts, H = line.reduce(whole, t), line.reduce(gated, t).flatten(1), line.cell.hidden
        size = torch.linalg.vector_norm(J)
        self.total[t] = size.log10() + exponent
        self.norms[1:, t] = torch.linalg.vector_norm(parts, dim=1).log10() + exponent
        self.shares[1:, t] = parts @ J.flatten() / size**2
        diagonals = torch.stack([block.diagonal() for block in J[:, -H:].split(H)])  # of h (lstm) and c rows, or of h
        self.shares[0, t] = (10.0**kept * _ends(line) * diagonals).sum() / size**2
        if line.cell.name == "lstm":
            h, c = J[H:].chunk(2, 1)
            follows = line.factors["c→h"][t - 1] if t else 0  # h_0 = 0 follows nothing
            self.truth[t] = torch.linalg.vector_norm(c + h * follows).log10() + exponent


def back(line: Linearised, whole: Tensor, gated: Tensor, t: int) -> tuple[Tensor, Tensor]:
    """J_{T←t} (R, N) and the gates' parts of it (G, R, N), one step further back: P ← P·D_t + J·B_t."""
    f, H = {k: v[t - 1] for k, v in line.factors.items()}, line.cell.hidden
    through, carried = _spread(line, whole, t)
    if line.cell.name == "gru":
        return carried + through.sum(0), torch.addcmul(through, gated, f["carry"])
    kept = torch.addcmul(gated[..., H:], gated[..., :H], f["c→h"]) * f["carry"]
    return torch.cat([through.sum(0), carried], -1), torch.cat([through, kept], -1)


def _spread(line: Linearised, rows: Tensor, t: int) -> tuple[Tensor, Tensor | None]:
    """rows · B_t of each gate, over h_{t−1} (G, R, H), and what is carried (R, H), or None."""
    at_gates, carried = line.at_gates(rows, t)
    through = torch.bmm(at_gates.transpose(0, 1), line.cell.U)
    if line.cell.name == "gru":
        through[2] *= line.factors["r"][t - 1]
    return through, carried


@torch.no_grad()
def terms(line: Linearised, t: int) -> dict[str, float]:
    """The Frobenius norms of ∂s_t/∂s_{t−1} ("total") and of its terms, "carry" and one for each gate; t from 1 to T."""
    through, carried = _spread(line, line.seed(), t)
    nothing = torch.zeros_like(through[0])
    if line.cell.parts == 2:
        through = torch.cat([through, nothing.expand_as(through)], -1)
        carried = torch.cat([nothing, carried], -1)
    parts = dict(zip(line.cell.gates, through, strict=True))
    if carried is not None:
        parts = {"carry": carried} | parts
    parts = {"total": sum(parts.values())} | parts
    return {name: torch.linalg.vector_norm(line.reduce(part, t - 1)).item() for name, part in parts.items()}


def _carried(line: Linearised) -> Tensor:
    """log10 of the product of the kept shares after step t, for t = 0 … T−1, (T, H)."""
    return line.factors["carry"].log10().flip(0).cumsum(0).flip(0)


def _ends(line: Linearised) -> Tensor:
    """How the carried path ends in s_T, (n, H): in c_T, for the lstm in h_T too."""
    ones = torch.ones(1, line.cell.hidden).to(line.states)
    return torch.cat([line.factors["c→h"][-1:], ones]) if line.cell.name == "lstm" else ones


def _log10_norm(exponents: Tensor, ends: Tensor | None = None) -> Tensor:
    """log10 of the norm of 10^exponents (T, H), each unit counted once for each end (n, H)."""
    weights = 0 if ends is None else ends.square().sum(0).log()
    return (2 * math.log(10) * exponents + weights).logsumexp(1) / (2 * math.log(10))


def one_path_jacobian(line: Linearised, t: int) -> Tensor:
    """The lstm's ∂c_t/∂c_{t−1} with o_{t−1} held fixed (H, H), the article's formula; t from 1 to T."""
    f = {k: v[t - 1, :, None] for k, v in line.factors.items()}
    through = sum(f[gate] * line.cell.U[g] for g, gate in enumerate(GATES["lstm"][:3]))
    follows = line.factors["c→h"][t - 2] if t > 1 else torch.zeros(line.cell.hidden).to(through)
    return torch.diag(f["carry"][:, 0]) + through * follows


def _one_path(line: Linearised) -> Tensor:
    """log10 of the norm of the product of one_path_jacobian over the steps after t, (T,)."""
    norms = torch.full((len(line),), torch.nan, dtype=torch.float64)
    rows, exponent = torch.eye(line.cell.hidden).to(line.states), 0.0
    for t in range(len(line), 0, -1):
        rows = rows @ one_path_jacobian(line, t)
        size = torch.linalg.vector_norm(rows).item()
        norms[t - 1] = exponent + (math.log10(size) if size else -math.inf)
        if size and not 1e-30 < size < 1e30:
            rows, exponent = rows / size, exponent + math.log10(size)
    return norms
