"""Attention: to which past plies each head looks, as pieces that fade and a map of all heads."""

from __future__ import annotations

from collections.abc import Iterator

import gradio as gr

from shared import page as parts
from shared.i18n import prose, tr
from spaces.xiangqi import think_figures as figures
from spaces.xiangqi.board import iccs
from spaces.xiangqi.fade import Attention, look_back, opacities
from spaces.xiangqi.record import play
from spaces.xiangqi.rules import Position
from spaces.xiangqi.study import MOST_HEADS, Study
from spaces.xiangqi.ui.board import Arrow
from spaces.xiangqi.ui.think import lists
from spaces.xiangqi.ui.think.lens import Lens, Update
from spaces.xiangqi.ui.think.pictures import picture, picture_board
from spaces.xiangqi.voices import MODELS

ARROWS = 6
EXPLANATION = prose(
    "**怎么看。** 模型正要说下一着。棋子的深浅是所选的头给它走过的那几着的注意力之和：越被看，越实；"
    "从没动过的子最淡。箭头是被看得最多的几着，数字是第几着。faithful 的一着是四个字，四个字的注意力相加；"
    "sighted 的主干只读最近若干着的棋盘摘要，窗口之外一概看不见。注意力是权重，不是原因：被看的不一定被用上。",
    """**How to read it.** The model is about to say the next move. A piece is as solid as the attention that the chosen
head gives to the moves it made; pieces that never moved are faintest. Arrows are the moves looked at most, with their
ply. A ply is four characters to faithful, and their attention is summed; sighted's trunk reads summaries of the last
boards only and sees nothing beyond its window. Attention is a weight, not a cause: what is looked at need not be
used.""",
)


def build() -> Lens:
    """Draw the view."""
    boards, notes, maps, knobs = {}, {}, {}, {}
    with gr.Row(equal_height=False):
        for model in MODELS:
            with gr.Column(min_width=300):
                notes[model] = lists.html(lists.title(model))
                boards[model] = picture_board(picture(Position()), elem_id=f"attention-{model}")
    bars = parts.figure(pickable=True)
    with gr.Row(elem_classes="kx-grid"):
        for model in MODELS:
            maps[model] = parts.figure(pickable=True)
    with gr.Row():
        for model in MODELS:
            knobs[f"{model}_head"] = parts.slider(0, 24, value=0, step=1, label=knob_label(model, ""))
    gr.Markdown(EXPLANATION)

    def draw(study: Study) -> Iterator[Update]:
        yield {"share": 0.3}
        seen = look_back(study.moves, study.style)
        position, update = play("", study.moves), {}
        chosen = {model: min(getattr(study, f"{model}_head"), seen[model].rows) for model in MODELS}
        for model in MODELS:
            shares = seen[model].head(chosen[model])
            arrows = looks(study.moves, shares.tolist(), figures.COLOURS[model])
            update[boards[model]] = picture(position, arrows, opacities(study.moves, shares))
            update[notes[model]] = lists.title(model, note(seen[model], chosen[model], len(study.moves)))
            update[maps[model]] = figures.heads(model, seen[model], chosen[model])
            name = seen[model].name(chosen[model]) if chosen[model] else ""
            update[knobs[f"{model}_head"]] = gr.update(
                maximum=min(MOST_HEADS, seen[model].rows), value=chosen[model], label=knob_label(model, name))
        yield update | {bars: figures.attention_bars(seen, chosen), "share": 1.0}

    return Lens(draw, [*boards.values(), *notes.values(), *maps.values(), bars], knobs=knobs, picks=[bars],
                choosers=[(maps[model], f"{model}_head") for model in MODELS])


def knob_label(model: str, name: str) -> str:
    """What the slider of a model's heads is called while the head `name` ("layer.head", "" for the mean) is chosen."""
    zh, en = (f"，此刻是 {name}", f"; now {name}") if name else ("", "")
    return tr(f"{model} 的头（0：全部平均{zh}）", f"head of {model} (0: mean of all{en})")


def looks(moves: tuple[int, ...], shares: list[float], color: str) -> list[Arrow]:
    """The moves looked at most, as arrows with their ply."""
    plies = sorted(range(1, len(moves) + 1), key=lambda ply: -shares[ply])[:ARROWS]
    most = max([shares[ply] for ply in plies], default=0.0) or 1.0
    return [Arrow(iccs(moves[ply - 1]), shares[ply] / most, str(ply), color)
            for ply in plies if shares[ply] > most / 20]


def note(seen: Attention, chosen: int, plies: int) -> str:
    """Which head is shown, and how far back it looks."""
    which = tr("全部头的平均", "mean of all heads") if not chosen else tr(
        f"第 {seen.name(chosen)} 头", f"layer.head {seen.name(chosen)}")
    zh, _, en = which.partition("\u2063")
    if not plies:
        return which
    start = lists.percent(float(seen.head(chosen)[0])) if not seen.first else "0"
    back = seen.half(chosen)
    return tr(f"{zh}：落在着法上的注意力，一半在最近 {back} 着；开局之前占 {start}",
              f"{en}: of its attention to moves, half goes to the last {back}; {start} goes to what came before them")
