"""The attention tab: even polynomials, Performer, classifiers, costs, drop-in. Only this folder imports gradio."""

from __future__ import annotations

import gradio as gr

from shared.experiment import Experiment
from shared.i18n import tr
from shared.page import Page, expose
from spaces.attention.api import attention_error
from spaces.attention.ui import classifier, dropin, even, pay, performer, yours


def build(page: Page) -> None:
    """Draw the tab's views."""
    with gr.Tabs(overflow_behavior="wrap") as tabs:
        with gr.Tab(tr("偶次恒正", "Even is positive"), id="even"):
            even.build(page, tabs)
        with gr.Tab(tr("Performer，老实量", "Performer, measured"), id="performer"):
            performer.build(page, tabs)
        with gr.Tab(tr("你的 Q 和 K", "Your Q and K"), id="yours"):
            yours.build(page, tabs)
        with gr.Tab(tr("拿来分类", "In a classifier"), id="classifier"):
            classifier.build(page, tabs)
        with gr.Tab(tr("何时划算", "Where it pays"), id="pay"):
            pay.build(page, tabs)
        with gr.Tab(tr("换心手术", "Drop-in"), id="dropin"):
            dropin.build(page, tabs)
    expose(attention_error, "attention_error")


EXPERIMENT = Experiment(
    slug="attention",
    title=tr("线性注意力", "Linear attention"),
    claim=tr(
        "把 softmax 换成可拆的核，注意力就从平方变成线性：Performer 用随机特征去估，偶次泰勒多项式干脆代替 exp。"
        "省下多少，付出多少？",
        "Put a kernel that splits in place of softmax, and attention turns from quadratic to linear: Performer "
        "estimates "
        "exp by random features, an even Taylor polynomial replaces it. What is saved, and what is paid?",
    ),
    invitation=tr("量一量线性注意力的误差与代价", "Measure what linear attention costs and saves"),
    archive=7921,
    build=build,
)
