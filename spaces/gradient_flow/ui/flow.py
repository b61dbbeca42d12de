"""How far a gradient reaches: norms of Jacobians for every step, the ledger of paths, the shares by lag."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass

import gradio as gr

from shared import page as parts
from shared.experiment import choice, from_values, number
from shared.i18n import markup, pick, power_of_ten, prose, tr
from shared.live import Latest, watched
from shared.page import Page, clicked, guard, halt, knob_value, latest
from spaces.gradient_flow import figures, ledger_figures
from spaces.gradient_flow.cells import CARRIED, GATES
from spaces.gradient_flow.flow import CellFlow, FlowResult, flow, trajectory
from spaces.gradient_flow.lags import LOSSES, lags
from spaces.gradient_flow.ledger import ledger, terms
from spaces.gradient_flow.settings import LIMITS, MOST_TEXT, Flow
from spaces.gradient_flow.ui.names import CELL_CHOICES, CELLS, steps_of

ACTIVATIONS = [("tanh", "tanh"), ("ReLU", "relu"), ("sigmoid", "sigmoid"), (tr("线性", "linear"), "linear")]
INPUTS = [(tr("噪声", "noise"), "noise"), (tr("常数", "constant"), "constant"), (tr("文字", "text"), "text")]
SLIDERS = {  # label, step
    "spectral_radius": (tr("谱半径 ρ(U)（0：按增益）", "spectral radius ρ(U) (0: by the gain)"), 0.01),
    "forget_bias": (tr("遗忘门偏置", "forget bias"), 0.1),
    "gain": (tr("U 的增益（标准差 × √H）", "gain of U (std × √H)"), 0.01),
    "length": (tr("长度 T（步）", "length T (steps)"), 1),
    "hidden": (tr("隐藏维数 H", "hidden units H"), 1),
    "offset": (tr("候选的偏移 Wx + b", "offset Wx + b of the candidate"), 0.1),
    "input_scale": (tr("输入强度（Wx 的标准差）", "input (std of Wx)"), 0.05),
}
RANGES = LIMITS | {"spectral_radius": (0, 2.5), "gain": (0, 4), "offset": (-5, 5), "input_scale": (0, 5)}
LOSS_CHOICES = [(tr("只在最后一步", "at the last step"), "last"), (tr("每一步都有", "at every step"), "every")]
TRY = [  # label, the settings that differ from the default
    (tr("0.9ⁿ：线性 RNN", "0.9ⁿ: a linear RNN"), {"cells": ("rnn",), "activation": "linear", "spectral_radius": 0.9}),
    (tr("1.1ⁿ：爆炸", "1.1ⁿ: it explodes"), {"cells": ("rnn",), "activation": "linear", "spectral_radius": 1.1}),
    (tr("遗忘门不偏置：也忘", "no forget bias: they forget too"), {"forget_bias": 0.0}),
    (
        tr("遗忘门开到 σ(5)：LSTM 反而放大", "forget gate at σ(5): the LSTM amplifies"),
        {"forget_bias": 5.0},
    ),
    (
        tr("ReLU 无界", "ReLU is unbounded"),
        {"cells": ("rnn", "rnn_relu"), "spectral_radius": 1.7, "input_scale": 0.5},
    ),
    (
        tr("作者自己的单元", "the author's own cell"),
        {"cells": ("lstm", "gru", "su"), "cell": "su"},
    ),
    (tr("Transformer：步步直达", "Transformer: every step is near"), {"cells": ("lstm", "transformer")}),
    (tr("读一句诗", "read a line of verse"), {"input": "text", "length": 100}),
    (tr("全部六种，400 步", "all six, 400 steps"), {"cells": tuple(CELLS), "length": 400}),
]
EXPLANATION = prose(
    r"""**怎么读。** 状态 $s$：RNN、GRU 是 $h$，LSTM 是 $(h,c)$，作者的单元是 $c$，Transformer 是输入 $x_t$。
画的是 $\log_{10}\lVert\partial s_T/\partial s_t\rVert_F$；一次反向扫描，逐步缩放，所以 $10^{-264}$ 也量得出。
按斜率看：整段变化超过一个数量级算消失或爆炸，否则算保持。
细虚线是预测：门控单元只按遗忘偏置，RNN 按 $\rho(U)$ 的幂——那是线性时的值，$\tanh$ 只会更小。

**账本。** $J_s=D_s+\sum_g B_s^{g}$，$D_s=\mathrm{diag}(f_s)$ 是门控直通，$B_s^g$ 是经过门 $g$ 的那一项，于是恰好有
$$J_{T\leftarrow t}=\prod D+\sum_g\sum_s J_{T\leftarrow s}\,B_s^{g}\,D_{s-1}\cdots D_{t+1}.$$
文章只看一条路（$o_{t-1}$ 固定，遗忘门主导）：虚线就是它，和自动求导的真值放在一起。

**份额。** $\partial L/\partial U$ 是各步之和，按“几步之前用到 $U$”拆开：
总和健康，远处的份额没了——这才是“梯度消失”。""",
    r"""**How to read it.** The state $s$ is $h$ for RNN and GRU, $(h,c)$ for the LSTM, $c$ for the author's cell, the
input $x_t$ for the Transformer. Drawn is $\log_{10}\lVert\partial s_T/\partial s_t\rVert_F$, from one backward sweep
that rescales at each step: even $10^{-264}$ can be measured. By its slope a line
vanishes or explodes if it changes by more than a decade over the whole length, else it stays. Thin and dashed: what the
forget bias alone predicts; for the RNN the powers of $\rho(U)$, which hold for a linear one and bound what $\tanh$
leaves.

**The ledger.** $J_s=D_s+\sum_g B_s^{g}$ with $D_s=\mathrm{diag}(f_s)$ the carried path and $B_s^g$ what goes through
gate $g$; so, exactly,
$$J_{T\leftarrow t}=\prod D+\sum_g\sum_s J_{T\leftarrow s}\,B_s^{g}\,D_{s-1}\cdots D_{t+1}.$$
The article follows one path ($o_{t-1}$ held fixed, the forget gate leading): it is dashed, next to
what autograd gives.

**Shares.** $\partial L/\partial U$ is a sum over steps; taken apart by how many steps ago $U$ was used, the total is
healthy and the distant share is gone: this is what “vanishing” means.""",
)
AT_ONCE = 2e9
"""T·H³ up to which ledger and shares follow every knob; beyond they take many seconds, and wait for their button."""
QUICK = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": 4}


@dataclass(frozen=True)
class Look(Flow):
    """A flow, and what of it is taken apart."""

    cell: str = "lstm"
    """Whose ledger and step are shown."""
    loss: str = "last"
    """last or every: the loss whose gradient is split by lag."""
    step: int = 0
    """The step that is taken apart; 0: the last."""

    def __post_init__(self):
        super().__post_init__()
        choice("cell", self.cell, CARRIED)
        choice("loss", self.loss, LOSSES)
        object.__setattr__(self, "step", number("step", self.step, (0, LIMITS["length"][1])))

    def flow(self) -> Flow:
        """The settings without what is only looked at."""
        return Flow(**{f.name: getattr(self, f.name) for f in dataclasses.fields(Flow)})


def draw(*values, whole: bool = False) -> Iterator[list]:
    """The flow first, then the ledger, the step and the shares; progress in between where it takes a while.

    Above AT_ONCE the flow alone, unless the whole is wanted.
    """
    look = from_values(Look, values)
    settings, shown = look.flow(), [gr.skip()] * 9
    whole = whole or settings.length * settings.hidden**3 <= AT_ONCE
    part = 0.5 if whole else 1.0
    for share, result in watched(lambda report: flow(settings, report)):
        if result is None:
            yield [*shown, _progress(share * part, "流", "flow")]
    chart = figures.flow_figure(result, spectral=settings.spectral)
    clip = [gr.update(visible=settings.clip > 0), figures.clipping_figure(result) if settings.clip else gr.skip()]
    if not whole:
        later = tr("账本与份额要算几十秒：按“拆开”。", "The ledger and the shares take a while: press “Take apart”.")
        yield [chart, verdict(result), *[gr.skip()] * 5, *clip, later]
        return
    yield [chart, verdict(result), *[gr.skip()] * 5, *clip, _progress(0.5, "账本", "ledger")]
    for share, found in watched(lambda report: taken_apart(look, result, report)):
        if found is None:
            yield [*shown, _progress(0.5 + share / 2, "账本与份额", "ledger and shares")]
    yield [found[0], verdict(result), *found[1:], *clip, ""]


def draw_all(*values) -> Iterator[list]:
    """`draw` with ledger and shares, whatever their size."""
    yield from draw(*values, whole=True)


def taken_apart(look: Look, result: FlowResult, report=None) -> list[str]:
    """The figures: the flow with the terms of each step for the pointer, ledger, its shares, one step, the lags."""
    settings = look.flow()
    half = report and (lambda share: report(share / 2))
    book = ledger(look.cell, settings, half)
    recurrent = [name for name in settings.cells if name in GATES] or [look.cell]
    split = []
    for i, name in enumerate(recurrent):
        told = report and (lambda share, i=i: report(0.5 + (i + share) / len(recurrent) / 2))
        split.append(lags(name, settings, look.loss, told))
    step = min(look.step, settings.length) or settings.length
    line = trajectory(look.cell, settings)
    at = range(settings.length, 0, -max(1, settings.length // 60))
    pointed = figures.step_lines(look.cell, result.cells.get(look.cell), {t: terms(line, t) for t in at})
    return [
        figures.flow_figure(result, spectral=settings.spectral, steps=pointed),
        ledger_figures.ledger_figure(book),
        ledger_figures.shares_figure(book),
        figures.terms_figure(look.cell, step, terms(line, step)),
        ledger_figures.lags_figure(split),
        ledger_figures.lag_norms_figure(split),
    ]


def verdict(result: FlowResult) -> str:
    """What is left of each cell's gradient at the first step."""
    words = {"vanish": ("消失", "vanishes", "bad"), "stable": ("保持", "stays", "good")}
    zh, en = [], []
    for name, cell in result.cells.items():
        word_zh, word_en, kind = words.get(cell.regime, ("爆炸", "explodes", "bad"))
        says_zh = f'{pick(CELLS[name], "zh")} <b class="{kind}">{word_zh}</b>'
        says_en = f'{pick(CELLS[name], "en")} <b class="{kind}">{word_en}</b>'
        if cell.regime == "vanish":
            life = steps_of(cell.half_life)
            says_zh, says_en = f"{says_zh}，半衰期 {life} 步", f"{says_en}, half-life {life} steps"
        if cell.exploded is None:
            left = _power(float(cell.log10[0]) - _identity(cell))
            steps, grown = len(cell.log10), cell.regime == "explode"
            says_zh += f"，往回 {steps} 步" + (f"放大到 {left} 倍" if grown else f"剩下 {left}")
            says_en += f", {left} " + ("times as large" if grown else "of it left") + f" {steps} steps back"
        zh.append(says_zh)
        en.append(says_en)
    return markup("；".join(zh) + "。", "; ".join(en) + ".")


def _identity(cell: CellFlow) -> float:
    """log10 of ‖∂s_T/∂s_T‖, the identity's norm."""
    return math.log10(cell.size) / 2


def _power(log10: float) -> str:
    if log10 == -math.inf:
        return "0"
    if -3 < log10 < 4:
        return f"{10**log10:.2g}" if log10 < 2 else f"{10**log10:.0f}"
    exponent = math.floor(log10)
    return f"{10 ** (log10 - exponent):.1f} × {power_of_ten(exponent)}"


def _progress(share: float, zh: str, en: str) -> str:
    return parts.progress(share, tr(f"正在计算{zh} {share:.0%}", f"computing the {en} {share:.0%}"))


def pick_step(look_length: int, event: gr.EventData) -> int:
    """The step under a click on the figure of lags."""
    lag, _ = clicked(event)
    return int(min(max(round(look_length - lag), 1), look_length))


@dataclass(frozen=True)
class Target:
    """What another view needs to set this one's knobs and draw it."""

    order: list
    """The knobs in the order of Look's fields."""
    drawing: tuple
    """(function, inputs, outputs)."""
    run = QUICK


def build(page: Page, tabs: gr.Tabs) -> Target:
    """Draw the view."""
    first = list(draw(*(knob_value(v) for v in dataclasses.astuple(Look()))))[-1]
    with gr.Row(elem_classes="kx-try"):
        presets = [gr.Button(label, size="sm") for label, _ in TRY]
    with gr.Row():
        with gr.Column(scale=3, min_width=300):
            chart = parts.figure(first[0], pickable=True)
            said = parts.verdict(first[1])
            with gr.Row(elem_classes="kx-controls"):
                status = parts.status()
                apart = gr.Button(tr("拆开", "Take apart"), size="sm", min_width=80, scale=0)
                stop = gr.Button(tr("停止", "Stop"), size="sm", min_width=80, scale=0)
                link = page.link_button("flow")
        with gr.Column(scale=2, min_width=300):
            knobs = _knobs()
    with gr.Row(elem_classes="kx-grid"):
        with gr.Column(min_width=300):
            knobs["cell"] = gr.Radio(
                [(CELLS[name], name) for name in CARRIED],
                value=Look().cell,
                label=tr("账本：拆开谁", "Ledger: of which cell"),
            )
            book = parts.figure(first[2])
        with gr.Column(min_width=300):
            knobs["loss"] = gr.Radio(
                LOSS_CHOICES, value=Look().loss, label=tr("份额：损失在哪里", "Shares: where the loss is")
            )
            shares = parts.figure(first[5])
    with gr.Row(elem_classes="kx-grid"):
        signed = parts.figure(first[3])
        step = parts.figure(first[4])
        by_lag = parts.figure(first[6])
        with gr.Column(visible=False) as clipped:
            clipping = parts.figure()
    gr.Markdown(EXPLANATION, latex_delimiters=parts.LATEX)

    order = [knobs[f.name] for f in dataclasses.fields(Look)]
    outputs = [chart, said, book, signed, step, shares, by_lag, clipped, clipping, status]
    runs_of_visitor = gr.State(Latest())
    inputs = [runs_of_visitor, *order]
    drawing = (latest(guard(draw)), inputs, outputs)
    view = page.view("flow", Look, knobs, link, tabs=tabs, redraw=drawing)
    turned = gr.on([k.input for k in order], *drawing, trigger_mode="always_last", **QUICK)
    chart.pick(guard(pick_step), [knobs["length"]], [knobs["step"]], **QUICK).then(*drawing, **QUICK)
    runs = [turned, apart.click(latest(guard(draw_all)), inputs, outputs, **QUICK)]
    for (_, changes), button in zip(TRY, presets, strict=True):
        values = [knob_value(v) for v in dataclasses.astuple(Look(**changes))]
        runs.append(button.click(lambda v=values: v, None, order, **QUICK).then(*drawing, **QUICK))
        runs[-1].then(None, order, None, js=view.keep)
    stop.click(halt, [runs_of_visitor], status, cancels=runs, **QUICK)
    return Target(order, drawing)


def _knobs() -> dict[str, gr.components.Component]:
    default = Look()

    def slider(name: str) -> gr.Slider:
        label, step = SLIDERS[name]
        return parts.slider(*RANGES[name], value=getattr(default, name), step=step, label=label)

    knobs: dict = {"cells": gr.CheckboxGroup(CELL_CHOICES, value=list(default.cells), label=tr("单元", "cells"))}
    for name in ("spectral_radius", "forget_bias", "length", "hidden"):
        knobs[name] = slider(name)
    with gr.Accordion(tr("更多旋钮", "More knobs"), open=False):
        knobs["gain"] = slider("gain")
        knobs["activation"] = gr.Radio(
            ACTIVATIONS, value=default.activation, label=tr("候选的激活", "candidate's activation")
        )
        knobs["input"] = gr.Radio(INPUTS, value=default.input, label=tr("输入", "input"))
        knobs["text"] = gr.Textbox(
            default.text,
            label=tr("文字（循环读到长度为止）", "text (read over and over up to the length)"),
            max_lines=3,
            max_length=MOST_TEXT,
        )
        knobs["input_scale"], knobs["offset"] = slider("input_scale"), slider("offset")
        knobs["step"] = gr.Number(
            default.step,
            label=tr("拆开第几步（0：最后一步；也可点上图）", "step taken apart (0: the last; or click the figure)"),
        )
        knobs["clip"] = gr.Number(
            default.clip, label=tr("裁剪 ‖∂L/∂θ‖ 的阈值（0：不裁剪）", "threshold of clipping ‖∂L/∂θ‖ (0: none)")
        )
        knobs["spectral"] = gr.Checkbox(
            default.spectral, label=tr("改画谱范数（幂迭代）", "spectral norm instead (power iteration)")
        )
        knobs["seed"] = gr.Number(default.seed, label=tr("随机种子", "seed"))
    return knobs
