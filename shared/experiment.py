"""What a tab is, and how its settings become a link and come back.

An experiment is a package `spaces.SLUG`: a frozen dataclass of settings, a method that knows no gradio, pure figures,
and `ui`, which offers one `Experiment`. A tab may have several views, each with its own settings; a link names the tab,
the view and every setting that differs from the default: `?tab=simsiam&view=toy&theta0=0.6`.
Everything that a visitor can get wrong ends in one `InputError`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, get_type_hints
from urllib.parse import urlencode

NAVIGATION = ("tab", "view")  # keys of a link that are not settings; gradio's own begin with "__"


class InputError(ValueError):
    """Bad input in one sentence that names the field and the limit, in Chinese and in English."""

    def __init__(self, field: str, zh: str, en: str):
        super().__init__(f"{field}: {zh} / {en}")
        self.field, self.zh, self.en = field, zh, en


@dataclass(frozen=True)
class Experiment:
    """One tab: its slug (the folder's name), texts made by `i18n.tr`, and the function that draws it."""

    slug: str
    title: str
    claim: str
    """The article's claim in one sentence, on the card and above the tab."""
    invitation: str
    """What a reader can do here, on the card."""
    archive: int
    """The article's number: https://kexue.fm/archives/…"""
    build: Callable[[Any], None]
    """Draws the tab on a `page.Page`."""


def number(name: str, value: Any, limits: tuple[float, float]) -> float | int:
    """The value of field `name` if it is a number within limits, a whole one where the lower limit is an int."""
    low, high = limits
    whole = isinstance(low, int)
    fits = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
    if not fits or (whole and value != int(value)):
        kind_zh, kind_en = ("整数", "a whole number") if whole else ("数", "a number")
        raise InputError(name, f"须为 {low} 到 {high} 之间的{kind_zh}。", f"must be {kind_en} from {low} to {high}.")
    return int(value) if whole else float(value)


def choice(name: str, value: Any, options: Sequence[str]) -> str:
    """The value of field `name` if it is one of the options."""
    if not isinstance(value, str) or value not in options:
        raise InputError(name, f"须为 {'、'.join(options)} 之一。", f"must be one of {', '.join(options)}.")
    return value


def choices(name: str, value: Any, options: Sequence[str]) -> tuple[str, ...]:
    """The value of field `name` if it is some of the options, one at least and none twice."""
    names = tuple(value) if isinstance(value, list | tuple) else (value,)
    known = all(isinstance(n, str) and n in options for n in names)
    if not names or not known or len(set(names)) < len(names):
        listed = ", ".join(options)
        raise InputError(name, f"须为下列一项或几项（不重复）：{listed}。", f"must be some of {listed}, each once.")
    return names


def boolean(name: str, value: Any) -> bool:
    """The value of field `name` if it is true or false."""
    if not isinstance(value, bool):
        raise InputError(name, "须为 true 或 false。", "must be true or false.")
    return value


def to_query(settings: Any, **navigation: str) -> str:
    """The query string of a settings dataclass: navigation first, then the fields that differ from their defaults."""
    default = type(settings)()
    changed = {
        f.name: _written(getattr(settings, f.name))
        for f in fields(settings)
        if getattr(settings, f.name) != getattr(default, f.name)
    }
    return "?" + urlencode({**navigation, **changed})


def from_query(kind: type, query: Mapping[str, str]) -> tuple[Any, list[InputError]]:
    """Settings from a link's parameters, and one error for each that is unknown or invalid (and therefore ignored)."""
    settings, errors = kind(), []
    types = get_type_hints(kind)
    given = {name: text for name, text in query.items() if name not in NAVIGATION and not name.startswith("__")}
    for name in [*filter(given.__contains__, types), *(name for name in given if name not in types)]:
        text = given[name]
        if name not in types:
            errors.append(InputError(name, "这里没有这一项设置。", "is not a setting of this view."))
            continue
        try:
            settings = dataclasses.replace(settings, **{name: _read(name, types[name], text)})
        except InputError as error:
            errors.append(error)
    return settings, errors


def from_json(kind: type, text: str) -> Any:
    """Settings from a JSON object; an unknown or mistyped field raises InputError."""
    try:
        values = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError) as error:  # also integers of thousands of digits, thousands of brackets
        why = getattr(error, "msg", "") or type(error).__name__
        raise InputError("settings", f"不是合法的 JSON（{why}）。", f"is not valid JSON ({why}).") from None
    if not isinstance(values, dict):
        raise InputError("settings", "须为一个 JSON 对象。", "must be one JSON object.")
    known = [f.name for f in fields(kind)]
    for name in values:
        if name not in known:
            raise InputError(
                str(name)[:40],
                f"没有这一项设置；可用：{'、'.join(known)}。",
                f"is unknown; there are {', '.join(known)}.",
            )
    return kind(**values)


def from_values(kind: type, values: Sequence[Any]) -> Any:
    """Settings from knob values in the order of the fields; an emptied knob falls back to its default."""
    pairs = zip(fields(kind), values, strict=True)
    read = lambda value: tuple(value) if isinstance(value, list) else value  # noqa: E731
    return kind(**{f.name: f.default if value is None else read(value) for f, value in pairs})


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _read(name: str, kind: Any, text: str) -> Any:
    """A link's text as a field's type: bool, int, float, str or tuple[str, ...]."""
    if kind is bool:
        if text not in ("true", "false"):
            raise InputError(name, "须为 true 或 false。", "must be true or false.")
        return text == "true"
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            zh = "整数" if kind is int else "数"
            raise InputError(
                name, f"须为{zh}。", f"must be {'a whole number' if kind is int else 'a number'}."
            ) from None
    return tuple(filter(None, text.split(","))) if str(kind).startswith("tuple") else text
