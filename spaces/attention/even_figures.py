"""The figures of the even polynomials: settings in, figure JSON (shared.plots) out."""

from __future__ import annotations

import numpy as np

from shared import plots
from shared.i18n import number, tr
from spaces.attention.taylor import ORDERS, Even, clamped, minimum, taylor, weights, zero

POINTS, RIGHT, HIGHEST = 241, 3.0, 10.0
CLAMPED = tr("截断（单调）", "clamped (monotone)")
LOOKS = {
    "softmax": (tr("softmax（exp）", "softmax (exp)"), plots.COUNTER),
    "taylor": (tr("泰勒", "Taylor"), plots.ACCENT),
    "clamped": (CLAMPED, "class-3"),
}
X_AXIS = tr("x（得分）", "x (score)")


def grid(even: Even) -> np.ndarray:
    return np.linspace(even.left, RIGHT, POINTS)


def curve(even: Even) -> str:
    """f_n beside exp, its minimum or where it turns negative, and the clamp."""
    x, n = grid(even), even.order
    layers = [
        plots.line(x, np.exp(x), "exp(x)", plots.COUNTER, width=2.5),
        plots.line(x, taylor(x, n), f"f_{n}(x)", plots.ACCENT, width=2.5),
        plots.rule("hline", 0, name="0"),
    ]
    root = zero(n)
    if root is None:
        low = minimum(n)
        left = x[x <= float(low.x)]
        layers.insert(0, plots.line(left, left * 0 + float(low.value), CLAMPED, "class-3", dash=True, width=3))
        layers.append(plots.points([float(low.x)], [float(low.value)], color=plots.ACCENT, size=6, ring=True))
        said = number(float(low.value), 6), number(float(low.x), 6)
        caption = tr(
            f"n = {n} 是偶数：f_{n} 最小为 {said[0]}，在 x = {said[1]} 处；永远为正，但向左又升起来，虚线把它截平。",
            f"n = {n} is even: f_{n} is smallest at x = {said[1]}, where it is {said[0]}. Always positive, but it "
            f"rises "
            "again on the left, where the dashed line holds it.",
        )
    else:
        layers.append(plots.rule("vline", root, tr("零点", "zero"), dash=True))
        said = number(root, 6)
        caption = tr(
            f"n = {n} 是奇数：x < {said} 时 f_{n} 为负，不能当权重。换成偶数试试。",
            f"n = {n} is odd: f_{n} is negative left of x = {said}, and no weight can be. Try an even n.",
        )
    y = plots.axis(tr("函数值", "value"), (-3, HIGHEST))
    return plots.figure("even-curve", plots.axis(X_AXIS, (even.left, RIGHT)), y, layers, caption=caption)


def logarithms(even: Even) -> str:
    """The same on a logarithmic axis: what exp makes small, the polynomial makes large."""
    x, n = grid(even), even.order
    value = taylor(x, n)
    with np.errstate(invalid="ignore", divide="ignore"):
        log = np.where(value > 0, np.log10(np.maximum(value, 1e-300)), np.nan)
    layers = [
        plots.line(x, x / np.log(10), "exp(x)", plots.COUNTER),
        plots.line(x, log, f"f_{n}(x)", plots.ACCENT),
    ]
    if n % 2 == 0:
        layers.append(plots.line(x, np.log10(clamped(x, n)), CLAMPED, "class-3", dash=True))
    caption = tr(
        "对数轴：exp 一直降，f_n 降不下去，再往左反而变大；截断之后至少不再变大。",
        "On a logarithmic axis: exp keeps falling; f_n stops, and grows again further left. Clamped it at least does "
        "not "
        "grow.",
    )
    axes = plots.axis(X_AXIS, (even.left, RIGHT)), plots.axis(tr("函数值（对数）", "value (log)"), log=True)
    return plots.figure("even-logarithms", *axes, layers, caption=caption)


def minima() -> str:
    """Minima of the even polynomials against n."""
    found = [minimum(n) for n in ORDERS]
    values = [np.log10(float(m.value)) for m in found]
    layers = [
        plots.line(ORDERS, values, tr("最小值 f_n(x_n)", "minimum f_n(x_n)"), plots.ACCENT),
        plots.points(ORDERS, values, color=plots.ACCENT),
        plots.line(ORDERS, [float(m.x) / np.log(10) for m in found], "exp(x_n)", plots.COUNTER, dash=True),
    ]
    caption = tr(
        "最小值随 n 变小，却总为正，比同一点的 exp（虚线）大三成多；再往左 exp 一直降，"
        "截断的停在最小值：低分的权重仍然偏大。",
        "The minimum shrinks with n, stays positive, and is a third above exp at the same place (dashed). Further left "
        "exp falls on, the clamped polynomial stays there: low scores still get too much.",
    )
    y = plots.axis(tr("数值（对数）", "value (log)"), log=True)
    return plots.figure("even-minima", plots.axis("n", ticks=list(ORDERS)), y, layers, caption=caption)


def shares(even: Even) -> str:
    """What each normaliser makes of the visitor's scores."""
    scores, found = even.values(), weights(even.values(), even.order)
    places, width = np.arange(len(scores)), 0.8 / len(found)
    layers = [
        plots.bars(places, share, *LOOKS[name], width=width * 0.92, offset=(i - (len(found) - 1) / 2) * width)
        for i, (name, share) in enumerate(found.items())
    ]
    layers.append(plots.rule("hline", 0))
    x = plots.axis(
        tr("得分 + 平移", "score + shift"),
        (-0.6, len(scores) - 0.4),
        ticks=places.tolist(),
        names=[f"{s:g}".replace("-", "−") for s in scores],
    )
    caption = tr(
        "同样的得分，三种归一化。平移所有得分：softmax 纹丝不动，泰勒会变；很负的得分在泰勒那里可能反而最大。",
        "The same scores, normalised in three ways. Shift them all: softmax does not move, Taylor does; a very "
        "negative "
        "score may even get most of its weight.",
    )
    return plots.figure("even-weights", x, plots.axis(tr("权重", "weight")), layers, caption=caption)
