"""The gradient flow tab. Only this folder imports gradio."""

from __future__ import annotations

import gradio as gr

from shared.experiment import Experiment
from shared.i18n import tr
from shared.page import Page, expose
from spaces.gradient_flow.api import gradient_flow
from spaces.gradient_flow.ui import flow, race, regimes, words, yours


def build(page: Page) -> None:
    """Draw the tab's views."""
    with gr.Tabs(overflow_behavior="wrap") as tabs:
        with gr.Tab(tr("流", "Flow"), id="flow"):
            target = flow.build(page, tabs)
        with gr.Tab(tr("地图", "Map"), id="map"):
            regimes.build(page, tabs, target)
        with gr.Tab(tr("赛跑", "Race"), id="race"):
            race.build(page, tabs)
        with gr.Tab(tr("哪些字还算数", "Which words still count"), id="words"):
            words.build(page, tabs)
        with gr.Tab(tr("你的 RNN", "Yours"), id="yours"):
            yours.build(page, tabs)
    expose(gradient_flow, "gradient_flow")


EXPERIMENT = Experiment(
    slug="gradient_flow",
    title=tr("RNN 里的梯度", "Gradients in RNNs"),
    claim=tr(
        "梯度消失，不是说总梯度为零，而是遥远的那几步不再有份：RNN 像 0.9ⁿ 一样忘掉它们，LSTM 和 GRU 靠门留住它们。",
        "A vanishing gradient is not a total of zero: the distant steps have no part in it any more. An RNN loses them "
        "like 0.9ⁿ; the gates of LSTM and GRU keep them.",
    ),
    invitation=tr("拨一拨遗忘门，看梯度走多远", "Turn the forget gate and see how far gradients reach"),
    archive=7888,
    build=build,
)
