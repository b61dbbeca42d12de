"""The Xiangqi tab. Only this folder imports gradio."""

from __future__ import annotations

import gradio as gr

from shared.experiment import Experiment
from shared.i18n import tr
from shared.page import Page, expose
from spaces.xiangqi.api import xiangqi_move
from spaces.xiangqi.ui import play, review, studies, think


def build(page: Page) -> None:
    """Draw the tab's views."""
    with gr.Tabs(overflow_behavior="wrap") as tabs:
        with gr.Tab(tr("对弈", "Play"), id="play"):
            table = play.build(page, tabs)
        with gr.Tab(tr("复盘", "Review"), id="review"):
            review.build(page, tabs, *table)
        with gr.Tab(tr("残局", "Studies"), id="studies") as studying:
            studies.build(page, tabs, studying, *table)
        with gr.Tab(tr("看它怎么想", "See it think"), id="think") as thinking:
            think.build(page, tabs, thinking, *table[:2])
    expose(xiangqi_move, "xiangqi_move")


EXPERIMENT = Experiment(
    slug="xiangqi",
    title=tr("会下象棋的 GPT", "A GPT that plays xiangqi"),
    claim=tr(
        "把棋谱当作一串字符来续写，语言模型没见过棋盘，也能学会开局；让它看见棋盘，它才真正会下。",
        "A language model that never saw a board learns to open a game; shown the board, it learns to play.",
    ),
    invitation=tr("和它下一盘", "Play a game against it"),
    archive=7877,
    build=build,
)
