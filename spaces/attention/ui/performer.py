"""Performer, honestly: kinds of features × draws, the error against everything that moves it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import gradio as gr
import numpy as np

from shared import page as parts
from shared.experiment import InputError, from_values
from shared.i18n import markup, pick, prose, tr
from shared.live import Latest, watched
from shared.page import Page, clicked, guard, halt, knob_value, latest
from spaces.attention import error_figures as figures
from spaces.attention.errors import LIMITS, SWEEPS, Curves, Errors, sweep
from spaces.attention.ui.names import DRAWS, KINDS, RUN, options
from spaces.attention.winners import ANGLES, NORMS, winners

AXES = [
    (tr("特征数 m", "features m"), "features"),
    (tr("维数 d", "dimension d"), "dim"),
    (tr("模长 |q|", "norm |q|"), "norm"),
    (tr("夹角", "angle"), "angle"),
    (tr("键数 n（注意力）", "keys n (attention)"), "keys"),
]
MEASURES = [
    (tr("一个核值", "one kernel value"), "kernel"),
    (tr("整个注意力输出", "whole attention outputs"), "attention"),
]
TRY = [
    (tr("误差与特征数", "error and features"), {}),
    (tr("模长一大就全完", "large norms ruin everything"), {"against": "norm"}),
    (tr("谁赢看夹角", "the angle says who wins"), {"against": "angle"}),
    (
        tr("作者的分层模长", "the author's stratified norms"),
        {"against": "dim", "features": 128, "repeats": 1000, "kinds": ("trigonometric", "hyperbolic")},
    ),
    (
        tr("固定分位数有偏", "fixed quantiles are biased"),
        {
            "norm": 1.5,
            "angle": 0.0,
            "dim": 8,
            "kinds": ("hyperbolic",),
            "draws": ("orthogonal", "stratified", "quantiles"),
            "repeats": 2000,
        },
    ),
    (tr("整个注意力，对模长", "whole attention, against the norm"), {"measure": "attention", "against": "norm"}),
]
EXPLANATION = prose(
    r"""**量的是什么。** $x=q/d^{1/4}$、$y=k/d^{1/4}$ 时权重是 $e^{x\cdot y}$，模长指 $|x|=|y|$。
抽 $\omega$（高斯）：正特征 $e^{\omega\cdot x-x^2/2}$，双曲 $e^{\pm\omega\cdot x-x^2/2}$，
三角 $e^{x^2/2}(\sin,\cos)(\omega\cdot x)$。

**怎么抽**：独立；正交——每 $d$ 个 $\omega$ 两两垂直；分层——方向正交，模长从等概率的各层里各抽一个（作者的提议）；
固定分位数——每层只取正中。

估计值除以真值，只与 $\omega\cdot z$（正特征、双曲，$z=x+y$）或 $\omega\cdot u$（三角，$u=x-y$）有关，
独立抽样、$m$ 个特征时的相对均方误差是（依次：正特征、双曲、三角）
$$\tfrac1m(e^{z^2}-1),\qquad \tfrac1m e^{z^2}(1-e^{-z^2})^2,\qquad \tfrac1m e^{u^2}(1-e^{-u^2})^2 .$$
所以特征数相同时双曲永远胜过正特征，而三角胜过双曲当且仅当 $q\cdot k>0$。
三角和双曲每次抽样产生两个特征，这里按**特征数**比较。

**整个注意力**：每个查询在给定夹角处有一个要找的键，其余的键随机；经 shared.attention 算出输出，
与精确值相比。灰虚线是我们推出的一阶预测（误差超过约 0.2 就不再准）。

**重尾**：模长大时，正特征的均值靠极少数抽样撑着，有限次抽样看不到它：误差看着小，是假象；标题下会提醒。""",
    r"""**What is measured.** With $x=q/d^{1/4}$ and $y=k/d^{1/4}$ the weight is $e^{x\cdot y}$; norms are $|x|=|y|$.
Of Gaussian $\omega$: positive features $e^{\omega\cdot x-x^2/2}$, hyperbolic $e^{\pm\omega\cdot x-x^2/2}$,
trigonometric $e^{x^2/2}(\sin,\cos)(\omega\cdot x)$.

**How it is drawn**: independently; orthogonal, every $d$ of the $\omega$ at right angles; stratified, orthogonal with
one norm at random from each of equally likely strata (the author's proposal); quantiles, each stratum's middle instead.

Estimate over truth depends on $\omega\cdot z$ alone (positive, hyperbolic; $z=x+y$) or on $\omega\cdot u$
(trigonometric; $u=x-y$), and with independent draws and $m$ features the relative mean squared errors of positive,
hyperbolic and trigonometric ones are
$$\tfrac1m(e^{z^2}-1),\qquad \tfrac1m e^{z^2}(1-e^{-z^2})^2,\qquad \tfrac1m e^{u^2}(1-e^{-u^2})^2 .$$
At equal features, then, hyperbolic always beat positive ones, and trigonometric beat hyperbolic ones exactly where
$q\cdot k>0$. A trigonometric or hyperbolic draw makes two features; compared are **features**.

**Whole attention**: each query looks for one key at the given angle, the other keys are random; outputs come from
shared.attention and are compared with exact ones. Grey: our first-order prediction (good below errors of about 0.2).

**Heavy tails**: at large norms very few draws carry the mean of positive features, and a finite number of them does not
see it: the error looks small and is not. A note says so.""",
)


def draw(*values) -> Iterator[list]:
    """The three figures and the sentence, progress before."""
    settings = from_values(Errors, values)
    if settings.measure == "kernel" and settings.against == "keys":
        raise InputError(
            "against",
            "一个核值与键数无关；请选“整个注意力输出”。",
            "one kernel value has nothing to do with n: choose whole attention outputs.",
        )
    for share, curves in watched(lambda report: sweep(settings, report)):
        if curves is None:
            yield [*[gr.skip()] * 5, parts.progress(share, tr(f"正在抽样 {share:.0%}", f"drawing {share:.0%}"))]
    kernel = settings.measure == "kernel"
    bias = figures.bias_figure(curves, settings) if kernel else gr.skip()
    gain = figures.gain_figure(curves, settings)
    yield [figures.error_figure(curves, settings), verdict(curves, settings), gain, gr.update(visible=kernel), bias, ""]


def verdict(curves: Curves, settings: Errors) -> str:
    """The order of the errors at the place of the knobs, what stratified norms add, and a warning of heavy tails."""
    here = int(np.argmin([abs(v - getattr(settings, settings.against)) for v in SWEEPS[settings.against]]))
    order = figures.ordering(curves, here)
    value = f"{SWEEPS[settings.against][here]:g}"
    axis = dict((name, label) for label, name in AXES)[settings.against]
    best, worst = order[0], order[-1]
    least, most = (figures.percent(error) for _, error in (best, worst))
    zh = f"在{pick(axis, 'zh')} = {value}：误差最小的是 <b class=good>{pick(best[0], 'zh')}</b> {least}，"
    zh += f"最大的是 <b class=bad>{pick(worst[0], 'zh')}</b> {most}。"
    en = f"At {pick(axis, 'en')} = {value}: least error <b class=good>{pick(best[0], 'en')}</b> {least}, "
    en += f"largest <b class=bad>{pick(worst[0], 'en')}</b> {most}."
    added = stratified(curves, here)
    if added:
        zh += "分层模长相对正交的均方误差：" + "，".join(f"{pick(KINDS[k], 'zh')} × {r}" for k, r in added) + "。"
        en += (
            " Stratified over orthogonal, squared error: "
            + ", ".join(f"{pick(KINDS[k], 'en')} × {r}" for k, r in added)
            + "."
        )
    if settings.measure == "kernel" and any(p[here].dominated for p in curves.values()):
        zh += "这里有重尾：一次抽样就占了均方误差的三成以上，数字偏乐观。"
        en += " A heavy tail here: a single draw makes over 30 % of the squared error, and the number flatters."
    return markup(zh, en)


def stratified(curves: Curves, here: int) -> list[tuple[str, str]]:
    """For each kind, "0.52 ± 0.04": the ratio of squared errors of stratified and orthogonal draws."""
    said = []
    for kind in KINDS:
        pair = curves.get((kind, "stratified")), curves.get((kind, "orthogonal"))
        if all(pair):
            ratio, decades = figures.gain(pair[0][here], pair[1][here])
            said.append((kind, f"{ratio:.2f} ± {ratio * (10**decades - 1):.2f}"))
    return said


def chart(draw_of_map: str, other: str, *values) -> Iterator[list]:
    """The map of winners."""
    settings = from_values(Errors, values)
    for share, found in watched(lambda report: winners(settings, draw_of_map, other, report)):
        if found is None:
            yield [gr.skip(), parts.progress(share, tr(f"正在量地图 {share:.0%}", f"measuring the map {share:.0%}"))]
    yield [figures.winners_figure(found), ""]


def jump(event: gr.EventData) -> list:
    """The norm and the angle under a click on the map."""
    x, y = clicked(event)
    return [min(ANGLES, key=lambda a: abs(a - x)), min(NORMS, key=lambda n: abs(n - y))]


def build(page: Page, tabs: gr.Tabs) -> None:
    """Draw the view; the first figure is measured when the page is built."""
    default = Errors()
    values = [knob_value(v) for v in dataclasses.astuple(default)]
    first = list(draw(*values))[-1]
    with gr.Row(elem_classes="kx-try"):
        presets = [gr.Button(label, size="sm") for label, _ in TRY]
    with gr.Row(equal_height=False):
        with gr.Column(scale=3, min_width=300):
            main = parts.figure(first[0])
            said = parts.verdict(first[1])
            with gr.Row(elem_classes="kx-controls"):
                status = parts.status()
                stop = gr.Button(tr("停止", "Stop"), size="sm", min_width=80, scale=0, elem_id="performer-stop")
                link = page.link_button("performer")
        with gr.Column(scale=2, min_width=300):
            knobs = _knobs(default)
    with gr.Row(elem_classes="kx-grid"):
        gain = parts.figure(first[2])
        with gr.Column(min_width=300) as biased:
            bias = parts.figure(first[4])
    with gr.Row(equal_height=False):
        with gr.Column(scale=3, min_width=300):
            board = parts.figure(figures.winners_figure(None), pickable=True)
        with gr.Column(scale=2, min_width=300):
            map_draw = gr.Radio(
                options({n: DRAWS[n] for n in ("iid", "orthogonal", "stratified")}),
                value="orthogonal",
                label=tr("地图用哪种抽样", "draws of the map"),
            )
            other = gr.Radio(
                options({n: KINDS[n] for n in ("hyperbolic", "positive")}),
                value="hyperbolic",
                label=tr("三角对谁", "trigonometric against"),
            )
            go = gr.Button(
                tr("画地图：谁在哪里赢", "Draw the map: who wins where"), variant="primary", elem_id="performer-map"
            )
            map_status = parts.status()
    gr.Markdown(EXPLANATION, latex_delimiters=parts.LATEX)

    order = [knobs[f.name] for f in dataclasses.fields(Errors)]
    outputs = [main, said, gain, biased, bias, status]
    visitor, mapping = gr.State(Latest()), gr.State(Latest())
    drawing = (latest(guard(draw)), [visitor, *order], outputs)
    view = page.view("performer", Errors, knobs, link, tabs=tabs, redraw=drawing)
    runs = [gr.on([k.input for k in order], *drawing, trigger_mode="always_last", **RUN)]
    for (_, changes), button in zip(TRY, presets, strict=True):
        wanted = [knob_value(v) for v in dataclasses.astuple(Errors(**changes))]
        runs.append(button.click(lambda v=wanted: v, None, order, **RUN).then(*drawing, **RUN))
        runs[-1].then(None, order, None, js=view.keep)
    runs.append(board.pick(guard(jump), None, [knobs["angle"], knobs["norm"]], **RUN).then(*drawing, **RUN))
    runs.append(go.click(latest(guard(chart)), [mapping, map_draw, other, *order], [board, map_status], **RUN))
    stop.click(lambda *found: [halt(*found)] * 2, [visitor, mapping], [status, map_status], cancels=runs, **RUN)


def _knobs(default: Errors) -> dict[str, gr.components.Component]:
    def slider(name: str, label: str, high: float, step: float) -> gr.Slider:
        return parts.slider(LIMITS[name][0], high, value=getattr(default, name), step=step, label=label)

    knobs: dict = {
        "measure": gr.Radio(MEASURES, value=default.measure, label=tr("量什么", "measured")),
        "against": gr.Radio(AXES, value=default.against, label=tr("横轴", "against")),
        "kinds": gr.CheckboxGroup(options(KINDS), value=list(default.kinds), label=tr("特征", "features")),
        "draws": gr.CheckboxGroup(options(DRAWS), value=list(default.draws), label=tr("ω 怎么抽", "how ω is drawn")),
        "norm": slider("norm", figures.AXES["norm"], 4, 0.05),
        "angle": slider("angle", tr("夹角（度）", "angle (degrees)"), 180, 5),
        "features": slider("features", tr("特征数 m（偶数）", "features m (even)"), 4096, 2),
        "dim": slider("dim", tr("维数 d", "dimension d"), 256, 1),
    }
    with gr.Accordion(tr("更多旋钮", "More knobs"), open=False):
        knobs["keys"] = slider("keys", tr("键数 n（注意力）", "keys n (attention)"), 4096, 1)
        knobs["repeats"] = slider(
            "repeats", tr("抽样次数（注意力取十分之一）", "draws (a tenth for attention)"), 5000, 10
        )
        knobs["seed"] = gr.Number(default.seed, label=tr("随机种子", "seed"))
    return knobs
