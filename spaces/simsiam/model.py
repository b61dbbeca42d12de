"""SimSiam: encoder, projector, predictor and a loss. The whole method, as short as it is.

    z = F(x),  p = h(z),  l = ½·D(p₁, z₂) + ½·D(p₂, z₁),  D(p, z) = −cos(p, z), z detached by stop-gradient

(Chen & He, arXiv 2011.10566.) With target="ema" z comes from a moving average of the network (BYOL), with
"mean" from F(x̄).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from shared.attention import attention
from spaces.simsiam.settings import Settings

FEATURES, HIDDEN = 128, 256
RIDGE = 0.01  # of the least-squares predictor, relative to the mean eigenvalue of the second moments


class SimSiam(nn.Module):
    """The network and its loss for images of `channels` × `side` × `side`."""

    def __init__(self, settings: Settings, channels: int, side: int):
        super().__init__()
        d, norm = settings.dim, settings.batch_norm
        self.settings = settings
        self.encoder = ViT(channels, side) if settings.encoder == "vit" else convnet(channels, side)
        self.projector = mlp(FEATURES, HIDDEN, d, norm)
        if norm == "default":
            self.projector.append(nn.BatchNorm1d(d, affine=False, track_running_stats=False))
        self.predictor = mlp(d, HIDDEN // 2, d, norm) if settings.predictor in ("mlp", "fixed") else None
        if settings.predictor == "fixed":
            self.predictor.requires_grad_(False)

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        """z of images (B, C, S, S) in 0 … 1: (B, d)."""
        return self.projector(self.encoder(images - 0.5))

    def predict(self, z: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """p = h(z), (B, d); the target only teaches the least-squares predictor."""
        if self.settings.predictor == "least_squares":
            return direction(z, self.settings) @ least_squares(z, target, self.settings)
        return z if self.predictor is None else self.predictor(z)

    def forward(
        self, views: torch.Tensor, center: torch.Tensor | None = None, teacher: SimSiam | None = None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """z, p and the target they are compared with, (2B, d) each in fp32.

        views (2B, C, S, S): both views of a batch; center (B, C, S, S): x̄; teacher: the moving average.
        """
        z = self.embed(views)
        if self.settings.target == "mean":
            target = self.embed(center).repeat(2, 1)
        else:
            other = z if teacher is None else teacher.embed(views).detach()
            target = other.roll(len(other) // 2, 0)  # each view's target is the other view
        if self.settings.stop_gradient:
            target = target.detach()
        return z.float(), self.predict(z, target).float(), target.float()

    def loss(self, p: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Mean distance D of predictions and targets (2B, d): both halves of the symmetric loss at once."""
        if self.settings.distance == "squared":
            return F.mse_loss(p, target)
        return -F.cosine_similarity(p, target).mean()


def direction(z: torch.Tensor, settings: Settings) -> torch.Tensor:
    """What the distance sees of z: its direction for cosine, all of it for squared."""
    return F.normalize(z.float(), dim=1) if settings.distance == "cosine" else z.float()


def least_squares(z: torch.Tensor, target: torch.Tensor, settings: Settings) -> torch.Tensor:
    """W (d, d) that minimises ‖zW − target‖² + ridge on this batch: a predictor that is never late.

    It is a constant to the gradient: at its own optimum the loss does not change with W to first order.
    """
    with torch.no_grad(), torch.autocast(z.device.type, enabled=False):
        z, target = direction(z, settings), direction(target, settings)
        second, cross = z.T @ z / len(z), z.T @ target / len(z)
        ridge = RIDGE * second.trace() / len(second) + 1e-12
        return torch.linalg.solve(second + ridge * torch.eye(len(second), device=z.device), cross)


def mlp(width: int, hidden: int, out: int, norm: str) -> nn.Sequential:
    """Two layers; BatchNorm by the batch's own statistics, in training and in measuring."""
    between = [] if norm == "none" else [nn.BatchNorm1d(hidden, track_running_stats=False)]
    return nn.Sequential(nn.Linear(width, hidden), *between, nn.ReLU(), nn.Linear(hidden, out))


def convnet(channels: int, side: int) -> nn.Sequential:
    """Three 3 × 3 convolutions, BatchNorm and ReLU, mean over the places: (B, 128)."""
    layers, width = [], channels
    for out, stride in ((32, 2 if side > 16 else 1), (64, 2), (FEATURES, 2)):
        norm = nn.BatchNorm2d(out, track_running_stats=False)
        layers += [nn.Conv2d(width, out, 3, stride, 1, bias=False), norm, nn.ReLU()]
        width = out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


class ViT(nn.Module):
    """A small vision transformer on 4 × 4 patches' worth of tokens (16), mean-pooled: (B, 128)."""

    def __init__(self, channels: int, side: int, width: int = 64, depth: int = 2):
        super().__init__()
        self.patches = nn.Conv2d(channels, width, side // 4, side // 4)
        self.places = nn.Parameter(torch.empty(16, width))
        self.blocks = nn.Sequential(*(Block(width) for _ in range(depth)))
        self.out = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, FEATURES))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        tokens = self.patches(images).flatten(2).mT + self.places  # (B, 16, width)
        return self.out(self.blocks(tokens).mean(1))


class Block(nn.Module):
    """Pre-LN: shared attention with 4 heads, then an MLP of twice the width."""

    def __init__(self, width: int, heads: int = 4):
        super().__init__()
        self.heads = heads
        self.norm, self.qkv, self.mix = (
            nn.LayerNorm(width),
            nn.Linear(width, 3 * width),
            nn.Linear(width, width),
        )
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.qkv(self.norm(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # (B, H, L, D)
        x = x + self.mix(attention(q, k, v).transpose(1, 2).flatten(2))
        return x + self.mlp(x)


@torch.no_grad()
def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """torch's own default initialisation, drawn from one generator instead of the global one."""
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Conv2d):
            bound = part.weight[0].numel() ** -0.5  # kaiming_uniform_(a=√5)
            part.weight.uniform_(-bound, bound, generator=generator)
            if part.bias is not None:
                part.bias.uniform_(-bound, bound, generator=generator)
        elif isinstance(part, ViT):
            part.places.normal_(0, 0.5, generator=generator)  # as large as the patches: places count from the start
        elif isinstance(part, nn.LayerNorm | nn.BatchNorm1d | nn.BatchNorm2d) and part.weight is not None:
            part.weight.fill_(1)
            part.bias.zero_()
