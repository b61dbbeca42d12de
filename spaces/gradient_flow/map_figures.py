"""The figures of the map: results in, figure JSON (shared.plots) out."""

from __future__ import annotations

import numpy as np

from shared import plots
from shared.i18n import pick, tr
from spaces.gradient_flow.race_figures import NAMES
from spaces.gradient_flow.regimes import Regimes, Sweep

SETTINGS = {
    "spectral_radius": tr("谱半径", "spectral radius"),
    "gain": tr("U 的增益", "gain of U"),
    "forget_bias": tr("遗忘偏置", "forget bias"),
    "offset": tr("候选的偏移", "offset of the candidate"),
    "input_scale": tr("输入尺度", "input scale"),
}


def map_figure(found: Regimes) -> str:
    """The map: red vanishes, teal explodes, paper stays; a point under the pointer tells its half-life."""
    x, y = found.map.axis("across"), found.map.axis("up")
    with np.errstate(divide="ignore"):
        lives = np.log10(found.half_life)
    unnamed = found.regime == ""
    exploded = (found.regime == "explode") & np.isnan(found.rate)
    speed = np.where(exploded, np.inf, found.rate) * 100
    shade = np.where(unnamed, np.nan, np.sign(speed) * np.log10(1 + np.minimum(np.abs(speed), 1e6)))
    zh, en = pick(NAMES[found.map.cell], "zh"), pick(NAMES[found.map.cell], "en")
    layers = [
        plots.cells(x, y, lives, tr("log10 半衰期（步）", "log10 of the half-life (steps)"), (0, 3), opacity=0),
        plots.cells(x, y, shade, tr("±log10(1 + 每百步数量级)", "±log10(1 + decades per 100 steps)"), (-2, 2)),
    ]
    return plots.figure(
        f"gradient-flow-map-{found.map.cell}",
        plots.axis(SETTINGS[found.map.across]),
        plots.axis(SETTINGS[found.map.up]),
        layers,
        caption=tr(
            f"{zh}：红色处梯度消失，青色处爆炸，纸色处保持；都是量出来的。点一下，就到“流”里看那一点。",
            f"{en}: gradients vanish where it is red, explode where it is teal and stay where it is paper, all "
            "measured. Click a point to see its flow.",
        ),
        aspect=0.72,
    )


def bias_figure(found: Sweep) -> str:
    """Half-lives against the forget bias: predicted from the bias, from the gates met, and measured."""
    lines = {
        tr("预测：只按偏置 σ(b)", "predicted: by σ(b) alone"): (found.predicted, {"color": plots.GREY, "dash": True}),
        tr("按实际遇到的门", "by the gates met"): (found.by_the_gates, {"color": plots.COUNTER}),
        tr("量得", "measured"): (found.measured, {"color": plots.ACCENT, "width": 2.5}),
    }
    with np.errstate(divide="ignore"):
        layers = [plots.line(found.bias, np.log10(values), name, **look) for name, (values, look) in lines.items()]
    return plots.figure(
        f"gradient-flow-bias-{found.name}",
        plots.axis(SETTINGS["forget_bias"], (found.bias[0], found.bias[-1])),
        plots.axis(tr("半衰期（步，对数）", "half-life (steps, log)"), log=True),
        layers,
        caption=_bias_caption(found),
    )


def _bias_caption(found: Sweep) -> str:
    zh, en = pick(NAMES[found.name], "zh"), pick(NAMES[found.name], "en")
    known = np.isfinite(found.measured) & np.isfinite(found.predicted)
    if not known.any():
        return tr(f"{zh}：半衰期随遗忘偏置的变化。", f"{en}: half-life against the forget bias.")
    longer = float(np.median(found.measured[known] / found.predicted[known]))
    zh_ratio, en_ratio = ("长", "longer") if longer > 1 else ("短", "shorter")
    times = longer if longer > 1 else 1 / longer
    return tr(
        f"{zh}：量得的比只按偏置预测的{zh_ratio}，约 {times:.1f} 倍（中位数）：还有经门和候选的路径。"
        "线断处，这段长度里没有衰减。",
        f"{en}: what is measured is {en_ratio} than what the bias alone predicts, some {times:.1f} × (median), for "
        "there are paths through gates and candidate too. Where the line ends, nothing is lost over this length.",
    )
