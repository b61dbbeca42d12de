"""Which words still count? A visitor's sentence through a trained character model of each cell."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import gradio as gr

from shared import page as parts
from shared.experiment import InputError, choices
from shared.i18n import pick, prose, tr
from shared.live import Latest, watched
from shared.page import Page, guard, knob_value, latest
from spaces.gradient_flow import words_figures as figures
from spaces.gradient_flow.characters import WEIGHTS, baselines, load
from spaces.gradient_flow.settings import CELLS
from spaces.gradient_flow.ui.names import CELL_CHOICES
from spaces.gradient_flow.words import MOST, SAMPLES, depend

QUICK = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": 4}
TRY = [
    tr("引号要关上吗", "will the quotation close"),
    tr("书名会再出现吗", "will the title come back"),
    tr("轮到谁说话", "whose turn is it"),
    tr("一首诗", "a poem"),
]
EXPLANATION = prose(
    r"""**怎么看。** 指着一个字（或点它，或用方向键）：它之前越红的字，模型预测它时越依赖——红的深浅是
$\lVert\partial\log p(c_i)/\partial x_t\rVert$ 在一行里的份额。六个模型的词向量、输出层和训练数据都一样，
只有中间那一层不同：忘得快不快，就是单元的事。

**这些模型是我们自己训练的小模型**（一层、256 维），用来看依赖，不是用来写文章：
它们会认错、会胡说，也不代表任何人的观点。每个字的比特数越低，预测得越准；“只数相邻两字”的基线画在图里。""",
    r"""**How to read it.** Point at a character (or tap it, or use the arrow keys): the redder an earlier one is, the
more the prediction depends on it; the shade is its share of $\lVert\partial\log p(c_i)/\partial x_t\rVert$ in the row.
The six models share embedding, read-out and training text; only the layer between differs, so what is forgotten is the
cell's doing.

**These are small models that we trained** (one layer, 256 units), to look at what they depend on, not to write with:
they err, make things up and hold nobody's opinions. Fewer bits a character is a better prediction; counting pairs of
characters is drawn as a baseline.""",
)


@dataclass(frozen=True)
class Words:
    """A sentence, and whose models read it."""

    cells: tuple[str, ...] = ("rnn", "lstm", "gru", "transformer")
    sentence: str = SAMPLES[0]

    def __post_init__(self):
        object.__setattr__(self, "cells", choices("cells", self.cells, CELLS))
        if not isinstance(self.sentence, str) or not 2 <= len(self.sentence) <= MOST:
            raise InputError("sentence", f"须为 2 到 {MOST} 个字。", f"must have 2 to {MOST} characters.")


def read(cells: list[str], sentence: str) -> Iterator[list]:
    """The sentence under every chosen model."""
    words = Words(tuple(cells), sentence or "")

    def work(report):
        found = {}
        for i, cell in enumerate(words.cells):
            found |= depend(words.sentence, (cell,))
            report((i + 1) / len(words.cells))
        return found

    for share, found in watched(work):
        if found is None:
            yield [*[gr.skip()] * 4, parts.progress(share, tr("正在读这句话", "reading the sentence"))]
    yield [figures.reader(found), figures.verdict(found), figures.by_lag(found), *_context(words.cells), ""]


def _context(cells: tuple[str, ...]) -> list[str]:
    return [figures.context({name: load(name)[1] for name in cells}, baselines())]


def card() -> str:
    """One line on what the models are, as the training measured them."""
    rows = [(label, load(name)[1]) for label, name in CELL_CHOICES if (WEIGHTS / name).is_dir()]
    listed = {
        language: ("，" if language == "zh" else ", ").join(
            f"{pick(label, language)} {m['bits']:.2f}" for label, m in rows
        )
        for language in ("zh", "en")
    }
    return tr(
        f"每字比特（留出的文本，整段平均，含开头）：{listed['zh']}。",
        f"Bits per character on held-out text, its beginnings included: {listed['en']}.",
    )


def build(page: Page, tabs: gr.Tabs) -> None:
    """Draw the view; nothing is read until a visitor asks."""
    default = Words()
    with gr.Row(elem_classes="kx-try"):
        presets = [gr.Button(label, size="sm") for label in TRY]
    with gr.Row(equal_height=True):
        sentence = gr.Textbox(
            default.sentence,
            label=tr(f"一句话（至多 {MOST} 字）", f"A sentence, in Chinese ({MOST} characters at most)"),
            lines=2,
            max_lines=4,
            scale=5,
            min_width=260,
        )
        with gr.Column(scale=1, min_width=120):
            start = gr.Button(tr("读", "Read"), variant="primary", elem_id="words-read")
            link = page.link_button("words")
    cells = gr.CheckboxGroup(CELL_CHOICES, value=list(default.cells), label=tr("谁来读", "who reads"))
    status = parts.status()
    reader = gr.HTML(
        "",
        html_template=figures.TEMPLATE,
        css_template=figures.STYLE,
        js_on_load=figures.SCRIPT,
        apply_default_css=False,
        elem_id="words-reader",
    )
    said = parts.verdict(tr("按“读”，或点上面的例子。", "Press read, or take an example above."))
    with gr.Row(elem_classes="kx-grid"):
        by_lag, context = parts.figure(), parts.figure()
    gr.HTML(f"<small>{card()}</small>")
    gr.Markdown(EXPLANATION, latex_delimiters=parts.LATEX)

    order = [cells, sentence]
    runs_of_visitor = gr.State(Latest())
    drawing = (latest(guard(read)), [runs_of_visitor, *order], [reader, said, by_lag, context, status])
    view = page.view("words", Words, {"cells": cells, "sentence": sentence}, link, tabs=tabs, redraw=drawing)
    gr.on([start.click, sentence.submit, cells.input], *drawing, trigger_mode="always_last", **QUICK)
    start.click(None, order, None, js=view.keep)
    for sample, button in zip(SAMPLES, presets, strict=True):
        values = [knob_value(v) for v in dataclasses.astuple(Words(sentence=sample))]
        button.click(lambda v=values[1]: v, None, sentence, **QUICK).then(*drawing, **QUICK).then(
            None, order, None, js=view.keep
        )
