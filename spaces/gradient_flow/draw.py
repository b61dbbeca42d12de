"""Cells and inputs drawn at random from the settings: the same settings, the same numbers, in float64.

All cells read the same x (T, D), D = H, of unit variance. Rows of W have the length `input_scale`, so that each gate's
Wx has that standard deviation; entries of U that of gain/√H, or each gate's U the spectral radius that was asked for.
"""

from __future__ import annotations

import hashlib
import math
from functools import lru_cache

import torch
from torch import Tensor

from spaces.gradient_flow.cells import GATES, Cell
from spaces.gradient_flow.settings import CELLS, Flow
from spaces.gradient_flow.transformer import CausalBlock


def draw_cell(name: str, settings: Flow) -> Cell:
    """A recurrent cell of CELLS with the settings' gain or spectral radius, biases and offset."""
    U, W, radii = _standard(name, settings.hidden, settings.seed)
    U = U * _scales(settings, radii)[:, None, None]
    b = torch.zeros(len(U), settings.hidden, dtype=torch.float64)
    for gate, bias in zip(GATES[name], b, strict=True):
        bias += {"forget": 1, "update": -1}.get(gate, 0) * settings.forget_bias
        bias += settings.offset if gate == "candidate" else 0
    return Cell(name, W * settings.input_scale, U, b, settings.activation)


def spectral_radii(name: str, settings: Flow) -> Tensor:
    """The spectral radius of each gate's U as `draw_cell` draws it, (G,)."""
    radii = _standard(name, settings.hidden, settings.seed)[2]
    return radii * _scales(settings, radii)


def draw_input(settings: Flow) -> Tensor:
    """x (T, D), D = H."""
    shape, random = (settings.length, settings.hidden), _generator(settings.seed, "input")
    if settings.input == "noise":
        return torch.randn(shape, generator=random, dtype=torch.float64)
    if settings.input == "constant":
        return torch.randn(shape[1:], generator=random, dtype=torch.float64).expand(shape)
    vectors = {c: _vector(c, settings) for c in dict.fromkeys(settings.text)}
    return torch.stack([vectors[settings.text[t % len(settings.text)]] for t in range(settings.length)])


def draw_block(settings: Flow) -> CausalBlock:
    """The Transformer block of width H, at most 4 heads; matrices of standard deviation gain/√inputs, biases 0."""
    with torch.random.fork_rng(devices=[]):  # the layers' own initialisation leaves no trace
        block = CausalBlock(settings.hidden, math.gcd(settings.hidden, 4), settings.length).double()
    random = _generator(settings.seed, "transformer")
    with torch.no_grad():
        for name, p in block.named_parameters():
            if name == "position":
                p.normal_(std=0.02, generator=random)
            elif p.ndim == 2:
                p.normal_(std=settings.gain / math.sqrt(p.shape[1]), generator=random)
            elif name.endswith("bias"):
                p.zero_()
    return block.requires_grad_(False)


@lru_cache(maxsize=16)  # a slider that moves gain, radius or bias asks for the same one again and again
def _standard(name: str, hidden: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """U of gain 1, W with rows of length 1, and the spectral radius of each gate's U, (G,)."""
    random, shape = _generator(seed, name), (len(GATES[name]), hidden, hidden)
    U = torch.randn(shape, generator=random, dtype=torch.float64) / math.sqrt(hidden)
    W = torch.nn.functional.normalize(torch.randn(shape, generator=random, dtype=torch.float64), dim=-1)
    return U, W, torch.linalg.eigvals(U).abs().amax(-1)


def _scales(settings: Flow, radii: Tensor) -> Tensor:
    wanted = settings.spectral_radius
    return wanted / radii if wanted > 0 else torch.full_like(radii, settings.gain)


def _vector(character: str, settings: Flow) -> Tensor:
    return torch.randn(settings.hidden, generator=_generator(settings.seed, f"text {character}"), dtype=torch.float64)


def _generator(seed: int, purpose: str) -> torch.Generator:
    digest = hashlib.blake2b(f"{seed} {purpose}".encode(), digest_size=7).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "big"))


assert set(CELLS) == {*GATES, "transformer"}
