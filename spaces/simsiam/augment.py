"""Random views of a batch, in plain torch: one warp for all geometry, then light, noise and a hole.

`views(images, settings, generator)` makes SimSiam's two views T(x); `mean_view` makes x̄ = E T(x) of the
author's open question. All draws come from one CPU generator: a seed gives the same views on every device.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from spaces.simsiam.settings import Settings

MEAN_OF = 8  # augmentations that x̄ is the mean of


def views(images: torch.Tensor, settings: Settings, generator: torch.Generator) -> torch.Tensor:
    """Two augmentations of uint8 images (B, C, S, S): (2B, C, S, S) float in 0 … 1, first all first views."""
    return augment(_unit(images).repeat(2, 1, 1, 1), settings, generator)


def mean_view(images: torch.Tensor, settings: Settings, generator: torch.Generator) -> torch.Tensor:
    """x̄, the mean of eight augmentations: (B, C, S, S) float in 0 … 1."""
    many = augment(_unit(images).repeat(MEAN_OF, 1, 1, 1), settings, generator)
    return many.unflatten(0, (MEAN_OF, -1)).mean(0)


def _unit(images: torch.Tensor) -> torch.Tensor:
    return images.float() / 255


def augment(images: torch.Tensor, settings: Settings, generator: torch.Generator) -> torch.Tensor:
    """Each image (B, C, S, S) of a float batch in 0 … 1 through its own draw of the chosen augmentations."""
    chosen, strength = settings.augmentations, settings.strength
    if chosen == ("identity",) or not strength:
        return images
    draws = (torch.rand(len(images), 12, generator=generator) * 2 - 1).to(images.device)  # (B, 12) in −1 … 1
    out = _warp(images, chosen, strength, draws)
    if "contrast" in chosen:
        gain, bias = (draws[:, i, None, None, None] * strength for i in (6, 7))
        out = ((out - 0.5) * (1 + 0.8 * gain) + 0.5 + 0.3 * bias).clamp(0, 1)
    if "noise" in chosen:
        grain = torch.randn(out.shape, generator=generator).to(out.device)
        out = (out + 0.2 * strength * grain).clamp(0, 1)
    return _cut_out(out, strength, draws) if "cutout" in chosen else out


def _warp(images: torch.Tensor, chosen: tuple[str, ...], strength: float, draws: torch.Tensor) -> torch.Tensor:
    """Crop, shift, rotation and flip as one resampling; what lies outside is black."""
    if not {"crop", "shift", "rotate", "flip"} & set(chosen):
        return images
    zero = torch.zeros_like(draws[:, 0])
    angle = draws[:, 0] * strength * (torch.pi / 4) if "rotate" in chosen else zero
    scale = 1 - 0.3 * strength * (1 + draws[:, 1]) if "crop" in chosen else zero + 1  # side of the crop
    offset = draws[:, 2:4] * (1 - scale)[:, None]  # keeps the crop inside the image
    if "shift" in chosen:
        offset = offset + 0.5 * strength * draws[:, 4:6]  # a quarter of the side at full strength
    mirror = torch.where(draws[:, 8] < 0, -1.0, 1.0) if "flip" in chosen else zero + 1
    cos, sin = angle.cos() * scale, angle.sin() * scale
    rows = torch.stack([cos * mirror, -sin, offset[:, 0], sin * mirror, cos, offset[:, 1]], dim=1)
    grid = F.affine_grid(rows.view(-1, 2, 3), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def _cut_out(images: torch.Tensor, strength: float, draws: torch.Tensor) -> torch.Tensor:
    """A grey square of up to 60 % of the side, anywhere."""
    places = torch.linspace(-1, 1, images.shape[-1], device=images.device)
    inside = (places - draws[:, 9:11, None]).abs() < 0.6 * strength  # (B, 2, S)
    hole = (inside[:, 0, :, None] & inside[:, 1, None, :])[:, None]
    return torch.where(hole, 0.5, images)
