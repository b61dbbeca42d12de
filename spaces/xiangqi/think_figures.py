"""The figures of "See it think": curves along the game, attention by ply, the probe's report, the recitation line.

Pure functions: data in, JSON of `shared.plots` out. faithful is drawn in the accent colour, sighted in the other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from shared import plots
from shared.i18n import tr
from spaces.xiangqi.fade import Attention
from spaces.xiangqi.voices import MODELS, Saying

COLOURS = {"faithful": "accent", "sighted": "counter"}
PLY = tr("着数（已走）", "plies made")
HERE, LINE = tr("这里", "here"), tr("背谱线", "recitation line")
ENTROPY = tr("熵（比特，仅合法着法）", "entropy (bits, legal moves only)")
FAINT_TO_FULL = (-1.8, -0.3)
"""log₁₀ of a share; the colour begins halfway, at 1.6 %."""
Said = Mapping[str, Mapping[int, Saying]]


def _along(name: str, label: str, caption: str, said: Said, value, at: int, last: int, left: int | None = None,
           **axis) -> str:
    """A curve for each model along the game, of value(saying, ply); left: the plies before the recitation line."""
    layers = [plots.line(range(last + 1), [value(said[model][ply], ply) if ply in said[model] else math.nan
                                           for ply in range(last + 1)], model, COLOURS[model]) for model in MODELS]
    if left is not None:
        layers.append(plots.rule("vline", left + 0.5, LINE, "accent"))
    layers.append(plots.rule("vline", at, HERE if left is None else "", "ink", dash=True))  # no label on another
    return plots.figure(name, plots.axis(PLY, (0, max(last, 1)), whole=True), plots.axis(label, **axis), layers,
                        caption=caption, aspect=0.5)


def illegal_curve(said: Said, at: int, last: int) -> str:
    return _along("illegal", tr("不合规则的概率（%）", "probability on illegal moves (%)"), tr(
        "各着之前，模型把多少概率放在不合规则的着法上。点曲线，跳到那一着。",
        "How much probability each model puts on illegal moves, before every ply. Click the curve to go there."),
        said, lambda one, ply: 100 * one.illegal_mass, at, last, range=(0, None))


def entropy_curve(said: Said, at: int, last: int) -> str:
    return _along("entropy", ENTROPY, tr(
        "有多拿不准：1 比特等于在两着之间掷硬币，3 比特等于八着。",
        "How undecided it is: 1 bit is a coin between two moves, 3 bits are eight moves."),
        said, lambda one, ply: one.entropy, at, last, range=(0, None))


def rank_curve(said: Said, line: Sequence[int], at: int, last: int) -> str:
    return _along("rank", tr("实际着法的名次", "rank of the move played"), tr(
        "实际走的那一着在模型的合法着法里排第几（1 是首选）。",
        "Where the move that was played stands among the model's legal moves (1 is its favourite)."),
        said, lambda one, ply: one.rank(line[ply]) if ply < len(line) else math.nan, at, last,
        range=(0, None), whole=True)


# ---- attention


def heads(model: str, seen: Attention, chosen: int) -> str:
    """Every head's shares: a row for each, the mean of all at the bottom."""
    rows = [seen.head(number).clamp(min=1e-9).log10().tolist() for number in range(seen.rows + 1)]
    plies = range(seen.shares.shape[-1])
    every = max(1, -(-seen.rows // 9))
    ticks = [0, *range(1, seen.rows + 1, every)]
    names = [tr("平均", "mean") if number == 0 else seen.name(number) for number in ticks]
    label = tr("份额（log₁₀）", "share (log₁₀)")
    return plots.figure(
        f"attention-{model}", plots.axis(tr("第几着（0：开局之前）", "ply (0: before the first)"), whole=True),
        plots.axis(tr("层.头", "layer.head"), ticks=ticks, names=names),
        [plots.cells(plies, range(len(rows)), rows, label, FAINT_TO_FULL, low="surface", high=COLOURS[model]),
         plots.rule("hline", chosen, "", "ink", dash=True)],
        caption=tr(f"{model} 的每个头看向哪一着；点一行，棋盘上就画这个头。",
                   f"Which ply each head of {model} looks at. Click a row to put that head on the board."), aspect=0.62)


def attention_bars(seen: Mapping[str, Attention], chosen: Mapping[str, int]) -> str:
    """The chosen heads' shares by ply."""
    layers = []
    for model, offset in zip(MODELS, (-0.21, 0.21), strict=True):
        shares = [100 * share for share in seen[model].head(chosen[model]).tolist()]
        layers.append(plots.bars(range(len(shares)), shares, model, COLOURS[model], width=0.4, offset=offset))
    return plots.figure(
        "attention-by-ply", plots.axis(tr("第几着（0：开局之前）", "ply (0: before the first)"), whole=True),
        plots.axis(tr("注意力份额（%）", "share of attention (%)"), (0, None)), layers,
        caption=tr("所选的头各把多少注意力给了哪一着；0 是开头的占位符或开局局面，注意力没处放时常停在那里。",
                   "How much attention the chosen heads give to each ply. 0 is the padding before the text, or the "
                   "first position: attention often rests there when it has nowhere to go."), aspect=0.34)


# ---- the believed board


def game_accuracy(right: Sequence[int], at: int) -> str:
    """Squares that the probe reads rightly after each ply of the game under study."""
    return plots.figure(
        "belief-game", plots.axis(PLY, (0, max(len(right), 1)), whole=True),
        plots.axis(tr("读对的格（共 90）", "squares right (of 90)"), (None, 90)),
        [plots.line(range(1, len(right) + 1), right, "faithful", COLOURS["faithful"]),
         plots.rule("vline", at, HERE, "ink", dash=True)],
        caption=tr("这一局：每着之后，从隐状态读出的棋盘对了几格。点曲线，跳到那一着。",
                   "This game: how many squares the board read from the hidden state has right. Click to go there."),
        aspect=0.5)


PROBES = {"probe": (tr("探针", "probe"), "accent", {}),
          "untrained": (tr("同样的探针，随机权重的模型", "same probe, model with random weights"), "counter", {}),
          "common": (tr("只说该格此时最常见的子", "always the commonest piece"), "grey", {"dash": True})}


def report_curve(report: Mapping, key: str) -> str:
    """`accuracy` or `unusual` by ply on games that no model met."""
    label, caption = {
        "accuracy": (tr("读对的格（%）", "squares right (%)"), tr(
            f"{report['held_out']} 局未见过的棋：全部 90 格。灰线不看棋谱也能做到，要比的是高出它多少。",
            f"{report['held_out']} unseen games, all 90 squares. The grey line needs no game at all: what counts is "
            "the distance from it.")),
        "unusual": (tr("读对的格（%）", "squares right (%)"), tr(
            "只数灰线猜错的格（多是走动过的子）：这里才看得出模型是否在记棋。",
            "Only the squares on which the grey line errs, mostly of pieces that moved: here it shows whether the "
            "model keeps track.")),
    }[key]
    layers = []
    for name, (title, colour, options) in PROBES.items():
        values = report[name]["by_ply"][key]
        if key == "unusual" and name == "common":
            continue
        layers.append(plots.line(range(1, len(values) + 1), [math.nan if v is None else 100 * v for v in values],
                                 title, colour, **options))
    low = None if key == "accuracy" else 0
    return plots.figure(f"belief-{key}", plots.axis(PLY, whole=True), plots.axis(label, (low, 100)), layers,
                        caption=caption, aspect=0.5)


# ---- the recitation line


def openings_bars(counts: Sequence[int], left: int, at: int) -> str:
    """How many training games began so far, on a log axis."""
    logs = [math.log10(n) if n else math.nan for n in counts]
    layers = [plots.bars(range(1, len(counts) + 1), logs, tr("训练对局", "training games"), "counter"),
              plots.rule("vline", left + 0.5, LINE, "accent")]
    if at != left:
        layers.append(plots.rule("vline", at, "", "ink", dash=True))
    return plots.figure(
        "openings", plots.axis(PLY, (0, max(len(counts), 1) + 0.6), whole=True),
        plots.axis(tr("这样开局的训练对局", "training games that began so"), (0, 4.4), log=True, ticks=[0, 1, 2, 3, 4]),
        layers, caption=tr("训练集中有多少局（含左右镜像）与这一局开头相同；少于两局就算离谱。",
                           "How many training games, or their mirror images, began like this one; fewer than two: "
                           "out of book."), aspect=0.5)


def entropy_with_line(said: Said, left: int, at: int, last: int) -> str:
    """Entropy along the game, with the line."""
    return _along("entropy-line", ENTROPY, tr(
        "这一局：线的左边是背过的谱，右边要自己想。点曲线，跳到那一着。",
        "This game: left of the line is what was met, right of it the model is on its own. Click to go there."),
        said, lambda one, ply: one.entropy, at, last, left, range=(0, None))


UNITS = {"entropy": (tr("熵（比特）", "entropy (bits)"), 1),
         "top1": (tr("与人一致（%）", "agreement with people (%)"), 100),
         "illegal_mass": (tr("不合规则的概率（%）", "probability on illegal moves (%)"), 100)}


def around_line(measured: Mapping, key: str) -> str:
    """A figure around the line, averaged over validation games, with its 95 % band."""
    label, unit = UNITS[key]
    layers = []
    for model in MODELS:
        part = measured["around"][model]
        mean, error = ([unit * v for v in part[key][name]] for name in ("mean", "error"))
        low, high = ([m + side * 1.96 * e for m, e in zip(mean, error, strict=True)] for side in (-1, 1))
        layers.append(plots.band(part["at"], low, high, COLOURS[model]))
        layers.append(plots.line(part["at"], mean, model, COLOURS[model]))
    layers.append(plots.rule("vline", 0.5, LINE, "ink"))
    return plots.figure(
        f"around-{key}", plots.axis(tr("离背谱线几着", "plies from the recitation line"), whole=True),
        plots.axis(label, (0, None)), layers,
        caption=tr(f"{measured['games']} 局未见过的棋，对齐到各自离谱之处；带子是均值的 95 % 区间。",
                   f"{measured['games']} unseen games, aligned where each leaves the book; bands are 95 % intervals of "
                   "the mean."), aspect=0.5)


def met_and_gone(measured: Mapping, key: str) -> str:
    """The same figure by ply, for games still on the book and games that left it: age apart from novelty."""
    label, unit = UNITS[key]
    layers = []
    for model in MODELS:
        for group, dash, zh, en in (("met", True, "还在谱里", "in book"), ("gone", False, "已离谱", "out of book")):
            part = measured[group][model]
            layers.append(plots.line(part["at"], [unit * v for v in part[key]["mean"]],
                                     tr(f"{model}，{zh}", f"{model}, {en}"), COLOURS[model], dash=dash))
    return plots.figure(
        f"met-{key}", plots.axis(PLY, whole=True), plots.axis(label, (0, None)), layers,
        caption=tr("同一着数，还在谱里的局与已离谱的局：这样就把“离了谱”与“棋下久了”分开。",
                   "At the same ply, games still in book against games out of it: this tells leaving the book from "
                   "growing old."), aspect=0.5)
