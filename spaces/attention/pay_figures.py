"""The figures of time and memory: rows in, figure JSON (shared.plots) out."""

from __future__ import annotations

import math
from collections.abc import Sequence

from shared import plots
from shared.i18n import pick, tr
from spaces.attention.pay import BACKENDS, Pay, Row, crossover

NAMES = {
    "auto": tr("精确（最快的内核）", "exact (fastest kernel)"),
    "matrix": tr("精确（写出 n × n 矩阵）", "exact (with its n × n matrix)"),
    "performer": "Performer",
    "taylor": tr("二阶泰勒", "order-2 Taylor"),
}
STYLES = {
    "auto": {"color": plots.INK, "width": 2.5},
    "matrix": {"color": plots.GREY, "dash": True},
    "performer": {"color": plots.ACCENT, "width": 2.5},
    "taylor": {"color": plots.COUNTER, "width": 2.5},
}
ARTICLE = 5000
"""Tokens below which the article says that Performer is slower."""


def time_figure(rows: Sequence[Row], settings: Pay) -> str:
    """Milliseconds of a forward pass against the length, crossovers marked."""
    layers = _lines(rows, lambda r: r.seconds * 1e3)
    for name in ("performer", "taylor"):
        if place := crossover(rows, name, "auto"):
            who = [pick(NAMES[name], language) for language in ("zh", "en")]
            said = tr(f"{who[0]} 从约 {rounded(place)} 起更快", f"{who[1]} faster from about {rounded(place)}")
            layers.append(plots.rule("vline", math.log10(place), "", STYLES[name]["color"], name=said, dash=True))
    layers.append(plots.rule("vline", math.log10(ARTICLE), name=tr("文章：约 5,000", "the article: some 5,000")))
    caption = tr(
        "一次前向的时间（毫秒，两轴对数）：竖虚线是线性开始划算的长度，灰线是文章说的约 5,000。",
        "Milliseconds of one forward pass, both axes logarithmic: dashed, the length from which linear pays; grey, the "
        "article's 5,000.",
    )
    return _figure("time", tr("毫秒（对数）", "milliseconds (log)"), layers, caption, settings)


def memory_figure(rows: Sequence[Row], settings: Pay) -> str:
    """Peak bytes beyond q, k and v against the length."""
    caption = tr(
        "除 q、k、v 以外同时占用的最大内存（MiB，含输出）：融合内核早已不写矩阵，线性注意力在内存上未必更省。",
        "Peak memory beyond q, k and v (MiB, output included): fused kernels make no matrix either, so linear "
        "attention "
        "need not save any.",
    )
    return _figure("memory", tr("MiB（对数）", "MiB (log)"), _lines(rows, lambda r: r.bytes / 2**20), caption, settings)


def ratio_figure(rows: Sequence[Row], settings: Pay) -> str:
    """How many times as long as exact attention each takes."""
    exact = {r.length: r.seconds for r in rows if r.backend == "auto"}
    layers = [plots.rule("hline", 0, name=tr("与精确一样快", "as fast as exact"))]
    for name in BACKENDS[1:]:
        found = [r for r in rows if r.backend == name and r.length in exact]
        ratios = [math.log10(r.seconds / exact[r.length]) for r in found]
        layers.append(plots.line([math.log10(r.length) for r in found], ratios, NAMES[name], **STYLES[name]))
    caption = tr(
        "时间与最快的精确内核之比：线以下才是赚。",
        "Time over that of the fastest exact kernel: only below the line is it a gain.",
    )
    return _figure("ratio", tr("倍数（对数）", "times (log)"), layers, caption, settings)


def rounded(place: float) -> str:
    """A crossing to the two digits that timing can bear: 4,523 → 4,500."""
    return f"{float(f'{place:.2g}'):,.0f}"


def _lines(rows: Sequence[Row], value) -> list[dict]:
    layers = []
    for name in BACKENDS:
        found = [r for r in rows if r.backend == name]
        if found:
            x, y = [math.log10(r.length) for r in found], [math.log10(max(value(r), 1e-6)) for r in found]
            layers += [plots.line(x, y, NAMES[name], **STYLES[name]), plots.points(x, y, color=STYLES[name]["color"])]
    return layers


def _figure(name: str, label: str, layers: list[dict], caption: str, settings: Pay) -> str:
    lengths = settings.lengths
    ticks = [math.log10(n) for n in lengths]
    names = [f"{n // 1024}k" if n % 1024 == 0 else str(n) for n in lengths]
    span = (ticks[0] - 0.08, ticks[-1] + 0.08)
    x = plots.axis(tr("长度 n（token，对数）", "length n (tokens, log)"), span, log=True, ticks=ticks, names=names)
    return plots.figure(f"pay-{name}", x, plots.axis(label, log=True), layers, caption=caption)
