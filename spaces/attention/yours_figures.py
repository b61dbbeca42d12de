"""The figures of a visitor's own queries and keys: maps and needs in, figure JSON (shared.plots) out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from shared import plots
from shared.i18n import pick, tr
from spaces.attention.choose import MOST, Needed
from spaces.attention.error_figures import COLOURS, KINDS
from spaces.attention.maps import Difference, pooled


def map_figure(name: str, title: str, found: torch.Tensor, highest: float, difference: Difference | None) -> str:
    """One map (n, N), row 0 on top; cinnabar: negative weights."""
    shown = pooled(found)
    rows, columns = (axis_of(total, len_) for total, len_ in zip(found.shape, shown.shape, strict=True))
    said = tr("权重", "weight")
    layers = [plots.cells(columns, rows, shown.tolist(), said, (-highest, highest))]
    zh, en = pick(title, "zh"), pick(title, "en")
    if difference is not None:
        error, moved = f"{difference.error:.1%}", f"{difference.moved:.1%}"
        zh += f"：误差 {error}，{moved} 的权重给错了键，最重的键对了 {difference.same_top:.0%}"
        en += f": error {error}, {moved} of the weight on wrong keys, heaviest key right for {difference.same_top:.0%}"
        if difference.negative:
            zh += f"；{difference.negative:.0%} 的权重为负"
            en += f"; {difference.negative:.0%} of the weights negative"
    n, keys = found.shape
    return plots.figure(
        f"attention-map-{name}",
        plots.axis(tr("键", "key"), (-0.5, keys - 0.5)),
        plots.axis(tr("查询", "query"), (n - 0.5, -0.5), ticks=list(range(0, n, max(1, n // 4)))),
        layers,
        caption=tr(f"{zh}。", f"{en}."),
        aspect=0.86,
    )


def axis_of(total: int, shown: int) -> list[float]:
    """The middles of `shown` blocks over `total` places."""
    size = -(-total // shown)
    return [(start + min(start + size, total) - 1) / 2 for start in range(0, total, size)]


def needs_figure(found: Sequence[Needed], keys: int, taylor: tuple[int, float] | None, epsilon: float) -> str:
    """Features that each kind needs for the error, beside the closed form's and the number of keys."""
    limit = math.log10(MOST)
    names = [KINDS[n.kind] for n in found] + [KINDS["taylor"]]
    layers = []
    for i, need in enumerate(found):
        layers.append(
            plots.bars([i], [math.log10(need.features or MOST)], KINDS[need.kind], COLOURS[need.kind], width=0.5)
        )
        enough = (
            f"{need.features}"
            if need.features
            else tr(f"> {MOST}（误差 {need.error:.0%}）", f"> {MOST} (error {need.error:.0%})")
        )
        layers.append(plots.texts([i], [math.log10(need.features or MOST) + 0.08], [enough], plots.INK, align="center"))
        if math.isfinite(need.predicted) and need.predicted >= 1:
            layers.append(
                plots.points([i + 0.36], [min(math.log10(need.predicted), limit + 0.7)], color=plots.GREY, size=5)
            )
    if taylor is not None:
        count, error = taylor
        layers.append(plots.bars([len(found)], [math.log10(count)], KINDS["taylor"], plots.INK, width=0.5))
        said = tr(f"{count}（误差 {error:.1%}）", f"{count} (error {error:.1%})")
        layers.append(plots.texts([len(found)], [math.log10(count) + 0.08], [said], plots.INK, align="center"))
    layers.append(plots.rule("hline", math.log10(keys), name=tr(f"键数 n = {keys}", f"n = {keys} keys"), dash=True))
    layers.append(plots.points([], [], tr("闭式预测（独立抽样）", "closed form (independent)"), plots.GREY))
    ticks = list(range(0, 5))
    return plots.figure(
        "attention-needs",
        plots.axis("", (-0.7, len(names) - 0.3), ticks=[]),
        plots.axis(
            tr("特征数 m（对数）", "features m (log)"),
            (0, limit + 0.8),
            ticks=ticks,
            names=[f"{10**t:,}" for t in ticks],
        ),
        layers,
        caption=tr(
            f"误差 {epsilon:.0%} 要多少特征：柱子是实测（误差的中位数），灰点是闭式。高过键数那条线，不如算精确的。",
            f"Features for an error of {epsilon:.0%}: bars are measured (median error), grey points the closed form; "
            "above the line of the keys, exact attention is cheaper.",
        ),
        aspect=0.6,
    )
