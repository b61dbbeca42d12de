"""The optimiser of the small CPM: Muon for the layers' matrices, AdamW for embeddings, biases and norms.

Muon (Jordan et al. 2024) replaces a matrix's momentum by the nearest matrix with equal singular values, found by five
Newton-Schulz steps; scaled to a root mean square of 0.2 as in Moonlight (arXiv 2502.16982), it shares AdamW's rates.
Matrices of one shape are stacked and orthogonalised together; GPT-2's joint query-key-value matrix is taken as three.
"""

from __future__ import annotations

import torch
from transformers import GPT2LMHeadModel

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # Newton-Schulz, tuned for speed: singular values end between 0.7 and 1.2


def orthogonalise(stack: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Nearest (semi-)orthogonal matrix, roughly, of each in a stack (N, R, C); computed in bfloat16."""
    a, b, c = COEFFICIENTS
    x = stack.bfloat16()
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.mT if tall else x).to(stack.dtype)


class Muon(torch.optim.Optimizer):
    """Momentum (Nesterov), orthogonalised, with decoupled weight decay; for matrices (R, C) only."""

    def __init__(self, matrices: list[torch.nn.Parameter], lr: float, weight_decay: float, momentum: float = 0.95):
        super().__init__(matrices, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None) -> None:
        for group in self.param_groups:
            stacks: dict[torch.Size, list[tuple[torch.Tensor, torch.Tensor]]] = {}
            for p in group["params"]:
                if p.grad is None:
                    continue
                mean = self.state[p].setdefault("momentum", torch.zeros_like(p))
                mean.lerp_(p.grad, 1 - group["momentum"])
                direction = p.grad.lerp(mean, group["momentum"])
                parts = 3 if p.shape[1] == 3 * p.shape[0] else 1  # query, key and value apart
                for part, target in zip(direction.chunk(parts, 1), p.chunk(parts, 1), strict=True):
                    stacks.setdefault(part.shape, []).append((part, target))
            for shape, pairs in stacks.items():
                moves = orthogonalise(torch.stack([part for part, _ in pairs])) * (0.2 * max(shape) ** 0.5)
                for move, (_, target) in zip(moves, pairs, strict=True):
                    target.mul_(1 - group["lr"] * group["weight_decay"]).sub_(move, alpha=group["lr"])


def optimisers(model: GPT2LMHeadModel, lr: float, decay: float = 0.1) -> list[torch.optim.Optimizer]:
    """Muon for the layers' matrices, AdamW at half its rate for the rest; of those only the word embedding decays.

    Every parameter group remembers its highest rate as "peak", for the schedule.
    """
    matrices = [p for p in model.transformer.h.parameters() if p.ndim == 2]
    words = [model.transformer.wte.weight]
    chosen = {id(p) for p in matrices + words}
    others = [p for p in model.parameters() if id(p) not in chosen]
    fused = words[0].is_cuda
    adam = torch.optim.AdamW(
        [{"params": words, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}],
        lr=lr / 2, betas=(0.9, 0.95), eps=1e-10, fused=fused,
    )  # fmt: skip
    both = [Muon(matrices, lr, decay), adam]
    for group in (group for optimiser in both for group in optimiser.param_groups):
        group["peak"] = group["lr"]
    return both
