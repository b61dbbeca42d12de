"""The largest singular value of matrices that are only applied: power iteration, kept and combined (Golub and Kahan).

Plain power iteration needs hundreds of products where the two largest singular values are close, as they are in random
matrices; the best combination of all its vectors needs some twenty, fewer from a good start.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

MOST_STEPS = 60
TOLERANCE = 1e-7  # of the residual, relative; the value's own error is smaller still where the next value is apart


def largest_singular_values(
    apply: Callable[[Tensor], Tensor], transposed: Callable[[Tensor], Tensor], start: Tensor
) -> tuple[Tensor, Tensor]:
    """Of B matrices (M, N) at once: values (B,), and right singular vectors (B, N) to start the next search from.

    apply: (B, N) → (B, M), each vector by its own matrix; transposed: (B, M) → (B, N); start (B, N), not zero.
    """
    rights, lefts, alphas, betas = [_unit(start)[0]], [], [], []
    for step in range(min(MOST_STEPS, start.shape[-1])):
        left = apply(rights[-1])
        left, alpha = _unit(_without(left, lefts))
        right, beta = _unit(_without(transposed(left), rights))
        lefts, rights, alphas, betas = [*lefts, left], [*rights, right], [*alphas, alpha], [*betas, beta]
        if step % 4 == 3 or step + 1 == start.shape[-1]:
            U, S, V = _bidiagonal(alphas, betas)
            if (beta * U[:, -1, 0].abs() <= TOLERANCE * S[:, 0]).all():
                break
    U, S, V = _bidiagonal(alphas, betas)
    return S[:, 0], torch.einsum("kbn,bk->bn", torch.stack(rights[: len(alphas)]), V[:, 0])


def _unit(x: Tensor) -> tuple[Tensor, Tensor]:
    """Vectors of length one (a zero one stays zero), and their lengths (B,)."""
    length = torch.linalg.vector_norm(x, dim=-1)
    return x / length.clamp(min=torch.finfo(x.dtype).tiny)[:, None], length


def _without(x: Tensor, basis: list[Tensor]) -> Tensor:
    """Vectors (B, N) made orthogonal to k others each, twice for the sake of rounding."""
    if not basis:
        return x
    Q = torch.stack(basis, 1)  # (B, k, N)
    for _ in range(2):
        x = x - ((Q @ x[..., None]).mT @ Q)[:, 0]
    return x


def _bidiagonal(alphas: list[Tensor], betas: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """SVD of the small matrices (B, k, k) that the search sees: alphas on the diagonal, betas right of it."""
    return torch.linalg.svd(torch.diag_embed(torch.stack(alphas, -1)) + _above(betas))


def _above(betas: list[Tensor]) -> Tensor:
    return torch.diag_embed(torch.stack(betas[:-1], -1), 1) if len(betas) > 1 else torch.zeros(1).to(betas[0])
