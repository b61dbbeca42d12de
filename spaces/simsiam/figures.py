"""The figures of the SimSiam tab: results in, figure JSON (shared.plots) out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shared import plots
from shared.i18n import tr
from spaces.simsiam.checkup import Report
from spaces.simsiam.live import Frame
from spaces.simsiam.races import ENCODER_RATES, PREDICTOR_RATES, Cell, Lane, Return
from spaces.simsiam.toy import COLLAPSED, Picture, Toy

THINNING = 8  # every eighth grid point carries an arrow


def plane(toy: Toy, picture: Picture) -> str:
    """The (φ, θ) plane: basin of collapse, flow, the two lines of rest, and the run from the chosen start."""
    grid_phi, grid_theta = np.meshgrid(picture.phi[4::THINNING], picture.theta[4::THINNING])
    flow = [f[4::THINNING, 2::THINNING].ravel() for f in (picture.flow_phi, picture.flow_theta)]
    phi, theta = picture.path
    dead = abs(picture.end[1]) < COLLAPSED
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
        caption=tr("同一次运动，横轴是对数时间。", "The same run against time, on a logarithmic clock."),
        aspect=0.5,
    )


# ---- the live run: two runs, teal the first, cinnabar the second

RUNS = (tr("运行 A", "run A"), tr("运行 B", "run B"))
COLOURS = (plots.COUNTER, plots.ACCENT)
Frames = Sequence[Sequence[Frame]]

CURVES = {  # field → (label of y, range, what to see)
    "std": (
        "std × √d",
        (0, 1.05),
        tr(
            "输出的分散程度：1 是均匀铺开，0 是坍缩成一点。",
            "How spread the output is: 1 evenly, 0 collapsed to a point.",
        ),
    ),
    "loss": (
        tr("损失", "loss"),
        None,
        tr(
            "损失单独说明不了：坍缩的网络也能走到 −1。",
            "The loss alone does not tell: a collapsed network gets to −1 as well.",
        ),
    ),
    "effective_rank": (
        tr("有效秩", "effective rank"),
        (0, None),
        tr("输出真正用了几个方向。", "How many directions the output really uses."),
    ),
    "knn": (
        tr("k-NN 准确率", "k-NN accuracy"),
        (0, 1),
        tr(
            "编码器的特征能不能用：5 近邻在留出图像上的准确率。",
            "Are the encoder's features of use: 5 nearest neighbours on held-out images.",
        ),
    ),
    "lag": (
        tr("预测器的落后量（损失）", "predictor's lag (loss)"),
        (0, None),
        tr(
            "预测器离当前最优线性预测器还差多少损失。",
            "Loss above that of the best linear predictor of the same batch.",
        ),
    ),
    "speed": (
        tr("编码器的速度（每步）", "encoder's speed (per step)"),
        (0, None),
        tr(
            "归一化后的输出每步移动多远：预测器跟得上，编码器就慢下来。",
            "How far the unit outputs move in a step: with a predictor that keeps up, the encoder slows.",
        ),
    ),
}


def curve(field: str, runs: Frames, names: Sequence[str] = RUNS, changes: Sequence[tuple[int, str]] = ()) -> str:
    """One measurement of both runs against the step; `changes` marks where settings changed on the way."""
    label, span, caption = CURVES[field]
    layers = [plots.rule("vline", step, tr("改动", "changed"), dash=True) for step, _ in changes]
    for frames, name, colour in zip(runs, names, COLOURS, strict=True):
        measured = [(f.step, getattr(f, field)) for f in frames if getattr(f, field) is not None]
        if measured:
            layers.append(plots.line(*zip(*measured, strict=True), name, colour, width=2.5))
    last = max((f[-1].step for f in runs if f), default=0)
    x = plots.axis(tr("步", "step"), (0, max(last, 10)), whole=True)
    return plots.figure(
        f"simsiam-{field}", x, plots.axis(label, span), layers, caption=caption, aspect=0.8 if field == "std" else 0.55
    )


def spectrum(runs: Frames, names: Sequence[str] = RUNS) -> str:
    """log10 of the covariance's eigenvalues of both runs, largest first, now."""
    layers = [
        plots.line(range(1, len(frames[-1].spectrum) + 1), frames[-1].spectrum, name, colour, width=2.5)
        for frames, name, colour in zip(runs, names, COLOURS, strict=True)
        if frames
    ]
    return plots.figure(
        "simsiam-spectrum",
        plots.axis(tr("第几个特征值", "index of the eigenvalue"), whole=True),
        plots.axis(tr("特征值", "eigenvalue"), (-12, 0.2), log=True),
        layers,
        caption=tr(
            "协方差的特征值：断崖就是维度坍缩。", "Eigenvalues of the covariance: a cliff is dimensional collapse."
        ),
        aspect=0.55,
    )


def embedding(frames: Sequence[Frame], name: str, classes: Sequence[str] = ()) -> str:
    """The probe's unit outputs on their two principal axes, gliding from frame to frame."""
    layers = []
    if frames:
        frame = frames[-1]
        labels = frame.labels
        marks = {} if labels is None else {"classes": [int(i) for i in labels], "labels": [str(int(i)) for i in labels]}
        layers = [plots.points(*frame.embedding.T, color=plots.INK, size=11 if marks else 3, glide=True, **marks)]
    axis = lambda n: plots.axis(tr(f"第 {n} 主轴", f"principal axis {n}"), (-1.05, 1.05))  # noqa: E731
    labelled = not frames or frames[-1].labels is not None
    said = (
        tr("每个数字是一张留出图像", "each numeral is a held-out image")
        if labelled
        else tr("每点是一张留出图像", "each point is a held-out image")
    )
    zh, en = name.split("\u2063")
    zh_said, en_said = said.split("\u2063")
    caption = tr(f"{zh}：{zh_said}", f"{en}: {en_said}")
    return plots.figure("simsiam-embedding", axis(1), axis(2), layers, caption=caption, aspect=0.8)


def report_spectrum(report: Report | None) -> str:
    """log10 of the eigenvalues of examined embeddings, with the effective rank marked; empty without a report."""
    layers = []
    if report is not None:
        rank, index = report.effective_rank, range(1, len(report.spectrum) + 1)
        said = tr(f"有效秩 {rank:.1f}", f"effective rank {rank:.1f}")
        curve = plots.line(index, report.spectrum, tr("特征值", "eigenvalue"), plots.ACCENT, width=2.5)
        layers = [plots.rule("vline", rank, said, dash=True), curve]
    return plots.figure(
        "embedding-spectrum",
        plots.axis(tr("第几个特征值", "index of the eigenvalue"), whole=True),
        plots.axis(tr("特征值", "eigenvalue"), (-12, 0.2), log=True),
        layers,
        caption=tr(
            "协方差的特征值，由大到小。平缓是铺开，断崖是维度坍缩。",
            "Eigenvalues of the covariance, largest first. Flat is spread, a cliff is dimensional collapse.",
        ),
        aspect=0.5,
    )


# ---- the races

RACER_NAMES = {
    "sgd": "SGD",
    "adam": "Adam",
    "lbfgs": "L-BFGS",
    "exact": tr("精确预测器", "exact predictor"),
    "random_search": tr("随机搜索", "random search"),
}


def returns(runs: Sequence[Return]) -> tuple[str, str]:
    """Where each run ends against how long it was without stop-gradient, and all runs along their steps."""
    done = sorted((r for r in runs if r.done), key=lambda r: r.wait)
    waits = [r.wait for r in done]
    ends = plots.figure(
        "simsiam-point-of-no-return",
        plots.axis(tr("没有停梯度的步数", "steps without stop-gradient"), whole=True),
        plots.axis("std × √d", (0, 1.05)),
        [
            plots.line(waits, [r.at_return for r in done], tr("重新打开时", "when it came back"), plots.ACCENT),
            plots.line(waits, [r.final for r in done], tr("最后", "in the end"), plots.COUNTER, width=2.5),
            plots.points(waits, [r.final for r in done], color=plots.COUNTER, size=4),
        ],
        caption=tr("多久就来不及了？", "How long is too long?"),
        aspect=0.62,
    )
    layers = [plots.rule("vline", runs[0].off, tr("关掉停梯度", "stop-gradient off"), dash=True)] if runs else []
    for i, run in enumerate(sorted(runs, key=lambda r: r.wait)):
        name = tr("从未关掉", "never off") if not run.wait else tr(f"关 {run.wait} 步", f"off for {run.wait}")
        layers.append(plots.line(run.curve.steps, run.curve.std, name, f"class-{i % 10}"))
    paths = plots.figure(
        "simsiam-returns",
        plots.axis(tr("步", "step"), whole=True),
        plots.axis("std × √d", (0, 1.05)),
        layers,
        caption=tr("同一次训练，在不同时刻重新打开停梯度。", "One run, with stop-gradient back on at different times."),
        aspect=0.62,
    )
    return ends, paths


def race(lanes: Sequence[Lane], stop_gradient: bool) -> str:
    """std × √d of every racer with or without stop-gradient."""
    shown = [lane for lane in lanes if lane.stop_gradient is stop_gradient]
    names = list(RACER_NAMES)
    return plots.figure(
        f"simsiam-race-{'with' if stop_gradient else 'without'}",
        plots.axis(tr("步", "step"), whole=True),
        plots.axis("std × √d", (0, 1.05)),
        [
            plots.line(a.curve.steps, a.curve.std, RACER_NAMES[a.racer], f"class-{names.index(a.racer)}", width=2.5)
            for a in shown
        ],
        caption=tr("有停梯度", "With stop-gradient") if stop_gradient else tr("没有停梯度", "Without stop-gradient"),
        aspect=0.62,
    )


def rates(cells: Sequence[Cell]) -> str:
    """Final std × √d for every pair of rates, as far as the map is."""
    z = np.full((len(PREDICTOR_RATES), len(ENCODER_RATES)), np.nan)
    for cell in cells:
        z[cell.row, cell.column] = cell.std
    columns, rows = range(len(ENCODER_RATES)), range(len(PREDICTOR_RATES))
    return plots.figure(
        "simsiam-rates",
        plots.axis(
            tr("编码器的学习率", "encoder's learning rate"),
            (-0.5, len(columns) - 0.5),
            ticks=list(columns),
            names=[f"{r:g}" for r in ENCODER_RATES],
        ),
        plots.axis(
            tr("预测器快多少倍", "predictor's rate (×)"),
            (-0.5, len(rows) - 0.5),
            ticks=list(rows),
            names=[f"{r:g}" for r in PREDICTOR_RATES],
        ),
        [plots.cells(columns, rows, z, "std × √d", (0, 1), show_values=True)],
        caption=tr(
            "每格是一次训练最后的 std × √d：红色坍缩，青色铺开。点一格，重放那次训练。",
            "Each cell is the final std × √d of one run: red collapsed, teal spread. Click a cell to replay its run.",
        ),
        aspect=0.42,
    )
