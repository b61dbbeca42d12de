"""The SimSiam tab: the toy, the live run, the races, the check-up. Only this folder imports gradio."""

from __future__ import annotations

import gradio as gr

from shared.experiment import Experiment
from shared.i18n import tr
from shared.page import Page, expose
from spaces.simsiam.live import simsiam_train
from spaces.simsiam.ui import checkup, live, races, toy


def build(page: Page) -> None:
    """Draw the tab's views."""
    with gr.Tabs(overflow_behavior="wrap") as tabs:
        with gr.Tab(tr("玩具模型", "The toy"), id="toy"):
            toy.build(page, tabs)
        with gr.Tab(tr("真的训练", "Live training"), id="live"):
            target = live.build(page, tabs)
        with gr.Tab(tr("极限与赛跑", "Limits and races"), id="races"):
            races.build(page, tabs, target)
        with gr.Tab(tr("我的坍缩了吗？", "Is mine collapsed?"), id="checkup"):
            checkup.build(page, tabs)
    expose(simsiam_train, "simsiam_train")


EXPERIMENT = Experiment(
    slug="simsiam",
    title=tr("SimSiam 为何不坍缩", "Why SimSiam does not collapse"),
    claim=tr(
        "SimSiam 不坍缩，不是因为损失函数，而是因为优化过程："
        "停梯度之后，跑得快的预测器先把梯度压到零，编码器来不及坍缩。",
        "SimSiam does not collapse because of the way it is optimised, not because of its loss: with stop-gradient "
        "the fast predictor drives the gradient to zero before the encoder can collapse.",
    ),
    invitation=tr("看一个网络坍缩，或者不坍缩", "Watch a network collapse, or not"),
    archive=7980,
    build=build,
)
