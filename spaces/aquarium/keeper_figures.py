"""The figures of the verdict, the fit and the plan: results in, figure JSON (shared.plots) out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np

from shared import plots
from shared.i18n import tr
from spaces.aquarium.figures import DAY, SERIES, decades, rows
from spaces.aquarium.fit import Band, Fit
from spaces.aquarium.parameters import PARAMETERS
from spaces.aquarium.plan import Plan
from spaces.aquarium.readings import SERIES as MEASURED
from spaces.aquarium.verdicts import Judgement, Outcome, chance_level, drivers, vote
from spaces.aquarium.water import LIMITS

TANKS = {  # name → (label, colour)
    "complete": (tr("完整的缸", "complete tank"), plots.INK),
    "pump": (tr("没有水泵", "no pump"), plots.COUNTER),
    "ceramsite": (tr("没有陶粒", "no ceramsite"), plots.ACCENT),
    "plants": (tr("没有水草", "no plants"), "class-4"),
}
EDGE = 1.06
"""The plan's axis over its days: room for the last date, and for ranges that are open."""
LEAD = 10
"""Days before the removal from which tanks are compared: earlier they are one and the same."""
QUANTITIES = {  # name → (label of y, what to see)
    "nh3": (
        tr("非离子氨（mg N/L）", "un-ionised ammonia (mg N/L)"),
        tr(
            "同一口缸，各缺一样：非离子氨越过横线就伤鱼。",
            "One tank, each time without one thing: above the line un-ionised ammonia harms.",
        ),
    ),
    "no2": (
        tr("亚硝酸盐（mg N/L）", "nitrite (mg N/L)"),
        tr(
            "同一口缸，各缺一样：细菌没了家，先冒头的是亚硝酸盐。",
            "One tank, each time without one thing: where bacteria lose their home, nitrite is the first to show it.",
        ),
    ),
    "no3": (
        tr("硝酸盐（mg N/L）", "nitrate (mg N/L)"),
        tr(
            "同一口缸，各缺一样：没有水草，硝酸盐积得更快，水要换得更勤。",
            "One tank, each time without one thing: without plants nitrate piles up faster, so more to change.",
        ),
    ),
    "oxygen": (
        tr("缸水溶氧（mg/L）", "oxygen in the open water (mg/L)"),
        tr(
            "同一口缸，各缺一样：没有水泵，氧只能从水面和水草来。",
            "One tank, each time without one thing: without the pump oxygen comes from surface and plants alone.",
        ),
    ),
}


def comparison(judged: Judgement, quantity: str = "no2") -> str:
    """One quantity in all four tanks against time, and the day from which they are judged."""
    label, caption = QUANTITIES[quantity]
    tank = judged.runs["complete"].tank
    later = judged.runs["pump"].tank.removed != "none"
    first = max(0, tank.removal_day - LEAD) if later else 0
    day = tr("撤去", "taken out") if later else tr("由此判起", "judged from here")
    layers = [plots.rule("vline", tank.removal_day, day, dash=True)]
    if quantity in LIMITS:
        layers.append(plots.rule("hline", LIMITS[quantity].harm, tr("有害", "harm"), plots.ACCENT, dash=True))
    top = LIMITS[quantity].harm if quantity in LIMITS else 0.0
    for name, run in judged.runs.items():
        seen = run.day >= first
        values, wide = run.concentration(quantity)[seen], 5 if name == "complete" else 2.5
        layers.append(plots.line(run.day[seen], values, *TANKS[name], width=wide))
        top = max(top, float(values.max()))
    x, y = plots.axis(DAY, (first, tank.days)), plots.axis(label, (0, 1.15 * top))
    return plots.figure(f"aquarium-{quantity}", x, y, layers, caption=caption, aspect=0.55)


def hazards(outcomes: Sequence[Outcome], quantity: str = "hazard") -> str:
    """Every draw of the parameters as a point: NH₃/nitrite ("hazard") or "nitrate" over its limit, in each tank."""
    layers = [plots.rule("hline", 0, color=plots.ACCENT)]
    for column, (name, (label, colour)) in enumerate(TANKS.items(), start=1):
        over = np.array([getattr(o, quantity)[name] for o in outcomes])
        spread = (np.arange(len(over)) * 0.618034 % 1 - 0.5) * 0.6  # the golden ratio scatters without chance
        layers.append(plots.points(column + spread, np.log10(np.maximum(over, 1e-4)), label, colour, size=3.5))
        if len(over):
            layers.append(plots.line([column - 0.35, column + 0.35], [np.log10(max(np.median(over), 1e-4))] * 2))
    names = [tr("完整", "complete"), tr("无泵", "− pump"), tr("无陶粒", "− grains"), tr("无水草", "− plants")]
    what = tr("氨、亚硝酸盐 ÷ 限值", "NH₃, nitrite ÷ limit")
    if quantity == "nitrate":
        what = tr("硝酸盐 ÷ 限值", "nitrate ÷ limit")
    return plots.figure(
        f"aquarium-{quantity}s",
        plots.axis("", (0.4, 4.6), ticks=[1, 2, 3, 4], names=names),
        plots.axis(what, log=True),
        layers,
        caption=tr(
            "每点是一组可能的参数，横杠是中位数；红线以上有害。结论靠不靠得住，看点落在线的哪一边。",
            "Each point is one plausible set of parameters, the dash their median; above the red line is harm. A "
            "verdict is as firm as the points agree on a side.",
        ),
        aspect=0.62,
    )


def decisive(outcomes: Sequence[Outcome], removed: str) -> str:
    """The parameters that decide how bad the tank without something gets: Spearman's ρ, strongest at the top."""
    ranked = drivers(outcomes, removed)
    chance = min(chance_level(len(outcomes)), 1.0)
    named = [(tr(PARAMETERS[name].zh, PARAMETERS[name].en), rho) for name, rho in ranked]
    layers = [plots.rule("vline", 0), *(plots.rule("vline", side * chance, dash=True) for side in (-1, 1))]
    return plots.figure(
        f"aquarium-decisive-{removed}",
        plots.axis(tr("与风险的秩相关 ρ", "rank correlation ρ with the hazard"), (-1, 1)),
        plots.axis("", (0.4, max(len(ranked), 1) + 0.8), ticks=[], names=[]),
        [*layers, *rows(named, -0.98, TANKS[removed][1])],
        caption=tr(
            "哪些没人量过的参数左右结论：向右更险，向左更稳；虚线之内可能只是偶然。",
            "Which unmeasured parameters decide: to the right for worse, to the left for better; within the dashed "
            "lines it may be chance.",
        ),
        aspect=0.6,
    )


def votes(outcomes: Sequence[Outcome]) -> str:
    """Share of the draws that call pump, ceramsite and plants essential, for ammonia or nitrite and for nitrate."""
    told = vote(outcomes)
    x = np.arange(1, len(told) + 1)
    acute = [100 * v.acute / v.asked if v.asked else np.nan for v in told.values()]
    nitrate = [100 * v.nitrate / v.asked_nitrate if v.asked_nitrate else np.nan for v in told.values()]
    asked, clean = told["pump"].asked, told["pump"].asked_nitrate
    of_acute = tr(f"因氨或亚硝酸盐（{asked} 组）", f"for ammonia or nitrite (of {asked})")
    of_nitrate = tr(f"因硝酸盐（{clean} 组）", f"for nitrate (of {clean})")
    return plots.figure(
        "aquarium-votes",
        plots.axis("", (0.4, 3.6), ticks=x.tolist(), names=[TANKS[name][0] for name in told]),
        plots.axis(tr("说不可或缺（%）", "call it essential (%)"), (0, 100)),
        [
            plots.bars(x, acute, of_acute, plots.ACCENT, width=0.38, offset=-0.2),
            plots.bars(x, nitrate, of_nitrate, plots.GREY, width=0.38, offset=0.2),
        ],
        caption=tr(
            "可能的参数来投票，只问那些完整的缸自身无害的。作者说：泵可有可无，陶粒和水草不可少。",
            "Plausible parameters vote, if their complete tank is itself well. The author: no need of the pump, but of "
            "ceramsite and plants.",
        ),
        aspect=0.5,
    )


# ---- a keeper's own tank


def fitted(fit: Fit, band: Band | None = None) -> str:
    """Readings as points, the fitted model as lines, its 90 % range as bands."""
    layers = []
    for j, name in enumerate(MEASURED):
        label, colour = SERIES[name]
        if band is not None:
            layers.append(plots.band(band.day, band.low[j], band.high[j], colour))
        layers.append(plots.line(fit.run.day, fit.run.concentration(name), label, colour, width=2))
        layers.append(plots.points(fit.readings.day, fit.readings.values[:, j], "", colour, size=4, ring=True))
    return plots.figure(
        "aquarium-fit",
        plots.axis(DAY, (0, fit.tank.days)),
        plots.axis(tr("浓度（mg N/L）", "concentration (mg N/L)"), (0, None)),
        layers,
        caption=tr(
            "点是你的读数，线是拟合的模型，带子是它的不确定范围（90%）。",
            "Points are your readings, lines the fitted model, bands how far it is uncertain (90 %).",
        ),
    )


def estimates(fit: Fit) -> str:
    """Every fitted parameter over its default, with its 95 % interval, on a logarithmic scale."""
    over = [(np.array([e.low, e.value, e.high]) / PARAMETERS[e.name].value, e) for e in fit.estimates]
    low = min(0.4, *(float(r[0]) / 1.2 for r, _ in over))
    high = max(2.5, *(float(r[2]) * 1.2 for r, _ in over))
    layers = [plots.rule("vline", 0, tr("默认值", "default"), dash=True)]
    for row, (ratio, e) in zip(range(len(over), 0, -1), over, strict=True):
        colour = plots.COUNTER if e.determined else plots.GREY
        layers.append(plots.line(np.log10(ratio[[0, 2]]), [row, row], "", colour, width=4))
        layers.append(plots.points([np.log10(ratio[1])], [row], "", colour, size=6, ring=True))
        layers.append(plots.texts([np.log10(low)], [row + 0.16], [tr(PARAMETERS[e.name].zh, PARAMETERS[e.name].en)]))
    return plots.figure(
        "aquarium-estimates",
        plots.axis(
            tr("拟合值 ÷ 默认值", "fitted over default"),
            (np.log10(low), np.log10(high)),
            **decades(np.array([low, high]), few=high / low > 300),
        ),
        plots.axis("", (0.5, len(over) + 1.3), ticks=[], names=[]),
        layers,
        caption=tr(
            "每个参数的 95% 区间；灰色的，你的读数定不下来。",
            "95 % intervals of the parameters; your readings cannot determine the grey ones.",
        ),
        aspect=0.6,
    )


def timeline(plan: Plan, start: date) -> str:
    """The plan's dates with their ranges on one axis of days; a range that is open runs off the figure."""
    days, count = plan.run.tank.days, len(plan.entries)
    end = EDGE * days
    names = [tr("放鱼", "fish") if e.kind == "fish" else tr("换水", "water") for e in plan.entries]
    layers = []
    for row, entry in zip(range(count, 0, -1), plan.entries, strict=True):
        colour = plots.COUNTER if entry.kind == "fish" else plots.ACCENT
        low = (entry.earliest - start).days if entry.earliest else days
        high = (entry.latest - start).days if entry.latest else end
        layers.append(plots.line([low, high], [row, row], "", plots.GREY, width=4))
        if entry.day is not None:
            layers.append(plots.points([entry.day], [row], "", colour, size=6, ring=True))
    marks = list(range(0, days + 1, max(1, days // 4)))
    dates = [(start + timedelta(days=d)).strftime("%m-%d") for d in marks]
    return plots.figure(
        "aquarium-plan",
        plots.axis(tr("日期（月-日）", "date (month-day)"), (0, end), ticks=marks, names=dates),
        plots.axis("", (0.4, count + 0.6), ticks=list(range(count, 0, -1)), names=names),
        layers,
        caption=tr(
            "圆点按拟合的参数（没有读数时按默认值），灰杠是十次里八次所在的范围；伸出右边的，到最后一天也可能还没轮到。",
            "Dots follow the fitted parameters (without readings the defaults), grey bars hold eight of ten "
            "possibilities; what leaves on the right may not come within these days at all.",
        ),
        aspect=0.45,
    )
