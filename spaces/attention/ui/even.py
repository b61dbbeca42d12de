"""Even is positive: f_n beside exp, its exact minima, the clamp, and what it makes of scores."""

from __future__ import annotations

import dataclasses

import gradio as gr
import numpy as np

from shared import page as parts
from shared.experiment import from_values
from shared.i18n import markup, number, prose, tr
from shared.page import Page, guard
from spaces.attention import even_figures as figures
from spaces.attention.taylor import LIMITS, ORDERS, Even, minimum, weights, zero
from spaces.attention.ui.names import QUICK

TRY = [  # label, the settings that differ from the default
    (tr("n = 2：−10 分反而赢了", "n = 2: a score of −10 wins"), {}),
    (tr("n = 3：变负了", "n = 3: it turns negative"), {"order": 3}),
    (tr("n = 6：贴得更久", "n = 6: close for longer"), {"order": 6, "scores": "-3, 0, 2"}),
    (
        tr("平移 −5：softmax 不变，泰勒翻转", "shift by −5: only Taylor turns over"),
        {"scores": "1, 2, 3", "shift": -5.0},
    ),
    (tr("n = 20，一直看到 −20", "n = 20, as far as −20"), {"order": 20, "left": -20.0, "scores": "-15, 0, 2"}),
]
EXPLANATION = prose(
    r"""来自 [archives/7919](https://kexue.fm/archives/7919)。
**为什么偶次为正。** $f_n'=f_{n-1}$，所以 $f_n$ 最小的地方 $f_{n-1}=0$，剩下 $f_n=x^n/n!>0$。
**为什么截断后单调。** $f_{n-1}$ 的导数 $f_{n-2}>0$，它只有一个根 $x_n$：$f_n$ 在左边降、右边升；
左边一律取最小值，就只升不降。
表中各位数字由 55 位的二分法得出，全部有效。
**还缺什么。** softmax 对平移不变（$e^{s+c}$ 的 $e^c$ 约掉），$f_n$ 不行；截断后，很负的得分仍分到
不小的权重。""",
    r"""From [archives/7919](https://kexue.fm/archives/7919).
**Why even ones are positive.** $f_n'=f_{n-1}$, so where $f_n$ is smallest $f_{n-1}=0$, and $f_n=x^n/n!>0$ is
what is left. **Why the clamp makes it monotone.** The derivative of $f_{n-1}$ is $f_{n-2}>0$, so it has one root $x_n$:
$f_n$ falls on its left and rises on its right; held at its minimum on the left, it never falls. Every digit of the
table is right: bisection with 55 of them. **What is still missing.** Softmax does not notice a shift ($e^c$ cancels),
$f_n$ does; and clamped or not, very negative scores keep a good part of the weight.""",
)


def draw(*values) -> list:
    """Every figure that follows the knobs, and the sentence."""
    even = from_values(Even, values)
    return [figures.curve(even), verdict(even), figures.logarithms(even), figures.shares(even)]


def verdict(even: Even) -> str:
    """Positive or not, and what the lowest score gets."""
    scores, found = even.values(), weights(even.values(), even.order)
    low, n = int(np.argmin(scores)), even.order
    if (root := zero(n)) is None:
        value = number(float(minimum(n).value), 4)
        zh, en = (
            f'f_{n} <b class="good">恒正</b>（最小 {value}）。',
            f'f_{n} is <b class="good">positive</b> ({value} at least). ',
        )
    else:
        at = number(root, 3)
        zh, en = (
            f'f_{n} 在 x &lt; {at} 时<b class="bad">为负</b>。',
            f'f_{n} is <b class="bad">negative</b> below {at}. ',
        )
    shares = {name: f"{number(100 * float(share[low]), 1)}%" for name, share in found.items()}
    score = number(float(scores[low]), 1)
    cut_zh = f"，截断后 {shares['clamped']}" if "clamped" in shares else ""
    cut_en = f", {shares['clamped']} once clamped" if "clamped" in shares else ""
    zh += f"最低的得分 {score} 分到权重：softmax {shares['softmax']}，泰勒 <b>{shares['taylor']}</b>{cut_zh}。"
    en += f"The lowest score, {score}, gets {shares['softmax']} of the weight from softmax, <b>{shares['taylor']}</b> "
    return markup(zh, en + f"from Taylor{cut_en}.")


def table() -> str:
    """The exact minima, n = 2 … 20."""
    heads = ["n", "x_n", "f_n(x_n) = x_n^n / n!"]
    rows = "".join(
        f"<tr><th scope='row'>{n}</th><td>{_digits(minimum(n).x)}</td><td>{_digits(minimum(n).value)}</td></tr>"
        for n in ORDERS
    )
    head = "".join(f"<th scope='col'>{h}</th>" for h in heads)
    return f'<div class="kx-scroll"><table class="kx-table kx-columns"><tr>{head}</tr>{rows}</table></div>'


def _digits(value) -> str:
    return f"{value:.15g}".replace("-", "−")


def build(page: Page, tabs: gr.Tabs) -> None:
    """Draw the view."""
    default = Even()
    first = draw(*dataclasses.astuple(default))
    with gr.Row(elem_classes="kx-try"):
        presets = [gr.Button(label, size="sm") for label, _ in TRY]
    with gr.Row(equal_height=False):
        with gr.Column(scale=3, min_width=300):
            curve = parts.figure(first[0])
            said = parts.verdict(first[1])
        with gr.Column(scale=2, min_width=280):
            order = parts.slider(
                *LIMITS["order"],
                value=default.order,
                step=1,
                label=tr("阶数 n（奇数也行，看它失败）", "order n (odd ones may fail)"),
            )
            left = parts.slider(
                *LIMITS["left"], value=default.left, step=0.5, label=tr("从哪个 x 画起", "draw from x =")
            )
            scores = gr.Textbox(
                default.scores,
                label=tr("要归一化的得分（逗号分隔）", "scores to normalise (commas between)"),
                max_lines=1,
            )
            shift = parts.slider(
                *LIMITS["shift"], value=default.shift, step=0.5, label=tr("所有得分加上", "add to every score")
            )
            link = page.link_button("even")
    with gr.Row(elem_classes="kx-grid"):
        shares = parts.figure(first[3])
        logs = parts.figure(first[2])
    with gr.Row(elem_classes="kx-grid"):
        parts.figure(figures.minima())
        gr.HTML(table())
    gr.Markdown(EXPLANATION, latex_delimiters=parts.LATEX)

    knobs = {"order": order, "left": left, "scores": scores, "shift": shift}
    order_of = list(knobs.values())
    drawing = (guard(draw), order_of, [curve, said, logs, shares])
    view = page.view("even", Even, knobs, link, tabs=tabs, redraw=drawing)
    gr.on(
        [order.input, left.input, shift.input, scores.submit, scores.blur],
        *drawing,
        trigger_mode="always_last",
        **QUICK,
    )
    for (_, changes), button in zip(TRY, presets, strict=True):
        values = list(dataclasses.astuple(Even(**changes)))
        button.click(lambda v=values: v, None, order_of, **QUICK).then(*drawing, **QUICK).then(
            None, order_of, None, js=view.keep
        )
