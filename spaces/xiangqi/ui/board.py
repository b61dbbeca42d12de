"""The board on the page: one gr.HTML that draws one JSON value, and triggers `move` with {"move": "h2e2"}.

`scene` makes the value. A view that only shows leaves `movable` empty and adds arrows or fades:

    board(scene(position, arrows=[Arrow(move, weight=0.6, label="60 %")], fade={"e2": 0.3}))

The page draws a move before the server has seen it; whatever scene comes next is what stands, and pieces glide there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import gradio as gr

from shared.component import component, packed
from spaces.xiangqi.board import KINDS, MOVE_FROM, MOVE_TO, SQUARE_NAMES, iccs
from spaces.xiangqi.rules import Position

FOLDER = Path(__file__).parent
TEMPLATE = """<div class="xq">
<div class="xq-strip" data-end="top"></div>
<div class="xq-table"><div class="xq-bar" role="img"><i></i></div>
<svg class="xq-board" tabindex="0" role="application" xmlns="http://www.w3.org/2000/svg"></svg></div>
<div class="xq-strip" data-end="bottom"></div><p class="xq-heard" aria-live="polite"></p></div>"""
SIDES = ("w", "b")


@dataclass(frozen=True)
class Arrow:
    """A move drawn on the board: weight 0 … 1 is its thickness, colour a role of the palette."""

    move: str
    weight: float = 1.0
    label: str = ""
    color: str = "counter"


@dataclass(frozen=True)
class Look:
    """How a visitor likes the board."""

    flip: bool = False
    western: bool = False
    coordinates: bool = True
    sound: bool = True


def board(value: str, **options) -> gr.HTML:
    """The board, showing a `scene`; it has a `move` event."""
    return component(FOLDER, "board.js", "board.css", TEMPLATE, "kx.xiangqi.board", value, **options)


def letters(pieces: Iterable[int]) -> str:
    """Pieces in FEN's letters."""
    return "".join((KINDS[p & 7].lower() if p & 8 else KINDS[p & 7]) if p else "." for p in pieces)


def targets(legal: Iterable[int]) -> dict[str, str]:
    """{"h2": "h1h3…"}: the squares each piece may go to, one after another."""
    out: dict[str, str] = {}
    for move in legal:
        name = SQUARE_NAMES[MOVE_FROM[move]]
        out[name] = out.get(name, "") + SQUARE_NAMES[MOVE_TO[move]]
    return out


def taken_by(position: Position) -> dict[str, str]:
    """The pieces that each side has captured so far, most valuable first."""
    order = "RCNPBAKrcnpbak"
    sort = lambda pieces: "".join(sorted(letters(pieces), key=order.index))  # noqa: E731
    captured = [p for p in position.captured if p]
    return {"w": sort(p for p in captured if p & 8), "b": sort(p for p in captured if not p & 8)}


def scene(
    position: Position,
    look: Look | None = None,
    *,
    legal: Iterable[int] = (),
    arrows: Sequence[Arrow] = (),
    fade: Mapping[str, float] | None = None,
    names: Mapping[str, str] | None = None,
    bar: float | None = None,
    busy: str = "",
    ended: str = "",
    refused: bool = False,
) -> str:
    """A position as the board's JSON value.

    legal: the moves that the page offers, none on a board to look at. fade: {square: opacity 0 … 1} of pieces.
    names: {"w": …, "b": …}, shown with captured pieces; left out, there are no strips. bar: red's expected result,
    −1 … 1. busy: the side that is thinking, "w", "b" or "". ended: "w" or "b" for who won, "draw", or "". refused: the
    move just asked for was.
    """
    last = iccs(position.moves[-1]) if position.moves else ""
    return packed({
        "board": letters(position.board), "turn": SIDES[position.turn], "legal": targets(legal),
        "last": last, "check": SQUARE_NAMES[position.kings[position.turn]] if position.in_check() else "",
        "arrows": [asdict(arrow) for arrow in arrows], "fade": dict(fade or {}), "taken": taken_by(position),
        "names": dict(names or {}), "bar": bar, "busy": busy, "ended": ended, "refused": refused,
        **asdict(look or Look()),
    })
