"""Where does linear pay? Time and memory of exact and linear attention against the length, on this machine.

The claim (archives/7921): below some 5,000 tokens Performer is slower than exact attention. Everything goes through
shared.attention; "auto" is the fastest exact backend (xformers on CUDA, torch's SDPA elsewhere). Performer and Taylor
get the same number of features, 1 + d + d(d+1)/2, unless another is asked for. "matrix" is attention as it is written,
with its n × n matrix, for the memory that fused kernels save.

Memory is counted exactly, allocation by allocation, as torch's own profiler reports them (on CUDA by its allocator),
beyond q, k and v: neither other visitors nor what the process kept from before matter. Time is the best of several
runs, and other work on the machine does matter: least with one thread, for two that wait for each other on busy cores
may take thirty times as long.

Try first: `python -m spaces.attention.pay --longest 8192`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass

import torch

from shared import accelerator
from shared.attention import attention
from shared.experiment import boolean, choice, choices, number
from shared.random_features import Features
from shared.threads import one_thread
from spaces.attention.choose import taylor_features

BACKENDS = ("auto", "matrix", "performer", "taylor")
LIMITS = {"longest": (512, 65_536), "heads": (1, 16), "dim": (4, 128), "features": (0, 8192), "seed": (0, 2**31 - 1)}
SHORTEST = 256
MATRIX_BYTES = 2**29
"""The matrix is left out where it would be larger than this."""
ROW_SECONDS = 6.0
"""A backend is left out of longer lengths once they would take so long: SDPA's time grows with the square."""
PLAUSIBLE = 0.7
"""A longer input that takes less than this share of a shorter one's time tells of other work on the machine."""
profiling = threading.Lock()  # torch has one profiler


@dataclass(frozen=True)
class Pay:
    """Which lengths, which shape."""

    backends: tuple[str, ...] = BACKENDS
    longest: int = 16_384
    """Tokens; lengths double from SHORTEST to here."""
    heads: int = 1
    dim: int = 32
    """d of a head."""
    features: int = 0
    """Of Performer, even; 0: as many as Taylor has, 1 + d + d(d+1)/2, rounded up to even."""
    causal: bool = False
    threads: str = "one"
    """one, or all that torch may use; of no matter on CUDA."""
    seed: int = 0

    def __post_init__(self):
        object.__setattr__(self, "backends", choices("backends", self.backends, BACKENDS))
        for name, limits in LIMITS.items():
            object.__setattr__(self, name, number(name, getattr(self, name), limits))
        boolean("causal", self.causal)
        choice("threads", self.threads, ("one", "all"))
        Features("hyperbolic", "iid", self.count)  # even

    @property
    def count(self) -> int:
        """Performer's features."""
        return self.features or 2 * math.ceil(taylor_features(self.dim) / 2)

    @property
    def lengths(self) -> list[int]:
        """From SHORTEST to the longest, by doubling, and the longest itself."""
        doubled = [SHORTEST * 2**i for i in range(12) if SHORTEST * 2**i < self.longest]
        return [*doubled, self.longest]


@dataclass(frozen=True)
class Row:
    """One backend at one length."""

    backend: str
    length: int
    seconds: float
    """Of one forward pass, the best of several."""
    bytes: int
    """The most that was held at once beyond q, k and v; the output is included."""


@accelerator.run(duration=120)
def measure(settings: Pay) -> Iterator[Row]:
    """Row by row, the shorter lengths first; each again after the others of its length, the better time counts.

    A client that leaves ends it after the present row.
    """
    last: dict[str, Row] = {}
    for length in settings.lengths:
        chosen = [b for b in settings.backends if not too_much(settings, b, length, last.get(b))]
        for again in (False, True):
            for backend in chosen:
                with one_thread() if settings.threads == "one" else nullcontext():
                    last[backend] = row(settings, backend, length, last[backend] if again else None)
                yield last[backend]


def too_much(settings: Pay, backend: str, length: int, before: Row | None) -> bool:
    """Whether this length is left out: the matrix too large, or the time foreseeably too long."""
    if backend == "matrix" and 4 * settings.heads * length**2 > MATRIX_BYTES:
        return True
    power = 1 if backend in ("performer", "taylor") else 2
    return before is not None and before.seconds * (length / before.length) ** power > ROW_SECONDS


def row(settings: Pay, backend: str, length: int, before: Row | None = None) -> Row:
    """One backend measured at one length, or measured again."""
    device = accelerator.device()
    random = torch.Generator().manual_seed(settings.seed)
    q, k, v = (torch.randn(1, settings.heads, length, settings.dim, generator=random).to(device) for _ in range(3))

    def run() -> torch.Tensor:
        with torch.no_grad():
            return forward(q, k, v, backend, settings)

    used = before.bytes if before else peak_bytes(run)  # which draws ω and starts the threads as well
    times: list[float] = []
    while len(times) < 2 or (len(times) < 8 and sum(times) < 0.3):
        began = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
        if times[-1] > 1.0:
            break
    return Row(backend, length, min([*times, *([before.seconds] if before else [])]), used)


def forward(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, backend: str, settings: Pay) -> torch.Tensor:
    """One pass; "matrix" is attention as it is written."""
    if backend == "matrix":
        scores = q @ k.mT * q.shape[-1] ** -0.5
        if settings.causal:
            scores.masked_fill_(torch.ones_like(scores[0, 0], dtype=torch.bool).triu(1), -torch.inf)
        return scores.softmax(-1) @ v
    features = Features(count=settings.count, seed=settings.seed) if backend == "performer" else None
    return attention(q, k, v, is_causal=settings.causal, backend=backend, features=features)


def peak_bytes(run) -> int:
    """The most bytes that run() held at once beyond what stood before."""
    if accelerator.device().type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        return torch.cuda.max_memory_allocated() - before
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler announces itself otherwise
    with (
        profiling,
        torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as seen,
    ):
        run()
    changes = [e for e in seen.profiler.kineto_results.events() if e.name() == "[memory]"]
    held = most = 0
    for change in sorted(changes, key=lambda e: e.start_ns()):
        held += change.nbytes()
        most = max(most, held)
    return most


def crossover(rows: Sequence[Row], one: str, two: str, field: str = "seconds") -> float | None:
    """The length from which `one` stays below `two`, by log-log interpolation between measured; None: never."""
    values = {name: {r.length: getattr(r, field) for r in rows if r.backend == name} for name in (one, two)}
    shared = sorted(set(values[one]) & set(values[two]))
    gaps = [math.log(values[one][n] / values[two][n]) for n in shared]
    if not gaps or gaps[-1] >= 0:
        return None
    after = next((i for i in range(len(gaps) - 1, -1, -1) if gaps[i] >= 0), None)
    if after is None:
        return float(shared[0])
    a, b, n, m = gaps[after], gaps[after + 1], shared[after], shared[after + 1]
    return n * (m / n) ** (a / (a - b))


def disturbed(rows: Sequence[Row]) -> tuple[str, int, int] | None:
    """The worst of what cannot be the work's own doing: a backend, a length, a longer one that took far less time."""
    found, worst = None, PLAUSIBLE
    for name in BACKENDS:
        run = sorted((r for r in rows if r.backend == name), key=lambda r: r.length)
        for short, long in itertools.combinations(run, 2):
            if long.seconds < worst * short.seconds:
                found, worst = (name, short.length, long.length), long.seconds / short.seconds
    return found


def main() -> None:
    """Print the table of this machine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--longest", type=int, default=Pay.longest)
    parser.add_argument("--heads", type=int, default=Pay.heads)
    parser.add_argument("--dim", type=int, default=Pay.dim)
    parser.add_argument("--features", type=int, default=Pay.features)
    parser.add_argument("--causal", action="store_true")
    parser.add_argument("--threads", choices=("one", "all"), default=Pay.threads)
    settings = Pay(**vars(parser.parse_args()))
    print(f"{settings}, {settings.count} features, {accelerator.describe()['name']}, torch {torch.__version__}")
    rows = list({(r.length, r.backend): r for r in measure(settings)}.values())
    for found in rows:
        print(
            f"{found.length:7d} {found.backend:10s} {found.seconds * 1e3:10.2f} ms {found.bytes / 2**20:10.2f} MiB",
            flush=True,
        )
    crossed = {name: crossover(rows, name, "auto") for name in ("performer", "taylor")}
    print(json.dumps({"rows": [asdict(r) for r in rows], "crossover_tokens": crossed}))


if __name__ == "__main__":
    main()
