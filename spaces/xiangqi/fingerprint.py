"""A short name for a model's weights, so that what was measured on one model is not shown beside another."""

from __future__ import annotations

import hashlib

import torch
from torch import nn


def fingerprint(model: nn.Module) -> str:
    """Twelve hex digits of all parameters in bf16, as they ship: the same in fp32 and on any device."""
    digest = hashlib.blake2b(digest_size=6)
    for name, parameter in sorted(model.named_parameters()):
        digest.update(name.encode())
        digest.update(parameter.detach().bfloat16().contiguous().view(torch.int16).cpu().numpy().tobytes())
    return digest.hexdigest()
