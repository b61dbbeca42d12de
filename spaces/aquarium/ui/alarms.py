"""What a tank's history says in sentences: the cycle, and every stretch in which fish are at risk, with its dates."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from shared.i18n import markup
from spaces.aquarium.figures import destinations
from spaces.aquarium.tank import Alarm, Run, alarms
from spaces.aquarium.water import GERMAN_DEGREES, LIMITS

MOST = 12
"""Sentences at once."""
NAMES = {"nh3": ("非离子氨", "un-ionised ammonia"), "no2": ("亚硝酸盐", "nitrite"), "no3": ("硝酸盐", "nitrate")}


def level(value: float) -> str:
    """A concentration to two digits with its unit: 0.081 mg N/L, 310 mg N/L."""
    return f"{float(f'{value:.2g}'):,g} mg N/L" if value >= 0.001 or not value else "&lt;0.001 mg N/L"


def listed(run: Run, start: date) -> str:
    """The alarms as a list: a line for each stretch above caution, what of it is above harm, first where there is."""
    found = [a for a in alarms(run) if a.last > a.first]  # at least a quarter of a day
    rows = [(a, _within(a, found)) for a in found if a.level == "caution"]
    rows.sort(key=lambda row: (not row[1], row[0].first))
    if not rows:
        calm = markup(
            "没有警报：放鱼之后，氨、亚硝酸盐、硝酸盐都没有越过“注意”限值。",
            "No alarm: with fish in the tank ammonia, nitrite and nitrate never pass their limits of caution.",
        )
        return f'<ul class="aquarium-alarms"><li>{calm}</li></ul>'
    items = [f'<li class="{"harm" if h else "caution"}">{_sentence(a, h, run, start)}</li>' for a, h in rows[:MOST]]
    if len(rows) > MOST:
        more = len(rows) - MOST
        items.append(f"<li>{markup(f'还有 {more} 段，见图。', f'{more} more stretches, see the figures.')}</li>")
    return f'<ul class="aquarium-alarms">{"".join(items)}</ul>'


def _within(caution: Alarm, found: list[Alarm]) -> list[Alarm]:
    """The stretches above harm inside one above caution."""
    same = [a for a in found if a.level == "harm" and a.name == caution.name]
    return [a for a in same if caution.first <= a.first and a.last <= caution.last]


def _sentence(caution: Alarm, harms: list[Alarm], run: Run, start: date) -> str:
    zh, en = NAMES[caution.name]
    limit = LIMITS[caution.name]
    spans = [_span(a, run, start) for a in harms or [caution]]
    when_zh, when_en = "、".join(z for z, _ in spans), ", ".join(e for _, e in spans)
    peak = f"<b>{level(caution.peak)}</b>"
    if not harms:
        return markup(
            f"{when_zh}：{zh}高于注意限值 {limit.caution:g} mg N/L，最高 {peak}。",
            f"{when_en}: {en} above its limit of caution, {limit.caution:g} mg N/L; at most {peak}.",
        )
    wide_zh, wide_en = _span(caution, run)
    return markup(
        f"{when_zh}：{zh}高于<b>有害</b>限值 {limit.harm:g} mg N/L，最高 {peak}"
        f"（{wide_zh}高于注意限值 {limit.caution:g}）。",
        f"{when_en}: {en} above its limit of <b>harm</b>, {limit.harm:g} mg N/L; at most {peak} "
        f"({wide_en.lower()} above caution, {limit.caution:g}).",
    )


def _span(alarm: Alarm, run: Run, start: date | None = None) -> tuple[str, str]:
    """From when to when, in Chinese and in English, with dates where day 0 has one."""
    dated = [f"{start + timedelta(days=int(d))}" if start else "" for d in (alarm.first, alarm.last)]
    zh, en = ([left + d + right if d else "" for d in dated] for left, right in ("（）", (" (", ")")))
    first, last = int(alarm.first), int(alarm.last)
    if alarm.last >= run.tank.days:
        return f"第 {first} 天{zh[0]}直到最后一天", f"Day {first}{en[0]} to the last day"
    return f"第 {first} 天{zh[0]}到第 {last} 天{zh[1]}", f"Day {first}{en[0]} to day {last}{en[1]}"


def summary(run: Run, grams: float) -> str:
    """The cycle in days, the food, the nitrogen that came, and whether all of it is accounted for."""
    top, nitrite = (float(getattr(run, n).max()) for n in ("tan", "no2"))
    at, later = (float(run.day[getattr(run, n).argmax()]) for n in ("tan", "no2"))
    came, used = sum(destinations(run).values()), float(run.alkalinity_used.max())
    hardness = f"{used * GERMAN_DEGREES:.1f}"
    done_zh, done_en = _done(run)
    return markup(
        f"氨第 {at:.0f} 天到顶，<b>{level(top)}</b>；亚硝酸盐第 {later:.0f} 天，<b>{level(nitrite)}</b>；"
        f"{done_zh}硝酸盐最后 <b>{level(run.no3[-1])}</b>。每天投干饲料 {grams:.2f} 克，"
        f"{run.tank.days} 天共进氮 {came:,.0f} mg。硝化最多净耗碱度 {used:.1f} mmol/L（KH {hardness} °dH）："
        "自来水若没有这么多，pH 就会跌，这里设的 pH 便守不住。",
        f"Ammonia peaks on day {at:.0f} at <b>{level(top)}</b>, nitrite on day {later:.0f} at "
        f"<b>{level(nitrite)}</b>; {done_en} Nitrate ends at <b>{level(run.no3[-1])}</b>. {grams:.2f} g of dry "
        f"feed a day: {came:,.0f} mg of nitrogen came in {run.tank.days} days. Nitrification takes up to "
        f"{used:.1f} mmol/L of alkalinity (KH {hardness} °dH): with less in the tap water pH falls, and "
        "the pH set here does not hold.",
    )


def _done(run: Run) -> tuple[str, str]:
    """From which day NH₃ and nitrite stay below caution to the end."""
    worst = np.maximum(*(run.concentration(n) / LIMITS[n].caution for n in ("nh3", "no2")))
    above = run.day[worst > 1]
    if not len(above):
        return "二者从未越过“注意”限值。", "neither passes its limit of caution."
    if above[-1] >= run.tank.days:
        return (
            f"到第 {run.tank.days} 天，<b class=bad>氨或亚硝酸盐仍高于“注意”限值</b>。",
            f"<b class=bad>on day {run.tank.days} one of them is still above its limit of caution</b>.",
        )
    day = int(above[-1]) + 1
    return (
        f"<b class=good>第 {day} 天起</b>二者都低于“注意”限值。",
        f"<b class=good>from day {day}</b> both stay below their limits of caution.",
    )
