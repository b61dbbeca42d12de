"""The tab's API as plain Python: `attention_error(settings)`."""

from __future__ import annotations

import math
from dataclasses import dataclass

from shared.experiment import choice, from_json, number
from shared.random_features import DRAWS, KINDS, Features
from spaces.attention.choose import taylor_features
from spaces.attention.errors import LIMITS, Errors, Point, attention_points, kernel_points


@dataclass(frozen=True)
class Question:
    """One kind of features under one draw, at one place."""

    kind: str = "positive"
    draw: str = "orthogonal"
    features: int = 256
    dim: int = 16
    norm: float = 0.7
    """|q| = |k|, after the division by d^¼."""
    angle: float = 60.0
    """Degrees between a query and its key."""
    keys: int = 256
    repeats: int = 300
    """Draws for the kernel; a tenth of them for attention."""
    seed: int = 0

    def __post_init__(self):
        choice("kind", self.kind, KINDS)
        choice("draw", self.draw, DRAWS)
        for name, limits in LIMITS.items():
            object.__setattr__(self, name, number(name, getattr(self, name), limits))
        Features("hyperbolic", "iid", self.features)  # even


def attention_error(settings: str) -> dict:
    """The errors that a JSON object of Question's fields asks for; an empty one means the defaults.

    Returns "kernel", of one value e^{q·k}: {"relative_rmse", "interval": [low, high] of 68 %, "closed_form" for
    independent draws, "mean_ratio": estimate over truth, "mean_ratio_se", "heavy_tail"}; "attention", of whole outputs:
    {"relative_error" (median over draws), "interval", "closed_form" to first order}; "taylor", order 2 on the same:
    {"relative_error", "interval", "features"}. Numbers that JSON has not are None. Raises InputError.
    """
    asked = from_json(Question, settings)
    shape = {name: getattr(asked, name) for name in LIMITS}
    errors = Errors(kinds=(asked.kind,), draws=(asked.draw,), **shape)
    kernel = kernel_points(errors, lambda share: None)[asked.kind, asked.draw]
    whole = attention_points(errors, lambda share: None)
    attention, taylor = whole[asked.kind, asked.draw], whole["taylor", ""]
    return {
        "kernel": {
            "relative_rmse": plain(kernel.error),
            "interval": interval(kernel),
            "closed_form": plain(kernel.predicted),
            "mean_ratio": plain(kernel.bias),
            "mean_ratio_se": plain(kernel.bias_se),
            "heavy_tail": kernel.dominated,
        },
        "attention": {
            "relative_error": plain(attention.error),
            "interval": interval(attention),
            "closed_form": plain(attention.predicted),
        },
        "taylor": {
            "relative_error": plain(taylor.error),
            "interval": interval(taylor),
            "features": taylor_features(asked.dim),
        },
    }


def interval(point: Point) -> list[float | None]:
    """Both ends."""
    return [plain(point.low), plain(point.high)]


def plain(value: float) -> float | None:
    """JSON has neither NaN nor infinities: None."""
    return float(value) if math.isfinite(value) else None
