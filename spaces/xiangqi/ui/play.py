"""The Play view: the board, its panel, games in and out as text and file."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import gradio as gr

from shared.experiment import InputError
from shared.i18n import prose, tr
from shared.page import Page, complain, guard
from spaces.xiangqi.alphabeta import warm_soon
from spaces.xiangqi.ui import exchange
from spaces.xiangqi.ui.answers import QUIET, RUN, answered, view
from spaces.xiangqi.ui.board import board
from spaces.xiangqi.ui.panel import panel
from spaces.xiangqi.ui.table import Opening, Table

PACE = 0.6
"""Seconds that a move stays to be seen while two models play."""
TRY = (
    (tr("看：只读字符的 对 看棋盘的", "Watch: letters only against sighted"),
     ({"do": "seat", "side": "w", "player": "article"}, {"do": "seat", "side": "b", "player": "sighted"},
      {"do": "new", "who": "none"})),
    (tr("看：少一双车的搜索 对 只读字符的", "Watch: search, two rooks short, against letters only"),
     ({"do": "seat", "side": "w", "player": "thinking"}, {"do": "seat", "side": "b", "player": "article"},
      {"do": "new", "who": "none", "gift": "w:rooks"})),
    (tr("下：一秒搜索让我双马和先手", "Play: a second of search gives me both horses and the move"),
     ({"do": "seat", "side": "w", "player": "me"}, {"do": "seat", "side": "b", "player": "thinking"},
      {"do": "new", "who": "red", "gift": "b:horses"})),
)
WHO = prose(
    "**对手是谁。** “只读字符”照原文的做法：读过两万多局棋谱的字符，没见过棋盘，着法按规则挑，概率由它给。"
    "“看棋盘”每着看一眼棋子和它们的攻守，凭直觉走，不往后算；“＋估值”把每种着法各走一步，比较走后的胜负估计；"
    "“＋搜索”再往后算一秒（α–β，由模型引导）。都是本项目从人类对局和引擎标注训练的小模型，不是大师。",
    """**Who plays.** *The article's* has read some twenty thousand games as letters and never saw a board: the rules
offer the moves, it gives the probabilities. *Sighted* looks at the pieces and at what bears on what before every move,
and plays by intuition, without looking ahead; *+ value* makes each move on the board and compares what it expects
after it; *+ search* looks ahead for a second (alpha–beta, guided by the model). All are small models that this project
trained on human games and an engine's labels, no masters.""",
)
ONCE = """() => {
  const press = () => {
    const button = document.getElementById("xiangqi-recall");
    if (button) button.click(); else setTimeout(press, 100);
  };
  kx.recalled ??= (press(), true);
}"""
"""Runs when the browser's memory has been read, which is before the tab is drawn, and after any load event."""


def _act(table: Table, data: Any) -> Iterator[None]:
    """An event of the board or the panel, and the models' moves that follow from it."""
    moves, mine = table.do(data)
    yield
    if isinstance(data, dict) and data.get("do") == "hint":
        yield from table.hint(mine)
    began = time.monotonic()
    for _ in table.replies(moves, mine) if moves else ():
        yield
        if moves > 1 and not table.busy:
            time.sleep(max(0.0, began + PACE - time.monotonic()))
            began = time.monotonic()


act = answered(_act)


def _try(table: Table, events: tuple[dict, ...]) -> Iterator[None]:
    """A telling case: the last of the events begins the game."""
    for event in events[:-1]:
        table.do(event)
    yield from _act(table, events[-1])


def on_event(table: Table, kept: Any, event: gr.EventData) -> Iterator[list[Any]]:
    """An event with whatever data the page sent; the search is made ready once somebody plays."""
    yield from act(table, kept, event._data)
    warm_soon()


def recall(table: Table, kept: Any) -> list[Any]:
    """The game that this browser kept; nothing where the table is in use already."""
    if not table.fresh:
        return [gr.skip()] * 3
    try:
        table.recall(kept)
    except InputError as error:
        complain(error)
    return view(table)


def follow_link(table: Table, kept: Any, *values: str) -> list[Any]:
    """The table that a link names; the game that the browser kept goes on the shelf."""
    opening = Opening(*values)
    if opening == Opening():  # a link to the tab alone
        return [gr.skip()] * 3
    try:
        table.recall(kept)
    except InputError as error:
        complain(error)
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
    with gr.Row(elem_classes="kx-try"):
        for label, events in TRY:
            gr.Button(label, size="sm").click(answered(partial(_try, events=events)), [table, kept], outputs, **RUN)
        _link(page, tabs, table, kept, outputs)
    exchange.build(table, kept, outputs)
    gr.Markdown(WHO)
    return table, kept, outputs


def _link(page: Page, tabs: gr.Tabs, table: gr.State, kept: gr.BrowserState, outputs: list) -> None:
    """Copy link: the table as it stands goes into hidden knobs, from which the page makes the link."""
    knobs = {name: gr.Textbox("me" if name == "red" else "", visible=False) for name in Opening.__dataclass_fields__}
    copy = gr.Button(tr("复制链接", "Copy link"), size="sm", elem_classes="kx-link", elem_id="xiangqi-copy", scale=0)
    order = list(knobs.values())
    linked = (guard(follow_link), [table, kept, *order], outputs)
    shown = page.view("play", Opening, knobs, None, tabs=tabs, redraw=linked)

    def present(table: Table, kept: Any) -> list[str]:
        table.recall(kept)
        opening = table.opening()
        return [opening.red, opening.black, opening.fen, opening.moves]

    copy.click(guard(present), [table, kept], order, **QUIET).success(None, order, None, js=shown.copy)
