"""Order and shared fixtures: fast tests first, then slow ones, then the browser."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
import spaces  # noqa: E402, F401  before torch, as in app.py

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast, then slow, then browser."""
    items.sort(key=lambda i: (i.get_closest_marker("browser") is not None, i.get_closest_marker("slow") is not None))


@pytest.fixture(scope="session")
def data() -> Path:
    """The training data beside the repository, which other machines need not have."""
    if not DATA.is_dir():
        pytest.skip("the training data (../shared/data) is not on this machine")
    return DATA
