"""The positions themselves: similarities of q that can be zoomed to n², why a half breaks, what each way is worth."""

from __future__ import annotations

import dataclasses
import json
from functools import cache

import gradio as gr
import torch

from shared import page as parts
from shared.experiment import from_values
from shared.i18n import markup, number, prose, tr
from shared.page import Page, clicked, guard
from spaces.long_document import figures, similarity
from spaces.long_document.measure import OUT
from spaces.long_document.reader import load_named
from spaces.long_document.settings import Positions

QUIET = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": 4}
ZOOM = 4
TRY = [  # label, the settings that differ from the default
    (tr("前三块：512 × 3", "three blocks: 512 × 3"), {}),
    (tr("全部 n² = 262,144", "all n² = 262,144"), {"span": 262_144}),
    (tr("α = ½：一半位置重合", "α = ½: half of them meet"), {"alpha": 0.5, "span": 262_144}),
    (tr("α = 0.1：块与块难分", "α = 0.1: blocks alike"), {"alpha": 0.1, "span": 8192}),
    (tr("块边放大", "an edge, enlarged"), {"start": 448, "span": 128}),
]
NEAREST = (
    ("同一块里", "in one block"),
    ("两块的同一处", "one place of two blocks"),
    ("互为镜像：(i, j)、(j, i)", "mirrored: (i, j), (j, i)"),
)
EMPTY = figures.figure("empty", figures.axis(), figures.axis(), [], caption="")
EXPLANATION = prose(
    r"""**怎么读。** 每个格子是两个位置向量（减去平均）的余弦，只为眼前这一窗计算。块内的花纹是训练得来的；
块与块之间的明暗是 $\frac{\alpha}{1-\alpha}(p_i-p_1)$ 加进去的。

**为什么 α 不能是 ½。** $q_{ij}-q_{ji}=(1-\frac{\alpha}{1-\alpha})(p_j-p_i)$，α = ½ 时恒为零：
(i, j) 与 (j, i) 是同一个向量。α 太小，块与块分不清；太大，块内的次序被盖住。""",
    r"""**How to read it.** Each cell is the cosine of two positions (their mean removed), computed for the window in
view. The pattern inside a block was trained; what differs between blocks is $\frac{\alpha}{1-\alpha}(p_i-p_1)$.

**Why α is not ½.** $q_{ij}-q_{ji}=(1-\frac{\alpha}{1-\alpha})(p_j-p_i)$ is zero for every pair at α = ½: (i, j) and
(j, i) are one vector. With a small α blocks look alike; with a large one the order inside a block is drowned.""",
)
MEASURED = prose(
    """**上面两张准确率图是我们在内置模型上量的**：`python -m spaces.long_document.measure`。
实线是各个 α，虚线是不分解时人们的做法。""",
    """**The two figures of accuracy above were measured by us on the embedded default**: `python -m
spaces.long_document.measure`. Full lines: values of α; dashed: what people do without the decomposition.""",
)


@cache
def table() -> torch.Tensor:
    """The default's trained positions (512, d)."""
    return similarity.trained_positions(load_named())


@cache
def swept() -> dict[str, list[float]]:
    """The default's distances for every α of the figure."""
    return similarity.sweep(table())


def draw(*values) -> list[str]:
    """(heat map, distances, verdict)."""
    settings = from_values(Positions, values)
    p = table()
    found = similarity.window(p, settings.alpha, settings.start, settings.span)
    usual = similarity.mirror_distance(p, 0.0)
    return [
        figures.similarity_figure(found, len(p)),
        figures.sweep_figure(swept(), settings.alpha),
        verdict(settings.alpha, *similarity.nearest_pair(p, settings.alpha), usual),
    ]


def verdict(alpha: float, near: float, kind: int, usual: float) -> str:
    """How near two positions come, and which two, beside the nearest trained pair."""
    said, (zh, en) = number(near, 3), NEAREST[kind]
    if near < 1e-6:
        return markup(
            f"α = {alpha:g}：最近的两个位置距离 <b class='bad'>0</b>，(i, j) 与 (j, i) 分不开。",
            f"α = {alpha:g}: the nearest two are <b class='bad'>0</b> apart, (i, j) cannot be told from (j, i).",
        )
    return markup(
        f"α = {alpha:g}：最近的两个位置相距至多 <b>{said}</b>（{zh}）；训练过的位置里最近的一对是 {number(usual, 3)}。",
        f"α = {alpha:g}: the nearest two are at most <b>{said}</b> apart ({en}); the nearest trained pair "
        f"{number(usual, 3)}.",
    )


def zoom(start: float, span: float, event: gr.EventData) -> list[int]:
    """(start, span) around a click."""
    smaller = max(16, _seen(start, span).span // ZOOM)
    at = sum(clicked(event)) / 2  # the map is symmetric: towards the diagonal
    return [max(0, int(at) - smaller // 2), smaller]


def out(start: float, span: float) -> list[int]:
    """(start, span) from further away."""
    seen = _seen(start, span)
    wider = min(262_144, seen.span * ZOOM)
    return [max(0, min(seen.start - (wider - seen.span) // 2, 262_144 - wider)), wider]


def _seen(start: float | None, span: float | None) -> Positions:
    """The window in view; an emptied box falls back to its default."""
    return from_values(Positions, [None, start, span])


def measured() -> dict | None:
    """What the command wrote, if it was run."""
    return json.loads(OUT.read_text("utf-8")) if OUT.is_file() else None


def build(page: Page, tabs: gr.Tabs, tab: gr.Tab) -> None:
    """Draw the view; the figures come when its tab is opened, for they need the weights."""
    default = Positions()
    knobs: dict[str, gr.components.Component] = {}
    with gr.Row(elem_classes="kx-try"):
        presets = [gr.Button(text, size="sm") for text, _ in TRY]
    with gr.Row():
        with gr.Column(scale=3, min_width=300):
            heat = parts.figure(EMPTY, pickable=True, elem_id="positions-heat")
        with gr.Column(scale=2, min_width=300):
            knobs["alpha"] = parts.slider(
                0.02, 0.98, value=default.alpha, step=0.01, label="α", elem_id="positions-alpha"
            )
            said = parts.verdict(tr("拨 α，或点热图放大。", "Turn α, or click the heat map to zoom in."))
            distances = parts.figure(EMPTY)
            with gr.Row(elem_classes="kx-controls"):
                back = gr.Button(tr("缩小", "Zoom out"), size="sm", min_width=80, elem_id="positions-out")
                link = page.link_button("positions")
    with gr.Row():
        first = tr("从第几个位置（0 起）", "first position (from 0)")
        knobs["start"] = gr.Number(default.start, label=first)
        knobs["span"] = gr.Number(default.span, label=tr("看多少个位置", "positions in view"))
    if found := measured():
        with gr.Row(elem_classes="kx-grid"):
            for spec in figures.measured_figures(found):
                parts.figure(spec)
    gr.Markdown(EXPLANATION + "\n" + MEASURED if found else EXPLANATION, latex_delimiters=parts.LATEX)

    order = [knobs[f.name] for f in dataclasses.fields(Positions)]
    drawing = (guard(draw), order, [heat, distances, said])
    view = page.view("positions", Positions, knobs, link, tabs=tabs, redraw=drawing)
    gr.on([knob.input for knob in order], *drawing, trigger_mode="always_last", **QUIET)
    place = [knobs["start"], knobs["span"]]
    heat.pick(guard(zoom), place, place, **QUIET).then(*drawing, **QUIET).then(None, order, None, js=view.keep)
    back.click(guard(out), place, place, **QUIET).then(*drawing, **QUIET).then(None, order, None, js=view.keep)
    for (_, changes), button in zip(TRY, presets, strict=True):
        values = list(dataclasses.astuple(Positions(**changes)))
        shown = button.click(lambda v=values: v, None, order, **QUIET).then(*drawing, **QUIET)
        shown.then(None, order, None, js=view.keep)
    tab.select(*drawing, **QUIET)
