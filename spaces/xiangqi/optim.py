"""Muon for the matrices of a transformer, AdamW for everything else.

Muon (Keller Jordan, 2024) steps along the orthogonalised momentum of a matrix; scaled by
0.2·√max(rows, columns), its steps are as large as AdamW's, so that both share one learning rate. Matrices of
one shape are orthogonalised together, and fused matrices (query-key-value, relations) as their parts.
"""

from __future__ import annotations

from collections import defaultdict

import torch

from spaces.xiangqi.bearing import AMONG, AROUND

INNER = (".blocks.", ".h.", ".pool.", ".summary.", ".tell.", ".bear.", ".square_")
"""Parts of the names of the matrices inside the networks; the others are embeddings and heads."""
FUSED = {".qkv.": 3, ".c_attn.": 3, ".relate.": AMONG, ".bear.": AROUND}
"""Of them, those that are several matrices beside one another, along their longer side."""


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


class Muon(torch.optim.Optimizer):
    """Momentum orthogonalised; parameters are matrices. Decay is decoupled, as in AdamW.

    parts: {parameter: of how many matrices it consists along its longer side}, 1 for those not named.
    """

    def __init__(self, params, lr: float, momentum: float = 0.95, weight_decay: float = 0.1,
                 parts: dict[torch.Tensor, int] | None = None):
        self.parts = parts or {}
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
            count, axis = self.parts.get(p, 1), int(p.shape[1] > p.shape[0])
            for target, part in zip(p.chunk(count, axis), step.chunk(count, axis), strict=True):
                by_shape[part.shape].append((target, part))
        for shape, pairs in by_shape.items():
            updates = orthogonalise(torch.stack([part for _, part in pairs])).float()
            torch._foreach_add_([target for target, _ in pairs], list(updates.unbind()),
                                alpha=-lr * 0.2 * max(shape) ** 0.5)


def optimizers(model: torch.nn.Module, lr: float) -> list[torch.optim.Optimizer]:
    """[Muon for the layers' matrices, AdamW for embeddings, gains, biases and heads]."""
    matrices, rest, parts = [], [], {}
    for name, p in model.named_parameters():
        (matrices if p.ndim == 2 and any(part in name for part in INNER) else rest).append(p)
        parts[p] = next((count for part, count in FUSED.items() if part in name), 1)
    fused = bool(rest) and rest[0].is_cuda
    return [Muon(matrices, lr, parts=parts),
            torch.optim.AdamW(rest, lr, betas=(0.9, 0.98), weight_decay=0.0, fused=fused)]
