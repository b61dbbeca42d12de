"""The SimSiam tab."""

from __future__ import annotations

import dataclasses

import gradio as gr

from shared import page as parts
from shared.experiment import Experiment
from shared.i18n import markup, tr
from shared.page import Page, guard
from spaces.simsiam import figures
from spaces.simsiam.toy import LIMITS, PRESETS, Toy, picture

TOY_KNOBS = {  # label, step
    "phi0": (tr("起点 φ₀（预测器）", "start φ₀ (predictor)"), 0.01),
    "theta0": (tr("起点 θ₀（编码器）", "start θ₀ (encoder)"), 0.01),
    "kappa": (tr("预测器快多少倍 κ", "predictor's rate κ (×)"), 0.1),
    "weight_decay": (tr("权重衰减 λ", "weight decay λ"), 0.01),
    "ema_rate": (tr("目标的滑动平均率 ρ（BYOL；0 即 SimSiam）", "target's EMA rate ρ (BYOL; 0 is SimSiam)"), 0.01),
}
TOY_RANGE = {**LIMITS, "phi0": (-0.5, 2), "theta0": (-0.5, 2), "kappa": (0.1, 100), "weight_decay": (0, 0.5)}
MODES = [
    (tr("停梯度（SimSiam）", "stop-gradient (SimSiam)"), "stop_gradient"),
    (tr("不停梯度", "no stop-gradient"), "none"),
    (tr("只留第二项", "second term only"), "second_term"),
]


def toy_figures(*values) -> tuple[str, str, str]:
    """The toy's two figures and the sentence beside them, for knob values in the order of Toy's fields."""
    toy = Toy(**dict(zip((f.name for f in dataclasses.fields(Toy)), values, strict=True)))
    drawn = picture(toy, columns=97, rows=81)
    phi, theta = drawn.end
    if abs(theta) < 0.02:
        said = markup(f"<b>坍缩</b>：θ → {abs(theta):.3f}，φ 停在 {phi:.4f}。", f"<b>Collapsed</b>: θ → {abs(theta):.3f}, φ stops at {phi:.4f}.")
    else:
        said = markup(f"<b>没有坍缩</b>：θ = {theta:.4f}，φ = {phi:.4f}。", f"<b>Not collapsed</b>: θ = {theta:.4f}, φ = {phi:.4f}.")
    return figures.plane(toy, drawn), figures.against_time(drawn), said


def draw_toy(page: Page, tabs: gr.Tabs) -> None:
    """The article's toy: the plane, the sliders, the counter-examples."""
    start = toy_figures(*dataclasses.astuple(Toy()))
    with gr.Row(elem_classes="kx-try"):
        buttons = {name: gr.Button(tr(zh, en), size="sm") for name, (_, zh, en) in PRESETS.items()}
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
    outputs = [plane, clock, said]
    draw = guard(toy_figures)
    page.view("toy", Toy, knobs, tabs=tabs, redraw=(draw, order, outputs))
    live = dict(show_progress="hidden", trigger_mode="always_last", concurrency_limit=4, api_visibility="private")
    gr.on([k.input for k in order], draw, order, outputs, **live)
    for name, button in buttons.items():
        preset = PRESETS[name][0]
        button.click(lambda p=preset: dataclasses.astuple(p), None, order, **live).then(draw, order, outputs, **live)
    plane.pick(pick, None, [knobs["phi0"], knobs["theta0"]], **live).then(draw, order, outputs, **live)


def pick(event: gr.EventData) -> tuple[float, float]:
    """The start that was clicked, kept inside the sliders."""
    x, y = (float(event._data[k]) for k in "xy")
    clip = lambda v, name: round(min(max(v, TOY_RANGE[name][0]), TOY_RANGE[name][1]), 2)  # noqa: E731
    return clip(x, "phi0"), clip(y, "theta0")


def slider(name: str) -> gr.Slider:
    """One of the toy's sliders."""
    label, step = TOY_KNOBS[name]
    low, high = TOY_RANGE[name]
    return gr.Slider(low, high, value=getattr(Toy(), name), step=step, label=label)


def build(page: Page) -> None:
    """Draw the tab: the toy, the live run, the races, the check-up."""
    with gr.Tabs() as tabs:
        with gr.Tab(tr("玩具模型", "The toy"), id="toy"):
            draw_toy(page, tabs)


EXPERIMENT = Experiment(
    slug="simsiam",
    title=tr("SimSiam 为何不坍缩", "Why SimSiam does not collapse"),
    claim=tr(
        "SimSiam 不坍缩，不是因为损失函数，而是因为优化过程：停梯度之后，跑得快的预测器先把梯度压到零，编码器来不及坍缩。",
        "SimSiam does not collapse because of the way it is optimised, not because of its loss: with stop-gradient the fast "
        "predictor drives the gradient to zero before the encoder can collapse.",
    ),
    invitation=tr("看一个网络坍缩，或者不坍缩", "Watch a network collapse, or not"),
    archive=7980,
    build=build,
)
