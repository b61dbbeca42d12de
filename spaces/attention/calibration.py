"""How far a classifier's confidence is from its accuracy: ECE by bins of equal width and of equal mass.

ECE = Σ over bins of (share of the samples) · |accuracy − mean confidence|; confidence is the largest probability. With
few samples a bin's accuracy is noisy and ECE is biased upwards: compare, do not take it for the truth.

Try first: `ece(torch.tensor([0.9, 0.9, 0.6, 0.6]), torch.tensor([1.0, 1.0, 0.0, 1.0]))`.
"""

from __future__ import annotations

import torch

BINS = 15


def reliability(confidence: torch.Tensor, right: torch.Tensor, bins: int = BINS) -> tuple[torch.Tensor, ...]:
    """Count, mean confidence and accuracy (…, bins), bins of equal width; confidence (…, N), right (…, N) 0 or 1."""
    place = (confidence * bins).ceil().long().clamp(1, bins) - 1  # (low, high], as in Guo et al., arXiv 1706.04599
    zeros = confidence.new_zeros(*confidence.shape[:-1], bins)
    count = zeros.scatter_add(-1, place, torch.ones_like(confidence))
    sums = [zeros.scatter_add(-1, place, values.to(confidence)) for values in (confidence, right)]
    return count, *(total / count.clamp(min=1) for total in sums)


def ece(confidence: torch.Tensor, right: torch.Tensor, bins: int = BINS) -> torch.Tensor:
    """Expected calibration error (…) over bins of equal width."""
    count, sure, accurate = reliability(confidence, right, bins)
    return (count * (accurate - sure).abs()).sum(-1) / count.sum(-1)


def ece_mass(confidence: torch.Tensor, right: torch.Tensor, bins: int = BINS) -> torch.Tensor:
    """The same over bins of equally many samples."""
    ordered, order = confidence.sort(-1)
    right = right.to(confidence).gather(-1, order)
    total = confidence.new_zeros(confidence.shape[:-1])
    for sure, accurate in zip(ordered.tensor_split(bins, -1), right.tensor_split(bins, -1), strict=True):
        if sure.shape[-1]:
            total = total + (accurate.mean(-1) - sure.mean(-1)).abs() * sure.shape[-1]
    return total / confidence.shape[-1]
