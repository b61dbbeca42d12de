"""The attention under every experiment: one call, four backends, registered with transformers.

    out = attention(q, k, v, mask=mask, is_causal=True)  # the device's fastest exact backend
    register(); AutoModel.from_pretrained(name, attn_implementation="xformers")

`xformers` runs on CUDA and gives way to `sdpa`, torch's own, elsewhere and where it has no
kernel; both are exact. `performer` (archives/7921) estimates the softmax by random features and
`taylor` (archives/7919) replaces it by 1 + s + s²/2: linear time and flat memory
(shared/linear_attention.py), for models trained with them.

Padding stays a row of keys (B, 1, 1, Lk) and causality a flag: neither becomes an n × n mask,
which at 262,144 tokens would want 64 GiB.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache, partial
from types import ModuleType

import torch
import torch.nn.functional as F

from shared.experiment import InputError
from shared.linear_attention import performer, taylor
from shared.random_features import Features

BACKENDS = ("xformers", "sdpa", "performer", "taylor")
# The exact backend that `auto` takes, sdpa where none stands; benchmarks/attention.py compares them.
AUTO = {
    "cuda": {"plain": "xformers", "causal": "xformers", "padded": "xformers", "padded causal": "xformers"},
}
MASK_ELEMENTS = 2**22  # of a causal mask with padding, made for a chunk of queries at a time
log = logging.getLogger(__name__)


def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, mask: torch.Tensor | None = None,
              is_causal: bool = False, scale: float | None = None, dropout: float = 0.0,
              backend: str = "auto", features: Features | None = None) -> torch.Tensor:
    """softmax(scale · q k^T) v, or what the backend makes of it, (B, H, Lq, Dv).

    q (B, H, Lq, D), k (B, Hkv, Lk, D), v (B, Hkv, Lk, Dv): each key head serves H/Hkv query heads.
    mask: bool, broadcastable to (B, 1, Lq, Lk), True = keep. Causal: the queries are the last Lq
    of the Lk positions (a KV cache, a prefill in chunks). scale: D^−½ unless given. Queries that
    see no key, or are padding in a causal model, are finite and mean nothing.
    features: of performer. performer and taylor take masks (B, 1, 1, Lk) only, and no dropout,
    for there is no matrix to drop from. Raises InputError.
    """
    _check(q, k, v, mask, is_causal, backend)
    if q.shape[1] != k.shape[1]:
        k, v = (x.repeat_interleave(q.shape[1] // x.shape[1], dim=1) for x in (k, v))
    causal = is_causal and q.shape[2] > 1  # a single query is the last position: it sees every key
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    name = choose(q.device.type, mask is not None, causal) if backend == "auto" else backend
    if name in ("xformers", "sdpa"):
        return (_xformers if name == "xformers" else _sdpa)(q, k, v, mask, causal, scale, dropout)
    _check_linear(mask, scale, dropout)
    how = {"mask": mask, "is_causal": causal, "scale": scale}
    return taylor(q, k, v, **how) if name == "taylor" else performer(q, k, v, features or Features(), **how)


def choose(device: str, padded: bool = False, causal: bool = False) -> str:
    """The backend that `auto` takes on "cpu", "cuda", …"""
    situation = " ".join(word for word, on in (("padded", padded), ("causal", causal)) if on)
    return AUTO.get(device, {}).get(situation or "plain", "sdpa")


def _sdpa(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None, causal: bool,
          scale: float, dropout: float) -> torch.Tensor:
    """torch's scaled_dot_product_attention."""
    run = partial(F.scaled_dot_product_attention, dropout_p=dropout, scale=scale)
    queries, keys = q.shape[2], k.shape[2]
    if mask is None and (not causal or queries == keys):
        return run(q, k, v, is_causal=causal)
    if not causal:  # the kernels broadcast (B, 1, 1, Lk) themselves; expanded, the CPU's would copy it
        return run(q, k, v, attn_mask=mask)
    out, rows = [], max(1, MASK_ELEMENTS // (q.shape[0] * keys))
    for start in range(0, queries, rows):
        stop = min(start + rows, queries)
        seen = keys - queries + stop  # later keys are hidden from all of these queries
        keep = torch.ones(stop - start, seen, dtype=torch.bool, device=q.device).tril(seen - stop + start)
        if mask is not None:
            keep = keep & (mask if mask.shape[-2] == 1 else mask[..., start:stop, :])[..., :seen]
        out.append(run(q[:, :, start:stop], k[:, :, :seen], v[:, :, :seen], attn_mask=keep))
    return torch.cat(out, dim=2)


def _xformers(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None, causal: bool,
              scale: float, dropout: float) -> torch.Tensor:
    """xformers' memory-efficient attention, or sdpa where it has no kernel for these inputs."""
    fmha = _fmha() if q.is_cuda and (mask is None or mask.shape[-2] == 1) else None
    if fmha is None:
        return _sdpa(q, k, v, mask, causal, scale, dropout)
    run = partial(fmha.memory_efficient_attention, p=dropout, scale=scale)
    heads_last = [x.transpose(1, 2) for x in (q, k, v)]  # (B, L, H, D)
    try:
        if mask is not None:
            return _packed(run, fmha.attn_bias, *heads_last, mask[:, 0, 0], causal).transpose(1, 2)
        bias = fmha.attn_bias.LowerTriangularFromBottomRightMask() if causal else None
        return run(*heads_last, attn_bias=bias).transpose(1, 2)
    except NotImplementedError as reason:  # a head size or type without a kernel
        log.debug("xformers gives way to sdpa: %s", reason)
        return _sdpa(q, k, v, mask, causal, scale, dropout)


def _packed(run: Callable, biases: ModuleType, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor,
            real: torch.Tensor, causal: bool) -> torch.Tensor:
    """Attention over the real keys (B or 1, Lk), all sequences laid end to end; q, k, v (B, L, H, D)."""
    real = real.expand(len(k), -1)
    # In a causal model the padding is in the queries too: the real ones are the last of the real keys.
    # Elsewhere every query runs, but for those of a sequence without any key.
    asked = real[:, -q.shape[1]:] if causal else real.any(1, keepdim=True).expand(-1, q.shape[1])
    bias = biases.BlockDiagonalMask.from_seqlens(asked.sum(1).tolist(), real.sum(1).tolist(), device=q.device)
    if causal:
        bias = bias.make_causal_from_bottomright()
    packed = run(q[asked][None], k[real][None], v[real][None], attn_bias=bias)[0]
    out = packed.new_zeros(*q.shape[:3], v.shape[-1])
    return out.index_put((asked,), packed)


@lru_cache(maxsize=1)
def _fmha() -> ModuleType | None:
    """xformers' kernels, imported at the first use: it takes 1.7 s, and is of no use without CUDA."""
    try:
        from xformers.ops import fmha
    except ImportError as reason:
        log.warning("sdpa takes the place of xformers: %s", reason)
        return None
    return fmha


def _check(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None, is_causal: bool,
           backend: str) -> None:
    """Raise InputError for shapes that no backend takes."""
    if backend not in ("auto", *BACKENDS):
        names = ", ".join(("auto", *BACKENDS))
        raise InputError("backend", f"须为 {names} 之一", f"must be one of {names}")
    if k.shape[:3] != v.shape[:3] or q.shape[0] != k.shape[0] or q.shape[-1] != k.shape[-1]:
        raise InputError("q, k, v", "形状须为 (B, H, Lq, D)、(B, Hkv, Lk, D)、(B, Hkv, Lk, Dv)",
                         "must be (B, H, Lq, D), (B, Hkv, Lk, D) and (B, Hkv, Lk, Dv)")
    if q.shape[1] % k.shape[1]:
        raise InputError("k", "键头数须整除查询头数", "the key heads must divide the query heads")
    if is_causal and q.shape[2] > k.shape[2]:
        raise InputError("q", "因果注意力的查询数不能超过键数",
                         "causal attention takes at most as many queries as keys")
    full = (q.shape[0], 1, q.shape[2], k.shape[2])
    if mask is not None and (mask.dtype != torch.bool or mask.ndim != 4 or mask.shape[-1] != full[-1]
                             or any(n not in (1, m) for n, m in zip(mask.shape, full, strict=True))):
        raise InputError("mask", f"须为 bool，可广播到 {full}", f"must be bool and broadcast to {full}")


def _check_linear(mask: torch.Tensor | None, scale: float, dropout: float) -> None:
    """Raise InputError for what attention without a matrix cannot do."""
    if mask is not None and mask.shape[-2] != 1:
        raise InputError("mask", "performer 与 taylor 只接受 (B, 1, 1, Lk)：无静态缓存、滑动窗口、拼接",
                         "performer and taylor take (B, 1, 1, Lk): no static cache, window or packing")
    if scale <= 0:
        raise InputError("scale", "须大于 0", "must be above 0")
    if dropout:
        raise InputError("dropout", "performer 与 taylor 没有注意力矩阵，须为 0",
                         "performer and taylor have no attention matrix to drop from: must be 0")


# --- transformers ---------------------------------------------------------------------------------


def register() -> None:
    """Let any transformers model take attn_implementation="xformers", "performer" or "taylor".

    Performer's features are the model's own: config.performer_features = {"count": 512, …}, if set.
    """
    from transformers import AttentionInterface, AttentionMaskInterface
    for backend in ("xformers", "performer", "taylor"):
        AttentionInterface.register(backend, partial(_attend, backend=backend))
        AttentionMaskInterface.register(backend, padding_mask)


def padding_mask(batch_size: int, q_length: int, kv_length: int, q_offset: int | torch.Tensor = 0,
                 kv_offset: int = 0, mask_function: Callable | None = None,
                 attention_mask: torch.Tensor | None = None, allow_is_causal_skip: bool = True,
                 allow_is_bidirectional_skip: bool = False, **kwargs) -> torch.Tensor | None:
    """transformers' mask interface: None or padding (B, 1, 1, Lk), to which `_attend` adds causality.

    A full mask (B, 1, Lq, Lk) is left for what is not plain: sliding windows, packed samples, and static
    caches, whose queries are not the last of the keys.
    """
    from transformers.masking_utils import bidirectional_mask_function, causal_mask_function, sdpa_mask
    mask_function = mask_function or causal_mask_function
    last = isinstance(q_offset, int) and q_offset + q_length == kv_offset + kv_length
    plain = (mask_function is causal_mask_function and allow_is_causal_skip and last
             or mask_function is bidirectional_mask_function and allow_is_bidirectional_skip)
    if not plain:
        return sdpa_mask(batch_size, q_length, kv_length, q_offset, kv_offset, mask_function, attention_mask,
                         allow_is_causal_skip=allow_is_causal_skip and last,
                         allow_is_bidirectional_skip=allow_is_bidirectional_skip, **kwargs)
    if attention_mask is None:
        return None
    missing = kv_offset + kv_length - attention_mask.shape[-1]
    keep = F.pad(attention_mask.bool(), (0, max(0, missing)))[:, kv_offset:kv_offset + kv_length]
    # Reading the mask would break a compiled graph.
    return None if not torch.compiler.is_compiling() and keep.all() else keep[:, None, None]


def _attend(module: torch.nn.Module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor,
            attention_mask: torch.Tensor | None, dropout: float = 0.0, scaling: float | None = None,
            is_causal: bool | None = None, *, backend: str, **kwargs) -> tuple[torch.Tensor, None]:
    """transformers' attention interface: (B, H, L, D) in, (B, L, H, Dv) and no weights out."""
    for name in ("position_bias", "softcap", "s_aux", "cache"):
        if kwargs.get(name) is not None:
            raise NotImplementedError(f"attn_implementation={backend!r} has no {name}: load with 'eager'")
    causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
    settings = getattr(getattr(module, "config", None), "performer_features", None) or {}
    out = attention(query, key, value, mask=attention_mask, scale=scaling, dropout=dropout, backend=backend,
                    is_causal=causal and (attention_mask is None or attention_mask.shape[-2] == 1),
                    features=Features(**settings))
    return out.transpose(1, 2).contiguous(), None
