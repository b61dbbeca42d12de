"""Inside: attention and likeness on the visitor's own text, and the same weights read in three layouts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import gradio as gr

from shared import page as parts
from shared.experiment import from_values
from shared.i18n import prose, tr
from shared.live import Latest
from shared.page import Page, guard, latest
from spaces.chat import inside_figures as figures
from spaces.chat.inside import LONGEST, Looking, layouts, look
from spaces.chat.ui.knobs import QUIET, RUN, found, model_knob, swept

TRY = [
    (tr("谁教语文", "who teaches"), "张三是语文老师，李四是医生。张三教语文，李四看病人。"),
    (tr("几个例子", "a few examples"), "法国 巴黎\n日本 东京\n德国 柏林\n中国 "),
    (tr("重复一遍", "said twice"), "山上有一座庙，庙里有一个人。山上有一座庙，庙里有一个人。"),
    (tr("一首诗", "a poem"), "床前明月光，疑是地上霜。举头望明月，低头思故乡。"),
]
STYLE = """
.kx-table { width: 100% !important; }
td, th { width: auto !important; vertical-align: top; }
.said { font-family: var(--kx-serif); white-space: pre-wrap; overflow-wrap: anywhere; width: 70% !important; }
td.best { font-weight: 700 !important; box-shadow: inset 0 -3px 0 var(--kx-accent); }
"""
EXPLANATION = prose(
    r"""**文章踩的第一个坑。** CPM 的权重能一个不差地装进 GPT2_ML 的结构：两者的 LN 一样多、一样大，装载时什么错也不报，
说出来的却是胡话。GPT-2 只让注意力和前馈看到归一化后的输入，层间的“主干”不动，最后再做一次 LN；
GPT2_ML 归一化的是主干自己。第三行去掉最后的 LN。比特/字越低，说明这样读越对。

**注意力图**的颜色是份额的对数，3% 以下留白。**相似度**减去了全文平均：不减，所有位置都朝同一个方向，什么也看不出。""",
    r"""**The article's first pitfall.** CPM's weights fit GPT2_ML's layout to the last tensor: as many norms, of the
same size, so that nothing complains when they are loaded, and nonsense comes out. GPT-2 normalises what attention and
MLP see, leaves the stream between the layers alone and ends with one more norm; GPT2_ML normalises the stream itself.
The third reading leaves the last norm out. Fewer bits a character: the better reading.

**Attention** is drawn by the logarithm of its shares, blank below 3 %. **Likeness** has the text's mean taken off:
with it all places point the same way, and nothing is to be seen.""",
)


@swept
def show(*values) -> Iterator[list[Any]]:
    """Both maps and the sentence."""
    asked = from_values(Looking, values)
    for said, voice in found(asked.model):
        if voice is None:
            yield [gr.skip()] * 5 + [said]
    seen = look(asked)
    yield [
        figures.attention_figure(seen, asked.layer, asked.head),
        figures.similarity_figure(seen, asked.layer),
        figures.verdict(seen, asked.layer),
        gr.update(maximum=seen.layers),
        gr.update(maximum=seen.heads),
        "",
    ]


@swept
def read(*values) -> Iterator[list[Any]]:
    """The three layouts."""
    asked = from_values(Looking, values)
    yield [gr.skip(), parts.progress(0.3, tr("三种布局都读一遍", "reading in three layouts"))]
    for said, voice in found(asked.model):
        if voice is None:
            yield [gr.skip(), said]
    yield [figures.layout_table(layouts(asked)), ""]


def build(page: Page, tabs: gr.Tabs) -> None:
    """Draw the view."""
    default = Looking()
    with gr.Row(elem_classes="kx-try"):
        presets = [(text, gr.Button(label, size="sm")) for label, text in TRY]
    with gr.Row(equal_height=False):
        with gr.Column(scale=3, min_width=300):
            text = gr.Textbox(
                default.text, lines=3, max_lines=6, label=tr(f"一段话（至多 {LONGEST} 字）", "A text, in Chinese"),
                elem_id="inside-text",
            )  # fmt: skip
        with gr.Column(scale=2, min_width=280):
            model = model_knob(default.model, elem_id="inside-model")
    with gr.Row():
        layer = parts.slider(1, 6, value=default.layer, step=1, label=tr("层", "layer"), min_width=200)
        of_head = tr("头（0：平均）", "head (0: mean)")
        head = parts.slider(0, 4, value=default.head, step=1, label=of_head, min_width=200)
    with gr.Row(elem_classes="kx-controls"):
        go = gr.Button(tr("看", "Look"), variant="primary", elem_id="inside-go", min_width=100)
        both = gr.Button(tr("换三种布局读", "Read in three layouts"), elem_id="inside-layouts", min_width=190)
        link = page.link_button("inside")
    status = parts.status()
    table = gr.HTML(
        "", html_template="<div>${value}</div>", css_template=STYLE, apply_default_css=False, elem_id="inside-table"
    )
    said = parts.verdict(tr("按“看”：每个词元在看谁？", "Press look: whom does each token look at?"))
    with gr.Row(elem_classes="kx-grid"):
        attention, similarity = parts.figure(), parts.figure()
    gr.Markdown(EXPLANATION, latex_delimiters=parts.LATEX)

    knobs = {"text": text, "model": model, "layer": layer, "head": head}
    order = [knobs[f.name] for f in fields(Looking)]
    runs = gr.State(Latest())
    drawing = (latest(guard(show)), [runs, *order], [attention, similarity, said, layer, head, status])
    view = page.view("inside", Looking, knobs, link, tabs=tabs, redraw=drawing)
    gr.on([go.click, text.submit, layer.input, head.input], *drawing, **QUIET | {"trigger_mode": "always_last"})
    go.click(None, order, None, js=view.keep)
    gr.on([text.change, model.change], lambda: "", None, table, **QUIET)  # it was of another text
    both.click(latest(guard(read)), [gr.State(Latest()), *order], [table, status], **RUN)
    for sample, button in presets:
        button.click(lambda v=sample: v, None, text, **QUIET).then(*drawing, **RUN).then(
            None, order, None, js=view.keep
        )
