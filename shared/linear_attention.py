"""Attention in linear time and flat memory: any kernel with finitely many features, chunk by chunk.

The claim (archives/7921, archives/7919): if key k weighs φ(q)·φ(k) for query q, then Σ φ(k) v^T
is all that a query needs to know of the keys; n² becomes n·F, and a causal model carries a state
of fixed size. Performer's φ is random (shared/random_features.py); the Taylor one is exact for the
kernel 1 + s + s²/2 ≥ ½, with 1 + D + D(D+1)/2 features.

Try first: `python -m benchmarks.attention`, for the length from which either beats exact attention.

Numerics. Everything is fp32. Features come as base · exp(log). Each is divided by the largest it
has been over the keys so far (as in online softmax, so one pass is enough), each query's by its
largest product with that; both cancel in the quotient. Trigonometric features give normalisers of
either sign, near zero where a query is far from every key: the output is then finite and can lie
far outside the hull of the values. That is the estimator's defect, and left visible. In a causal
model, a query whose keys all weigh e^−85 times less than later ones of its chunk gives 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint

from shared.random_features import Features, log_features

# x (B, H, C, D) -> log (B, H, C, F) and None, or log (B, H, C, 1) and base (B, H, C, F); φ = base · exp(log)
FeatureMap = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor | None]]
# Σ φ(k) [v, 1]^T (B, H, F, Dv+1) in units of exp(top), and top (B, H, 1, F or 1)
State = tuple[torch.Tensor, torch.Tensor]

NOTHING = -1e30  # `top` before the first key: finite, so that exp(NOTHING − x) is 0 and never NaN
TINY = 1e-37  # smallest normaliser divided by: below it no key was seen, or all that were underflow
CAUSAL_CHUNK = 128  # within a chunk the cost is quadratic: stay near the size of a head
CHUNK_FLOATS = {"cpu": 2**20, "cuda": 2**26}  # of one chunk's features: for the cache here, occupancy there


def performer(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, features: Features, **how) -> torch.Tensor:
    """FAVOR+ attention (Choromanski et al., arXiv 2009.14794); shapes and `how` as in `linear_attention`."""
    phi = partial(log_features, omega=features.omega(q.shape[-1], q.device), kind=features.kind)
    return linear_attention(q, k, v, phi, features.count, **how)


def taylor(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, **how) -> torch.Tensor:
    """Attention with weights 1 + s + s²/2, s = scale · q·k; shapes and `how` as in `linear_attention`."""
    dim = q.shape[-1]
    return linear_attention(q, k, v, taylor_features, 1 + dim + dim * (dim + 1) // 2, **how)


def taylor_features(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Log 0 (…, 1), and [1, x, x⊗x/√2] (…, 1 + D + D(D+1)/2) of x (…, D), x_i x_j and x_j x_i in one."""
    # Row by row of x^T: slices lie together in memory, several times faster than picking columns.
    rows, one = x.mT.contiguous(), torch.ones_like(x[..., :1])
    mixed = [rows[..., i:i + 1, :] * rows[..., i + 1:, :] for i in range(x.shape[-1] - 1)]
    return torch.zeros_like(one), torch.cat([one.mT, rows, rows.square() * math.sqrt(0.5), *mixed], -2).mT


def linear_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, phi: FeatureMap, count: int, *,
                     mask: torch.Tensor | None = None, is_causal: bool = False, scale: float = 1.0,
                     chunk: int | None = None) -> torch.Tensor:
    """Σ_k φ(q)·φ(k) v / Σ_k φ(q)·φ(k) in O(L · count) time and O(chunk · count) memory beside the output.

    q (B, H, Lq, D), k (B, H, Lk, D), v (B, H, Lk, Dv) -> (B, H, Lq, Dv) in v's dtype. phi sees
    √scale · x in fp32 and makes `count` features. mask: bool, broadcastable to (B, 1, 1, Lk),
    True = keep; a row that sees no key gives 0. Causal: the queries are the last Lq positions. The
    backward pass computes each chunk's features again: none are kept.
    """
    batch, heads, queries, _ = q.shape
    # Chunks of a wide size where all is seen, of a narrow one where each row sees its own part.
    wide = chunk or max(64, CHUNK_FLOATS.get(q.device.type, 2**20) // (batch * heads * count))
    narrow = chunk or min(wide, CAUSAL_CHUNK)
    phi = partial(_scaled, phi=phi, root=math.sqrt(scale))
    training = torch.is_grad_enabled() and any(x.requires_grad for x in (q, k, v))
    run = partial(checkpoint, use_reentrant=False) if training else _call

    # Keys that every query sees come first; the others with the queries of their own chunk. Split, not
    # sliced: the gradient of each slice would be as long as the whole.
    first = _sizes(k.shape[2] - queries if is_causal else k.shape[2], wide)
    rows = _sizes(queries, narrow if is_causal else wide)
    sizes = first + rows if is_causal else first
    keep = [None] * len(sizes) if mask is None else mask.split(sizes, -1)
    keys = list(zip(k.split(sizes, 2), v.split(sizes, 2), keep, strict=True))
    # Written in place, for small outputs kept among large temporaries scatter the heap; autograd needs them apart.
    parts, out = [], None if training else v.new_empty(batch, heads, queries, v.shape[-1])
    places = [None] * len(rows) if training else out.split(rows, 2)
    with torch.autocast(q.device.type, enabled=False):
        state = (q.new_zeros(batch, heads, count, v.shape[-1] + 1, dtype=torch.float32),
                 q.new_full((batch, heads, 1, 1), NOTHING, dtype=torch.float32))
        for shown in keys[:len(first)]:
            state = run(_absorb, phi, state, *shown)
        for i, (asked, place) in enumerate(zip(q.split(rows, 2), places, strict=True)):
            if is_causal:
                part, state = run(_step, phi, state, asked, *keys[len(first) + i])
            else:
                part = run(_emit, phi, state, asked)
            parts.append(part.to(v.dtype)) if training else place.copy_(part)
    return torch.cat(parts, 2) if training else out


def _absorb(phi: FeatureMap, state: State, k: torch.Tensor, v: torch.Tensor,
            keep: torch.Tensor | None) -> State:
    """The state after a chunk of keys."""
    features, values, (total, top) = _keys(phi, state, k, v, keep)
    return total + features.mT @ values, top


def _emit(phi: FeatureMap, state: State, q: torch.Tensor) -> torch.Tensor:
    """The output (B, H, C, Dv) of queries that see every key in the state."""
    total, top = state
    return _normalised(_queries(phi, top, q) @ total)


def _step(phi: FeatureMap, state: State, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor,
          keep: torch.Tensor | None) -> tuple[torch.Tensor, State]:
    """The output of queries that see the state and their chunk's keys up to themselves; the next state."""
    features, values, (total, top) = _keys(phi, state, k, v, keep)
    queries = _queries(phi, top, q)
    sums = queries @ total + (queries @ features.mT).tril() @ values
    return _normalised(sums), (total + features.mT @ values, top)


def _keys(phi: FeatureMap, state: State, k: torch.Tensor, v: torch.Tensor,
          keep: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor, State]:
    """Features (B, H, C, F) and weighted [v, 1] (B, H, C, Dv+1) of a chunk; the state in their unit."""
    log, base = phi(k)
    if keep is not None:
        log = log.masked_fill(~keep.mT, -torch.inf)
    total, before = state
    top = torch.maximum(before, log.detach().amax(-2, keepdim=True))
    weight, values = (log - top).exp(), F.pad(v.float(), (0, 1), value=1.0)
    features, values = (weight, values) if base is None else (base, values * weight)
    return features, values, (total * (before - top).exp().mT, top)


def _queries(phi: FeatureMap, top: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """Features (B, H, C, F) of queries in the unit that undoes the keys', over each row's largest."""
    log, base = phi(q)
    if base is not None:  # a log that the row shares is its largest
        return base
    log = log + top
    return (log - log.detach().amax(-1, keepdim=True)).exp()


def _normalised(sums: torch.Tensor) -> torch.Tensor:
    """Weighted values (…, Dv) over the sum of weights, which comes last in sums (…, Dv+1)."""
    weight = sums[..., -1:]
    return sums[..., :-1] / torch.where(weight.abs() < TINY, 1.0, weight)


def _scaled(x: torch.Tensor, phi: FeatureMap, root: float) -> tuple[torch.Tensor, torch.Tensor | None]:
    return phi(x.float() * root)


def _call(function: Callable, *args):
    return function(*args)


def _sizes(length: int, size: int) -> list[int]:
    return [min(size, length - start) for start in range(0, length, size)]
