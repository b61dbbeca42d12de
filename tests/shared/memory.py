"""How much memory a call adds at its height."""

import gc
from collections.abc import Callable
from pathlib import Path

import pytest


def peak_mb(function: Callable[[], object]) -> float:
    """The growth of the resident set at its height, in MB; skips where there is no Linux to tell."""
    clear, status = Path("/proc/self/clear_refs"), Path("/proc/self/status")
    if not clear.exists():
        pytest.skip("the peak of memory is read from Linux's /proc")

    def resident(field: str) -> float:
        return int(status.read_text().split(f"{field}:")[1].split()[0]) / 1024

    gc.collect()
    clear.write_text("5")  # VmHWM begins again
    before = resident("VmRSS")
    function()
    return resident("VmHWM") - before
