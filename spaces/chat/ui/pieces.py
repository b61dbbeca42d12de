"""The tokeniser: words, pieces, ids; and what the bug of November 2020 did to a prompt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import gradio as gr

from shared import page as parts
from shared.experiment import from_values
from shared.i18n import prose, tr
from shared.page import Page, guard
from spaces.chat import pieces_figures as figures
from spaces.chat.pieces import LONGEST, OURS, PUBLISHED, Spelling, compare, spell, vocabularies
from spaces.chat.sampling import Sampling
from spaces.chat.ui.knobs import QUIET, RUN, found, model_knob, swept

NAMES = {OURS: tr("我们的 8,000 片", "our 8,000 pieces"), PUBLISHED: tr("CPM 公布的 30,000 片", "CPM's 30,000 pieces")}
HOW = Sampling(temperature=0.0, max_new_tokens=24)
TRY = [
    (tr("少样本提示", "a few-shot prompt"), Spelling().text),
    (tr("诗", "a poem"), "《静夜思》 李白\n床前明月光，\n疑是地上霜。"),
    (tr("中英数混排", "a mixture"), "2020年11月，CPM-LM 有 26 亿参数（GPT-2 结构）。"),
    (tr("生僻字与表情", "rare signs"), "龘靐齉爩 ꙮ 😀 ▂▃"),
]
STYLE = """
.ch-words { display: flex; flex-wrap: wrap; gap: 8px 6px; align-items: flex-end; }
.ch-words hr { flex-basis: 100%; height: 0; margin: 0; border: 0; }
.word em { display: block; font: 500 17px/1.4 var(--kx-serif); text-align: center; color: var(--kx-ink); }
.word div { display: flex; flex-wrap: wrap; gap: 2px; border-top: 2px solid var(--kx-line); padding-top: 3px; }
.word span { display: flex; flex-direction: column; align-items: center; background: var(--kx-surface); border: 1px solid var(--kx-line); border-radius: 4px; padding: 1px 6px; min-width: 22px; }
.word span b { font: 500 14px/1.5 var(--kx-serif); color: var(--kx-ink); }
.word span i { font: normal 11px ui-monospace, Menlo, monospace; color: var(--kx-muted); }
.word span.stand { border-color: var(--kx-counter); background: color-mix(in srgb, var(--kx-counter) 14%, var(--kx-surface)); }
.word span.unk { border-color: var(--kx-accent); background: var(--kx-accent-soft); }
.word span.unk b { color: var(--kx-accent); }
.word span.byte b { font: 12px/1.7 ui-monospace, Menlo, monospace; color: var(--kx-muted); }
h4 { margin: 6px 0 8px; font: 700 15px var(--kx-serif); color: var(--kx-ink); }
.ch-both { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(300px, 100%), 1fr)); gap: 12px; }
.ch-both > div { border: 1px solid var(--kx-line); border-radius: 4px; background: var(--kx-surface); padding: 10px 14px; min-width: 0; }
.ch-both small { color: var(--kx-muted); font-size: 13px; }
.ch-both p { font: 400 17px/1.7 var(--kx-serif); white-space: pre-wrap; overflow-wrap: anywhere; margin: 4px 0 0; color: var(--kx-ink); min-height: 3em; }
"""  # noqa: E501
EXPLANATION = prose(
    """**配方。** jieba 把文字切成词；词里的空格写成 ▂、换行写成 ▃；词与词之间用空格连起来交给 SentencePiece，
于是空格就表示“一个词从这里开始”（▁）。还原时去掉空格，把 ▂、▃ 换回来。

**文章踩的第二个坑。** 2020 年 11 月 22 日以前，公布的词表里没有 ▃：每个换行都成了 <unk>，
少样本提示的行就连成了一片。按上面的按钮，看同一个模型在两种读法下各说什么。
（在我们的小模型里，<unk> 从没有在训练中出现过，所以它比当年的 CPM 更不知所措。）""".replace("<", "&lt;"),
    """**The recipe.** jieba cuts the text into words; their spaces are written ▂, their line breaks ▃; joined by spaces
they go to SentencePiece, for which a space means “a word begins” (▁). On the way back spaces are dropped and ▂, ▃
restored.

**The article's second pitfall.** Until 22 November 2020 the published vocabulary had no ▃: every line break became
<unk>, and the lines of a few-shot prompt ran together. Press the button to see what one model says after either
reading. (Our small model has never met <unk> in training, and is more at a loss than CPM was.)""".replace("<", "&lt;"),
)


def show(*values) -> list[str]:
    """The boxes now and before, and the sentence."""
    asked = from_values(Spelling, values)
    found = spell(asked)
    broken = figures.boxes(found.before) if found.lost else ""
    now, title = tr("现在", "now"), tr("2020 年 11 月 22 日以前", "before 22 November 2020")
    head = f"<h4>{now}</h4>" if broken else ""
    return [head + figures.boxes(found.now), f"<h4>{title}</h4>{broken}" if broken else "", figures.verdict(found)]


@swept
def run(*values) -> Iterator[list[Any]]:
    """Both continuations."""
    asked = from_values(Spelling, values)
    for said, voice in found(asked.model):
        if voice is None:
            yield [gr.skip(), said]
    for now, before in compare(asked, voice, HOW):
        yield [figures.both(now.text, before.text), ""]


def build(page: Page, tabs: gr.Tabs) -> None:
    """Draw the view."""
    default = Spelling()
    first = show(*(getattr(default, f.name) for f in fields(Spelling)))
    with gr.Row(elem_classes="kx-try"):
        presets = [(text, gr.Button(label, size="sm")) for label, text in TRY]
    with gr.Row(equal_height=False):
        with gr.Column(scale=3, min_width=300):
            text = gr.Textbox(
                default.text, lines=3, max_lines=8, label=tr(f"一段话（至多 {LONGEST} 字）", "A text"),
                elem_id="pieces-text",
            )  # fmt: skip
        with gr.Column(scale=2, min_width=280):
            listed = [(NAMES[name], name) for name in vocabularies()]
            vocabulary = gr.Radio(listed, value=default.vocabulary, label=tr("词表", "vocabulary"))
    plain = {"css_template": STYLE, "apply_default_css": False, "html_template": "<div>${value}</div>"}
    said = parts.verdict(first[2])
    now = gr.HTML(first[0], elem_id="pieces-now", **plain)
    before = gr.HTML(first[1], elem_id="pieces-before", **plain)
    with gr.Row(equal_height=False):
        model = model_knob(default.model, min_width=240, elem_id="pieces-model", scale=3)
        with gr.Column(scale=2, min_width=240):
            both = tr("两种读法各续写一次", "Continue after both readings")
            go = gr.Button(both, variant="primary", elem_id="pieces-run")
            link = page.link_button("pieces")
    status = parts.status()
    answers = gr.HTML("", elem_id="pieces-both", **plain)
    gr.Markdown(EXPLANATION)

    knobs = {"text": text, "vocabulary": vocabulary, "model": model}
    order = [knobs[f.name] for f in fields(Spelling)]
    drawing = (guard(show), order, [now, before, said])
    page.view("pieces", Spelling, knobs, link, tabs=tabs, redraw=drawing)
    gr.on([text.change, vocabulary.input], *drawing, **QUIET | {"trigger_mode": "always_last"})
    gr.on([text.change, vocabulary.input, model.change], lambda: "", None, answers, **QUIET)  # of another text
    go.click(guard(run), order, [answers, status], **RUN)
    for sample, button in presets:
        button.click(lambda v=sample: v, None, text, **QUIET)
