"""The figures of the SimSiam tab: results in, figure JSON (shared.plots) out."""

from __future__ import annotations

import numpy as np

from shared import plots
from shared.i18n import tr
from spaces.simsiam.toy import Picture, Toy

THINNING = 8  # every eighth grid point carries an arrow


def plane(toy: Toy, picture: Picture) -> str:
    """The (φ, θ) plane: basin of collapse, flow, the two lines of rest, and the run from the chosen start."""
    grid_phi, grid_theta = np.meshgrid(picture.phi[4::THINNING], picture.theta[4::THINNING])
    flow = [f[4::THINNING, 2::THINNING].ravel() for f in (picture.flow_phi, picture.flow_theta)]
    phi, theta = picture.path
    dead = abs(picture.end[1]) < 0.02
    layers = [
        plots.cells(
            picture.phi, picture.theta, picture.collapsed.astype(float), "", (0, 1), low="surface", high="accent-soft"
        ),
        plots.arrows(grid_phi.ravel(), grid_theta.ravel(), *flow),
        plots.rule("vline", 1, "φ = 1", dash=True),
        plots.rule("hline", 0, "θ = 0", dash=True),
        plots.line(phi, theta, color=plots.ACCENT if dead else plots.COUNTER, width=3),
        plots.points([toy.phi0], [toy.theta0], tr("起点", "start"), plots.INK, size=6, ring=True),
        plots.points(
            picture.end[:1],
            picture.end[1:],
            tr("终点：坍缩", "end: collapsed") if dead else tr("终点：存活", "end: alive"),
            plots.ACCENT if dead else plots.COUNTER,
            size=8,
            ring=True,
        ),
    ]
    return plots.figure(
        "simsiam-plane",
        plots.axis(tr("预测器 φ", "predictor φ"), (picture.phi[0], picture.phi[-1])),
        plots.axis(tr("编码器 θ", "encoder θ"), (picture.theta[0], picture.theta[-1])),
        layers,
        caption=tr(
            "红色区域里出发的都会坍缩（θ → 0）。点一下平面，换一个起点。",
            "Every start in the red region collapses (θ → 0). Click the plane to start elsewhere.",
        ),
        aspect=0.72,
    )


def against_time(picture: Picture) -> str:
    """φ and θ along the run, on a logarithmic clock."""
    keep = picture.time > 1e-2
    clock = np.log10(picture.time[keep])
    phi, theta = picture.path[:, keep]
    return plots.figure(
        "simsiam-time",
        plots.axis(tr("时间 t", "time t"), (-1, 4), log=True),
        plots.axis("φ, θ"),
        [
            plots.line(clock, phi, tr("预测器 φ", "predictor φ"), plots.GREY),
            plots.line(clock, theta, tr("编码器 θ", "encoder θ"), plots.ACCENT, width=2.5),
        ],
        caption=tr("谁先到：φ 先到 1，θ 就活下来。", "Who is first? If φ reaches 1 first, θ survives."),
        aspect=0.5,
    )
