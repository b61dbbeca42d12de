"""The figures of the path ledger and of the lags: results in, figure JSON (shared.plots) out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shared import plots
from shared.i18n import pick, tr
from spaces.gradient_flow.figures import LAG, PARTS, axis_of, power, thinned
from spaces.gradient_flow.lags import Lags
from spaces.gradient_flow.ledger import Ledger
from spaces.gradient_flow.race_figures import NAMES, STYLES


def ledger_figure(book: Ledger) -> str:
    """The norms of the whole, of each part, of the forget gates' product and of the article's formula, by lag."""
    x = axis_of(book.total, "lag")
    layers = [plots.line(*thinned(x, book.total), *PARTS["total"], width=3)]
    layers += [plots.line(*thinned(x, norms), *PARTS[part]) for part, norms in book.parts.items()]
    product = tr("只有遗忘门之积", "forget gates' product alone")
    layers.append(plots.line(*thinned(x, book.product), product, color=plots.GREY, dash=True))
    if book.one_path is not None:
        formula = tr("文章的单路公式（o 固定）", "the article's one path (o fixed)")
        layers.append(plots.line(*thinned(x, book.one_path), formula, color="class-2", dash=True))
    return plots.figure(
        f"gradient-flow-ledger-{book.name}",
        plots.axis(LAG),
        plots.axis(tr("范数（对数）", "norm (log)"), log=True),
        layers,
        caption=tr(
            "∂s_T/∂s_t 恰好等于直通项加上先过各个门的路径。黑线贴着哪一条，梯度就是从哪条路来的。",
            "∂s_T/∂s_t is exactly the carried path plus the paths that first take each gate. The gradient came by "
            "the path whose line the black one follows.",
        ),
    )


def shares_figure(book: Ledger) -> str:
    """The signed shares of the parts, by lag: together 1."""
    x = axis_of(book.total, "lag")
    return plots.figure(
        f"gradient-flow-shares-{book.name}",
        plots.axis(LAG),
        plots.axis(tr("份额", "share")),
        [plots.line(*thinned(x, share), *PARTS[part]) for part, share in book.shares.items()]
        + [plots.rule("hline", 1), plots.rule("hline", 0)],
        caption=_shares_caption(book),
        aspect=0.45,
    )


def _shares_caption(book: Ledger) -> str:
    said = "各条路径的份额，带符号，加起来恰为 1。", "Each path's share, with its sign; together exactly 1."
    far = {part: share[0] for part, share in book.shares.items() if np.isfinite(share[0])}
    if not far:
        return tr(*said)
    part = max(far, key=far.__getitem__)
    name, steps = PARTS[part][0], len(book.total)
    return tr(
        f"{said[0]}往回 {steps} 步，{far[part]:.0%} 来自{pick(name, 'zh')}。",
        f"{said[1]} {steps} steps back {far[part]:.0%} came by the {pick(name, 'en')}.",
    )


def lags_figure(results: Sequence[Lags]) -> str:
    """The share of ∂L/∂U that comes from at most so many steps back, for each cell."""
    layers = [plots.line(*_head(r), NAMES[r.name], **STYLES[r.name]) for r in results]
    totals = [(NAMES[r.name], r.total) for r in results]
    zh = "，".join(f"{pick(n, 'zh')} {power(v)}" for n, v in totals)
    en = ", ".join(f"{pick(n, 'en')} {power(v)}" for n, v in totals)
    return plots.figure(
        "gradient-flow-lags",
        plots.axis(tr("不超过往回这么多步", "up to so many steps back")),
        plots.axis(tr("占 ∂L/∂U 的份额", "share of ∂L/∂U"), (0, None)),
        [*layers, plots.rule("hline", 1)],
        caption=tr(
            f"总梯度 ‖∂L/∂U‖ 并不为零（{zh}）；但哪条线早早到了 1，哪个单元更远的步就没有贡献。",
            f"The total ‖∂L/∂U‖ is not zero ({en}); but where a line is at 1 early, steps further back add nothing.",
        ),
    )


def _head(result: Lags) -> tuple[np.ndarray, np.ndarray]:
    """The cumulative shares as far as they move: beyond, all is one straight line at 1."""
    settled = np.flatnonzero(np.abs(result.cumulative - 1) > 1e-3)
    stop = min(len(result.cumulative), int(settled[-1]) + 3 if len(settled) else 3)
    return thinned(np.arange(stop), result.cumulative[:stop])


def lag_norms_figure(results: Sequence[Lags]) -> str:
    """The norm of each lag's part of ∂L/∂U relative to the total, for each cell."""
    layers = [plots.line(*thinned(r.lags, r.log10 - r.total), NAMES[r.name], **STYLES[r.name]) for r in results]
    return plots.figure(
        "gradient-flow-lag-norms",
        plots.axis(tr("往回的步数 k", "steps back k")),
        plots.axis(tr("份 / 总（对数）", "part / total (log)"), log=True),
        [*layers, plots.rule("hline", 0)],
        caption=tr(
            "把 ∂L/∂U 按 U 在多少步之前被用到拆开：远处那份和总梯度相比小了多少个数量级？",
            "∂L/∂U taken apart by how many steps ago U was used: by how many decades is the distant part smaller than "
            "the total?",
        ),
        aspect=0.45,
    )
