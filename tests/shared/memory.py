"""How much memory a call adds at its height."""

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path

import pytest


def peak_mb(function: Callable[[], object]) -> float:
    """The growth of the resident set at its height, in MB; skips where there is no glibc on Linux to tell."""
    clear, status = Path("/proc/self/clear_refs"), Path("/proc/self/status")
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if clear.exists() else None
    if trim is None:
        pytest.skip("the peak of memory is read from Linux's /proc, after glibc's malloc_trim")

    def resident(field: str) -> float:
        return int(status.read_text().split(f"{field}:")[1].split()[0]) / 1024

    gc.collect()
    trim(0)  # what the heap keeps from earlier calls would hide what this one takes
    clear.write_text("5")  # VmHWM begins again
    before = resident("VmRSS")
    function()
    return resident("VmHWM") - before
