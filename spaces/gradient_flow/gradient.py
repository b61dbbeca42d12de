"""∂L/∂θ of a recurrent cell and what clipping does to it, for L = w·s_T with one fixed random w of length one.

Clipping by norm keeps the direction and only shortens; clipping each entry, to the same norm, turns the gradient. The
gradients at the gates are kept with an exponent for each step, for they leave float64's range.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from spaces.gradient_flow.cells import Linearised


@dataclass(frozen=True)
class Clipping:
    """Norms of ∂L/∂θ as logarithms to base 10."""

    before: float
    after: float
    """min(before, log10 clip): what clipping by norm leaves. Its direction stays."""
    turned: float
    """Degrees by which clipping every entry at one threshold, chosen to leave the same norm, would turn it."""


def readout(width: int) -> Tensor:
    """w (N,), of length one: the same for every cell of that width."""
    w = torch.randn(width, generator=torch.Generator().manual_seed(width), dtype=torch.float64)
    return w / torch.linalg.vector_norm(w)


@torch.no_grad()
def adjoint(line: Linearised, every: bool = False) -> tuple[Tensor, Tensor]:
    """∂L/∂a_t at every gate's pre-activation, (T, G, H), without its factor 10^exponent (T,), of any size.

    every: L is the mean of w·s_τ over all steps τ = 1 … T.
    """
    seed, exponent = line.seed(), 0.0
    asked = readout(len(seed)).to(seed)[None] @ seed / (len(line) if every else 1)
    rows, deltas, exponents = asked, [], []
    for t in range(len(line), 0, -1):
        if every and t < len(line):
            rows = rows + asked * 10.0**-exponent
        gates, carry = line.at_gates(rows, t)
        deltas.append(gates[0])
        exponents.append(exponent)
        rows = line.hand_on(gates, carry, t)
        size = rows.abs().max().item()
        if size and not 1e-30 < size < 1e30:
            rows, exponent = rows / size, exponent + math.log10(size)
    return torch.stack(deltas[::-1]), torch.tensor(exponents[::-1], dtype=torch.float64)


def read(line: Linearised) -> Tensor:
    """What each gate's U multiplies at each step, (T, G, H): h_{t−1}, but r∘h_{t−1} for the gru's candidate."""
    before = line.states[:-1, 0]
    out = before[:, None].expand(-1, len(line.cell.gates), -1)
    return out if line.cell.name != "gru" else torch.cat([out[:, :2], (line.gates[:, 0] * before)[:, None]], 1)


def gradient(line: Linearised) -> tuple[Tensor, float]:
    """∂L/∂(W, U, b) in one vector of some scale, and the log10 of the factor that it lacks."""
    deltas, exponents = adjoint(line)
    top = exponents.max().item()
    deltas = deltas * 10.0 ** (exponents - top)[:, None, None]
    parts = (
        torch.einsum("tgh,td->ghd", deltas, line.x),
        torch.einsum("tgh,tgk->ghk", deltas, read(line)),
        deltas.sum(0),
    )
    return torch.cat([p.flatten() for p in parts]), top


def clip(vector: Tensor, exponent: float, threshold: float) -> Clipping:
    """Clipping of the gradient vector · 10^exponent at a threshold above 0."""
    size = torch.linalg.vector_norm(vector).item()
    before = math.log10(size) + exponent if size else -math.inf
    after = min(before, math.log10(threshold))
    if not math.isfinite(before) or after == before:
        return Clipping(before, after, 0.0)
    clamped = _clamped(vector / size, 10.0 ** (after - before))
    cosine = (clamped @ vector / size / torch.linalg.vector_norm(clamped)).item()
    return Clipping(before, after, math.degrees(math.acos(min(1.0, cosine))))


def _clamped(unit: Tensor, norm: float) -> Tensor:
    """A vector of length 1 with every entry clamped at the one level that leaves `norm`, below 1."""
    norm = max(norm, 1e-100)  # below it the direction, the signs alone, no longer changes
    sizes = unit.abs().sort().values
    smaller = torch.cat([sizes.new_zeros(1), sizes.square().cumsum(0)[:-1]])  # weight of all smaller entries
    larger = torch.arange(len(sizes), 0, -1).to(sizes)  # how many are not smaller
    k = int(torch.searchsorted(smaller + larger * sizes.square(), norm**2).clamp(max=len(sizes) - 1))
    level = ((norm**2 - smaller[k]).clamp(min=0) / larger[k]).sqrt()
    return unit.clamp(-level, level)
