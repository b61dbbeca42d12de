"""Words that several views share."""

from __future__ import annotations

from shared.i18n import tr

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
