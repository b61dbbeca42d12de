"""The Play view: the board, its panel, games in and out as text and file."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import gradio as gr

from shared.experiment import InputError
from shared.i18n import tr
from shared.page import Page, guard
from spaces.xiangqi.ui import exchange
from spaces.xiangqi.ui.answers import QUIET, RUN, answered, complain, view
from spaces.xiangqi.ui.board import board
from spaces.xiangqi.ui.panel import panel
from spaces.xiangqi.ui.table import Opening, Table

PACE = 0.6
"""Seconds that a move stays to be seen while two models play."""
ONCE = """() => {
  const press = () => {
    const button = document.getElementById("xiangqi-recall");
    if (button) button.click(); else setTimeout(press, 100);
  };
  kx.recalled ??= (press(), true);
}"""
"""Runs when the browser's memory has been read, which is before the tab is drawn, and after any load event."""


@answered
def act(table: Table, data: Any) -> Iterator[None]:
    """An event of the board or the panel, and the models' moves that follow from it."""
    moves = table.do(data)
    yield
    if isinstance(data, dict) and data.get("do") == "hint":
        yield from table.hint()
    began = time.monotonic()
    for _ in table.replies(moves) if moves else ():
        yield
        if moves > 1 and not table.busy:
            time.sleep(max(0.0, began + PACE - time.monotonic()))
            began = time.monotonic()


def on_event(table: Table, kept: Any, event: gr.EventData) -> Iterator[list[Any]]:
    """An event with whatever data the page sent."""
    yield from act(table, kept, event._data)


def recall(table: Table, kept: Any) -> list[Any]:
    """The game that this browser kept; nothing where the table is in use already."""
    if not table.fresh:
        return [gr.skip()] * 3
    try:
        table.recall(kept)
    except InputError as error:
        complain(error)
    return view(table)


def follow_link(table: Table, *values: str) -> list[Any]:
    """The table that a link names; the game that the browser kept stays there until something is played."""
    opening = Opening(*values)
    if opening == Opening():  # a link to the tab alone
        return [gr.skip()] * 3
    table.open(opening)
    return [*view(table)[:2], gr.skip()]


def build(page: Page, tabs: gr.Tabs) -> tuple[gr.State, gr.BrowserState, list]:
    """Draw the view; returns the table, its memory in the browser, and what shows it (`answers.view`)."""
    table = gr.State(Table(), time_to_live=6 * 3600)
    kept = gr.BrowserState("", storage_key="scientific-spaces-xiangqi", secret="not a secret, but it must stay")
    first = view(Table())
    with gr.Row(equal_height=False):
        with gr.Column(scale=6, min_width=320):
            shown = board(first[0], elem_id="xiangqi-board")
        with gr.Column(scale=5, min_width=320):
            side = panel(first[1], elem_id="xiangqi-panel")
    outputs = [shown, side, kept]
    shown.move(on_event, [table, kept], outputs, **RUN)
    side.act(on_event, [table, kept], outputs, **RUN)
    remembered = gr.Button(visible="hidden", elem_id="xiangqi-recall")
    remembered.click(recall, [table, kept], outputs, **QUIET)
    kept.change(None, None, None, js=ONCE)
    exchange.build(table, kept, outputs)
    _link(page, tabs, table, kept, outputs)
    return table, kept, outputs


def _link(page: Page, tabs: gr.Tabs, table: gr.State, kept: gr.BrowserState, outputs: list) -> None:
    """Copy link: the table as it stands goes into hidden knobs, from which the page makes the link."""
    knobs = {name: gr.Textbox("me" if name == "red" else "", visible=False) for name in Opening.__dataclass_fields__}
    with gr.Row(elem_classes="kx-try"):
        copy = gr.Button(tr("复制链接", "Copy link"), size="sm", elem_classes="kx-link",
                         elem_id="xiangqi-copy")
    hidden = gr.Button(visible="hidden", elem_id="xiangqi-copy-now")
    order = list(knobs.values())
    page.view("play", Opening, knobs, hidden, tabs=tabs, redraw=(guard(follow_link), [table, *order], outputs))

    def present(table: Table, kept: Any) -> list[str]:
        table.recall(kept)
        opening = table.opening()
        return [opening.red, opening.black, opening.fen, opening.moves]

    copy.click(guard(present), [table, kept], order, **QUIET).then(
        None, None, None, js="() => document.getElementById('xiangqi-copy-now').click()")
