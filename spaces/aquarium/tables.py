"""The tables of the tab as HTML in both languages: parameters with ranges and sources, limits of harm, the plan."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from shared.i18n import tr
from spaces.aquarium.fit import Fit
from spaces.aquarium.parameters import PARAMETERS
from spaces.aquarium.plan import Plan
from spaces.aquarium.water import LIMITS

HEADS = {
    "parameter": tr("参数", "parameter"),
    "value": tr("取值", "value"),
    "range": tr("合理范围", "plausible range"),
    "unit": tr("单位", "unit"),
    "source": tr("来源", "source"),
}


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """An HTML table; every cell is escaped."""
    top = "".join(f'<th style="width: auto">{html.escape(cell)}</th>' for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    table = f'<table class="kx-table"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div style="overflow-x: auto">{table}</div>'


def parameters(changes: Mapping[str, float] | None = None) -> str:
    """Every parameter: value (as changed), plausible range, unit, source."""
    rows = [
        (
            tr(p.zh, p.en),
            f"{(changes or {}).get(name, p.value):.3g}",
            f"{p.low:g} – {p.high:g}",
            p.unit,
            p.source,
        )
        for name, p in PARAMETERS.items()
    ]
    return _table(list(HEADS.values()), rows)


def limits() -> str:
    """Where caution and harm begin, mg N/L, and whose numbers these are."""
    head = [
        tr("物质", "substance"),
        tr("注意（mg N/L）", "caution (mg N/L)"),
        tr("有害（mg N/L）", "harm (mg N/L)"),
        HEADS["source"],
    ]
    return _table(head, [(e.name, f"{e.caution:g}", f"{e.harm:g}", e.source) for e in LIMITS.values()])


def estimates(fitted: Fit) -> str:
    """The fitted parameters with their 95 % intervals, or that they cannot be determined."""
    rows = []
    for e in fitted.estimates:
        p = PARAMETERS[e.name]
        told = tr("能定", "determined") if e.determined else tr("定不下来", "cannot be determined")
        rows.append((tr(p.zh, p.en), f"{e.value:.3g}", f"{e.low:.3g} – {e.high:.3g}", p.unit, told))
    interval, told = tr("95% 区间", "95 % interval"), tr("读数能定吗", "do the readings tell?")
    head = [HEADS["parameter"], HEADS["value"], interval, HEADS["unit"], told]
    return _table(head, rows)


def plan(planned: Plan) -> str:
    """The dated plan; a date that does not come within the tank's days is named so."""
    beyond = tr(f"{planned.run.tank.days} 天内没有", f"not within {planned.run.tank.days} days")
    tank = planned.run.tank
    fish = tr("可以放鱼", "fish may be added") if tank.stocking_day else tr("可以再加鱼", "more fish may be added")
    share = f"{tank.change_share:.0%}"
    kinds = {"fish": fish, "water": tr(f"该换水（{share}）", f"water is due ({share})")}
    rows = [
        (
            kinds[e.kind],
            e.when.isoformat() if e.when else beyond,
            e.earliest.isoformat() if e.earliest else beyond,
            e.latest.isoformat() if e.latest else beyond,
            f"{100 * e.share_of_draws:.0f} %",
        )
        for e in planned.entries
    ]
    head = [
        tr("事项", "what"),
        tr("日期", "date"),
        tr("最早", "earliest"),
        tr("最晚", "latest"),
        tr("发生的比例", "of draws"),
    ]
    return _table(head, rows)
