"""Order and shared fixtures: fast tests first, then slow ones, then the browser; the data; the running app."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
import spaces  # noqa: E402, F401  before torch, as in app.py

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast, then slow, then browser."""
    items.sort(key=lambda i: (i.get_closest_marker("browser") is not None, i.get_closest_marker("slow") is not None))


@pytest.fixture(scope="session")
def data() -> Path:
    """The training data beside the repository, which other machines need not have."""
    if not DATA.is_dir():
        reason = "the training data (../shared/data) is not on this machine"
        pytest.fail(reason) if os.getenv("CI") == "true" else pytest.skip(reason)
    return DATA


@pytest.fixture(autouse=True)
def fresh_accelerate() -> Iterator[None]:
    """accelerate remembers the first Accelerator's precision for the process: every test begins without."""
    yield
    if "accelerate.state" in sys.modules:
        sys.modules["accelerate.state"].AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """The address of `python app.py`, started on a free port."""
    with _serving() as url:
        yield url


@pytest.fixture
def serve() -> Callable:
    """serve(arguments of app.py …, port=a free one): a context manager in which the app answers at its address."""
    return _serving


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextmanager
def _serving(*arguments: str, port: int = 0) -> Iterator[str]:
    port = port or _free_port()
    process = subprocess.Popen(
        [sys.executable, "app.py", *arguments],
        cwd=ROOT,
        env={**os.environ, "GRADIO_SERVER_PORT": str(port), "GRADIO_SERVER_NAME": "127.0.0.1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(url: str, process: subprocess.Popen, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            pytest.fail(f"app.py ended with {process.returncode}:\n{process.stdout.read()}")
        try:
            urllib.request.urlopen(f"{url}/config", timeout=20).close()
            return
        except OSError:
            time.sleep(0.3)
    pytest.fail(f"app.py did not answer on {url} within {seconds:.0f} s")
