"""Which of torch's exact attention kernels trains faster here: measured in a second, not assumed."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

FALLBACK = [SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
SHAPES = ((64, 12, 1024, 32), (16, 12, 4096, 32))  # (B, H, L, D): two batches of 65,536 tokens


def milliseconds(kernel: SDPBackend, shape: tuple[int, ...], device: torch.device) -> float:
    """Forward and backward in bf16, the mean of five after two."""
    batch, heads, length, width = shape
    tensors = [torch.randn(batch, length, heads, width, device=device, dtype=torch.bfloat16) for _ in range(4)]
    *qkv, gradient = (t.transpose(1, 2).requires_grad_() for t in tensors)  # BERT's layout: heads inside
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    with sdpa_kernel([kernel]):
        for repeat in range(7):
            if repeat == 2:
                begin.record()
            F.scaled_dot_product_attention(*qkv).backward(gradient.detach())
    end.record()
    torch.cuda.synchronize()
    return begin.elapsed_time(end) / 5


def fastest_kernels(device: torch.device) -> tuple[list[SDPBackend], dict[str, list[float]]]:
    """(kernels, the best first, their times); cuDNN plans anew for every shape: it must win by a sixth."""
    if device.type != "cuda":
        return [SDPBackend.FLASH_ATTENTION, *FALLBACK], {}
    times = {}
    for kernel in (SDPBackend.FLASH_ATTENTION, SDPBackend.CUDNN_ATTENTION):
        try:
            times[kernel] = [round(milliseconds(kernel, shape, device), 2) for shape in SHAPES]
        except RuntimeError:
            continue
    order = sorted(times, key=lambda k: sum(times[k]) * (1.2 if k is SDPBackend.CUDNN_ATTENTION else 1))
    return [*order, *FALLBACK], {kernel.name: found for kernel, found in times.items()}
