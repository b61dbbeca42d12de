"""Believed board: what a linear probe reads from faithful's hidden state, beside the board as it is."""

from __future__ import annotations

from collections.abc import Iterator

import gradio as gr
import torch

from shared import page as parts
from shared.experiment import InputError
from shared.i18n import markup, prose, tr
from spaces.xiangqi import think_figures as figures
from spaces.xiangqi.board import SQUARE_NAMES
from spaces.xiangqi.notation import FACES
from spaces.xiangqi.probe import believed, cells, shipped
from spaces.xiangqi.record import play
from spaces.xiangqi.rules import Position
from spaces.xiangqi.study import Study
from spaces.xiangqi.ui.think import lists
from spaces.xiangqi.ui.think.lens import Lens, Update
from spaces.xiangqi.ui.think.pictures import Mark, picture, picture_board

KINDS = ("king", "advisor", "elephant", "horse", "rook", "cannon", "soldier")
PIECES = (("空", "empty"), *((f"{zh}{face}", f"{en} {kind}") for (zh, en), faces in zip(
    (("红", "red"), ("黑", "black")), FACES, strict=True) for face, kind in zip(faces[1:], KINDS, strict=True)))
SHOWN_ERRORS = 10
EXPLANATION = prose(
    "**怎么看。** faithful 只读字，从没见过棋盘。每走完一着，我们用一个线性映射（探针）从它某一层的隐状态读出"
    "90 格上各是什么子：左边是它“相信”的棋盘，子越淡越没把握，虚圈是读错的格；右边是真的。"
    "探针在训练局上学，层在一半验证局上选，下面的准确率来自另一半。"
    "**准确率本身不说明什么**：大多数格子开局后就没变过，只说“该格此时最常见的子”就能对很多；"
    "所以曲线里画着这条灰线，还画着同样的探针用在同样大小、随机权重的模型上的结果。"
    "第三张图只数灰线猜错的格：那里才看得出它是否在记棋。"
    "探针读得出，只说明隐状态里有这些信息，不等于模型用上了它。",
    """**How to read it.** faithful reads letters and never saw a board. After every ply one linear map, the probe,
reads from the hidden state of one of its layers which piece stands on each of the 90 squares: left is the board it
“believes” in, the fainter a piece the less sure, with dashed rings where it is wrong; right is the true one. The probe
learned from training games, its layer was chosen on one half of the validation games, the accuracies come from the
other half.
**The accuracy alone means nothing**: most squares have not changed since the start, and saying “the commonest piece
there by now” gets many right. That is the grey line; the other is the same probe on a model of the same size with
random weights. The third figure counts only the squares on which the grey line errs: there it shows whether the model
keeps track. That the probe can read it means that the information is in the state, not that the model uses it.""",
)


def build() -> Lens:
    """Draw the view."""
    said = parts.verdict()
    with gr.Row(equal_height=False):
        with gr.Column(min_width=300):
            lists.html(lists.title("faithful", tr("相信的棋盘", "the board it believes in")))
            belief = picture_board(picture(Position()), elem_id="belief-board")
        with gr.Column(min_width=300):
            lists.html(f'<p class="xt-name" style="--mark: var(--kx-ink)">{tr("真的棋盘", "the true board")}</p>')
            truth = picture_board(picture(Position()), elem_id="truth-board")
    errors = lists.html()
    with gr.Row(elem_classes="kx-grid"):
        along, everywhere, unusual = parts.figure(pickable=True), parts.figure(), parts.figure()
    gr.Markdown(EXPLANATION)

    def draw(study: Study) -> Iterator[Update]:
        yield {"share": 0.3}
        position = play("", study.moves)
        try:
            probe = shipped()
        except InputError as error:  # the boards would lie: nothing is drawn but the truth
            yield {belief: blank(position), truth: picture(position), errors: "", "share": 1.0,
                   said: markup(f"<b class='bad'>{error.zh}</b>", f"<b class='bad'>{error.en}</b>")}
            return
        plies = believed(study.line) if study.line else torch.empty(0, 90, 15)
        right = [int((p.argmax(-1) == torch.tensor(cells(play("", study.line[: ply + 1]).board))).sum())
                 for ply, p in enumerate(plies)]
        report = probe.report
        update = {truth: picture(position), along: figures.game_accuracy(right, study.at),
                  everywhere: figures.report_curve(report, "accuracy"),
                  unusual: figures.report_curve(report, "unusual")}
        if study.at:
            update |= {belief: painted(plies[study.at - 1], position), errors: wrong(plies[study.at - 1], position),
                       said: verdict(right[study.at - 1], probe.layer, report)}
        else:
            update |= {belief: blank(position), errors: "", said: tr(
                "还没有着法：探针读的是每着末字上的隐状态，请往后走一着。",
                "No move yet: the probe reads the state at each ply's last character. Step forward.")}
        yield update | {"share": 1.0}

    return Lens(draw, [said, belief, truth, errors, along, everywhere, unusual], picks=[along])


def blank(position: Position) -> str:
    """The board without any belief."""
    return picture(position, believed=[0] * 90)


def painted(p: torch.Tensor, position: Position) -> str:
    """The believed board (90, 15) of a position: faint where it is unsure, ringed where it errs."""
    best, sure, truth = p.argmax(-1).tolist(), p.max(-1).values.tolist(), cells(position.board)
    rings = [Mark(SQUARE_NAMES[s], text="" if best[s] else tr("漏", "missed"))
             for s in range(90) if best[s] != truth[s]]
    return picture(position, fade={s: max(0.15, sure[s]) for s in range(90) if best[s]}, marks=rings,
                   believed=[c + (c > 7) for c in best])


def wrong(p: torch.Tensor, position: Position) -> str:
    """The squares on which belief and truth differ, the surest errors first."""
    best, truth = p.argmax(-1).tolist(), cells(position.board)
    missed = sorted((s for s in range(90) if best[s] != truth[s]), key=lambda s: -float(p[s, best[s]]))
    heads = [tr("读错的格", "square"), tr("以为是", "believed"), tr("其实是", "true"),
             tr("真子的概率", "p of the truth")]
    rows = []
    for s in missed[:SHOWN_ERRORS]:
        sure, (zh, en) = lists.percent(float(p[s, best[s]])), PIECES[best[s]]
        rows.append([SQUARE_NAMES[s], tr(f"{zh} {sure}", f"{en}, {sure}"), tr(*PIECES[truth[s]]),
                     lists.percent(float(p[s, truth[s]]))])
    return lists.table(heads, rows) if rows else ""


def verdict(right: int, layer: int, report: dict) -> str:
    """How many squares are right here, and what that means on unseen games."""
    mean, usual, bare = (report[name]["accuracy"] for name in ("probe", "common", "untrained"))
    odd, plain = report["probe"]["unusual"], report["untrained"]["unusual"]
    return markup(
        f"这里读对 <b>{right}</b> / 90 格（第 {layer} 层）。未见过的棋上平均 {mean:.1%}，随机权重的模型 {bare:.1%}，"
        f"只说最常见的子 {usual:.1%}；在后者猜错的格上，探针对 <b>{odd:.1%}</b>，随机权重对 {plain:.1%}。",
        f"<b>{right}</b> of 90 squares are right here (layer {layer}). On unseen games {mean:.1%}, random weights "
        f"{bare:.1%}, always the commonest piece {usual:.1%}; where the latter errs, the probe is right on "
        f"<b>{odd:.1%}</b>, random weights on {plain:.1%}.")
