"""Words that several views share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

from shared.i18n import tr
from shared.live import Latest, watched

KINDS = {
    "positive": tr("正特征", "positive"),
    "trigonometric": tr("三角", "trigonometric"),
    "hyperbolic": tr("双曲", "hyperbolic"),
}
DRAWS = {
    "iid": tr("独立", "independent"),
    "orthogonal": tr("正交", "orthogonal"),
    "stratified": tr("分层模长", "stratified norms"),
    "quantiles": tr("固定分位数模长（有偏）", "norms at fixed quantiles (biased)"),
}
QUICK = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": 4}
RUN = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": 16}


def options(names: dict[str, str]) -> list[tuple[str, str]]:
    """A dictionary name → label as gradio wants choices."""
    return [(label, name) for name, label in names.items()]


PAUSE = 0.5


def calm(work: Callable[[Callable[[float], None]], Any]) -> Iterator[tuple[float, Any]]:
    """`shared.live.watched`, but at most two reports a second.

    A browser on a busy machine cannot draw ten: they pile up, and its stop button answers half a minute late.
    """
    told = -PAUSE
    with closing(watched(work)) as results:
        for share, found in results:
            if found is not None or time.monotonic() - told >= PAUSE:
                told = time.monotonic()
                yield share, found


def halt(*runs: Latest) -> str:
    """End a visitor's runs at their next result, also those that a link began; what the status says then."""
    for run in runs:
        list(run.only(nothing for nothing in ()))
    return tr("已停止。", "Stopped.")
