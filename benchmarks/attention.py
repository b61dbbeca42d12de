"""What each attention costs, side by side: `python -m benchmarks.attention [--json PATH]`.

On a CPU: exact attention against performer and taylor from 512 tokens to --max: seconds, peak
memory, and where the linear ones begin to win (the article says: not below some 5,000 tokens).
On CUDA: `auto`, xformers and each of its kernels, each kernel of torch's SDPA, and eager, at the
shapes of BERT, GPT-2, CPM and a long document, up to 262,144 tokens exactly, in one pass; the
fastest exact ones are what shared/attention.py's AUTO should hold. Under 90 seconds on an H100.

Errors are the largest difference from float64 on 64 sampled queries, over the largest value there.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import platform
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

import shared.attention
from shared.attention import attention, choose

EAGER_BYTES = 16 * 2**30  # the most that the eager variant may want for its matrices
TIMED_SECONDS = 0.1  # per variant, after a warm-up


@dataclass(frozen=True)
class Case:
    """One measured situation: q (B, H, Lq, D), k and v (B, H, Lk, D)."""

    name: str
    batch: int
    heads: int
    length: int
    dim: int
    causal: bool = False
    padding: str = ""
    """"right" or "left": lengths spread evenly from half to the whole."""
    dtype: torch.dtype = torch.bfloat16
    queries: int = 0
    """The last so many positions ask (a KV cache); 0: all."""
    backward: bool = False
    linear: bool = False
    """Measure performer and taylor too."""

    def tensors(self, device: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        random = torch.Generator(device).manual_seed(0)
        make = partial(torch.randn, device=device, dtype=self.dtype, generator=random)
        shapes = (self.queries or self.length, self.length, self.length)
        return tuple(make(self.batch, self.heads, n, self.dim).requires_grad_(self.backward) for n in shapes)

    def mask(self, device: str) -> torch.Tensor | None:
        """None, or padding (B, 1, 1, L)."""
        if not self.padding:
            return None
        lengths = torch.linspace(self.length / 2, self.length, self.batch, device=device).long()[:, None]
        keep = torch.arange(self.length, device=device) < lengths
        return (keep.flip(1) if self.padding == "left" else keep)[:, None, None]

    def flops(self, mask: torch.Tensor | None) -> float:
        """Of the two products over the pairs that are seen; the backward pass has five products more."""
        queries = self.queries or self.length
        keys = torch.full((self.batch,), self.length) if mask is None else mask.sum((1, 2, 3)).cpu()
        pairs = float((keys * keys).sum() / 2 if self.causal and queries > 1 else (keys * queries).sum())
        return pairs * self.heads * self.dim * (14 if self.backward else 4)


bert = partial(Case, "BERT", 32, 12, 512, 64)
gpt2 = partial(Case, "GPT-2", 16, 12, 1024, 64)
cpm = partial(Case, "CPM", 4, 32, 1024, 80)
document = partial(Case, "document", dim=32, heads=12, linear=True)
CASES = (
    bert(), bert(dtype=torch.float16), bert(dtype=torch.float32), bert(padding="right"),
    bert(backward=True), bert(padding="right", backward=True),
    gpt2(causal=True), gpt2(causal=True, dtype=torch.float16), gpt2(causal=True, padding="left"),
    gpt2(causal=True, backward=True), gpt2(causal=True, padding="right", backward=True),
    cpm(causal=True), cpm(causal=True, dtype=torch.float16), cpm(causal=True, queries=1),
    cpm(causal=True, queries=1, padding="left"),
    Case("7B", 1, 32, 8192, 128, causal=True),
    document(batch=1, length=16_384), document(batch=1, length=16_384, causal=True),
    document(batch=2, length=16_384, padding="right"),
    document(batch=1, length=65_536), document(batch=1, length=262_144),
)


def eager(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, mask: torch.Tensor | None,
          is_causal: bool) -> torch.Tensor:
    """Attention as it is written, with its n × n matrix."""
    matrix = q.shape[0] * q.shape[1] * q.shape[2] * k.shape[2] * q.element_size()
    if 3 * matrix > EAGER_BYTES:
        raise MemoryError(f"the matrix alone is {matrix / 2**30:.0f} GiB")
    scores = q @ k.mT * q.shape[-1] ** -0.5
    if is_causal:
        offset = k.shape[2] - q.shape[2]
        scores.masked_fill_(~torch.ones_like(scores[0, 0], dtype=torch.bool).tril(offset), -torch.inf)
    if mask is not None:
        scores.masked_fill_(~mask, torch.finfo(q.dtype).min)
    return scores.softmax(-1) @ v


def sampled(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, rows: torch.Tensor, *,
            mask: torch.Tensor | None, is_causal: bool) -> torch.Tensor:
    """Exact attention of a few queries in float64, (B, H, rows, D), a head at a time."""
    out = []
    seen = torch.arange(k.shape[2], device=q.device) <= rows[:, None] + k.shape[2] - q.shape[2]
    for head in range(q.shape[1]):
        qh, kh, vh = (x[:, head].detach().double() for x in (q[:, :, rows], k, v))
        scores = qh @ kh.mT * q.shape[-1] ** -0.5
        if is_causal:
            scores = scores.masked_fill(~seen, -torch.inf)
        if mask is not None:
            scores = scores.masked_fill(~mask[:, 0], -torch.inf)
        out.append(scores.softmax(-1) @ vh)
    return torch.stack(out, 1)


@contextmanager
def xformers_only(op: object = None) -> Iterator[None]:
    """Make the xformers backend use one of its kernels, and fail where it would give way to sdpa."""
    fmha = shared.attention._fmha()
    if fmha is None:
        raise ImportError("xformers cannot be imported")
    run = partial(fmha.memory_efficient_attention, op=op)

    def refuse(*_args):
        raise NotImplementedError("no kernel of xformers takes this")

    with (mock.patch.object(shared.attention, "_fmha", lambda: SimpleNamespace(
            memory_efficient_attention=run, attn_bias=fmha.attn_bias)),
          mock.patch.object(shared.attention, "_sdpa", refuse)):
        yield


def variants(case: Case) -> dict[str, tuple[Callable, Callable]]:
    """Name -> the attention, and the context in which it runs."""
    found = {"auto": (attention, nullcontext), "eager": (eager, nullcontext)}
    only = partial(attention, backend="xformers")
    found["xformers"] = (only, xformers_only)
    for name in ("FlashAttention", "Cutlass"):
        found[f"xformers {name}"] = (only, partial(named_kernel, f"MemoryEfficientAttention{name}Op"))
    exact = partial(attention, backend="sdpa")
    found["sdpa"] = (exact, nullcontext)
    for kernel in (SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.CUDNN_ATTENTION):
        name = kernel.name.removesuffix("_ATTENTION").lower()
        found[f"sdpa {name}"] = (exact, partial(sdpa_kernel, kernel))
    if case.linear:
        found |= {name: (partial(attention, backend=name), nullcontext) for name in ("performer", "taylor")}
    return found


@contextmanager
def named_kernel(name: str) -> Iterator[None]:
    """One pair of xformers' kernels, by its name in xformers.ops.fmha."""
    with xformers_only(getattr(shared.attention._fmha(), name)):
        yield


def gpu_seconds(run: Callable[[], object]) -> float:
    """Median by CUDA events, after a warm-up."""
    run()
    torch.cuda.synchronize()
    times, began = [], time.perf_counter()
    while not times or (time.perf_counter() - began < TIMED_SECONDS and len(times) < 50):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        run()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) / 1e3)
    return statistics.median(times)


def measure(case: Case) -> list[dict]:
    """One row for each variant: milliseconds, TFLOP/s, error and peak memory, or why there are none."""
    q, k, v = case.tensors("cuda")
    mask = case.mask("cuda")
    how = {"mask": mask, "is_causal": case.causal}
    count = q.shape[2]
    rows = torch.linspace(count // 2, count - 1, min(64, count), device="cuda").long()
    if case.padding == "right":
        rows = rows - rows[0]  # the shortest sequence is half: all of these are real
    exact = sampled(q, k, v, rows, **how)
    grad, out_rows = torch.randn_like(q), []
    for name, (function, context) in variants(case).items():
        row = {"case": case.name, "shape": [case.batch, case.heads, count, case.length, case.dim],
               "dtype": str(case.dtype).removeprefix("torch."), "causal": case.causal,
               "padding": case.padding, "backward": case.backward, "variant": name}
        torch.cuda.reset_peak_memory_stats()
        base = torch.cuda.memory_allocated()

        def run(function=function):
            with torch.set_grad_enabled(case.backward):
                out = function(q, k, v, **how)
                if case.backward:
                    torch.autograd.grad(out, (q, k, v), grad)
            return out

        try:
            with context():
                out = run().detach()[:, :, rows].double()
                row["error"] = float((out - exact).abs().max() / exact.abs().max())
                seconds = gpu_seconds(run)
            row |= {"ms": seconds * 1e3, "tflops": case.flops(mask) / seconds / 1e12,
                    "peak_mb": (torch.cuda.max_memory_allocated() - base) / 2**20}
        except Exception as reason:  # what a kernel refuses is a result too
            row["unavailable"] = f"{type(reason).__name__}: {str(reason).strip().splitlines()[-1][:200]}"
        out_rows.append(row)
        out = None
        gc.collect()
        torch.cuda.empty_cache()
    timed = [row for row in out_rows if "ms" in row]
    fastest = min(row["ms"] for row in timed if row["variant"] not in ("performer", "taylor"))
    for row in timed:
        row["ratio"] = row["ms"] / fastest
    return out_rows


def resident_mb(field: str = "VmRSS") -> float:
    """This process's memory as Linux counts it; VmHWM is the peak since /proc/self/clear_refs was written."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{field}:")[1].split()[0]) / 1024


def cpu_row(length: int, backend: str, causal: bool, heads: int, dim: int) -> dict:
    """Best time of at most three runs, and the memory above what stood before."""
    random = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(1, heads, length, dim, generator=random) for _ in range(3))
    attention(q[:, :, :64], k, v, backend=backend)  # draws ω, starts the threads
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what the heap keeps from the last row would hide what this one takes
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM begins again
    before, times = resident_mb(), []
    while len(times) < 3 and sum(times) < 2:
        start = time.perf_counter()
        attention(q, k, v, is_causal=causal, backend=backend)
        times.append(time.perf_counter() - start)
    return {"case": "document", "shape": [1, heads, length, length, dim], "dtype": "float32",
            "causal": causal, "padding": "", "backward": False, "variant": backend,
            "ms": min(times) * 1e3, "peak_mb": resident_mb("VmHWM") - before}


def cpu_rows(longest: int, heads: int, dim: int) -> Iterator[list[dict]]:
    """The three backends side by side at each length, ratio to sdpa."""
    for causal in (False, True):
        length = 512
        while length <= longest:
            rows = [cpu_row(length, name, causal, heads, dim) for name in ("sdpa", "performer", "taylor")]
            for row in rows:
                row["ratio"] = row["ms"] / rows[0]["ms"]
            yield rows
            length *= 2


def line(row: dict) -> str:
    """One row of the table."""
    words = (row["case"], "×".join(map(str, row["shape"])), row["dtype"], "causal" * row["causal"],
             row["padding"], "+backward" * row["backward"])
    where = " ".join(word for word in words if word)
    if "unavailable" in row:
        return f"{where:56} {row['variant']:24} — {row['unavailable'][:70]}"
    speed = f"{row['tflops']:8.1f} TFLOP/s  error {row['error']:.1e}" if "tflops" in row else ""
    return (f"{where:56} {row['variant']:24} {row['ms']:10.3f} ms {row['ratio']:7.2f}× "
            f"{row['peak_mb']:8.0f} MB {speed}")


def machine(device: str) -> dict:
    """What the numbers were measured on."""
    situations = ("plain", "causal", "padded", "padded causal")
    about = {"torch": torch.__version__, "python": platform.python_version(),
             "threads": torch.get_num_threads(), "device": device,
             "auto": {name: choose(device, "padded" in name, "causal" in name) for name in situations}}
    if device == "cuda":
        about |= {"gpu": torch.cuda.get_device_name(), "cuda": torch.version.cuda,
                  "cudnn": torch.backends.cudnn.version()}
        try:
            import xformers
            about["xformers"] = xformers.__version__
        except ImportError as reason:
            about["xformers"] = f"none: {reason}"
    return about


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"),
                        default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--max", type=int, default=16_384, help="longest on the CPU (default: %(default)s)")
    parser.add_argument("--heads", type=int, default=12, help="heads on the CPU (default: %(default)s)")
    parser.add_argument("--dim", type=int, default=32, help="a head's size on the CPU (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="write every number here as well")
    args = parser.parse_args()
    warnings.filterwarnings("ignore", category=UserWarning)  # torch's, on each kernel not chosen
    report = {"machine": machine(args.device), "rows": []}
    print(report["machine"])
    groups = cpu_rows(args.max, args.heads, args.dim) if args.device == "cpu" else map(measure, CASES)
    began = time.perf_counter()
    for rows in groups:
        report["rows"] += rows
        report["seconds"] = time.perf_counter() - began
        print(*map(line, rows), sep="\n", flush=True)
        if args.json:
            args.json.write_text(json.dumps(report, ensure_ascii=False, indent=1))
    print(f"{report['seconds']:.0f} s")


if __name__ == "__main__":
    main()
