"""The figures of the classifiers: frames and predictions in, figure JSON (shared.plots) out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from shared import plots
from shared.i18n import tr
from spaces.attention.calibration import BINS, reliability
from spaces.attention.classifier import Classifier, Frame, State, predictions, splits
from spaces.attention.error_figures import whiskers

NAMES = {
    "softmax": "softmax",
    "taylor2": tr("泰勒 2", "Taylor 2"),
    "clamped2": tr("泰勒 2 截断", "Taylor 2 clamped"),
    "taylor4": tr("泰勒 4", "Taylor 4"),
    "clamped4": tr("泰勒 4 截断", "Taylor 4 clamped"),
    "taylor6": tr("泰勒 6", "Taylor 6"),
    "clamped6": tr("泰勒 6 截断", "Taylor 6 clamped"),
    "sigmoid": "sigmoid / Σ",
    "softplus": "softplus / Σ",
    "square": tr("平方 / Σ", "square / Σ"),
    "sparsemax": "sparsemax",
}
STYLES = {
    "softmax": {"color": plots.INK},
    "taylor2": {"color": "class-0"},
    "clamped2": {"color": "class-0", "dash": True},
    "taylor4": {"color": "class-2"},
    "clamped4": {"color": "class-2", "dash": True},
    "taylor6": {"color": "class-3"},
    "clamped6": {"color": "class-3", "dash": True},
    "sigmoid": {"color": "class-4"},
    "softplus": {"color": "class-5"},
    "square": {"color": "class-8"},
    "sparsemax": {"color": "class-1"},
}
CURVES = {
    "accuracy": (
        tr("准确率（测试）", "accuracy (test)"),
        tr("准确率：换掉 softmax，分类变好还是变坏？带子是各次划分的标准误。",
           "Accuracy: does it gain or lose without softmax? Bands: standard error over the splits."),
    ),
    "nll": (
        tr("负对数似然（nat）", "negative log-likelihood (nats)"),
        tr("负对数似然：答错时越自信罚得越重；泰勒的尾巴是多项式，罚得轻。",
           "Negative log-likelihood punishes confident errors; the polynomial's tails make them milder."),
    ),
}  # fmt: skip
Frames = Mapping[str, Sequence[Frame]]
HISTOGRAM = 20
HIGHEST_NLL = 3.0


def mean_se(values: np.ndarray) -> tuple[float, float]:
    """The mean and its standard error over the runs that have a value."""
    known = values[np.isfinite(values)]
    if not len(known):
        return math.nan, math.nan
    return float(known.mean()), float(known.std(ddof=1) / math.sqrt(len(known))) if len(known) > 1 else 0.0


def leaders(values: Mapping[str, np.ndarray], lowest: bool = False) -> list[str]:
    """The best by its mean, then all that no paired difference over the runs, of two standard errors, tells from it."""
    sign = 1 if lowest else -1
    best = min(values, key=lambda name: sign * mean_se(values[name])[0])
    apart = {name: mean_se(sign * (v - values[best])) for name, v in values.items() if name != best}
    return [best, *(name for name, (mean, se) in apart.items() if mean <= 2 * se)]


def curve(field: str, frames: Frames) -> str:
    """A measurement of every normaliser against the step."""
    label, caption = CURVES[field]
    layers = []
    for name, run in frames.items():
        if not run:
            continue
        steps = [f.step for f in run]
        middle, se = np.array([mean_se(getattr(f, field)) for f in run]).T
        layers.append(plots.band(steps, middle - se, middle + se, STYLES[name]["color"]))
        layers.append(plots.line(steps, middle, NAMES[name], **STYLES[name]))
    span = (_floor(frames), 1.005) if field == "accuracy" else (0, _ceiling(layers))
    x = plots.axis(tr("步", "step"), whole=True)
    return plots.figure(f"classifier-{field}", x, plots.axis(label, span), layers, caption=caption)


def _floor(frames: Frames) -> float | None:
    """Well below the last accuracies: the first steps may leave the figure."""
    last = [mean_se(run[-1].accuracy)[0] for run in frames.values() if run]
    return max(0.0, min(last) - 0.12) if last else None


def _ceiling(layers: Sequence[dict]) -> float | None:
    values = [v for layer in layers for v in layer["y"] if v is not None]
    return min(HIGHEST_NLL, max(values) * 1.05) if values else None


def calibration(frames: Frames) -> str:
    """ECE over bins of equal width and of equal mass, at the last step, with standard errors."""
    now = {name: run[-1] for name, run in frames.items() if run}
    layers = []
    for k, (field, label, color) in enumerate(
        (
            ("ece", tr("等宽 15 箱", "15 bins of equal width"), plots.ACCENT),
            ("ece_mass", tr("等量 15 箱", "15 bins of equal mass"), plots.COUNTER),
        )
    ):
        places = [i + (k - 0.5) * 0.38 for i in range(len(now))]
        values = [mean_se(getattr(frame, field)) for frame in now.values()]
        layers.append(plots.bars(places, [m for m, _ in values], label, color, width=0.34))
        layers.append(whiskers(places, [(m - se, m + se) for m, se in values], plots.INK))
    ticks = list(range(len(now)))
    x = plots.axis("", (-0.6, max(len(now), 1) - 0.4), ticks=ticks, names=[_short(name) for name in now])
    caption = tr(
        "校准误差 ECE：自信与准确率平均差多少？越低越好；太不自信与太自信一样算错。",
        "Expected calibration error: how far confidence is from accuracy. Lower is better; too timid counts as much as "
        "too sure.",
    )
    return plots.figure("classifier-ece", x, plots.axis("ECE", (0, None)), layers, caption=caption)


def _short(name: str) -> str:
    return {"softmax": "soft", "sigmoid": "sigm", "softplus": "softp", "square": "x²", "sparsemax": "sparse"}.get(
        name, name.replace("taylor", "T").replace("clamped", "C")
    )


def diagram(state: State | None) -> str:
    """Accuracy against confidence, all runs' test samples together; on the diagonal it knows how sure to be."""
    layers = [plots.line([0, 1], [0, 1], tr("完全校准", "calibrated"), plots.GREY, dash=True, width=1)]
    for name, (sure, right) in _answers(state).items():
        count, confidence, accuracy = reliability(sure, right, BINS)
        shown = count >= 10  # a bin of fewer samples says nothing
        layers.append(plots.line(confidence[shown], accuracy[shown], NAMES[name], **STYLES[name]))
    caption = tr(
        "可靠性图：在对角线上方是不够自信，下方是过度自信（每箱至少 10 个样本）。",
        "Reliability: above the diagonal too timid, below it too sure (bins of at least 10 samples).",
    )
    axes = plots.axis(tr("自信", "confidence"), (0, 1)), plots.axis(tr("准确率", "accuracy"), (0, 1.02))
    return plots.figure("classifier-reliability", *axes, layers, caption=caption, aspect=0.8)


def histogram(state: State | None) -> str:
    """How the confidences of all runs' test samples are spread."""
    layers, middles = [], (np.arange(HISTOGRAM) + 0.5) / HISTOGRAM
    for name, (sure, _) in _answers(state).items():
        shares = torch.histc(sure, HISTOGRAM, 0, 1) / len(sure)
        layers.append(
            plots.line(
                middles, [math.log10(s) if s > 0 else math.nan for s in shares.tolist()], NAMES[name], **STYLES[name]
            )
        )
    caption = tr(
        "自信的分布（每箱占样本的份额，对数）：谁堆在 1 附近，谁几乎没有十拿九稳的？",
        "How confidence is spread (share of samples in each bin, log): who piles up near 1, and who hardly gets there?",
    )
    y = plots.axis(tr("份额（对数）", "share (log)"), log=True)
    return plots.figure(
        "classifier-confidence", plots.axis(tr("自信", "confidence"), (0, 1)), y, layers, caption=caption, aspect=0.8
    )


def _answers(state: State | None) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Confidence and whether it is right, (runs · N,), by normaliser."""
    if state is None or not state.step:
        return {}
    labels, out = splits(state.settings).test_y, {}
    for name, p in predictions(state.weights, state.settings).items():
        sure, chosen = p.max(-1)
        out[name] = sure.flatten(), (chosen == labels).float().flatten()
    return out


def chance(settings: Classifier) -> float:
    """Accuracy of guessing."""
    return 1 / splits(settings).classes
