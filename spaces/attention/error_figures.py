"""The figures of the errors: curves in, figure JSON (shared.plots) out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from shared import plots
from shared.i18n import number, pick, tr
from spaces.attention.errors import SWEEPS, Curves, Errors, Point
from spaces.attention.winners import ANGLES, NORMS, Winners

COLOURS = {"positive": plots.ACCENT, "trigonometric": plots.COUNTER, "hyperbolic": "class-2", "taylor": plots.INK}
DRAW_LOOKS = {  # draw → options of the line, size of its points
    "iid": ({"dash": True, "width": 1}, 4),
    "orthogonal": ({"width": 2}, 3),
    "stratified": ({"width": 3.5}, 5),
    "quantiles": ({"dash": True, "width": 3}, 3),
    "": ({"width": 2.5}, 3),
}
KINDS = {
    "positive": tr("正特征", "positive"),
    "trigonometric": tr("三角", "trigonometric"),
    "hyperbolic": tr("双曲", "hyperbolic"),
    "taylor": tr("二阶泰勒", "order-2 Taylor"),
}
DRAWS = {
    "iid": tr("独立", "iid"),
    "orthogonal": tr("正交", "orthogonal"),
    "stratified": tr("分层", "stratified"),
    "quantiles": tr("固定分位", "quantiles"),
}
AXES = {
    "features": tr("特征数 m（对数）", "features m (log)"),
    "dim": tr("维数 d（对数）", "dimension d (log)"),
    "norm": tr("|q| = |k|（除以 d^¼ 之后）", "|q| = |k| (after division by d^¼)"),
    "angle": tr("夹角（度）", "angle (degrees)"),
    "keys": tr("键数 n（对数）", "keys n (log)"),
}
LOG_AXES = ("features", "dim", "keys")
LOWEST = 1e-5
REACHES = (0.05, 0.2, 1.0)
"""Of the bias about 1, up and down: the first that holds every interval."""


def name_of(kind: str, draw: str) -> str:
    """A line's name, such as "positive, orthogonal"."""
    if kind == "taylor":
        return KINDS[kind]
    return tr(*(f"{pick(KINDS[kind], x)}{'·' if x == 'zh' else ', '}{pick(DRAWS[draw], x)}" for x in ("zh", "en")))


def error_figure(curves: Curves, settings: Errors) -> str:
    """Errors against the swept setting with their intervals; thin and dashed: the closed form for independent draws."""
    places, layers = _places(settings.against), []
    for kind in dict.fromkeys(kind for kind, _ in curves if kind != "taylor"):
        points = next(points for (k, _), points in curves.items() if k == kind)
        said = [_log(p.predicted) if p.predicted > LOWEST else math.nan for p in points]
        layers.append(plots.line(places, said, color="grey", dash=True, width=1))
    for (kind, draw), points in curves.items():
        look, size = DRAW_LOOKS[draw]
        values = [_log(p.error) for p in points]
        layers.append(plots.line(places, values, name_of(kind, draw), COLOURS[kind], **look))
        layers.append(plots.points(places, values, color=COLOURS[kind], size=size))
        layers.append(whiskers(places, [(_log(p.low), _log(p.high)) for p in points], COLOURS[kind]))
    if settings.measure == "kernel":
        caption = tr(
            "一个核值 exp(x·y) 的相对均方根误差，竖线为 68% 区间；灰虚线：独立抽样的闭式。",
            "Relative root mean squared error of one kernel value exp(x·y) with intervals of 68 %; grey and dashed: "
            "the closed form for independent draws.",
        )
    else:
        caption = tr(
            "注意力输出的相对误差（中位数），竖线为 68% 区间；灰虚线：独立抽样的一阶闭式；黑线是二阶泰勒，没有随机性。",
            "Relative error of the attention output (median) with intervals of 68 %; grey and dashed: closed form to "
            "first "
            "order, independent draws; black: order-2 Taylor attention, which draws nothing.",
        )
    highest = 1.5 if any(p.error > 3 for points in curves.values() for p in points) else None
    y = plots.axis(tr("相对误差（对数）", "relative error (log)"), (None, highest), log=True)
    return plots.figure("performer-error", _axis(settings.against), y, layers, caption=caption, aspect=0.66)


def bias_figure(curves: Curves, settings: Errors) -> str:
    """The mean of estimate over truth with two standard errors: 1 where a draw is unbiased."""
    places, layers = _places(settings.against), [plots.rule("hline", 1, name=tr("无偏", "unbiased"))]
    for (kind, draw), points in curves.items():
        look, size = DRAW_LOOKS[draw]
        layers.append(plots.line(places, [p.bias for p in points], name_of(kind, draw), COLOURS[kind], **look))
        spans = [(p.bias - 2 * p.bias_se, p.bias + 2 * p.bias_se) for p in points]
        layers.append(whiskers(places, spans, COLOURS[kind]))
    caption = tr(
        "估计值除以真值的平均，竖线为两倍标准误：正特征模长大时看似偏低，是重尾——极少数抽样扛着全部均值。固定分位数则是真的有偏。",
        "Mean of estimate over truth with two standard errors. Positive features that look low at large norms are "
        "heavy-tailed: very few draws carry the mean. Fixed quantiles are biased in earnest.",
    )
    widest = max((abs(p.bias - 1) + 2 * p.bias_se for points in curves.values() for p in points), default=1.0)
    reach = next((r for r in REACHES if widest <= r), REACHES[-1])
    y = plots.axis(tr("估计 / 真值", "estimate / truth"), (1 - reach, 1 + reach))
    return plots.figure("performer-bias", _axis(settings.against), y, layers, caption=caption, aspect=0.66)


def gain_figure(curves: Curves, settings: Errors) -> str:
    """What a draw is worth: its squared error over that of independent draws of the same kind."""
    places, layers = (
        _places(settings.against),
        [plots.rule("hline", 0, name=tr("与独立抽样相同", "as independent draws"))],
    )
    for (kind, draw), points in curves.items():
        base = curves.get((kind, "iid"))
        if draw in ("iid", "") or base is None:
            continue
        pairs = [gain(p, b) for p, b in zip(points, base, strict=True)]
        look, size = DRAW_LOOKS[draw]
        layers.append(plots.line(places, [_log(r) for r, _ in pairs], name_of(kind, draw), COLOURS[kind], **look))
        layers.append(whiskers(places, [(_log(r * 10**-s), _log(r * 10**s)) for r, s in pairs], COLOURS[kind]))
    compared = any(draw not in ("iid", "") and (kind, "iid") in curves for kind, draw in curves)
    caption = (
        tr(
            "均方误差与独立抽样之比：要勾上“独立”和另一种抽样，才有得比。",
            "Squared error over that of independent draws: tick iid and another kind of draw to compare.",
        )
        if not compared
        else tr(
            "均方误差与独立抽样之比：低于 1 就是赚了。作者提议的分层模长（粗线）比正交（细线）多赚多少？",
            "Squared error over that of independent draws: below 1 is a gain. How much more do the author's stratified "
            "norms (bold) gain than orthogonal draws (thin)?",
        )
    )
    y = plots.axis(tr("均方误差之比（对数）", "ratio of squared errors (log)"), log=True)
    return plots.figure("performer-gain", _axis(settings.against), y, layers, caption=caption, aspect=0.66)


def gain(point: Point, base: Point) -> tuple[float, float]:
    """The ratio of squared errors, and half the width of its interval in decades."""
    if not point.error or not base.error:
        return math.nan, 0.0
    spread = [(p.high - p.low) / 2 / p.error for p in (point, base)]
    return (point.error / base.error) ** 2, 2 * math.hypot(*spread) / math.log(10)


def winners_figure(found: Winners | None) -> str:
    """The map of norm and angle: teal where trigonometric features err less, cinnabar where the others do."""
    layers = []
    if found is not None:
        other = KINDS[found.other]
        said = tr(
            f"log₁₀ 误差之比（三角 / {pick(other, 'zh')}）",
            f"log₁₀ of the errors' ratio (trigonometric / {pick(other, 'en')})",
        )
        layers = [
            plots.cells(ANGLES, NORMS, found.measured.tolist(), said, (-1.5, 1.5), low="counter", high="accent"),
            plots.rule("vline", 90, color=plots.INK, name="q·k = 0", dash=True),
            plots.texts([22], [2.75], [tr("三角胜", "trigonometric")], "surface", align="center"),
            plots.texts([150], [2.75], [tr(f"{pick(other, 'zh')}胜", pick(other, "en"))], "surface", align="center"),
        ]
    agreed = f"{found.agreement():.0%}" if found is not None else ""
    caption = tr(
        f"特征数相同，谁的误差小？闭式（独立抽样）说以直角为界；这里实测，{agreed} 的格子与它一致。点一格看它的曲线。",
        f"At equal features, who errs less? For independent draws the closed form puts the border at the right angle; "
        f"measured here, {agreed} of the places agree. Click one for its curves.",
    ) if found is not None else tr("按“画地图”。", "Press “Draw the map”.")  # fmt: skip
    axes = plots.axis(AXES["angle"], ticks=list(range(0, 181, 30))), plots.axis(AXES["norm"])
    return plots.figure("performer-winners", *axes, layers, caption=caption, aspect=0.66)


def whiskers(x: Sequence[float], spans: Iterable[tuple[float, float]], color: str) -> dict:
    """Vertical intervals at x, in one layer."""
    xs, ys = [], []
    for place, (low, high) in zip(x, spans, strict=True):
        if math.isfinite(high):
            low = low if math.isfinite(low) else high - 1
            xs += [place, place, math.nan]
            ys += [low, high, math.nan]
    return plots.line(xs, ys, color=color, width=1.2)


def ordering(curves: Curves, index: int) -> list[tuple[str, float]]:
    """The names at one place of the sweep, the least error first."""
    at = [(name_of(*name), points[index].error) for name, points in curves.items()]
    return sorted(at, key=lambda pair: pair[1])


def _places(against: str) -> list[float]:
    return [math.log10(v) if against in LOG_AXES else v for v in SWEEPS[against]]


def _axis(against: str) -> dict:
    if against not in LOG_AXES:
        return plots.axis(AXES[against])
    values = SWEEPS[against]
    ticks, names = [math.log10(v) for v in values], [f"{v:g}" for v in values]
    return plots.axis(AXES[against], log=True, ticks=ticks, names=names)


def _log(value: float) -> float:
    return math.log10(value) if value > 0 and math.isfinite(value) else math.nan


def percent(value: float) -> str:
    """A relative error as text: 3.1%, 240%, 10⁵ %."""
    if not np.isfinite(value):
        return "∞"
    return f"{number(100 * value, 2 if value < 0.1 else 0)}%" if value < 100 else f"{value:.1g} ×"
