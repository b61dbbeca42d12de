"""Random features of the softmax kernel: what Performer draws, and how large its error is.

The claim (archives/7921): e^{x·y} is the mean, over ω ~ N(0, I), of φ_ω(x) φ_ω(y), so m draws turn
attention into a product of two thin matrices. Positive features err little where e^{x·y} is small,
trigonometric ones where it is large; hyperbolic ones use ω and −ω together and at least halve the
positive error. The closed forms below say by how much, for independent draws. Orthogonal draws
lower the error and leave the mean alone; so do norms drawn within strata of the chi distribution
(at fixed quantiles they would be biased).

Try first: `kernel_estimate(x, y, draw(8, 256), "positive")` beside `(x * y).sum(-1).exp()`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import torch

from shared.experiment import InputError

Kind = Literal["positive", "trigonometric", "hyperbolic"]
Draw = Literal["iid", "orthogonal", "stratified"]
KINDS, DRAWS = ("positive", "trigonometric", "hyperbolic"), ("iid", "orthogonal", "stratified")


@dataclass(frozen=True)
class Features:
    """The random features of one attention; all heads share the draw."""

    kind: Kind = "positive"
    """Which estimator of e^{x·y}; only the positive and hyperbolic ones cannot give a negative weight."""
    draw: Draw = "orthogonal"
    """How ω is drawn: independently, in orthogonal blocks, or orthogonal with stratified norms."""
    count: int = 256
    """Features per head; a trigonometric or hyperbolic draw makes two of them, a positive one."""
    seed: int = 0

    def __post_init__(self):
        if self.kind not in KINDS:
            raise InputError("kind", f"须为 {'、'.join(KINDS)} 之一", f"must be one of {', '.join(KINDS)}")
        if self.draw not in DRAWS:
            raise InputError("draw", f"须为 {'、'.join(DRAWS)} 之一", f"must be one of {', '.join(DRAWS)}")
        step = 1 if self.kind == "positive" else 2
        if not step <= self.count <= 65_536 or self.count % step:
            raise InputError("count", f"须为 {step} 的倍数，且不超过 65536",
                             f"must be a multiple of {step} from {step} to 65536")

    @property
    def draws(self) -> int:
        """Number of ω."""
        return self.count if self.kind == "positive" else self.count // 2

    @torch.compiler.disable  # torch.compile can trace neither the cache nor the generator
    def omega(self, dim: int, device: torch.device | str = "cpu") -> torch.Tensor:
        """ω (draws, dim), fp32, the same on every device."""
        return draw(dim, self.draws, self.draw, self.seed, device)


@lru_cache(maxsize=64)
def draw(dim: int, draws: int, how: Draw = "iid", seed: int = 0,
         device: torch.device | str = "cpu") -> torch.Tensor:
    """ω (draws, dim), each row N(0, I), fp32; cached, so do not write into it."""
    random = torch.Generator().manual_seed(seed)
    gaussian = torch.randn(draws, dim, generator=random, dtype=torch.float64)
    if how == "iid":
        return gaussian.float().to(device)
    if how == "orthogonal":
        norms = gaussian.norm(dim=1)
    else:
        strata = torch.randperm(draws, generator=random)
        norms = chi_quantile((strata + torch.rand(draws, generator=random, dtype=torch.float64)) / draws, dim)
    return (norms[:, None] * orthogonal_directions(dim, draws, random)).float().to(device)


def orthogonal_directions(dim: int, draws: int, random: torch.Generator) -> torch.Tensor:
    """Unit vectors (draws, dim), uniform on the sphere, orthogonal within each block of `dim` rows."""
    blocks = torch.randn(math.ceil(draws / dim), dim, dim, generator=random, dtype=torch.float64)
    q, r = torch.linalg.qr(blocks)
    # Without the signs of R's diagonal, Q is not uniform over the orthogonal group.
    q = q * r.diagonal(dim1=-2, dim2=-1).sign()[:, None, :]
    return q.transpose(-1, -2).reshape(-1, dim)[:draws]


def chi_quantile(u: torch.Tensor, dim: int) -> torch.Tensor:
    """The norm (…) that a Gaussian in `dim` dimensions stays below with probability u (…), in float64."""
    half = torch.full_like(u, dim / 2)
    low, high = torch.zeros_like(u), torch.full_like(u, math.sqrt(dim) + 12)
    for _ in range(60):
        middle = (low + high) / 2
        below = torch.special.gammainc(half, middle.square() / 2) < u
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return (low + high) / 2


def log_features(x: torch.Tensor, omega: torch.Tensor,
                 kind: Kind) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Features of x (…, D) up to the constant 1/√F as (log, base), φ = base · exp(log).

    Either log (…, F) and None for ones, or log (…, 1), which the features share, and base (…, F): apart,
    so that a caller can subtract a maximum before the exponential.
    """
    projected, half_square = x @ omega.mT, x.square().sum(-1, keepdim=True) / 2
    if kind == "positive":
        return projected - half_square, None
    if kind == "hyperbolic":
        return torch.cat([projected, -projected], -1) - half_square, None
    # Twice the weight of the other kinds: sin² + cos² = 1 is one draw's two features together.
    return half_square + math.log(2) / 2, torch.cat([projected.sin(), projected.cos()], -1)


def feature_map(x: torch.Tensor, omega: torch.Tensor, kind: Kind) -> torch.Tensor:
    """φ(x) (…, F) of x (…, D), E[φ(x)·φ(y)] = e^{x·y}; F is twice the draws unless the kind is positive."""
    log, base = log_features(x, omega, kind)
    count = omega.shape[0] if kind == "positive" else 2 * omega.shape[0]
    return (log.exp() if base is None else log.exp() * base) / math.sqrt(count)


def kernel_estimate(x: torch.Tensor, y: torch.Tensor, omega: torch.Tensor, kind: Kind) -> torch.Tensor:
    """The estimate (…) of e^{x·y} for pairs x, y (…, D), broadcast against each other."""
    return (feature_map(x, omega, kind) * feature_map(y, omega, kind)).sum(-1)


def mse_positive(x: torch.Tensor, y: torch.Tensor, draws: int) -> torch.Tensor:
    """Mean squared error (…) of the positive estimate with independent draws, x and y (…, D)."""
    plus = (x + y).square().sum(-1)
    return (plus + 2 * (x * y).sum(-1)).exp() * -torch.expm1(-plus) / draws


def mse_hyperbolic(x: torch.Tensor, y: torch.Tensor, draws: int) -> torch.Tensor:
    """Mean squared error (…) of the hyperbolic estimate, of 2 · draws features: at most half the positive."""
    return -torch.expm1(-(x + y).square().sum(-1)) / 2 * mse_positive(x, y, draws)


def mse_trigonometric(x: torch.Tensor, y: torch.Tensor, draws: int) -> torch.Tensor:
    """Mean squared error (…) of the trigonometric estimate, of 2 · draws features: 0 at x = y."""
    plus, minus = (x + y).square().sum(-1), (x - y).square().sum(-1)
    return (plus - 2 * (x * y).sum(-1)).exp() * torch.expm1(-minus).square() / (2 * draws)
