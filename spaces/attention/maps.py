"""Attention maps of backends that never make one: feed V = I, a block of columns at a time, and read the output.

Try first: `weights(*sample("retrieval"), "performer", Features())` beside the same with "sdpa".
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from shared.attention import attention
from shared.random_features import Features

BLOCK = 512


def weights(
    q: torch.Tensor, k: torch.Tensor, backend: str, scale: float, features: Features | None = None
) -> torch.Tensor:
    """The weights (n, N) that a backend gives keys k (N, D) for queries q (n, D)."""
    columns = []
    for start in range(0, len(k), BLOCK):
        width = min(BLOCK, len(k) - start)
        v = torch.zeros(len(k), width)
        v[start : start + width] = torch.eye(width)
        how = {"features": features} if backend == "performer" else {}
        columns.append(
            attention(q[None, None], k[None, None], v[None, None], scale=scale, backend=backend, **how)[0, 0]
        )
    return torch.cat(columns, 1)


@dataclass(frozen=True)
class Difference:
    """How far a map is from the exact one."""

    error: float
    """‖Â − A‖ / ‖A‖, Frobenius."""
    moved: float
    """Half the sum of |Â − A| over a row, averaged: the weight that went to other keys."""
    same_top: float
    """Part of the queries whose heaviest key is the same."""
    negative: float
    """Part of the weights below zero."""


def difference(approximate: torch.Tensor, exact: torch.Tensor) -> Difference:
    """Of two maps (n, N)."""
    apart = approximate - exact
    return Difference(
        float(apart.norm() / exact.norm()),
        float(apart.abs().sum(1).mean() / 2),
        float((approximate.argmax(1) == exact.argmax(1)).float().mean()),
        float((approximate < 0).float().mean()),
    )


def pooled(found: torch.Tensor, most: int = 64) -> torch.Tensor:
    """At most `most` rows and columns: means over blocks, the last one short."""
    for dim in (0, 1):
        size = -(-found.shape[dim] // most)
        found = torch.stack([part.mean(dim) for part in found.split(size, dim)], dim)
    return found
