"""The long document tab. Only this folder imports gradio."""

from __future__ import annotations

import gradio as gr

from shared.experiment import Experiment
from shared.i18n import tr
from shared.page import Page, expose
from spaces.long_document.api import classify_document
from spaces.long_document.ui import batch, evidence, labels, positions, read


def build(page: Page) -> None:
    """Draw the tab's views."""
    with gr.Tabs(overflow_behavior="wrap") as tabs:
        with gr.Tab(tr("读一篇", "Read"), id="read"):
            bench = read.build(page, tabs)
        with gr.Tab(tr("证据在哪", "Evidence"), id="evidence") as tab:
            evidence.build(page, tabs, tab, bench)
        with gr.Tab(tr("位置", "Positions"), id="positions") as tab:
            positions.build(page, tabs, tab)
        with gr.Tab(tr("你的标签", "Your labels"), id="labels"):
            labels.build(bench)
        with gr.Tab(tr("批量", "Batch"), id="batch"):
            batch.build(bench)
    expose(classify_document, "classify_document")


EXPERIMENT = Experiment(
    slug="long_document",
    title=tr("长文档", "Long documents"),
    claim=tr(
        "只训练过 512 个位置的 BERT，把位置编码做一次层次分解，就能一次读完 262,144 个词元：一整本书。",
        "A BERT that was trained on 512 positions reads 262,144 tokens at once, a whole book, when its position "
        "embeddings are decomposed hierarchically.",
    ),
    invitation=tr("带一本书来，看它读到哪一句才下判断", "Bring a book and see which sentence decides"),
    archive=7947,
    build=build,
)
