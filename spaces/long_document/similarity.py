"""How alike the continued positions are: a window of the n² × n² similarities, and why α = ½ breaks.

Cosine similarities of centred q are computed for the shown window alone. With r = α/(1 − α),
q_{(i,j)} − q_{(j,i)} = (1 − r)(p_j − p_i): the distance between mirrored positions is |1 − r| times that of the trained
ones, and 0 at α = ½, where the reader cannot tell (i, j) from (j, i).

Try first: `window(p, 0.4, 0, 1536)`; `mirror_distance(p, 0.5)` is 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from spaces.long_document.positions import compose, find_positions
from spaces.long_document.reader import Reader

CELLS = 96  # rows and columns of the heat map
ALPHAS = (0.05, 0.1, 0.2, 0.3, 0.35, 0.4, 0.45, 0.475, 0.49, 0.5, 0.51, 0.525, 0.55, 0.6, 0.7, 0.8, 0.9)
ASKED = 24  # positions whose nearest neighbour among all n² is searched


@dataclass(frozen=True)
class Window:
    """Similarities of positions start … start + span, at most CELLS of them."""

    alpha: float
    positions: np.ndarray
    similarity: np.ndarray
    """(rows, rows), −1 … 1."""


def trained_positions(reader: Reader) -> Tensor:
    """p (n, d), float32, on the CPU."""
    _, table, offset = find_positions(reader.model)
    return table.weight.detach()[offset:].float().cpu()


def window(p: Tensor, alpha: float, start: int, span: int) -> Window:
    """The heat map's numbers for [start, start + span), moved inside 0 … n²."""
    most = len(p) ** 2
    span = min(span, most)
    start = max(0, min(start, most - span))
    rows = torch.unique(torch.linspace(start, start + span - 1, min(CELLS, span)).round().long().clamp(max=most - 1))
    centre = p.mean(0) + alpha / (1 - alpha) * (p.mean(0) - p[0])  # of all n²
    q = F.normalize(compose(rows, p, alpha) - centre, dim=-1)
    return Window(alpha, rows.numpy(), (q @ q.T).numpy())


def mirror_distance(p: Tensor, alpha: float) -> float:
    """The least distance between (i, j) and (j, i), i ≠ j: |1 − r| times the least between trained positions."""
    return abs(1 - alpha / (1 - alpha)) * float(torch.pdist(p.double()).min())


def nearest_pair(p: Tensor, alpha: float) -> tuple[float, int]:
    """(distance that the nearest two of all n² do not exceed, which pair has it).

    The nearest trained pair stands 0: in one block at its own distance, 1: at one place of two blocks, r times that,
    2: mirrored, |1 − r| times. Other pairs may be nearer still: `nearest_distance` asks some.
    """
    ratio = alpha / (1 - alpha)
    scales = (1.0, ratio, abs(1 - ratio))
    return min(scales) * float(torch.pdist(p.double()).min()), scales.index(min(scales))


def nearest_distance(p: Tensor, alpha: float, asked: int = ASKED, seed: int = 0) -> tuple[float, float]:
    """(least, median) distance of `asked` random positions to the nearest of all n²."""
    n, found = len(p), []
    ratio = alpha / (1 - alpha)
    outer = ratio * (p - p[0])
    dice = np.random.default_rng(seed)
    # ‖(p_j + o_i) − x‖² = ‖p_j − x‖² + ‖o_i‖² + 2 o_i·(p_j − x): three products for all n² at once.
    inner_square, cross = p.square().sum(1), outer @ p.T  # (n,), (n_i, n_j)
    outer_square = outer.square().sum(1)
    for i, j in dice.integers(n, size=(asked, 2)):
        x = p[j] + outer[i]
        from_inner = inner_square - 2 * (p @ x) + x.square().sum()
        square = from_inner[None] + outer_square[:, None] + 2 * (cross - (outer @ x)[:, None])
        square[i, j] = torch.inf
        best = int(square.argmin())
        y = p[best % n] + outer[best // n]
        found.append(float((x.double() - y.double()).norm()))
    return min(found), float(np.median(found))


def sweep(p: Tensor) -> dict[str, list[float]]:
    """For each of ALPHAS the mirrored distance, the least that was found, the median of the asked to their nearest."""
    rows = []
    for alpha in ALPHAS:
        least, median = nearest_distance(p, alpha)
        rows.append((mirror_distance(p, alpha), min(least, nearest_pair(p, alpha)[0]), median))
    names = ("mirror", "least", "median")
    return {"alpha": list(ALPHAS), **{name: [row[i] for row in rows] for i, name in enumerate(names)}}
