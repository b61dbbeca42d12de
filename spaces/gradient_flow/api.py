"""The tab's API as plain Python: `gradient_flow(settings)`."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from shared.experiment import from_json
from spaces.gradient_flow.flow import CellFlow, flow
from spaces.gradient_flow.settings import Flow


def gradient_flow(settings: str) -> dict:
    """The flow of the cells that a JSON object of Flow's fields asks for; an empty one means the defaults.

    Returns, each by cell: "log10_norms" [log10 of the Frobenius norm of ∂s_T/∂s_t, t = 0 … T−1], where None is a norm
    without a logarithm in JSON; "zero": the last t whose norm is exactly zero, and with it all before, or None;
    "exploded": the first step whose state is not finite, or None (then all norms are None); "rate": decades gained per
    step back; "half_life": in steps, None where nothing is lost; "predicted_half_life"; "regime": vanish, stable or
    explode; with `spectral` "log10_spectral_norms"; with `clip` "clipping": {"log10_norm_before", "log10_norm_after",
    "degrees_turned", "degrees_turned_by_value"}. Raises InputError.
    """
    asked = from_json(Flow, settings)
    cells = flow(asked).cells
    out = {
        "log10_norms": {n: numbers(c.log10) for n, c in cells.items()},
        "zero": {n: last_zero(c) for n, c in cells.items()},
        "exploded": {n: c.exploded for n, c in cells.items()},
        "rate": {n: number(c.rate) for n, c in cells.items()},
        "half_life": {n: number(c.half_life) for n, c in cells.items()},
        "predicted_half_life": {n: number(c.predicted) for n, c in cells.items()},
        "regime": {n: c.regime for n, c in cells.items()},
    }
    if asked.spectral:
        out["log10_spectral_norms"] = {n: numbers(c.spectral) for n, c in cells.items()}
    if asked.clip:
        out["clipping"] = {n: clipping(c) for n, c in cells.items()}
    return out


def number(value: float | None) -> float | None:
    """JSON has neither NaN nor infinities: None."""
    return value if value is not None and math.isfinite(value) else None


def numbers(values: Iterable[float]) -> list[float | None]:
    """Plain numbers at full precision."""
    return [number(float(v)) for v in values]


def last_zero(cell: CellFlow) -> int | None:
    """The last t whose norm is exactly zero."""
    zero = np.flatnonzero(np.isneginf(cell.log10))
    return int(zero[-1]) if len(zero) else None


def clipping(cell: CellFlow) -> dict[str, float | None] | None:
    """Norms before and after, and the change of direction: none by norm, some by value."""
    if cell.clipping is None:
        return None
    return {
        "log10_norm_before": number(cell.clipping.before),
        "log10_norm_after": number(cell.clipping.after),
        "degrees_turned": 0.0,
        "degrees_turned_by_value": cell.clipping.turned,
    }
