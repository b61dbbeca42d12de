"""Figures as data: an axis pair and layers in, JSON out; assets/drawing.js draws it in the page's look.

Everything here is a pure function. Colours are roles ("accent", "counter", "grey", "ink") that follow light and dark;
texts may be `i18n.tr` strings; NaN and infinities become gaps. Why not plotly: it is remounted at every update (five
frames a second at most), does not follow the page's theme, and cannot change language without the server.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

ACCENT, COUNTER, GREY, INK = "accent", "counter", "grey", "ink"


def numbers(values: Iterable[float], digits: int = 5) -> list[float | None]:
    """Plain JSON numbers of `digits` significant digits, None where a value is not finite."""
    return [float(f"{v:.{digits}g}") if math.isfinite(v) else None for v in map(float, values)]


def axis(label: str = "", range: Sequence[float | None] | None = None, **options: Any) -> dict:
    """An axis: label with its unit, range (either end may be None), log=True for base-10 logarithms, ticks, names."""
    return {"label": label, "range": list(range) if range else None, **options}


def line(x: Iterable[float], y: Iterable[float], name: str = "", color: str = INK, **options: Any) -> dict:
    """A polyline through (x, y); hidden=True keeps it out of the drawing, for the pointer and the CSV alone."""
    return {"kind": "line", "x": numbers(x), "y": numbers(y), "name": name, "color": color, **options}


def band(x: Iterable[float], low: Iterable[float], high: Iterable[float], color: str = GREY) -> dict:
    """A shaded band between low and high, all finite."""
    return {"kind": "band", "x": numbers(x), "y": numbers(high), "low": numbers(low), "color": color}


def points(x: Iterable[float], y: Iterable[float], name: str = "", color: str = INK, **options: Any) -> dict:
    """Points; with `labels` drawn as text, with `classes` in one of ten colours, with glide=True moving smoothly."""
    return {"kind": "points", "x": numbers(x), "y": numbers(y), "name": name, "color": color, **options}


def bars(x: Iterable[float], y: Iterable[float], name: str = "", color: str = INK, **options: Any) -> dict:
    """Vertical bars from zero."""
    return {"kind": "bars", "x": numbers(x), "y": numbers(y), "name": name, "color": color, **options}


def arrows(
    x: Iterable[float], y: Iterable[float], u: Iterable[float], v: Iterable[float], color: str = "muted"
) -> dict:
    """A field of arrows (u, v) at (x, y), their length on a root scale."""
    return {"kind": "arrows", "x": numbers(x), "y": numbers(y), "u": numbers(u), "v": numbers(v), "color": color}


def cells(
    x: Iterable[float],
    y: Iterable[float],
    z: Sequence[Iterable[float]],
    name: str,
    range: Sequence[float],
    **options: Any,
) -> dict:
    """A heat map: z[j][i] at (x[i], y[j]), from `low` (over the page's surface) to `high` across `range`.

    With show_values=True a cell shows its number, or what `texts`[j][i] says instead.
    """
    rows = [numbers(row, 4) for row in z]
    return {"kind": "cells", "x": numbers(x), "y": numbers(y), "z": rows, "name": name, "range": list(range), **options}


def rule(kind: str, at: float, text: str = "", color: str = GREY, **options: Any) -> dict:
    """A reference line: kind "hline" or "vline", with a short text."""
    return {"kind": kind, "at": float(at), "text": text, "color": color, **options}


def texts(x: Iterable[float], y: Iterable[float], text: Sequence[str], color: str = "muted", **options: Any) -> dict:
    """Short notes at (x, y)."""
    return {"kind": "text", "x": numbers(x), "y": numbers(y), "text": list(text), "color": color, **options}


def figure(
    name: str, x: dict, y: dict, layers: Sequence[dict], *, caption: str = "", aspect: float = 0.62, **options: Any
) -> str:
    """The figure as JSON; `name` is its file name when saved, `caption` the sentence that says what to see."""
    spec = {"name": name, "caption": caption, "aspect": aspect, "x": x, "y": y, "layers": list(layers), **options}
    return json.dumps(spec, ensure_ascii=False, allow_nan=False)
