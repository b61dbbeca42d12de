"""The one door to the device: which one, in which precision, and whose turn it is.

A method is decorated with `@run(duration=seconds)` and asks `device()` and `dtype()` inside; it never
learns where it runs.

* Local: everybody queues, first come, first served: one at a time on a GPU, two on a CPU, so that a short
  call need not wait for a long one (two training loops side by side do as many steps per CPU second as in
  turns: 7.4 to 8.3 against 6.9 to 8.1, on two cores). A function has its turn until it returns; a generator
  has one from each frame to the next, so the live runs of several visitors advance in rotation, and none
  holds the device while its browser draws.
* ZeroGPU (a Hugging Face Space): the same function through `spaces.GPU`. Each call is a fork: it takes
  and yields picklable CPU data, what it changes in memory is lost, and models are loaded before it, in
  the parent.
* A cluster: one more `Backend`, one more line in `choose`; no tab changes.
"""

import spaces  # before torch: on ZeroGPU it patches torch.cuda

# isort: split
import ctypes
import math
import os
import platform
import time
from collections.abc import Callable, Generator
from functools import cache, partial, wraps
from inspect import isgeneratorfunction
from pathlib import Path
from typing import Any, Protocol

import psutil
import torch

from shared.experiment import InputError
from shared.turns import Turns

Duration = float | Callable[..., float]  # seconds, or a function of the call's arguments that returns them


class Backend(Protocol):
    """Where methods run; `wrap` turns a function or generator function into one that runs there."""

    name: str
    waiting: int

    def device(self) -> torch.device: ...

    def home(self) -> torch.device: ...

    def wrap(self, function: Callable, duration: Duration) -> Callable: ...


class Local:
    """This machine: its first CUDA device, else its cores."""

    name = "local"

    def __init__(self, turns: Turns | None = None):
        self.turns = turns or Turns(1 if torch.cuda.is_available() else max(2, cores() // threads()))
        if not torch.cuda.is_available():
            torch.set_num_threads(threads())

    def device(self) -> torch.device:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")

    home = device

    @property
    def waiting(self) -> int:
        return self.turns.waiting

    def wrap(self, function: Callable, duration: Duration) -> Callable:
        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with self.turns.turn():
                return function(*args, **kwargs)

        @wraps(function)
        def stream(*args: Any, **kwargs: Any) -> Generator:
            frames = function(*args, **kwargs)
            try:
                while True:
                    with self.turns.turn():
                        try:
                            frame = next(frames)
                        except StopIteration as end:
                            return end.value
                    yield frame
            finally:
                frames.close()  # the visitor has left: the method cleans up now, not at the next collection

        return stream if isgeneratorfunction(function) else call


class ZeroGPU:
    """A Hugging Face Space that lends a GPU per call; it queues by itself, so no turn is taken here."""

    name = "zerogpu"
    waiting = 0  # in the Space's queue, which does not tell

    def __init__(self, gpu: Callable | None = None):
        self._gpu = gpu or spaces.GPU

    def device(self) -> torch.device:
        return torch.device("cuda")

    def home(self) -> torch.device:
        return torch.device("cpu")  # the parent has no CUDA: weights move inside the call

    def wrap(self, function: Callable, duration: Duration) -> Callable:
        streams = isgeneratorfunction(function)
        guarded = (_guarded_stream if streams else _guarded_call)(function)
        remote = self._gpu(duration=_whole_seconds(duration))(guarded)

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            return _opened(remote(*args, **kwargs))

        @wraps(function)
        def stream(*args: Any, **kwargs: Any) -> Generator:
            frames = remote(*args, **kwargs)
            try:
                for frame in frames:
                    yield _opened(frame)
            finally:
                frames.close()

        return stream if streams else call


class _Refusal(tuple):
    """An InputError's (field, zh, en) on its way out of a fork, which reports only an exception's class."""


def _opened(result: Any) -> Any:
    if isinstance(result, _Refusal):
        raise InputError(*result)
    return result


def _guarded_call(function: Callable) -> Callable:
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except InputError as error:
            return _Refusal((error.field, error.zh, error.en))

    return call


def _guarded_stream(function: Callable) -> Callable:
    @wraps(function)
    def stream(*args: Any, **kwargs: Any) -> Generator:
        try:
            yield from function(*args, **kwargs)
        except InputError as error:
            yield _Refusal((error.field, error.zh, error.en))

    return stream


def _whole_seconds(duration: Duration) -> int | Callable[..., int]:
    # ZeroGPU reads timedelta.seconds, which drops fractions: half a second would be none.
    if callable(duration):
        return lambda *args, **kwargs: math.ceil(duration(*args, **kwargs))
    return math.ceil(duration)


def choose() -> Backend:
    """The backend of this machine."""
    return ZeroGPU() if spaces.ZERO_GPU else Local()


backend = cache(choose)


def run(*, duration: Duration) -> Callable[[Callable], Callable]:
    """Decorate a function or generator function that computes; one call takes at most `duration` seconds.

    Generators yield only (no send, no return value on ZeroGPU) and are closed when their consumer leaves.
    Decorate at import: ZeroGPU counts the functions when the app starts. A thread that a method starts has no
    share in its turn.
    """
    return partial(backend().wrap, duration=duration)


def device() -> torch.device:
    """Where a method computes; on ZeroGPU valid inside `run` only."""
    return backend().device()


def home() -> torch.device:
    """Where weights wait between calls: the device itself, or on ZeroGPU the parent's memory."""
    return backend().home()


def dtype() -> torch.dtype:
    """The type of weights for inference: bf16 on CUDA (fp16 before Ampere), fp32 on the CPU."""
    if device().type == "cpu":
        return torch.float32
    return torch.bfloat16 if torch.cuda.get_device_capability()[0] >= 8 else torch.float16


def autocast_dtype() -> torch.dtype | None:
    """bf16 where the hardware has it (CUDA from Ampere on, CPUs with AMX or AVX512-BF16), else None."""
    if device().type == "cuda":
        return torch.bfloat16 if torch.cuda.get_device_capability()[0] >= 8 else None
    flags = _cpuinfo("flags").split()
    return torch.bfloat16 if "amx_bf16" in flags or "avx512_bf16" in flags else None


def cores() -> int:
    """CPU cores that this process may use: its affinity or, where less, its container's quota."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, period = (_cgroup("cpu.max", "cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us") or ["max", "1"])[:2]
    return max(1, min(allowed, int(quota) // int(period))) if quota.isdigit() else allowed


def threads() -> int:
    """Threads of one run on the CPU: OMP_NUM_THREADS, else all cores up to eight."""
    wanted = os.getenv("OMP_NUM_THREADS", "")
    return int(wanted) if wanted.isdigit() and int(wanted) else min(cores(), 8)


def clock() -> float:
    """Seconds that a training's schedule counts: the process's processor time on cores, so that a busy machine changes
    nothing but the hour; else the time that passes."""
    return time.monotonic() if torch.cuda.is_available() else time.process_time()


def keep_memory() -> None:
    """Let glibc keep what is freed: page faults were near half of an MLP's step on a CPU."""
    trim_threshold, top_pad, mmap_threshold = -1, -2, -3  # of malloc.h
    if mallopt := _glibc("mallopt"):
        for option, size in ((mmap_threshold, 2**31 - 1), (trim_threshold, 2**31 - 1), (top_pad, 2**28)):
            mallopt(option, size)


def return_memory() -> None:
    """Let glibc hand back what is freed: a thread's share of it stays else, and counts as used."""
    if trim := _glibc("malloc_trim"):
        trim(0)


def _glibc(name: str) -> Callable[..., int] | None:
    """One of its functions; other systems have none."""
    return getattr(ctypes.CDLL(None), name, None)


def memory() -> int:
    """Bytes of memory where weights wait: the GPU's, else the machine's or, where less, the container's."""
    if home().type == "cuda":
        return torch.cuda.get_device_properties(0).total_memory
    limits = _cgroup("memory.max", "memory/memory.limit_in_bytes") or []
    return min([psutil.virtual_memory().total, *(int(limit) for limit in limits if limit.isdigit())])


def describe() -> dict[str, Any]:
    """The device, for the page's footer; memory in bytes, waiting = visitors in line."""
    here, fast = device(), autocast_dtype()
    return {
        "backend": backend().name,
        "device": here.type,
        "name": torch.cuda.get_device_name(0) if here.type == "cuda" else _processor(),
        "memory": memory(),
        "threads": torch.get_num_threads(),
        "dtype": str(dtype()).removeprefix("torch."),
        "autocast": fast and str(fast).removeprefix("torch."),
        "waiting": backend().waiting,
    }


def _cgroup(unified: str, *legacy: str) -> list[str] | None:
    """The words of a container's limit, from cgroup v2's file or else from v1's; None where neither is."""
    root = Path("/sys/fs/cgroup")
    for files in ((unified,), legacy):
        if all((root / file).is_file() for file in files):
            return " ".join((root / file).read_text() for file in files).split()
    return None


def _cpuinfo(field: str) -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(field)), "")


def _processor() -> str:
    return _cpuinfo("model name") or platform.processor() or platform.machine()
