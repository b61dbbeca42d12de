"""What the closed forms say of a whole attention: the expected error of its weights, to first order in 1/features.

The weight of key j is A_j (1 + ε_j) / Σ A_l (1 + ε_l), so δA_j = A_j (ε_j − Σ_l A_l ε_l) to first order, and the
relative errors ε of one query's keys, which share their ω, have a covariance in closed form. With z_j = q + k_j,
u_j = q − k_j and independent draws:

    positive       cov(ε_j, ε_l) = (exp(z_j·z_l) − 1) / draws
    hyperbolic     cov(ε_j, ε_l) = (cosh(z_j·z_l) − 1) / draws
    trigonometric  cov(ε_j, ε_l) = (cosh(u_j·u_l) − 1) / draws

No figure of the article or the paper says this much; tests/spaces/attention/test_predict.py checks it by simulation. It
holds while the error is small: from some 0.2 on the quotient's higher orders count, and the truth lies elsewhere.
"""

from __future__ import annotations

import torch

MOST_QUERIES = 24
MOST_KEYS = 512


def relative_error(q: torch.Tensor, k: torch.Tensor, kind: str, features: int, scale: float) -> float:
    """√(E‖Â − A‖² / ‖A‖²) of the weights, q (n, D) and k (N, D); inf where the closed form overflows.

    Estimated from at most MOST_QUERIES queries, spread evenly; keys beyond MOST_KEYS are left out (the heaviest stay).
    """
    q, k = q.double() * scale**0.5, k.double() * scale**0.5
    rows = q[:: -(-len(q) // MOST_QUERIES)]
    wrong = total = 0.0
    for row in rows:
        weights = (k @ row).softmax(0)
        kept = weights.topk(min(MOST_KEYS, len(k))).indices
        wrong += float(row_error(row, k[kept], weights[kept], kind))
        total += float(weights.square().sum())
    draws = features if kind == "positive" else features / 2
    error = (wrong / draws / total) ** 0.5 if total else 0.0
    return error if error == error else float("inf")


def row_error(q: torch.Tensor, k: torch.Tensor, weights: torch.Tensor, kind: str) -> torch.Tensor:
    """draws · E‖δA‖² of one query q (D,) with keys k (N, D) and weights (N,)."""
    apart = q - k if kind == "trigonometric" else q + k
    gram = apart @ apart.T
    covariance = torch.expm1(gram) if kind == "positive" else gram.cosh() - 1
    mean = covariance @ weights  # of each key's error with the normaliser's
    return (weights.square() * (covariance.diagonal() - 2 * mean + weights @ mean)).sum().clamp(min=0)
