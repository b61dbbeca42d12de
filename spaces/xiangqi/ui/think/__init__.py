"""See the language model think: one game under study, seen through five lenses.

The game, the ply and the style are chosen once, above; each lens draws only while it is open.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from shared import page as parts
from shared.experiment import InputError, from_values
from shared.i18n import tr
from shared.live import Latest
from shared.page import Page, clicked, guard, latest
from spaces.xiangqi.faithful import PLIES
from spaces.xiangqi.recitation import openings
from spaces.xiangqi.record import write_pgn
from spaces.xiangqi.study import LENSES, MOST_HEADS, Study, cut, examples
from spaces.xiangqi.ui.table import Table
from spaces.xiangqi.ui.think import attention, belief, forgetting, recitation, side
from spaces.xiangqi.ui.think.lens import Lens, Update, busy
from spaces.xiangqi.ui.think.pictures import moves_of, strip

QUIET = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": 4}
VIEWS = {"side": (tr("并排看", "Side by side"), side), "amnesia": (tr("失忆", "Amnesia"), forgetting),
         "attention": (tr("注意力", "Attention"), attention), "belief": (tr("相信的棋盘", "Believed board"), belief),
         "recitation": (tr("背谱线", "Recitation line"), recitation)}
STYLES = [(tr("像人", "like people"), "human"), (tr("像赢家", "like winners"), "winner"),
          (tr("像引擎", "like the engine"), "engine")]
TRY = {"opening": tr("常见开局，走到谱外", "a common opening, played on"),
       "order": tr("同一局面，换了次序", "the same position in another order"),
       "detour": tr("绕了一大圈", "a long detour"), "random": tr("随机乱走", "random moves")}

class Runs(Latest):
    """A visitor's runs, and whether there has been one."""

    def __init__(self):
        super().__init__()
        self.begun = False

    def __deepcopy__(self, memo) -> Runs:
        return Runs()

    def only(self, run: Generator) -> Iterator:
        self.begun = True
        yield from super().only(run)


@dataclass
class Header:
    """What stands above the lenses: the examples, the game's moves, ply and style; and the box to paste a game into."""

    presets: dict[str, gr.Button]
    board: gr.Button
    link: gr.Button
    moves: gr.HTML
    back: gr.Button
    on: gr.Button
    status: gr.HTML
    knobs: dict[str, Any]
    """lens, game, ply and style of `Study`."""


def _header(page: Page) -> Header:
    default = Study()
    with gr.Row(elem_classes="kx-try"):
        presets = {name: gr.Button(label, size="sm") for name, label in TRY.items()}
        board = gr.Button(tr("取对弈棋盘上的棋", "Take the game from the board"), size="sm", elem_id="think-take")
        link = page.link_button("think")
    moves = strip(_moves(default), elem_id="think-moves")
    with gr.Row(equal_height=True, elem_classes="kx-controls"):
        back = gr.Button("‹", min_width=48, scale=0, elem_id="think-back")
        ply = parts.slider(0, len(default.line), value=default.ply, step=1, min_width=200, scale=3,
                           label=tr("已走几着", "plies made"))
        on = gr.Button("›", min_width=48, scale=0, elem_id="think-on")
        style = gr.Radio(STYLES, value=default.style, min_width=250, scale=4,
                         label=tr("sighted 照谁的样子", "sighted plays"))
    status = parts.status()
    hidden = {"lens": gr.Textbox(default.lens, visible=False), "game": gr.Textbox(default.game, visible=False)}
    return Header(presets, board, link, moves, back, on, status, hidden | {"ply": ply, "style": style})


def _lenses() -> tuple[gr.Tabs, dict[str, gr.Button], dict[str, Lens]]:
    """The tabs of the lenses, and for each a hidden button that think.js presses when its tab is clicked."""
    openers = {name: gr.Button(visible="hidden", elem_id=f"open-think-{name}") for name in LENSES}
    lenses = {}
    with gr.Tabs(overflow_behavior="wrap", elem_id="think-lenses") as inner:
        for name in LENSES:
            label, view = VIEWS[name]
            with gr.Tab(label, id=f"think-{name}"):
                lenses[name] = view.build()
    return inner, openers, lenses


def build(page: Page, tabs: gr.Tabs, tab: gr.Tab, table: gr.State, kept: gr.BrowserState) -> None:
    """Draw the view inside its tab; nothing is computed until that is opened."""
    head = _header(page)
    inner, openers, lenses = _lenses()
    with gr.Accordion(tr("另选一局：粘贴棋谱", "Another game: paste it"), open=False):
        paste = gr.Textbox(lines=2, max_lines=5, elem_id="think-game", label=tr(
            "棋谱（ICCS、炮二平五、C2=5 或 PGN，从开局起，至多 127 着）",
            "Game (ICCS, 炮二平五, C2=5 or PGN, from the start, 127 plies at most)"))
        take = gr.Button(tr("读入", "Read"), variant="primary", elem_id="think-read")
    knobs = head.knobs | {name: knob for one in lenses.values() for name, knob in one.knobs.items()}
    order = [knobs[f.name] for f in dataclasses.fields(Study)]
    outputs = [head.status, head.moves, inner,
               *dict.fromkeys([*order, *(place for one in lenses.values() for place in one.outputs)])]

    def draw(*values: Any) -> Iterator[Update]:
        study = from_values(Study, values)
        yield {head.status: busy(0.0, "正在读", "reading"), head.moves: _moves(study)}
        for update in lenses[study.lens].draw(study):
            share = update.pop("share")
            yield update | {head.status: "" if share == 1.0 else busy(share, "正在读", "reading")}

    def follow(*values: Any) -> Iterator[Update]:
        study = from_values(Study, values)
        yield {inner: gr.Tabs(selected=f"think-{study.lens}"), knobs["ply"]: _plies(study)}
        yield from draw(*values)

    def opened_first(runs: Runs, *values: Any) -> Iterator[Update]:
        if runs.begun:  # a link has drawn it, or it was open before
            yield {head.status: gr.skip()}
        else:
            yield from look(runs, *values)

    runs = gr.State(Runs())
    drawing = {"inputs": [runs, *order], "outputs": outputs, "trigger_mode": "always_last", **QUIET}
    look = latest(guard(draw))
    view = page.view("think", Study, knobs, head.link, tabs=tabs,
                     redraw=(latest(guard(follow)), [runs, *order], outputs))
    keep = {"fn": None, "inputs": order, "outputs": None, "js": view.keep}

    def drawn(event: Any) -> None:
        event.then(look, **drawing).then(**keep)

    for name, knob in knobs.items():
        if name not in ("lens", "game"):
            knob.input(look, **drawing).then(**keep)
    chosen = [knobs["game"], knobs["ply"]]
    tab.select(opened_first, [runs, *order], outputs, **QUIET)
    drawn(gr.on([take.click, paste.submit], guard(_read), paste, chosen, **QUIET))
    drawn(head.board.click(guard(_of_board), [table, kept], chosen, **QUIET))
    for name, button in head.presets.items():
        game, ply = examples()[name]
        drawn(button.click(partial(_chosen, Study(game=game, ply=ply)), None, chosen, **QUIET))
    drawn(head.back.click(guard(partial(_step, -1)), chosen, knobs["ply"], **QUIET))
    drawn(head.on.click(guard(partial(_step, 1)), chosen, knobs["ply"], **QUIET))
    for name, button in openers.items():
        drawn(button.click(lambda n=name: n, None, knobs["lens"], **QUIET))
    for picked in (head.moves, *(figure for one in lenses.values() for figure in one.picks)):
        drawn(picked.pick(_picked("x"), None, knobs["ply"], **QUIET))
    for figure, name in (pair for one in lenses.values() for pair in one.choosers):
        drawn(figure.pick(_picked("y"), None, knobs[name], **QUIET))


def _plies(study: Study) -> dict:
    """The slider for a game."""
    return gr.update(maximum=max(1, len(study.line)), value=study.at)


def _chosen(study: Study) -> list:
    return [study.game, _plies(study)]


def _step(way: int, game: str, ply: Any) -> int:
    study = Study(game=game, ply=Study.ply if ply is None else ply)
    return max(0, min(len(study.line), study.at + way))


def _moves(study: Study) -> str:
    """The strip, with the recitation line where its counts are at hand."""
    try:
        left = openings().left(study.line)
    except InputError:
        left = len(study.line)
    return moves_of(study.line, study.at, left)


def _of_board(table: Table, kept: Any) -> list:
    """The game on the table of Play, from its usual start, shown at its end."""
    table.recall(kept)
    with table.lock:
        record = table.game.record()
    if not record.moves:
        raise InputError("game", "棋盘上还没有着法：请先在“对弈”里走几着。",
                         "there is no move on the board yet: play some in Play first.")
    return _read(write_pgn(record))


def _read(text: str) -> list:
    """A pasted game, shown at its end."""
    if not (text or "").strip():
        raise InputError("game", "请先粘贴一盘棋谱。", "paste a game first.")
    game, was_cut = cut(text)
    if was_cut:
        gr.Info(tr("棋谱超过 127 着，只取前 127 着。", "The game is longer than 127 plies: its first 127 are taken."),
                title=tr("提示", "Note"))
    return _chosen(Study(game=game, ply=PLIES))


def _picked(axis: str) -> Callable[[gr.EventData], int]:
    """A handler that takes the whole number clicked."""

    def read(event: gr.EventData) -> int:
        return max(0, min(MOST_HEADS, round(clicked(event, axis)[0])))

    return guard(read)
