"""The figures of the pipes and of one tank's history: results in, figure JSON (shared.plots) out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shared import plots
from shared.i18n import power_of_ten, tr
from spaces.aquarium.pipes import Flows
from spaces.aquarium.sweeps import Sweep
from spaces.aquarium.tank import INDEX, Run
from spaces.aquarium.water import LIMITS

LAYOUT_NAMES = {"h_tree": tr("同程（H 形树）", "same path (H-tree)"), "comb": tr("梳形", "comb")}
LAYOUT_COLOURS = {"h_tree": plots.COUNTER, "comb": plots.ACCENT}
KNOB_NAMES = {
    "inlet_mm": tr("进水孔直径（mm）", "inlet hole (mm)"),
    "flow": tr("水泵流量（L/h）", "the pump's flow (L/h)"),
    "trunk_mm": tr("主管内径（mm）", "trunk's inner diameter (mm)"),
    "taper": tr("逐级缩径比", "taper from level to level"),
}
DAY = tr("天", "day")
SMALLEST = 1e-4
"""Coefficients of variation below this are drawn at it: zero has no logarithm."""


# ---- pipes


def inlets(this: Flows, other: Flows | None = None, names: Sequence[str] = ("", "")) -> str:
    """What each inlet draws, as a share of the mean: one network, and another beside it (inlets sorted in both)."""
    layers = [plots.rule("hline", 100, tr("平均", "mean"), dash=True)]
    for flows, name, colour, shift in ((this, names[0], plots.COUNTER, -0.2), (other, names[1], plots.ACCENT, 0.2)):
        if flows is not None:
            share = 100 * np.sort(flows.inlet)[::-1] / flows.inlet[flows.open].mean()
            wide = {"width": 0.4, "offset": shift} if other else {}
            layers.append(plots.bars(np.arange(1, len(share) + 1), share, name, colour, **wide))
    return plots.figure(
        "aquarium-inlets",
        plots.axis(tr("进水口（由多到少）", "inlet (most to least)"), whole=True),
        plots.axis(tr("流量（平均的 %）", "flow (% of the mean)"), (0, None)),
        layers,
        caption=tr(
            "每个进水口吸多少水：同程时一样高，梳形离水泵近的吸得多。",
            "What each inlet draws: level where all paths are equal; in a comb those near the pump take more.",
        ),
        aspect=0.5,
    )


def evenness(swept: Sweep) -> str:
    """log10 of the coefficient of variation of both layouts against one knob; what is below SMALLEST as zero."""
    largest = max(float(cv.max()) for cv in swept.variation.values())
    bottom, top = round(np.log10(SMALLEST)), max(0, int(np.ceil(np.log10(max(largest, SMALLEST)))))
    powers = range(bottom, top + 1)
    ticks = {"ticks": [*powers], "names": ["0", *(power_of_ten(p) for p in powers[1:])]}
    return _swept(
        swept,
        "aquarium-evenness",
        {kind: np.log10(np.maximum(cv, SMALLEST)) for kind, cv in swept.variation.items()},
        plots.axis(tr("流量变异系数", "variation of flow"), (bottom - 0.15, top + 0.1), log=True, **ticks),
        tr(
            "变异系数越低越均匀（都不堵时）。同程不论怎么拧都是 0；梳形要靠小孔（也就是更大的吸力）才均匀。",
            "Coefficient of variation with nothing clogged: lower is more even. Equal paths stay at 0; a comb gets "
            "even by small holes, that is by suction.",
        ),
    )


def suction(swept: Sweep) -> str:
    """log10 of what the pump must pull, Pa, of both layouts against one knob."""
    return _swept(
        swept,
        "aquarium-suction",
        {kind: np.log10(p) for kind, p in swept.suction.items()},
        plots.axis(tr("吸力（Pa）", "suction (Pa)"), log=True),
        tr(
            "均匀的代价：孔越小，水泵越吃力（98 Pa 是 1 厘米水柱）。",
            "The price of evenness: the smaller the holes, the harder the pump works (98 Pa are 1 cm of water).",
        ),
    )


def _swept(swept: Sweep, name: str, lines: dict[str, np.ndarray], y: dict, caption: str) -> str:
    logarithmic = swept.name != "taper"
    x = np.log10(swept.values) if logarithmic else swept.values
    ticks = decades(swept.values) if logarithmic else {}
    layers = [plots.line(x, v, LAYOUT_NAMES[k], LAYOUT_COLOURS[k], width=2.5) for k, v in lines.items()]
    return plots.figure(name, plots.axis(KNOB_NAMES[swept.name], **ticks), y, layers, caption=caption, aspect=0.5)


def decades(values: np.ndarray, few: bool = False) -> dict:
    """Ticks at 1, 2, 5 (few: 1 alone) and their multiples by ten, for values drawn by their logarithm."""
    marks = [
        m * 10.0**e
        for e in range(-9, 7)
        for m in ((1,) if few else (1, 2, 5))
        if values[0] <= m * 10.0**e <= values[-1] * 1.0001
    ]
    return {"ticks": [float(np.log10(m)) for m in marks], "names": [f"{m:g}" for m in marks]}


# ---- one tank

SERIES = {  # name → (label, colour)
    "tan": (tr("总氨 TAN", "total ammonia TAN"), plots.INK),
    "no2": (tr("亚硝酸盐 NO₂", "nitrite NO₂"), plots.ACCENT),
    "no3": (tr("硝酸盐 NO₃", "nitrate NO₃"), plots.COUNTER),
}


def cycle(run: Run) -> str:
    """Ammonia and nitrite of the open water, day by day, with what the keeper did."""
    lines = [plots.line(run.day, getattr(run, n), SERIES[n][0], SERIES[n][1], width=2.5) for n in ("tan", "no2")]
    limit = plots.rule("hline", LIMITS["no2"].harm, tr("亚硝酸盐有害", "nitrite harms"), plots.ACCENT, dash=True)
    caption = tr(
        "新缸的循环：氨先升后降，亚硝酸盐随后，再后只剩硝酸盐。这是我们的模型，文章没有测量。",
        "The cycle of a new tank: ammonia rises and falls, then nitrite; nitrate is what remains. Our model: the "
        "article measured nothing.",
    )
    y = plots.axis(tr("浓度（mg N/L）", "concentration (mg N/L)"), (0, None))
    return _daily(run, "cycle", y, [limit, *lines], caption, 0.62)


def nitrate(run: Run) -> str:
    """Nitrate of the open water with its limits."""
    limit = LIMITS["no3"]
    layers = [
        plots.rule("hline", limit.caution, tr("该换水（50 mg NO₃/L）", "water due (50 mg NO₃/L)"), dash=True),
        plots.rule("hline", limit.harm, tr("有害", "harm"), plots.ACCENT, dash=True),
        plots.line(run.day, run.no3, SERIES["no3"][0], plots.COUNTER, width=2.5),
    ]
    caption = tr(
        "硝酸盐只进不出，除非换水、水草吃掉、或床底缺氧反硝化。",
        "Nitrate only piles up, but for changed water, plants, and denitrification where the bed lacks oxygen.",
    )
    y = plots.axis(tr("硝酸盐（mg N/L）", "nitrate (mg N/L)"), (0, None))
    return _daily(run, "nitrate", y, layers, caption)


def danger(run: Run) -> str:
    """log10 of un-ionised ammonia and nitrite over their limits of harm: above 1 fish are harmed."""
    names = {"nh3": plots.INK, "no2": plots.ACCENT}
    lines = [
        plots.line(run.day, _log_over(run.concentration(n) / LIMITS[n].harm), LIMITS[n].name, colour, width=2.5)
        for n, colour in names.items()
    ]
    caption = tr(
        f"pH {run.tank.ph:g}、{run.tank.temperature:g} °C 下，氨里有毒的非离子氨，和亚硝酸盐：越过横线就伤鱼。",
        f"Un-ionised ammonia at pH {run.tank.ph:g} and {run.tank.temperature:g} °C, and nitrite: above the line "
        "fish are harmed.",
    )
    limit = plots.rule("hline", 0, tr("以上伤鱼", "above: fish are harmed"), plots.ACCENT)
    y = plots.axis(tr("浓度 ÷ 有害限值", "÷ limit of harm"), (-3, None), log=True)
    return _daily(run, "danger", y, [limit, *lines], caption)


def oxygen(run: Run) -> str:
    """Oxygen in the open water and between the grains."""
    lines = [
        plots.line(run.day, run.oxygen, tr("缸水", "open water"), plots.COUNTER, width=2.5),
        plots.line(run.day, run.bed_oxygen, tr("陶粒之间", "between the grains"), plots.GREY, width=2.5),
    ]
    caption = tr(
        "停泵后床里的氧低下去：硝化慢了，反硝化却开始了。文章里的龟、斗鱼、泥鳅都会呼吸空气。",
        "Without a pump the bed's oxygen sinks: nitrification slows, denitrification begins. The article's "
        "turtles, paradise fish and loaches all breathe air.",
    )
    y = plots.axis(tr("溶氧（mg/L）", "oxygen (mg/L)"), (0, 1.2 * float(run.oxygen.max())))
    return _daily(run, "oxygen", y, lines, caption)


def _daily(run: Run, name: str, y: dict, layers: list[dict], caption: str, aspect: float = 0.5) -> str:
    """Something of a tank against days, under what the keeper did."""
    x = plots.axis(DAY, (0, run.tank.days))
    return plots.figure(f"aquarium-{name}", x, y, [*_done(run), *layers], caption=caption, aspect=aspect)


DESTINATIONS = {  # name → (label, pools or entries of the ledger)
    "water": (tr("水里", "in the water"), ("tan", "no2", "no3", "bed_tan", "bed_no2", "bed_no3")),
    "animals": (tr("动物", "animals"), ("animals",)),
    "plants": (tr("水草", "plants"), ("plants",)),
    "trimmed": (tr("剪掉的草", "trimmings"), ("trimmed",)),
    "changed_water": (tr("换走的水", "changed water"), ("changed_water",)),
    "denitrified": (tr("氮气", "N₂"), ("denitrified",)),
    "volatilised": (tr("氨气", "NH₃ gas"), ("volatilised",)),
    "rest": (tr("残渣与细菌", "waste, bacteria"), ("waste", "aob", "nob", "bed_aob", "bed_nob")),
    "carried_out": (tr("搬走的", "carried out"), ("carried_out",)),
}


def destinations(run: Run) -> dict[str, float]:
    """mg N by where it is or went at the end; the sum is all that ever came."""
    at_end = {name: float(run.pools[i, -1]) for name, i in INDEX.items()} | run.ledger
    return {name: sum(at_end[part] for part in parts) for name, (_, parts) in DESTINATIONS.items()}


def balance(run: Run) -> str:
    """Where all the nitrogen is at the end, mg."""
    sums = {name: mass for name, mass in destinations(run).items() if mass > 0}
    named = [(DESTINATIONS[name][0], mass) for name, mass in sums.items()]
    return plots.figure(
        "aquarium-balance",
        plots.axis(tr("氮（mg）", "nitrogen (mg)"), (0, None)),
        plots.axis("", (0.5, len(sums) + 0.8), ticks=[], names=[]),
        rows(named, 0.0, plots.COUNTER),
        caption=tr(
            f"进来的每一毫克氮，最后一天在哪里：账目的相对误差{_power(run.imbalance, 'zh')}。",
            f"Where every mg of nitrogen is on the last day: the books are off by {_power(run.imbalance, 'en')} of it.",
        ),
        aspect=0.72,
    )


def rows(named: Sequence[tuple[str, float]], left: float, colour: str) -> list[dict]:
    """Bars that lie below their names, the first at the top; the pointer and the CSV get the numbers by name."""
    layers = []
    for row, (name, value) in zip(range(len(named), 0, -1), named, strict=True):
        layers.append(plots.line([0, value], [row - 0.2] * 2, "", colour, width=5))
        layers.append(plots.texts([left], [row - 0.02], [name], plots.INK))
        layers.append(plots.line([0], [value], name, hidden=True))
    return layers


def _power(imbalance: float, language: str) -> str:
    """A relative error as a bound by a power of ten."""
    if not imbalance:
        return "为 0" if language == "zh" else "nothing"
    bound = power_of_ten(np.ceil(np.log10(abs(imbalance))))
    return f"不到 {bound}" if language == "zh" else f"less than {bound}"


def _done(run: Run) -> list[dict]:
    """What the keeper did, as lines: fish in, something removed, water changed (unnamed after the first)."""
    tank, marks = run.tank, []
    for i, day in enumerate(run.renewed[:20]):
        marks.append(plots.rule("vline", day, tr("换水", "water") if i == 0 else "", dash=True))
    if tank.stocking_day:
        marks.append(plots.rule("vline", tank.stocking_day, tr("放鱼", "fish in"), plots.COUNTER))
    if tank.removed != "none":
        marks.append(plots.rule("vline", tank.removal_day, REMOVED_NAMES[tank.removed], plots.ACCENT))
    return marks


REMOVED_NAMES = {
    "pump": tr("撤水泵", "pump out"),
    "ceramsite": tr("撤陶粒", "ceramsite out"),
    "plants": tr("撤水草", "plants out"),
}


def _log_over(ratio: np.ndarray) -> np.ndarray:
    return np.log10(np.maximum(ratio, 1e-6))
