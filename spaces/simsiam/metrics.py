"""How collapsed is an output: std × √d, effective rank, spectrum, neighbours; pure functions of arrays.

The loss alone cannot tell: it goes to −1 when everything maps to one point, and comes close to −1 without.
The standard deviation of the l2-normalised output can: 1/√d a channel when spread evenly, 0 when collapsed.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F


def spread(z: torch.Tensor) -> float:
    """std × √d of the l2-normalised output (N, d): 1 spread evenly, 0 collapsed."""
    unit = F.normalize(z.float(), dim=1)
    return float(unit.std(0, correction=0).mean() * z.shape[1] ** 0.5)


def spectrum(z: torch.Tensor) -> torch.Tensor:
    """Eigenvalues (d,) of the covariance of the l2-normalised output (N, d), largest first."""
    unit = F.normalize(z.float(), dim=1)
    unit = unit - unit.mean(0)
    return torch.linalg.eigvalsh((unit.T @ unit / len(unit)).double()).flip(0).clamp(min=0).float()


def effective_rank(z: torch.Tensor) -> float:
    """exp of the entropy of the second moments' eigenvalues of the l2-normalised output (N, d): 1 … d.

    About the origin, not the mean, as in RankMe (arXiv 2210.02885): the eigenvalues then sum to 1, and a
    collapsed output has rank 1, where its covariance would only show the rank of the noise that is left.
    """
    unit = F.normalize(z.float(), dim=1)
    share = torch.linalg.eigvalsh((unit.T @ unit / len(unit)).double()).clamp(min=0)
    share = share / share.sum().clamp(min=1e-12)
    return float(torch.exp(-torch.xlogy(share, share).sum()))


def neighbours(
    bank: torch.Tensor, bank_labels: torch.Tensor, query: torch.Tensor, query_labels: torch.Tensor, k: int = 5
) -> float:
    """Share of queries (M, d) whose k nearest of the bank (N, d), by cosine, vote for the right label."""
    near = (F.normalize(query.float(), dim=1) @ F.normalize(bank.float(), dim=1).T).topk(min(k, len(bank))).indices
    votes = F.one_hot(bank_labels[near], int(bank_labels.max()) + 1).sum(1)  # ties go to the smaller label
    return float((votes.argmax(1) == query_labels).float().mean())


def principal_axes(z: torch.Tensor, previous: torch.Tensor | None) -> torch.Tensor:
    """Two principal axes (d, 2) of z (N, d), following the previous ones so that a film does not jump.

    Two power iterations from the previous axes follow the leading plane continuously, also where eigenvalues
    cross; the plane's basis is the rotation nearest to the previous one (Procrustes).
    """
    centred = (z - z.mean(0)).double()
    covariance = centred.T @ centred
    covariance = covariance / covariance.trace().clamp(min=1e-300)
    if previous is None:
        return torch.linalg.eigh(covariance).eigenvectors[:, -2:].flip(1).float()
    axes = torch.linalg.qr(covariance @ (covariance @ previous.double()) + 1e-12 * previous.double()).Q
    left, _, right = torch.linalg.svd(axes.T @ previous.double())
    return (axes @ left @ right).float()
