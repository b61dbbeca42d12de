"""What the examples are worth: the shot ledger with its switches, the grid of forms, the prior removed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import gradio as gr

from shared import page as parts
from shared.component import packed
from shared.experiment import InputError, from_values
from shared.i18n import prose, tr
from shared.live import Latest
from shared.page import Page, guard, latest
from spaces.chat import weighing_figures
from spaces.chat.examples import ALL
from spaces.chat.ui.component import component
from spaces.chat.ui.knobs import QUIET, RUN, deed, found, model_knob, swept, whole
from spaces.chat.weighing import Weighed, Weighing, weigh

SHOWN = ("capital", "english", "subject", "triple", "antonym", "idiom", "kind", "sentiment", "add", "lookup")
STYLE = """
table { width: auto !important; min-width: min(100%, 420px); }
p { margin: 0 0 8px; font-size: 14.5px; line-height: 1.6; color: var(--kx-ink); }
td, th { white-space: nowrap; text-align: left !important; width: auto !important; padding: 6px 9px !important; }
td { font-size: 13px; }
td { font-variant-numeric: tabular-nums; }
.ch-forms td { background: color-mix(in srgb, var(--kx-counter) calc(var(--share, 0) * 42%), transparent); }
td.best { font-weight: 700 !important; box-shadow: inset 0 -3px 0 var(--kx-accent); }
tr:first-child th { color: var(--kx-muted); font-size: 12.5px; }
tr:not(:first-child) th { font-family: var(--kx-serif); color: var(--kx-ink); }
"""
EXPLANATION = prose(
    r"""**怎么算的。** 账本：答案的 $\ln p$，减去拿掉那个例子之后的 $\ln p$——正数是它帮了忙，负数是它碍了事；
开关让例子真的消失，别的例子的价值会随之变化（它们互相顶替，所以各自的价值加起来并不等于总数）。
写法：同样的例子、同样的答案，只换分隔和模板。先验：把问题换成“无”“N/A”和空白，三者概率取平均
（Zhao 等，2021 的上下文校准）。""",
    r"""**How it is computed.** The ledger: the answer's $\ln p$ less its $\ln p$ without that example; positive where
it helped, negative where it stood in the way. A switch really takes an example away, and the worth of the others
changes: they stand in for one another, so the single worths do not add up. Forms: the same examples and answer, only
separator and template differ. The prior: the question replaced by “无”, “N/A” and nothing, their probabilities
averaged (the contextual calibration of Zhao et al., 2021).""",
)


@swept
def show(*values) -> Iterator[list[Any]]:
    """The scales as they fill."""
    asked = from_values(Weighing, values)
    if not asked.prompt.strip():
        raise InputError("prompt", "请先写一个带例子的提示。", "is empty: write a prompt with examples.")
    for said, voice in found(asked.model):
        if voice is None:
            yield [gr.skip()] * 4 + [said]
    for book in weigh(asked):
        yield [*drawn(book), parts.progress(_done(book), tr("正在称", "weighing"))]
    yield [*drawn(book), ""]


def _done(book: Weighed) -> float:
    known = sum(w is not None for w in book.worth) + 2 * len(book.grid)
    return min(1.0, known / (sum(book.on) + 11))


def drawn(book: Weighed) -> list[str]:
    """Ledger, sentence, forms, priors."""
    figures = weighing_figures
    return [
        packed(figures.rows(book)),
        figures.verdict(book),
        figures.table_of_forms(book),
        figures.table_of_priors(book),
    ]


def switch(event: gr.EventData, *values) -> str:
    """The examples that are off after a click on a switch."""
    asked = from_values(Weighing, values)
    shot = deed(event._data, {"switch": lambda: whole(event._data, "shot")})()
    if not 0 <= shot < 32:
        raise InputError("shot", "没有这个例子。", "is no example here.")
    return asked.switch(shot).off


def build(page: Page, tabs: gr.Tabs) -> None:
    """Draw the view."""
    first = Weighing()
    with gr.Row(elem_classes="kx-try"):
        presets = {key: gr.Button(ALL[key].name, size="sm") for key in SHOWN}
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=300):
            prompt = gr.Textbox(
                first.prompt, lines=6, max_lines=12, elem_id="worth-prompt",
                label=tr("带例子的提示（写法须相同，末尾是问题）", "examples, all written alike, and a question"),
            )  # fmt: skip
            answer = gr.Textbox(
                first.answer, max_lines=1, elem_id="worth-answer", label=tr("称哪个答案", "the answer to weigh")
            )
            model = model_knob("", elem_id="worth-model")
            with gr.Row(elem_classes="kx-controls"):
                go = gr.Button(tr("称一称", "Weigh"), variant="primary", elem_id="worth-go", min_width=120)
                link = page.link_button("worth")
            status = parts.status()
        with gr.Column(scale=5, min_width=300):
            said = parts.verdict(tr("按“称一称”：每个例子值多少？", "Press weigh: what is each example worth?"))
            empty = packed({"rows": [], "most": 1, "question": "", "answer": ""})
            book = component("ledger", empty, elem_id="worth-ledger")
    with gr.Row(elem_classes="kx-grid"):
        plain = {"css_template": STYLE, "apply_default_css": False, "html_template": "<div>${value}</div>"}
        forms = gr.HTML("", elem_id="worth-forms", **plain)
        priors = gr.HTML("", elem_id="worth-priors", **plain)
    gr.Markdown(EXPLANATION, latex_delimiters=parts.LATEX)

    off = gr.Textbox("", visible=False)
    knobs = {"prompt": prompt, "answer": answer, "model": model, "off": off}
    order = [knobs[f.name] for f in fields(Weighing)]
    runs = gr.State(Latest())
    drawing = (latest(guard(show)), [runs, *order], [book, said, forms, priors, status])
    view = page.view("worth", Weighing, knobs, link, tabs=tabs, redraw=drawing)
    go.click(lambda: "", None, off, **QUIET).then(*drawing, **RUN).then(None, order, None, js=view.keep)
    book.act(guard(switch), order, off, **QUIET).then(*drawing, **RUN)
    for key, button in presets.items():
        values = [ALL[key].prompt, ALL[key].answer, ""]
        button.click(lambda v=values: v, None, [prompt, answer, off], **QUIET).then(*drawing, **RUN).then(
            None, order, None, js=view.keep
        )
