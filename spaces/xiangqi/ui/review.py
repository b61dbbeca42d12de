"""The Review view: the game of the table, move by move, with what was better; stopped, it keeps what it has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from shared import page as parts
from shared import plots
from shared.experiment import InputError
from shared.i18n import markup, prose, tr
from shared.page import Page, clicked, guard
from spaces.xiangqi.board import START_FEN, iccs
from spaces.xiangqi.notation import chinese, wxf
from spaces.xiangqi.review import COSTLIEST, SECONDS, Asked, Judged, Review
from spaces.xiangqi.rules import Position
from spaces.xiangqi.ui.answers import QUIET, answered
from spaces.xiangqi.ui.board import Arrow, board, scene
from spaces.xiangqi.ui.panel import COLOURS
from spaces.xiangqi.ui.play import follow_link
from spaces.xiangqi.ui.table import Table

SHOWN_LINE = 7
EXPLANATION = prose(
    "**怎么算的。** “看棋盘＋搜索”把对局里每个局面各想一遍。轮到走的一方在该局面的期望得分是 "
    "$W = 50\\,(1 + P_{\\text{胜}} - P_{\\text{负}})$ %；一着的代价是走之前（若走最好的）与走之后 $W$ 的差。"
    "每着的准确度是 $103.1668\\,e^{-0.04354\\,\\Delta W} - 3.1669$（截到 0–100，公式出自 lichess.org/page/accuracy），"
    "一方的准确度是它各着的平均。时间给得越多，越可信；它也会看错，尤其是很远的杀棋。",
    """**How it is computed.** *Sighted + search* thinks about every position of the game once. The expected score of
whoever is to move is $W = 50\\,(1 + P_{\\text{win}} - P_{\\text{loss}})$ %; a move costs the difference between $W$
before it, if the best is played, and after it. The accuracy of a move is
$103.1668\\,e^{-0.04354\\,\\Delta W} - 3.1669$, cut to 0–100 (the formula of lichess.org/page/accuracy), a side's the
mean over its moves. The more time, the more reliable; it errs too, on distant mates above all.""",
)


@dataclass
class Desk:
    """A visitor's review: `at` plies of the game, and `ahead` plies of the better line, are on the board."""

    review: Review = field(default_factory=Review)
    at: int = 0
    ahead: int = 0
    nodes: list[int] = field(default_factory=list)
    """The table's nodes after each ply."""

    def __deepcopy__(self, memo) -> Desk:
        return Desk()  # gradio copies a State's first value for each session

    def begin(self, table: Table, seconds: Any) -> None:
        with table.lock:
            record, nodes = table.game.record(), [0, *table.game.line()]
        self.review.pause()
        with self.review.lock:  # whoever is searching the game before finishes its position first
            self.review.begin(record.fen, record.moves, seconds)
            self.nodes, self.at, self.ahead = nodes, 0, 0

    def line(self) -> tuple[int, ...]:
        """The best line at `at`."""
        return self.review.seen[self.at].line if self.at < self.review.step else ()

    def go(self, ply: int) -> None:
        self.at, self.ahead = max(0, min(len(self.review.moves), ply)), 0


def _moves(position: Position, moves: tuple[int, ...]) -> tuple[str, str]:
    """Moves in Chinese and in WXF."""
    zh, en = [], []
    for move in moves:
        zh.append(chinese(position, move))
        en.append(wxf(position, move))
        position.push(move)
    return "，".join(zh), " ".join(en)


def picture(desk: Desk) -> str:
    """The board: the move played and the better one as arrows, or the better line followed."""
    review = desk.review
    if not review.started:
        return scene(Position())
    position, line = review.position(desk.at), desk.line()
    for move in line[: desk.ahead]:
        position.push(move)
    arrows = []
    if desk.ahead:
        arrows = [Arrow(iccs(move), 0.6, "", "accent") for move in line[desk.ahead : desk.ahead + 1]]
    elif desk.at < len(review.moves):
        played = review.moves[desk.at]
        if line and line[0] != played:
            arrows.append(Arrow(iccs(line[0]), 0.7, tr("更好", "better"), "accent"))
        arrows.append(Arrow(iccs(played), 0.5, tr("实战", "played"), "counter"))
    return scene(position, arrows=arrows)


def curve(desk: Desk) -> str:
    """Red's expected score over the plies, the costliest moves marked."""
    review = desk.review
    values = [50 + 50 * seen.value for seen in review.seen]
    dear = [j.ply + 1 for j in review.costliest()]
    layers = [plots.rule("hline", 50), plots.rule("vline", desk.at, color="counter"),
              plots.line(range(len(values)), values, tr("红方期望得分", "red's expected score"), "accent"),
              plots.points(dear, [values[ply] for ply in dear], tr("最贵的着法", "costliest moves"), "ink")]
    return plots.figure("xiangqi-review", plots.axis(tr("着数", "ply"), (0, max(1, len(review.moves)))),
                        plots.axis(tr("红方期望得分（%）", "red's expected score (%)"), (0, 100)), layers, aspect=0.36,
                        caption=tr("点曲线上任意一处，棋盘就到那一着。", "Click the curve to see that position."))


def _name(review: Review, judged: Judged) -> tuple[str, str]:
    position = review.position(judged.ply)
    (side_zh, side_en), number = COLOURS[judged.side], (position.first_ply + judged.ply) // 2 + 1
    return (f"第 {number} 回合 {side_zh}{chinese(position, judged.move)}",
            f"Move {number}, {side_en} {wxf(position, judged.move)}")


def button(review: Review, index: int) -> dict:
    """One of the costliest moves as a button."""
    dear = review.costliest()
    if index >= len(dear):
        return gr.update(visible=False)
    zh, en = _name(review, dear[index])
    cost = f"−{dear[index].cost:.0f}"
    return gr.update(value=tr(f"{zh}（{cost} 个百分点）", f"{en} ({cost} points)"), visible=True)


def summary(desk: Desk) -> str:
    """Both accuracies, and what stands on the board."""
    review = desk.review
    if not review.started:
        return tr("“对弈”里的这盘棋（下完的、没下完的、读入的都行）可以在这里复盘。",
                  "The game of the Play view, finished, unfinished or read in, can be reviewed here.")
    both = review.accuracy()
    said = [("—" if both[side] is None else f"{both[side]:.0f} %") for side in (0, 1)]
    zh = f"准确度：红 <b>{said[0]}</b>，黑 <b>{said[1]}</b>。"
    en = f"Accuracy: red <b>{said[0]}</b>, black <b>{said[1]}</b>. "
    judged = review.judged()
    if desk.at < len(judged):
        one = judged[desk.at]
        name_zh, name_en = _name(review, one)
        zh, en = zh + f"{name_zh}", en + name_en
        if one.line[:1] == (one.move,):
            zh, en = zh + "：就是最好的着法。", en + ": the best move."
        elif one.line:
            line_zh, line_en = _moves(review.position(one.ply), one.line[:SHOWN_LINE])
            zh += f"：期望得分 {one.before:.0f} % → {one.after:.0f} %。更好的是：{line_zh}。"
            en += f": expected score {one.before:.0f} % → {one.after:.0f} %. Better: {line_en}."
        else:
            zh, en = zh + "。", en + "."
    return markup(zh, en)


def show(desk: Desk) -> list[Any]:
    """Board, curve, sentence, the costliest moves."""
    return [picture(desk), curve(desk), summary(desk), *(button(desk.review, i) for i in range(COSTLIEST))]


def _status(review: Review) -> str:
    if review.step < review.goal:
        said = tr(f"{review.step} / {review.goal} 个局面", f"{review.step} of {review.goal} positions")
        return parts.progress(review.step / review.goal, said)
    return tr(f"复盘完毕：{review.goal} 个局面，{review.seconds:.0f} 秒。",
              f"Done: {review.goal} positions in {review.seconds:.0f} s.")


def _running(desk: Desk) -> Iterator[list[Any]]:
    for status in parts.show_live(desk.review, _status):
        yield [*show(desk), status]


def start(desk: Desk, table: Table, kept: Any, seconds: Any) -> Iterator[list[Any]]:
    """Review the table's game from its beginning."""
    table.recall(kept)
    desk.begin(table, seconds)
    yield from _running(desk)


def step_line(desk: Desk, way: int) -> list[Any]:
    """Forward or back along the better line."""
    line = desk.line()
    if not line:
        raise InputError("line", "这里还没有更好的走法可看：请先复盘到这一着。",
                         "no line is known here yet: review as far as this move first.")
    desk.ahead = max(0, min(len(line), desk.ahead + way))
    return show(desk)


def to_table(table: Table, desk: Desk) -> Iterator[None]:
    """Play the better line on the table as a branch, and show its first move."""
    line = desk.line()
    with table.lock:
        game, last = table.game, desk.nodes[-1] if desk.nodes else -1
        known = [0, *game.path(last)] if 0 <= last < len(game.nodes) else []
        if not line or game.fen != desk.review.fen or desk.nodes != known \
                or tuple(game.nodes[n].move for n in known[1:]) != desk.review.moves:
            raise InputError("game", "对弈里已不是这盘棋；请重新复盘。",
                             "the table holds another game by now: review it again.")
        game.need_room(len(line))  # or the line would break off midway
        here = {"do": "travel", "node": desk.nodes[desk.at]}
        table.do(here)
        for move in line:
            if game.ending is None:
                game.play(move)
        table.do(here)
        table.seats = ["me", "me"]
    yield


def present(table: Table, kept: Any) -> list[str]:
    """The table's game for a link: its first position, and the whole line."""
    table.recall(kept)
    with table.lock:
        record = table.game.record()
    return ["" if record.fen == START_FEN else record.fen, " ".join(map(iccs, record.moves))]


def follow(table: Table, kept: Any, fen: str, moves: str) -> list[Any]:
    """The game that a link names, on the table, to be reviewed."""
    return follow_link(table, kept, "me", "me" if fen or moves else "", fen, moves)


def build(page: Page, tabs: gr.Tabs, table: gr.State, kept: gr.BrowserState, outputs: list) -> None:
    """Draw the view."""
    desk, first = gr.State(Desk(), time_to_live=6 * 3600), show(Desk())
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320):
            shown = board(first[0], elem_id="review-board")
            with gr.Row(elem_classes="kx-try"):
                back = gr.Button(tr("上一着", "Back"), size="sm", elem_id="review-back")
                on = gr.Button(tr("下一着", "Next"), size="sm", elem_id="review-next")
                better = gr.Button(tr("走更好的一步 ▸", "Step the better line ▸"), size="sm", elem_id="review-better")
                worse = gr.Button(tr("◂ 退一步", "◂ Step back"), size="sm")
                take = gr.Button(tr("拿到棋盘上接着下", "Play on from here"), size="sm", elem_id="review-take")
                copy = gr.Button(tr("复制链接", "Copy link"), size="sm", elem_classes="kx-link", elem_id="review-copy",
                                 scale=0)
        with gr.Column(scale=6, min_width=320):
            seconds = gr.Radio([(tr(f"{s:g} 秒", f"{s:g} s"), s) for s in SECONDS], value=SECONDS[1],
                               label=tr("每个局面想多久", "Time for each position"), elem_id="review-seconds")
            game = {name: gr.Textbox("", visible=False) for name in ("fen", "moves")}
            with gr.Row():
                begin = gr.Button(tr("开始复盘", "Review"), variant="primary", elem_id="review-start",
                                  min_width=110)
                stop = gr.Button(tr("停", "Stop"), elem_id="review-stop", min_width=70)
                resume = gr.Button(tr("继续", "Go on"), elem_id="review-resume", min_width=70)
            status = parts.status(elem_id="review-status")
            said = parts.verdict(first[2], elem_id="review-said")
            with gr.Row(elem_classes="kx-try"):
                dear = [gr.Button("", size="sm", visible=False, elem_id=f"review-dear-{i}") for i in range(COSTLIEST)]
            chart = parts.figure(first[1], pickable=True, elem_id="review-curve")
    with gr.Accordion(tr("怎么算的", "How it is computed"), open=False):
        gr.Markdown(EXPLANATION, latex_delimiters=parts.LATEX)
    drawn = [shown, chart, said, *dear]

    def go(desk: Desk, ply: int) -> list[Any]:
        desk.go(ply)
        return show(desk)

    def dearest(index: int) -> Any:
        def handler(desk: Desk) -> list[Any]:
            found = desk.review.costliest()
            return go(desk, found[index].ply if index < len(found) else desk.at)
        return handler

    def picked(desk: Desk, event: gr.EventData) -> list[Any]:
        ply, _ = clicked(event)
        return go(desk, round(ply))

    many = QUIET | {"concurrency_limit": 8}
    begin.click(guard(start), [desk, table, kept, seconds], [*drawn, status], **many)
    resume.click(guard(_running), desk, [*drawn, status], **many)
    stop.click(lambda desk: desk.review.pause(), desk, None, **QUIET)
    back.click(lambda desk: go(desk, desk.at - 1), desk, drawn, **QUIET)
    on.click(lambda desk: go(desk, desk.at + 1), desk, drawn, **QUIET)
    better.click(guard(lambda desk: step_line(desk, 1)), desk, drawn, **QUIET)
    worse.click(guard(lambda desk: step_line(desk, -1)), desk, drawn, **QUIET)
    chart.pick(guard(picked), desk, drawn, **QUIET)
    for index, one in enumerate(dear):
        one.click(dearest(index), desk, drawn, **QUIET)
    take.click(answered(to_table), [table, kept, desk], outputs, **QUIET).success(
        lambda: gr.Tabs(selected="play"), None, tabs, **QUIET)
    linked = (guard(follow), [table, kept, *game.values()], outputs)
    view = page.view("review", Asked, {"seconds": seconds, **game}, None, tabs=tabs, redraw=linked)
    copy.click(guard(present), [table, kept], [*game.values()], **QUIET).success(
        None, [*view.knobs.values()], None, js=view.copy)
