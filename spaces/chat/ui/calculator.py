"""The calculator: what a GPT-2 weighs before it is loaded, against this machine."""

from __future__ import annotations

import json
from dataclasses import astuple, fields
from typing import Any

import gradio as gr

from shared import accelerator, models
from shared import page as parts
from shared.checkpoint import find, public
from shared.experiment import InputError, from_values
from shared.i18n import prose, tr
from shared.page import Page, guard
from spaces.chat import calculator_figures as figures
from spaces.chat.calculator import BYTES, LIMITS, Fitting, Shape, verdict
from spaces.chat.model import WEIGHTS
from spaces.chat.ui.knobs import QUIET

KNOWN = {
    "cpm": (tr("CPM-LM（26 亿）", "CPM-LM (2.6 billion)"), Shape()),
    "distill": (tr("CPM-Distill", "CPM-Distill"), Shape(12, 768, 12, 30_000, 1024)),
    "small": (tr("GPT-2", "GPT-2"), Shape(12, 768, 12, 50_257, 1024)),
    "xl": (tr("GPT-2 XL", "GPT-2 XL"), Shape(48, 1600, 25, 50_257, 1024)),
}
LABELS = {
    "layers": tr("层数", "layers"), "width": tr("宽度", "width"), "heads": tr("头数", "heads"),
    "vocabulary": tr("词表", "vocabulary"), "positions": tr("位置数（上下文）", "positions (context)"),
}  # fmt: skip
STYLE = """
td, th { width: auto !important; white-space: nowrap; text-align: left !important; }
.fit { min-width: 150px; }
.fit i { display: block; height: 8px; margin-bottom: 2px; width: 100%; border-radius: 2px; background: linear-gradient(to right, var(--kx-counter) calc(var(--share) * 100%), var(--kx-grid) 0); }
.fit i.over { background: var(--kx-accent); }
.ch-parts { list-style: none; margin: 8px 0 0; padding: 0; }
.ch-parts li { display: grid; grid-template-columns: 92px minmax(40px, 1fr) 190px; gap: 10px; align-items: center; margin: 0; padding: 4px 0; font-size: 14px; color: var(--kx-ink); border-bottom: 1px solid var(--kx-grid); }
.ch-parts i { height: 11px; border-radius: 2px; background: linear-gradient(to right, var(--kx-accent) calc(var(--share) * 100%), transparent 0); }
.ch-parts small { font-size: 12.5px; color: var(--kx-muted); text-align: right; font-variant-numeric: tabular-nums; }
.ch-ways p { margin: 8px 0 4px; font-size: 14px; color: var(--kx-ink); }
.ch-ways pre { overflow-x: auto; margin: 0; padding: 10px 14px; background: var(--kx-surface); border: 1px solid var(--kx-line); border-radius: 4px; font: 12.5px/1.6 ui-monospace, Menlo, monospace; color: var(--kx-ink); }
@media (max-width: 640px) {
  .ch-parts li { grid-template-columns: 64px minmax(30px, 1fr) 150px; }
  .kx-table :is(th, td):is(:nth-child(3), :nth-child(4)) { display: none; } /* the sum has them */
  .fit { min-width: 60px; white-space: normal; }
}
"""  # noqa: E501
EXPLANATION = prose(
    """**怎么算。** GPT-2 的前馈宽四倍：每层 12d² 个参数加偏置与 LN，再加词表与位置表；CPM-LM 正好是 2,597,073,920。
每个词元的 KV 是 2 × 层数 × 宽度个数；int8 的模型里 KV 仍是 float32。
“共需”再加百分之五给中间结果。载入之前，本页先看权重文件的头，
装不下就说装不下，不会先把机器拖死；默认只用一半内存（MODELS_MEMORY 可改）。""",
    """**How it is computed.** GPT-2's MLP is four times as wide: 12 d² parameters a layer with biases and norms, and
the tables of tokens and positions; CPM-LM has 2,597,073,920 exactly. Keys and values of a token are 2 × layers × width
numbers, float32 ones beside int8 weights. “In all” adds five per cent for what a step computes. Before loading anything
this page reads the headers of the files, and says that a model does not fit instead of choking on it; it takes half
of the memory (MODELS_MEMORY).""",
)


def show(*values) -> list[str]:
    """The sentence, both tables, the ways out."""
    shape = from_values(Fitting, values)
    memory = models.shelf.limit
    zh, en = verdict(shape, memory, shape.dtype, shape.sequences, accelerator.home().type != "cpu")
    said = tr(f"{shape.total:,} 个参数。{zh}", f"{shape.total:,} parameters. {en}")
    return [said, figures.memory_table(shape, memory, shape.sequences), figures.parameter_bars(shape),
            figures.ways_out(shape, memory)]  # fmt: skip


def read(name: str) -> list[Any]:
    """The shape in a model's config.json, which is read without its weights."""
    found = find(name or "", embedded=WEIGHTS)
    if found.folder is None:
        zh, en = "只读本机文件夹里的 config.json。", "must be a local folder: only its config.json is read."
        raise InputError("model", zh, en)
    try:
        config = json.loads((found.folder / "config.json").read_text(encoding="utf-8"))
        tied = config.get("tie_word_embeddings", True)
        if config.get("n_inner") not in (None, 4 * config["n_embd"]):
            raise InputError("model", "前馈须为四倍宽。", "must have an MLP four times as wide.")
        names = ("n_layer", "n_embd", "n_head", "vocab_size", "n_positions")
        return list(astuple(Shape(*(config[key] for key in names), tied)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        zh, en = "那里没有 GPT-2 的 config.json。", "has no config.json of a GPT-2."
        raise InputError("model", zh, en) from None


def build(page: Page, tabs: gr.Tabs) -> None:
    """Draw the view."""
    default = Fitting()
    known = dict(KNOWN)
    if (WEIGHTS / "config.json").is_file():
        known["ours"] = (tr("内置的小 CPM", "the small CPM here"), Shape(*read("")))
    with gr.Row(elem_classes="kx-try"):
        presets = [(shape, gr.Button(label, size="sm")) for label, shape in known.values()]
    first = show(*astuple(default))
    said = parts.verdict(first[0])
    plain = {"css_template": STYLE, "apply_default_css": False, "html_template": "<div>${value}</div>"}
    table = gr.HTML(first[1], elem_id="calculator-table", **plain)
    with gr.Row():
        knobs: dict = {
            name: gr.Number(getattr(default, name), label=LABELS[name], min_width=120) for name in LIMITS
        }
    with gr.Row():
        knobs["dtype"] = gr.Radio(
            list(BYTES), value=default.dtype, label=tr("精度", "wanted"), scale=3, min_width=280
        )
        knobs["sequences"] = gr.Number(
            default.sequences, label=tr("几份上下文同时", "contexts at once"), min_width=120
        )
        knobs["tied"] = gr.Checkbox(default.tied, label=tr("输出与词表共用", "output tied to the tokens"), min_width=99)
    bars = gr.HTML(first[2], **plain)
    ways = gr.HTML(first[3], elem_id="calculator-ways", **plain)
    with gr.Row(equal_height=True, visible=not public()):
        folder = gr.Textbox(label=tr("从本机文件夹读 config.json", "read a local folder's config.json"), scale=4)
        take = gr.Button(tr("读", "Read"), min_width=80, scale=1)
    link = page.link_button("calculator")
    gr.Markdown(EXPLANATION)

    order = [knobs[f.name] for f in fields(Fitting)]
    shapely = [knobs[f.name] for f in fields(Shape)]
    drawing = (guard(show), order, [said, table, bars, ways])
    view = page.view("calculator", Fitting, knobs, link, tabs=tabs, redraw=drawing)
    often = QUIET | {"trigger_mode": "always_last"}
    gr.on([knob.input for knob in order], *drawing, **often)
    take.click(guard(read), folder, shapely, **QUIET).success(*drawing, **QUIET)
    for shape, button in presets:
        values = list(astuple(shape))
        button.click(lambda v=values: v, None, shapely, **QUIET).then(*drawing, **QUIET).then(
            None, order, None, js=view.keep
        )
