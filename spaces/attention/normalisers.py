"""Ways to turn scores into probabilities: softmax, the even Taylor polynomials raw and clamped, and other kernels.

The hunch (archives/7919, arXiv 2011.11538): in place of exp a polynomial, which grows more slowly, might make a
classifier better, or less sure of itself. The raw polynomials rise again on the left, so a very negative score is a
high one; clamped at their minimum they do not, but pass no gradient from there.

Try first: `probabilities("taylor2", torch.tensor([-10.0, 0.0, 2.0]))`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from spaces.attention.taylor import minimum, taylor

NORMALISERS = (
    "softmax",
    "taylor2",
    "clamped2",
    "taylor4",
    "clamped4",
    "taylor6",
    "clamped6",
    "sigmoid",
    "softplus",
    "square",
    "sparsemax",
)
TINY = 1e-12
"""Probabilities below count as so much in logarithms: sparsemax gives zeros."""


def probabilities(name: str, scores: torch.Tensor) -> torch.Tensor:
    """Probabilities (…, C) of scores (…, C)."""
    if name == "softmax":
        return scores.softmax(-1)
    if name == "sparsemax":
        return (scores - threshold(scores)).clamp(min=0)
    kernel = _kernel(name, scores)
    return kernel / kernel.sum(-1, keepdim=True).clamp(min=TINY)


def loss(name: str, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """−log p of the labels (…,) for scores (…, C); for sparsemax its own convex loss, for log 0 has no gradient."""
    picked = labels[..., None]
    if name == "softmax":
        return F.cross_entropy(scores.flatten(0, -2), labels.flatten(), reduction="none").view(labels.shape)
    if name != "sparsemax":
        kernel = _kernel(name, scores)
        return kernel.sum(-1).clamp(min=TINY).log() - kernel.gather(-1, picked)[..., 0].clamp(min=TINY).log()
    # Martins & Astudillo, arXiv 1602.02068: ½ Σ over the support of (z² − τ²) − z_y + ½
    tau = threshold(scores)
    inside = torch.where(scores > tau, scores.square() - tau.square(), 0.0).sum(-1)
    return inside / 2 - scores.gather(-1, picked)[..., 0] + 0.5


def threshold(scores: torch.Tensor) -> torch.Tensor:
    """τ (…, 1) with Σ max(z − τ, 0) = 1."""
    ordered = scores.sort(-1, descending=True).values
    totals, count = ordered.cumsum(-1) - 1, torch.arange(1, scores.shape[-1] + 1, device=scores.device)
    support = (ordered * count > totals).sum(-1, keepdim=True)
    return totals.gather(-1, support - 1) / support


def _kernel(name: str, scores: torch.Tensor) -> torch.Tensor:
    if name.startswith("taylor"):
        return taylor(scores, int(name[6:]))
    if name.startswith("clamped"):
        n = int(name[7:])
        return taylor(scores.clamp(min=float(minimum(n).x)), n)
    return {"sigmoid": torch.sigmoid, "softplus": F.softplus, "square": torch.square}[name](scores)
