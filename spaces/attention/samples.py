"""Queries and keys to look at: a visitor's own .npy files, or samples of four ways in which attention is used.

Try first: `sample("retrieval")`, `read_npy("q.npy", "q")`.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch

from shared.experiment import InputError
from shared.i18n import tr

KEYS, DIM = 64, 32
MOST_BYTES = 32 * 2**20
MOST_KEYS, MOST_DIM = 4096, 256
SAMPLES = {
    "gaussian": tr("随机高斯（注意力很散）", "Gaussian (diffuse)"),
    "topics": tr("六个话题", "six topics"),
    "local": tr("看邻居（正弦位置）", "neighbours (sinusoidal positions)"),
    "retrieval": tr("一个查询找一个键（很尖）", "each query seeks one key (sharp)"),
}


def sample(name: str, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """q and k (KEYS, DIM), for the usual scale of 1/√DIM."""
    random = torch.Generator().manual_seed(seed)
    q, k = torch.randn(2, KEYS, DIM, generator=random)
    if name == "gaussian":
        return q, k
    if name == "topics":
        topics = 1.5 * torch.randn(6, DIM, generator=random)
        turn = torch.arange(KEYS) * 6 // KEYS
        return topics[turn] + 0.5 * q, topics[turn] + 0.5 * k
    if name == "retrieval":
        sought = torch.randperm(KEYS, generator=random)
        return 1.3 * k[sought] + 0.3 * q, 1.3 * k
    position = torch.arange(KEYS)[:, None] / 64 ** (torch.arange(DIM // 2) / (DIM // 2))
    waves = 1.2 * torch.cat([position.sin(), position.cos()], 1)
    return waves + 0.2 * q, waves + 0.2 * k


def read_npy(path: str | Path, field: str, head: int = 0) -> torch.Tensor:
    """The vectors (n, d) of a .npy file of shape (n, d), (H, n, d) or (B, H, n, d), of the first of the batch.

    Raises InputError with the field's name if it is no such file, too large or not finite; nothing in it is executed.
    """
    if Path(path).stat().st_size > MOST_BYTES:
        _refuse(field, f"文件不能超过 {MOST_BYTES >> 20} MB", f"must be a file of at most {MOST_BYTES >> 20} MB")
    try:
        values = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError):
        values = None
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu" or not 2 <= values.ndim <= 4:
        _refuse(
            field,
            "须为 .npy 文件，装着 (n, d)、(H, n, d) 或 (B, H, n, d) 的数",
            "must be a .npy file of numbers of shape (n, d), (H, n, d) or (B, H, n, d)",
        )
    values = values[0] if values.ndim == 4 and len(values) else values
    if values.ndim == 3:
        if head >= len(values):
            _refuse("head", f"{field} 只有 {len(values)} 个头", f"must be below {len(values)}, the heads of {field}")
        values = values[head]
    n, dim = values.shape if values.ndim == 2 else (0, 0)
    if not (2 <= n <= MOST_KEYS and 1 <= dim <= MOST_DIM):
        limits = f"n = 2 … {MOST_KEYS}, d = 1 … {MOST_DIM}"
        _refuse(field, f"大小须在 {limits} 之内，这里是 {n} × {dim}", f"must have {limits}; this is {n} × {dim}")
    found = torch.from_numpy(values.astype(np.float32))
    if not bool(found.isfinite().all()):
        _refuse(field, "含有 NaN 或无穷", "must hold no NaN and no infinity")
    return found


def pair(q: torch.Tensor, k: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The two, if they fit."""
    if q.shape[1] != k.shape[1]:
        _refuse(
            "k",
            f"维数须与 q 相同（{q.shape[1]}），这里是 {k.shape[1]}",
            f"must have q's dimension {q.shape[1]}, not {k.shape[1]}",
        )
    return q, k


def norms(q: torch.Tensor, k: torch.Tensor, scale: float) -> tuple[float, float]:
    """Mean norms of q and k times √scale: what the features see."""
    root = math.sqrt(scale)
    return root * float(q.norm(dim=1).mean()), root * float(k.norm(dim=1).mean())


def _refuse(field: str, zh: str, en: str) -> None:
    raise InputError(field, f"{zh}。", f"{en}.")
