"""The figure of "Yours": a report in, figure JSON (shared.plots) out."""

from __future__ import annotations

import math

import numpy as np

from shared import plots
from shared.i18n import tr
from spaces.gradient_flow.figures import LAG, axis_of, thinned
from spaces.gradient_flow.yours import Report


def layers_figure(report: Report | None) -> str:
    """The norms of every layer and direction by lag, with what its keeping gate alone would leave; empty for None."""
    layers = []
    for i, layer in enumerate(report.layers if report else ()):
        x = axis_of(layer.log10, "lag")
        look = {"color": f"class-{layer.index % 10}", "dash": layer.reverse}
        layers.append(plots.line(*thinned(x, layer.log10), layer.name, width=2.5, **look))
        if layer.kept and i == 0 and math.isfinite(layer.kept.half_life) and np.isfinite(layer.log10[-1]):
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
