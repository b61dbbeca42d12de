"""The figures of the flow: results in, figure JSON (shared.plots) out, at most POINTS points a line.

Norms are drawn as logarithms to base 10; an exact zero or a run that exploded is a gap, and a note says which.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from shared import plots
from shared.i18n import number, pick, power_of_ten, tr
from spaces.gradient_flow.flow import CellFlow, FlowResult
from spaces.gradient_flow.race_figures import NAMES, STYLES

POINTS = 300
FLOAT32 = (-45, 38)  # log10 of what float32 can hold
PARTS = {  # part of the ledger, gate or attention → (name, colour)
    "carry": (tr("直通（遗忘门）", "carried (forget gate)"), plots.COUNTER),
    "input": (tr("输入门", "input gate"), "class-2"),
    "forget": (tr("遗忘门", "forget gate"), "class-3"),
    "candidate": (tr("候选", "candidate"), plots.ACCENT),
    "output": (tr("输出门", "output gate"), "class-5"),
    "reset": (tr("重置门 r", "reset gate r"), "class-5"),
    "update": (tr("更新门 z", "update gate z"), "class-3"),
    "attention": (tr("注意力权重", "attention weight"), "class-4"),
    "total": (tr("全部", "all"), plots.INK),
}
SYMBOLS = {"total": "J", "carry": "D", "candidate": "ĉ", "reset": "r", "update": "z"}
LAG = tr("往回的步数 T − t", "steps back T − t")
STEP = tr("步 t", "step t")


def flow_figure(result: FlowResult, against: str = "lag", spectral: bool = False, steps: Sequence[dict] = ()) -> str:
    """All cells' log-norms against the lag T − t or ("t") the step t, with the predicted lines.

    `steps` are hidden lines that the pointer tells of, from `step_lines`.
    """
    layers, notes = [], []
    for name, cell in result.cells.items():
        norms = cell.spectral if spectral and cell.spectral is not None else cell.log10
        layers.append(plots.line(*thinned(axis_of(norms, against), norms), NAMES[name], width=2.5, **STYLES[name]))
        if (guess := _predicted(cell, norms)) is not None:
            look = {"color": STYLES[name]["color"], "dash": True, "width": 1}
            layers.append(plots.line(*thinned(axis_of(norms, against), guess), **look))
        notes += _notes(cell)
    layers += _limits(layers) + [*steps] + _stacked(notes, axis_of(next(iter(result.cells.values())).log10, against))
    return plots.figure(
        "gradient-flow",
        plots.axis(LAG if against == "lag" else STEP),
        plots.axis(tr("‖∂s_T/∂s_t‖（对数）", "‖∂s_T/∂s_t‖ (log)"), log=True),
        layers,
        caption=_flow_caption(result),
    )


def step_lines(name: str, cell: CellFlow | None, terms: Mapping[int, Mapping[str, float]]) -> list[dict]:
    """Of one cell, for the pointer on a chart by lag: the gates' means, and the norms of the terms of steps {t: …}."""
    zh, en = (pick(NAMES[name], language) for language in ("zh", "en"))
    lines = []
    for gate, mean in _named(cell.gates) if cell else ():
        label = tr(f"{zh} 的门 {symbol(gate)}", f"{en}, gate {symbol(gate)}")
        lines.append(plots.line(*thinned(axis_of(cell.log10, "lag"), mean), label, hidden=True))
    lags, parts = [max(terms) - t + 1 for t in terms], next(iter(terms.values()))
    for part in parts:
        label = tr(f"{zh} 这一步 ‖{symbol(part)}‖", f"{en}, this step ‖{symbol(part)}‖")
        lines.append(plots.line(lags, [term[part] for term in terms.values()], label, hidden=True))
    return lines


def symbol(part: str) -> str:
    """A gate or a part of the ledger as formulas write it: i, f, o are first letters."""
    return SYMBOLS.get(part, part[0])


def axis_of(values: np.ndarray, against: str) -> np.ndarray:
    t = np.arange(len(values))
    return len(values) - t if against == "lag" else t


def thinned(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """Every so many entries, the last one (the shortest lag) among them."""
    stride = -(-len(arrays[0]) // POINTS)
    return tuple(a[(len(a) - 1) % stride :: stride] for a in arrays)


def _predicted(cell: CellFlow, norms: np.ndarray) -> np.ndarray | None:
    """The straight line of the predicted rate, from the last step's norm on."""
    if cell.predicted_rate is None or not math.isfinite(cell.predicted_rate) or not math.isfinite(norms[-1]):
        return None
    return norms[-1] + cell.predicted_rate * (len(norms) - 1 - np.arange(len(norms)))


def _limits(layers: Sequence[dict]) -> list[dict]:
    """Where float32 would end, if a line comes near."""
    values = [v for layer in layers for v in layer["y"] if v is not None]
    texts = tr("float32 在此归零", "float32 ends in zero"), tr("float32 在此溢出", "float32 overflows")
    low, high = FLOAT32
    reached = [min(values, default=0) < low, max(values, default=0) > high]
    return [plots.rule("hline", at, text) for at, text, yes in zip(FLOAT32, texts, reached, strict=True) if yes]


def _notes(cell: CellFlow) -> list[str]:
    zh, en = pick(NAMES[cell.name], "zh"), pick(NAMES[cell.name], "en")
    if cell.exploded is not None:
        step = cell.exploded
        return [tr(f"{zh}：前向在第 {step} 步溢出（爆炸）", f"{en}: exploded, the run overflows at step {step}")]
    zero = np.flatnonzero(np.isneginf(cell.log10))
    if not len(zero):
        return []
    lag = len(cell.log10) - zero[-1]
    return [tr(f"{zh}：往回 {lag} 步起恰为 0", f"{en}: exactly zero from {lag} steps back")]


def _stacked(notes: Sequence[str], x: np.ndarray) -> list[dict]:
    """Notes as points that the legend names: they have no place among the lines."""
    return [plots.points([], [], note, plots.GREY) for note in notes]


def _flow_caption(result: FlowResult) -> str:
    lives = [(NAMES[name], cell) for name, cell in result.cells.items()]
    zh = "；".join(f"{pick(n, 'zh')} {_life(c, 'zh')}" for n, c in lives)
    en = "; ".join(f"{pick(n, 'en')} {_life(c, 'en')}" for n, c in lives)
    return tr(
        f"线往下走就是消失，往上走就是爆炸。半衰期——{zh}。细虚线：只按遗忘偏置（或谱半径）的预测。",
        f"Falling lines vanish, rising ones explode. Half-life: {en}. Thin and dashed: predicted from the forget bias "
        "(or the spectral radius) alone.",
    )


def _life(cell: CellFlow, language: str) -> str:
    life, zh = cell.half_life, language == "zh"
    if math.isnan(life):
        return "爆炸" if zh else "exploded"
    if cell.regime == "stable":
        return "保持" if zh else "stays"
    if math.isinf(life):
        steps = number(math.log10(2) / cell.rate, 1)
        return f"每 {steps} 步翻倍" if zh else f"doubles every {steps} steps"
    return f"{number(life, 1)} 步" if zh else f"{number(life, 1)} steps"


def gates_figure(cell: CellFlow) -> str:
    """The gates' means along the run: what hovering a step shows."""
    x = np.arange(1, len(cell.log10) + 1)
    layers = [plots.line(*thinned(x, mean), *PARTS[gate]) for gate, mean in _named(cell.gates)]
    return plots.figure(
        f"gradient-flow-gates-{cell.name}",
        plots.axis(STEP),
        plots.axis(tr("各单元的平均", "mean over the units")),
        layers,
        caption=tr(
            "指着一步，看那一步各门开了多少：遗忘门（GRU 里是 1 − z）决定直通的那一份。",
            "Point at a step to see how far each gate is open there: the forget gate (1 − z in a GRU) decides what is "
            "carried.",
        ),
        aspect=0.4,
    )


def _named(gates: dict[str, np.ndarray]):
    return ((gate, mean) for gate, mean in gates.items() if gate in PARTS)


def terms_figure(name: str, t: int, terms: dict[str, float]) -> str:
    """One step taken apart: the norms of the terms of ∂s_t/∂s_{t−1}, from ledger.terms."""
    order, symbols = list(terms), [symbol(part) for part in terms]
    zh, en = pick(NAMES[name], "zh"), pick(NAMES[name], "en")
    return plots.figure(
        f"gradient-flow-step-{name}",
        plots.axis("", (-0.6, len(order) - 0.4), ticks=list(range(len(order))), names=symbols),
        plots.axis(tr("Frobenius 范数", "Frobenius norm"), (0, None)),
        [plots.bars([i], [terms[part]], PARTS[part][0], PARTS[part][1]) for i, part in enumerate(order)],
        caption=tr(
            f"{zh}，第 {t} 步：∂s_t/∂s_t₋₁ 是这几项之和，各项的范数有多大？",
            f"Step {t} of {en}: ∂s_t/∂s_t₋₁ is the sum of these terms; how large is each?",
        ),
        aspect=0.4,
    )


def power(log10: float) -> str:
    return "—" if not math.isfinite(log10) else f"{10.0**log10:.2g}" if abs(log10) < 4 else power_of_ten(log10)


def clipping_figure(result: FlowResult) -> str:
    """By how many degrees clipping by value would turn each cell's gradient; by norm it is none."""
    cells = [c for c in result.cells.values() if c.clipping is not None]
    change = [(NAMES[c.name], f"{power(c.clipping.before)} → {power(c.clipping.after)}") for c in cells]
    zh, en = (", ".join(f"{pick(name, language)} {c}" for name, c in change) for language in ("zh", "en"))
    zh = zh.replace(", ", "，")
    bars = [plots.bars([i], [c.clipping.turned], NAMES[c.name], STYLES[c.name]["color"]) for i, c in enumerate(cells)]
    return plots.figure(
        "gradient-flow-clipping",
        plots.axis("", (-0.6, len(cells) - 0.4), ticks=list(range(len(cells))), names=[NAMES[c.name] for c in cells]),
        plots.axis(tr("按值裁剪转过的角度（度）", "turn by clipping values (degrees)"), (0, 90)),
        bars,
        caption=tr(
            f"按范数裁剪后 ‖∂L/∂θ‖：{zh}，方向不变（0 度）；若改为按值裁剪到同样的范数，方向会转过图中的角度。",
            f"‖∂L/∂θ‖ clipped by norm: {en}, its direction kept (0 degrees); clipping values down to the same norm "
            "would turn it by the angles shown.",
        ),
        aspect=0.4,
    )
