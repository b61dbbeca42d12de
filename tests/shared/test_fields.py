"""A Chinese sentence about bad input names its field in Chinese."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import app
from shared import fields
from shared.experiment import InputError
from shared.i18n import pick, tr
from shared.page import guard

ROOT = Path(fields.__file__).parent.parent
SYMBOLS = {"q, k, v", "q", "k", "mask", "scale", "dropout", "alpha", "fen"}  # read alike in both languages


def said_of() -> set[str]:
    """The fields that the sources name outright when they refuse something."""
    calls = (node for folder in ("shared", "spaces") for path in (ROOT / folder).rglob("*.py")
             for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call) and node.args)  # fmt: skip
    first = [call.args[0] for call in calls if getattr(call.func, "id", "") == "InputError"]
    return {argument.value for argument in first if isinstance(argument, ast.Constant)}


def test_every_field_has_a_name_in_chinese():
    app.build()
    named = {name: fields.chinese(name) for name in said_of() - SYMBOLS}
    assert len(named) > 80
    assert not [name for name, zh in named.items() if zh.isascii()]


def test_a_knob_is_called_by_its_label(monkeypatch):
    monkeypatch.setattr(fields, "_labels", {})
    assert (fields.chinese("rate"), fields.chinese("steps")) == ("rate", "步数")
    fields.learn("rate", tr("学习率（Adam）", "learning rate (Adam)"))
    assert fields.chinese("rate") == "学习率"
    fields.learn("rate", tr("水流", "flow"))  # two knobs: no one's name
    assert fields.chinese("rate") == "rate"


def test_the_toast_says_it():
    def refuse():
        raise InputError("game", "已经下完了。", "is over.")

    with pytest.raises(Exception) as caught:
        guard(refuse)()
    zh, en = (pick(caught.value.message, language) for language in ("zh", "en"))
    assert (zh, en) == ("棋局：已经下完了。", "game: is over.")
