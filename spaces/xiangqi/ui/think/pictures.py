"""The boards and the strip of moves of "See it think": the board of Play, to look at, with marks over its squares."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import gradio as gr

from shared.component import component
from shared.i18n import tr
from spaces.xiangqi.board import SQUARE_NAMES, iccs
from spaces.xiangqi.notation import chinese, wxf
from spaces.xiangqi.rules import Position
from spaces.xiangqi.ui.board import FOLDER, TEMPLATE, Arrow, Look, letters, scene
from spaces.xiangqi.voices import Saying

LOOK = Look(sound=False)
ARROWS, LEAST = 4, 0.03
"""So many likely moves are drawn, if they are at least so likely."""


@dataclass(frozen=True)
class Mark:
    """Over a square: kind "ring" or "glow", colour a role of the palette, weight 0 … 1 its opacity, a short note."""

    at: str
    kind: str = "ring"
    color: str = "accent"
    weight: float = 1.0
    text: str = ""


def picture_board(value: str, **options) -> gr.HTML:
    """A board to look at, showing a `picture`."""
    start = "((e, p, t, w) => { kx.xiangqi.board(e, p, t, w); kx.xiangqiThink.marks(e, p, w); })"
    return component(FOLDER, "board.js think/think.js", "board.css", TEMPLATE, start, value, **options)


def picture(position: Position, arrows: Sequence[Arrow] = (), fade: Mapping[int, float] | None = None,
            marks: Iterable[Mark] = (), believed: Sequence[int] | None = None) -> str:
    """A position as `picture_board`'s value; fade: {square: opacity} of pieces; believed: pieces to show instead."""
    named = {SQUARE_NAMES[s]: round(opacity, 3) for s, opacity in (fade or {}).items()}
    value = json.loads(scene(position, LOOK, arrows=arrows, fade=named))
    if believed is not None:
        value |= {"board": letters(believed), "check": ""}
    return json.dumps(value | {"marks": [asdict(mark) for mark in marks]}, ensure_ascii=False)


def policy_arrows(saying: Saying, color: str) -> list[Arrow]:
    """The likeliest moves with their probabilities; illegal ones in grey."""
    likely = [(iccs(move), p, color) for move, p in saying.top(ARROWS)]
    likely += [(word, p, "grey") for word, p, _ in saying.illegal[:2] if word[:2] != word[2:]]
    return [Arrow(word, min(1.0, max(0.08, p)), f"{p:.0%}", role) for word, p, role in likely if p >= LEAST]


def spoken(position: Position, move: int) -> str:
    """A legal move in Chinese notation and in WXF."""
    return tr(chinese(position, move), wxf(position, move))


def strip(value: str, **options) -> gr.HTML:
    """The game's moves as buttons; its `pick` event has the ply as x."""
    return component(FOLDER, "think/think.js", "think/think.css", '<div class="xt-moves" role="group"></div>',
                     "kx.xiangqiThink.strip", value, **options)


def moves_of(line: tuple[int, ...], at: int, left: int) -> str:
    """The strip's value: the moves, the ply shown, and how many of them opening lines hold."""
    position, words = Position(), []
    for move in line:
        words.append({"word": spoken(position, move), "iccs": iccs(move)})
        position.push(move)
    return json.dumps({"moves": words, "at": at, "left": left, "start": tr("开局", "start"), "line": tr(
        "背谱线：从这里起，训练集里没有两局这样走过。",
        "Recitation line: from here on no two training games went so.")}, ensure_ascii=False)
