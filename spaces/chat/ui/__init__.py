"""The chat tab: notebook, conversation, what examples are worth, the inside. Only this folder imports gradio."""

from __future__ import annotations

import gradio as gr

from shared.experiment import Experiment
from shared.i18n import tr
from shared.page import Page, expose
from spaces.chat.api import chat
from spaces.chat.ui import calculator, inside, notebook, pieces, talk, worth


def build(page: Page) -> None:
    """Draw the tab's views."""
    with gr.Tabs(overflow_behavior="wrap") as tabs:
        with gr.Tab(tr("续写", "Continue"), id="notebook"):
            notebook.build(page, tabs)
        with gr.Tab(tr("问答", "Chat"), id="chat"):
            talk.build(page, tabs)
        with gr.Tab(tr("例子值多少", "Examples' worth"), id="worth"):
            worth.build(page, tabs)
        with gr.Tab(tr("看里面", "Inside"), id="inside"):
            inside.build(page, tabs)
        with gr.Tab(tr("分词", "Tokeniser"), id="pieces"):
            pieces.build(page, tabs)
        with gr.Tab(tr("装得下吗", "Does it fit"), id="calculator"):
            calculator.build(page, tabs)
    expose(chat, "chat", concurrency_limit=40)


EXPERIMENT = Experiment(
    slug="chat",
    title=tr("与 CPM 对话", "Chatting with CPM"),
    claim=tr(
        "语言模型不用再训练：给它几个例子，它就照着答——首都、词对、抽取、三元组。看它在每个字上怎么选，例子又值多少。",
        "A language model needs no further training: shown a few examples, it answers in kind. Watch it choose every "
        "piece, and see what each example is worth.",
    ),
    invitation=tr("给几个例子，让它接着写", "Give it a few examples and let it go on"),
    archive=7912,
    build=build,
)
