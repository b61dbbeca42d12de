"""The article's toy: the plane, the sliders, the counter-examples."""

from __future__ import annotations

import dataclasses

import gradio as gr

from shared import page as parts
from shared.i18n import markup, tr
from shared.page import Page, guard
from spaces.simsiam import figures
from spaces.simsiam.toy import LIMITS, PRESETS, Toy, picture

SLIDERS = {  # label, lowest, highest, step
    "phi0": (tr("起点 φ₀（预测器）", "start φ₀ (predictor)"), -0.5, 2, 0.01),
    "theta0": (tr("起点 θ₀（编码器）", "start θ₀ (encoder)"), -0.5, 2, 0.01),
    "kappa": (tr("预测器快多少倍 κ", "predictor's rate κ (×)"), 0.1, 100, 0.1),
    "weight_decay": (tr("权重衰减 λ", "weight decay λ"), 0, 0.5, 0.01),
    "ema_rate": (
        tr("目标的滑动平均率 ρ（BYOL；0 即 SimSiam）", "target's EMA rate ρ (BYOL; 0 is SimSiam)"),
        0,
        LIMITS["ema_rate"][1],
        0.001,
    ),
}
MODES = [
    (tr("停梯度（SimSiam）", "stop-gradient (SimSiam)"), "stop_gradient"),
    (tr("不停梯度", "no stop-gradient"), "none"),
    (tr("只留第二项", "second term only"), "second_term"),
]


def draw(*values) -> tuple[str, str, str]:
    """Both figures and the sentence beside them, for knob values in the order of Toy's fields."""
    toy = Toy(*values)
    drawn = picture(toy, columns=97, rows=81)
    phi, theta = drawn.end
    if abs(theta) < 0.02:
        said = markup(
            f"<b>坍缩</b>：θ → {abs(theta):.3f}，φ 停在 {phi:.4f}。",
            f"<b>Collapsed</b>: θ → {abs(theta):.3f}, φ stops at {phi:.4f}.",
        )
    else:
        said = markup(
            f"<b class=good>没有坍缩</b>：θ = {theta:.4f}，φ = {phi:.4f}。",
            f"<b class=good>Not collapsed</b>: θ = {theta:.4f}, φ = {phi:.4f}.",
        )
    return figures.plane(toy, drawn), figures.against_time(drawn), said


def pick(event: gr.EventData) -> tuple[float, float]:
    """The start that was clicked, kept inside the sliders."""
    at = {"phi0": float(event._data["x"]), "theta0": float(event._data["y"])}
    return tuple(round(min(max(v, SLIDERS[name][1]), SLIDERS[name][2]), 2) for name, v in at.items())


def slider(name: str) -> gr.Slider:
    """One knob."""
    label, low, high, step = SLIDERS[name]
    return gr.Slider(low, high, value=getattr(Toy(), name), step=step, label=label)


def build(page: Page, tabs: gr.Tabs) -> None:
    """Draw the view."""
    start = draw(*dataclasses.astuple(Toy()))
    with gr.Row(elem_classes="kx-try"):
        buttons = {name: gr.Button(tr(zh, en), size="sm") for name, (_, zh, en) in PRESETS.items()}
        link = page.link_button("toy")
    with gr.Row():
        with gr.Column(scale=3, min_width=300):
            plane = parts.figure(start[0], pickable=True)
            said = parts.verdict(start[2])
        with gr.Column(scale=2, min_width=300):
            knobs: dict = {"mode": gr.Radio(MODES, value="stop_gradient", label=tr("梯度", "gradient"))}
            for name in ("phi0", "theta0", "kappa"):
                knobs[name] = slider(name)
            with gr.Accordion(tr("更多旋钮", "More knobs"), open=False):
                for name in ("weight_decay", "ema_rate"):
                    knobs[name] = slider(name)
            clock = parts.figure(start[1])
    order = [knobs[f.name] for f in dataclasses.fields(Toy)]
    drawing = (guard(draw), order, [plane, clock, said])
    page.view("toy", Toy, knobs, link, tabs=tabs, redraw=drawing)

    quick = dict(show_progress="hidden", trigger_mode="always_last", concurrency_limit=4, api_visibility="private")
    gr.on([k.input for k in order], *drawing, **quick)
    for name, button in buttons.items():
        preset = dataclasses.astuple(PRESETS[name][0])
        button.click(lambda p=preset: p, None, order, **quick).then(*drawing, **quick)
    plane.pick(pick, None, [knobs["phi0"], knobs["theta0"]], **quick).then(*drawing, **quick)
