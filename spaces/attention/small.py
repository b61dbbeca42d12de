"""A small Transformer whose every attention goes through shared.attention, so that its backend can be swapped.

Try first: `Small(*vocabulary("recall"))(batch.tokens, batch.labels.shape[1], "taylor")`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from shared.attention import attention
from shared.random_features import Features

WIDTH, HEADS, LAYERS = 64, 4, 2


class Block(nn.Module):
    """Attention and an MLP of twice the width, each after a layer norm (pre-LN)."""

    def __init__(self):
        super().__init__()
        self.before, self.between = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH, bias=False), nn.Linear(WIDTH, WIDTH, bias=False)
        self.up, self.down = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)

    def heads(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """q, k, v (B, H, L, D) of x (B, L, WIDTH)."""
        return self.qkv(self.before(x)).unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4).unbind(0)

    def forward(self, x: torch.Tensor, backend: str, features: Features | None) -> torch.Tensor:
        out = attention(*self.heads(x), backend=backend, features=features)
        x = x + self.out(out.transpose(1, 2).flatten(2))
        return x + self.down(F.gelu(self.up(self.between(x))))


class Small(nn.Module):
    """tokens (B, L, K) -> scores of the last `asked` places (B, asked, C), or of the mean of all where one is asked."""

    def __init__(self, ids: int, classes: int):
        super().__init__()
        self.embed = nn.Embedding(ids, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm, self.read = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, classes)

    def forward(
        self, tokens: torch.Tensor, asked: int, backend: str = "auto", features: Features | None = None
    ) -> torch.Tensor:
        x = self.embed(tokens).sum(2)
        for i, block in enumerate(self.blocks):
            own = features and Features(features.kind, features.draw, features.count, features.seed + i)
            x = block(x, backend, own)
        x = x.mean(1, keepdim=True) if asked == 1 else x[:, -asked:]
        return self.read(self.norm(x))

    @torch.no_grad()
    def queries_and_keys(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """q and k (LAYERS · H, L, D) of the first sequence, under exact attention."""
        x, found = self.embed(tokens[:1]).sum(2), []
        for block in self.blocks:
            found.append([part[0] for part in block.heads(x)[:2]])
            x = block(x, "auto", None)
        q, k = (torch.cat(parts) for parts in zip(*found, strict=True))
        return q, k
