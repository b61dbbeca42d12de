"""Muon for the matrices of a transformer, AdamW for everything else.

Muon (Keller Jordan, 2024) steps along the orthogonalised momentum of a matrix; scaled by
0.2·√max(rows, columns), its steps are as large as AdamW's, so that both share one learning rate. Matrices of
one shape are orthogonalised together, and the fused query-key-value matrices as their three parts.
"""

from __future__ import annotations

from collections import defaultdict

import torch


def orthogonalise(matrices: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Half-orthogonal matrices near (N, R, C), singular values 0.7 … 1.2, by Newton–Schulz in bf16."""
    x = matrices.bfloat16()
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x.mT if tall else x


def _parts(matrix: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The three parts of a fused (3D, D) or (D, 3D) matrix, or the matrix itself."""
    rows, columns = matrix.shape
    if rows == 3 * columns:
        return matrix.chunk(3, 0)
    return matrix.chunk(3, 1) if columns == 3 * rows else (matrix,)


class Muon(torch.optim.Optimizer):
    """Momentum orthogonalised; parameters are matrices. Decay is decoupled, as in AdamW."""

    def __init__(self, params, lr: float, momentum: float = 0.95, weight_decay: float = 0.1):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None) -> None:
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            for p in params:
                if "momentum" not in self.state[p]:
                    self.state[p]["momentum"] = torch.zeros_like(p)
            grads, moments = [p.grad for p in params], [self.state[p]["momentum"] for p in params]
            torch._foreach_lerp_(moments, grads, 1 - group["momentum"])
            nesterov = torch._foreach_lerp(grads, moments, group["momentum"])
            torch._foreach_mul_(params, 1 - group["lr"] * group["weight_decay"])
            self._apply(params, nesterov, group["lr"])

    def _apply(self, params: list[torch.Tensor], steps: list[torch.Tensor], lr: float) -> None:
        by_shape = defaultdict(list)
        for p, step in zip(params, steps, strict=True):
            for target, part in zip(_parts(p), _parts(step), strict=True):
                by_shape[part.shape].append((target, part))
        for shape, pairs in by_shape.items():
            updates = orthogonalise(torch.stack([part for _, part in pairs])).float()
            torch._foreach_add_([target for target, _ in pairs], list(updates.unbind()),
                                alpha=-lr * 0.2 * max(shape) ** 0.5)


def optimizers(model: torch.nn.Module, lr: float) -> list[torch.optim.Optimizer]:
    """[Muon for the layers' matrices, AdamW for embeddings, gains, biases and heads]."""
    matrices, rest = [], []
    for name, p in model.named_parameters():
        inner = any(part in name for part in (".blocks.", ".h.", "summary", "tell")) and p.ndim == 2
        (matrices if inner and not name.endswith("place") else rest).append(p)
    fused = bool(rest) and rest[0].is_cuda
    return [Muon(matrices, lr), torch.optim.AdamW(rest, lr, betas=(0.9, 0.98), weight_decay=0.0, fused=fused)]
