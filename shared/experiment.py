"""What a tab is, and how its settings become a link and come back.

An experiment is a package `spaces.SLUG`: a frozen dataclass of settings, a method that knows no gradio, pure figures,
and `ui`, which offers one `Experiment`. A tab may have several views, each with its own settings; a link names the tab,
the view and every setting that differs from the default: `?tab=simsiam&view=toy&theta0=0.6`.
Everything that a visitor can get wrong ends in one `InputError`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
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
    for name, text in query.items():
        if name in NAVIGATION or name.startswith("__"):
            continue
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
    except json.JSONDecodeError as error:
        raise InputError("settings", f"不是合法的 JSON（{error.msg}）。", f"is not valid JSON ({error.msg}).") from None
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
