"""The article's toy: the plane, the sliders, the counter-examples."""

from __future__ import annotations

import dataclasses

import gradio as gr

from shared import page as parts
from shared.i18n import markup, number, prose, tr
from shared.page import Page, clicked, guard
from spaces.simsiam import figures
from spaces.simsiam.toy import COLLAPSED, LIMITS, PRESETS, Toy, picture

SLIDERS = {  # label, step
    "phi0": (tr("起点 φ₀（预测器）", "start φ₀ (predictor)"), 0.01),
    "theta0": (tr("起点 θ₀（编码器）", "start θ₀ (encoder)"), 0.01),
    "kappa": (tr("预测器的学习率倍数 κ", "predictor's rate κ (×)"), 0.1),
    "weight_decay": (tr("权重衰减 λ", "weight decay λ"), 0.01),
    "ema_rate": (tr("目标的滑动平均率 ρ（BYOL；0 即 SimSiam）", "target's EMA rate ρ (BYOL; 0 is SimSiam)"), 0.001),
}
EXPLANATION = prose(
    r"""编码器是一个数 $\theta$，预测器是一个数 $\varphi$，损失是 $l=\frac12(\varphi\theta-\theta)^2$。
沿梯度下降：

停梯度 $\;\varphi'=\kappa(1-\varphi)\theta^2,\ \theta'=(1-\varphi)\varphi\theta$；

不停梯度 $\;\theta'=-(1-\varphi)^2\theta$，多出来的一项直通 $\theta=0$。
前者守恒 $\varphi^2/\kappa-\theta^2$，后者守恒 $(1-\varphi)^2/\kappa-\theta^2$：
从哪里出发，就决定了坍缩与否。""",
    r"""The encoder is one number $\theta$, the predictor one number $\varphi$,
the loss $l=\frac12(\varphi\theta-\theta)^2$.
Along the gradient:

with stop-gradient $\;\varphi'=\kappa(1-\varphi)\theta^2,\ \theta'=(1-\varphi)\varphi\theta$;
without it $\;\theta'=-(1-\varphi)^2\theta$: the extra term is a straight road to $\theta=0$.
The first conserves $\varphi^2/\kappa-\theta^2$, the second $(1-\varphi)^2/\kappa-\theta^2$:
the start decides who collapses.""",
)
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
    if abs(theta) < COLLAPSED:
        said = markup(
            f"<b>坍缩</b>：θ → {abs(theta):.3f}，φ 停在 {number(phi, 4)}。",
            f"<b>Collapsed</b>: θ → {abs(theta):.3f}, φ stops at {number(phi, 4)}.",
        )
    else:
        said = markup(
            f"<b class=good>没有坍缩</b>：θ = {number(theta, 4)}，φ = {number(phi, 4)}。",
            f"<b class=good>Not collapsed</b>: θ = {number(theta, 4)}, φ = {number(phi, 4)}.",
        )
    return figures.plane(toy, drawn), figures.against_time(drawn), said


def pick(event: gr.EventData) -> tuple[float, float]:
    """The start that was clicked, kept inside the sliders."""
    at = dict(zip(("phi0", "theta0"), clicked(event), strict=True))
    return tuple(round(min(max(v, LIMITS[name][0]), LIMITS[name][1]), 2) for name, v in at.items())


def slider(name: str) -> gr.Slider:
    """One knob."""
    label, step = SLIDERS[name]
    return parts.slider(*LIMITS[name], value=getattr(Toy(), name), step=step, label=label)


def build(page: Page, tabs: gr.Tabs) -> None:
    """Draw the view."""
    start = draw(*dataclasses.astuple(Toy()))
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
            link = page.link_button("toy")
    gr.Markdown(EXPLANATION, latex_delimiters=parts.LATEX)
    order = [knobs[f.name] for f in dataclasses.fields(Toy)]
    drawing = (guard(draw), order, [plane, clock, said])
    page.view("toy", Toy, knobs, link, tabs=tabs, redraw=drawing)

    quick = dict(show_progress="hidden", trigger_mode="always_last", concurrency_limit=4, api_visibility="private")
    gr.on([k.input for k in order], *drawing, **quick)
    for name, button in buttons.items():
        preset = dataclasses.astuple(PRESETS[name][0])
        button.click(lambda p=preset: p, None, order, **quick).then(*drawing, **quick)
    plane.pick(guard(pick), None, [knobs["phi0"], knobs["theta0"]], **quick).then(*drawing, **quick)
