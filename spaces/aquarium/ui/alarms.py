"""What a tank's history says in sentences: the cycle, and every stretch in which fish are at risk, with its dates."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from shared.i18n import markup
from spaces.aquarium.figures import destinations
from spaces.aquarium.tank import Alarm, Run, alarms
from spaces.aquarium.water import LIMITS

MOST = 12
"""Sentences at once."""
NAMES = {"nh3": ("非离子氨", "un-ionised ammonia"), "no2": ("亚硝酸盐", "nitrite"), "no3": ("硝酸盐", "nitrate")}
LEVELS = {"harm": ("有害", "harm"), "caution": ("注意", "caution")}


def listed(run: Run, start: date) -> str:
    """The alarms as a list, in order of time, harm before caution."""
    found = sorted(_told(alarms(run)), key=lambda a: (a.level != "harm", a.first))
    if not found:
        calm = markup(
            "没有警报：放鱼之后，氨、亚硝酸盐、硝酸盐都没有越过“注意”限值。",
            "No alarm: with fish in the tank ammonia, nitrite and nitrate never pass their limits of caution.",
        )
        return f'<ul class="aquarium-alarms"><li>{calm}</li></ul>'
    items = [f'<li class="{a.level}">{_sentence(a, run, start)}</li>' for a in found[:MOST]]
    if len(found) > MOST:
        more = len(found) - MOST
        items.append(f"<li>{markup(f'还有 {more} 段，见图。', f'{more} more stretches, see the figures.')}</li>")
    return f'<ul class="aquarium-alarms">{"".join(items)}</ul>'


def _told(found: list[Alarm]) -> list[Alarm]:
    """Stretches of at least a quarter of a day."""
    return [a for a in found if a.last > a.first]


def _sentence(alarm: Alarm, run: Run, start: date) -> str:
    (zh, en), (level_zh, level_en) = NAMES[alarm.name], LEVELS[alarm.level]
    limit = getattr(LIMITS[alarm.name], alarm.level)
    to_end = alarm.last >= run.tank.days
    first, last = _day(alarm.first, start), _day(alarm.last, start)
    until_zh, until_en = ("直到最后一天", "to the last day") if to_end else (f"到第 {last[0]}", f"to day {last[1]}")
    return markup(
        f"第 {first[0]}{until_zh}：{zh}高于{level_zh}限值 {limit:g} mg N/L，最高 <b>{alarm.peak:.2g}</b>。",
        f"Day {first[1]} {until_en}: {en} above its limit of {level_en}, {limit:g} mg N/L; at most "
        f"<b>{alarm.peak:.2g}</b>.",
    )


def _day(day: float, start: date) -> tuple[str, str]:
    """A day and its date, in Chinese and in English."""
    when = start + timedelta(days=int(day))
    return f" {int(day)} 天（{when.isoformat()}）".strip(), f"{int(day)} ({when.isoformat()})"


def summary(run: Run, grams: float) -> str:
    """The cycle in days, the food, the nitrogen that came, and whether all of it is accounted for."""
    top, nitrite = (float(getattr(run, n).max()) for n in ("tan", "no2"))
    at, later = (float(run.day[getattr(run, n).argmax()]) for n in ("tan", "no2"))
    came = sum(destinations(run).values())
    done_zh, done_en = _done(run)
    return markup(
        f"氨第 {at:.0f} 天到顶，<b>{top:.2g} mg N/L</b>；亚硝酸盐第 {later:.0f} 天，<b>{nitrite:.2g}</b>；{done_zh}"
        f"硝酸盐最后 <b>{run.no3[-1]:.2g}</b>。每天投干饲料 {grams:.2f} 克，{run.tank.days} 天共进氮 {came:,.0f} mg。",
        f"Ammonia peaks on day {at:.0f} at <b>{top:.2g} mg N/L</b>, nitrite on day {later:.0f} at "
        f"<b>{nitrite:.2g}</b>; {done_en} Nitrate ends at <b>{run.no3[-1]:.2g}</b>. {grams:.2f} g of dry feed a day: "
        f"{came:,.0f} mg of nitrogen came in {run.tank.days} days.",
    )


def _done(run: Run) -> tuple[str, str]:
    """From which day NH₃ and nitrite stay below caution to the end."""
    level = np.maximum(*(run.concentration(n) / LIMITS[n].caution for n in ("nh3", "no2")))
    above = run.day[level > 1]
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
