"""The figure of "Yours": a report in, figure JSON (shared.plots) out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from shared import plots
from shared.i18n import pick, tr
from spaces.gradient_flow.figures import LAG, axis_of, thinned
from spaces.gradient_flow.yours import LayerFlow, Report


def layers_figure(reports: Sequence[Report]) -> str:
    """The norms of every layer and direction of some networks by lag, with what one keeping gate alone would leave."""
    layers = []
    together = [(report, layer) for report in reports for layer in report.layers]
    for i, (report, layer) in enumerate(together):
        x = axis_of(layer.log10, "lag")
        look = {"color": f"class-{(layer.index + 3 * reports.index(report)) % 10}", "dash": layer.reverse}
        layers.append(plots.line(*thinned(x, layer.log10), name_of(report, layer), width=2.5, **look))
        if (
            layer.kept
            and len(reports) == 1
            and i == 0
            and math.isfinite(layer.kept.half_life)
            and np.isfinite(layer.log10[-1])
        ):
            gate = layer.log10[-1] - math.log10(2) / layer.kept.half_life * (x - 1)
            name = tr("第 1 层：只有遗忘门", "layer 1: its keeping gate alone")
            layers.append(plots.line(*thinned(x, gate), name, plots.GREY, dash=True, width=1))
    return plots.figure(
        "gradient-flow-yours",
        plots.axis(LAG),
        plots.axis(tr("‖∂s_T/∂s_t‖（对数）", "‖∂s_T/∂s_t‖ (log)"), log=True),
        layers,
        caption=tr(
            "每一层的梯度往回走多远；虚线是反向层。线断了就是恰为零，或者状态溢出。",
            "How far back each layer's gradient reaches; reverse layers are dashed. A line that ends is exactly zero, "
            "or its state overflowed.",
        ),
    )


def name_of(report: Report, layer: LayerFlow) -> str:
    """A layer's name, with its network's prefix where the file gives one."""
    prefix = report.network.prefix.rstrip(".")
    short = prefix if len(prefix) <= 24 else f"…{prefix[-23:]}"
    return tr(*(f"{short} {pick(layer.name, language)}".strip() for language in ("zh", "en")))
