"""A keeper's own tank: readings in, a fit with its uncertainty and a dated plan out."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from urllib.parse import quote

import gradio as gr

from shared import page as parts
from shared.experiment import from_values
from shared.i18n import markup, prose, tr
from shared.live import Latest, watched
from shared.page import Page, guard, halt, knob_value, latest
from spaces.aquarium import keeper_figures as figures
from spaces.aquarium import tables
from spaces.aquarium.fit import FREE, Band, Fit, band, fit, spoken
from spaces.aquarium.parameters import PARAMETERS
from spaces.aquarium.plan import Entry, Plan, plan
from spaces.aquarium.readings import Readings, read, read_file
from spaces.aquarium.ui.example import LONG, SETTINGS, SHORT, TRUTH, made_up, template
from spaces.aquarium.ui.keeping import Mine
from spaces.aquarium.ui.knobs import QUIET, RUN, buttons, controls, day_zero, in_order, number, presets, pump, sliders

FITTED, BANDED = 0.5, 0.65
"""Shares of the work at which the fit and its band are done."""
UNIT_CHOICES = [
    (tr("氮：NH₄-N、NO₂-N、NO₃-N", "nitrogen: NH₄-N, NO₂-N, NO₃-N"), "n"),
    (tr("整个离子：NH₄⁺、NO₂⁻、NO₃⁻（多数家用试剂）", "the whole ion: NH₄⁺, NO₂⁻, NO₃⁻ (most kits)"), "ion"),
]
EXAMPLES = [  # label, the last day of the readings
    (tr("造的例子：16 天的读数", "a made-up example: 16 days"), SHORT),
    (tr("同一口缸，28 天的读数", "the same tank, 28 days"), LONG),
]
TRY = [  # label, the settings that differ from the default
    (tr("文章的缸，没有读数", "the article's tank, no readings"), {}),
    (tr("先养菌：哪天能放鱼？", "cycling first: when may fish be added?"), {"stocking_day": 40}),
    (
        tr("小缸，两条斗鱼", "a small tank, two paradise fish"),
        {"turtles": 0, "paradise_fish": 2, "loaches": 0, "ceramsite_kg": 5.0, "stocking_day": 40},
    ),
    (
        tr("鱼少草多：几时换水？", "few fish, many plants: when is water due?"),
        {"turtles": 1, "paradise_fish": 2, "loaches": 1, "plants_g": 600.0, "days": 240},
    ),
]
CHANGED = tr("设置已改：再按“拟合，排计划”。", "Settings changed: press “Fit and plan” again.")
EXPLANATION = prose(
    """**读数怎么写。** CSV，表头是 `day` 或 `date`（2020-12-01），加上 `ammonia`、`nitrite`、`nitrate` 中的任意几列
（`氨氮`、`亚硝酸盐`、`硝酸盐` 也行），空着的格子就是没测，`<0.05` 按一半算；至多 1 MB、2,000 行。
测试盒多半读的是整个离子，请选对单位：
50 mg NO₃ = 11.3 mg N。写了日期的，第 0 天是最早的那一天。

**怎么拟合。** 最小二乘，拟合勾上的参数的对数；一个读数的误差取 0.1 mg N/L + 10%。区间是 95%；宽过 ×/÷ 3 的，
就说定不下来，而不是给一个数。

**计划。** 氨和亚硝酸盐低于“注意”限值连续若干天，且模拟放鱼之后不越“有害”限值，才说可以放鱼；
硝酸盐到 50 mg/L（11.3 mg N/L）就该换水。
范围是拟合的不确定所留下的中间八成；没有读数时，是所有参数的合理范围，所以很宽。**这是模拟，不是兽医；
动手之前请先测水。**""",
    """**How to write readings.** CSV with a header: `day` or `date` (2020-12-01) and any of `ammonia`, `nitrite`,
`nitrate`;
empty cells were not measured, `<0.05` counts as half of it; at most 1 MB and 2,000 rows.
Most kits read the whole ion, so choose the unit:
50 mg NO₃ = 11.3 mg N. With dates, day 0 is the earliest.

**How it is fitted.** Least squares in the logarithms of the ticked parameters; a reading is good to 0.1 mg N/L + 10 %.
Intervals are of 95 %; what is wider than ×/÷ 3 is called undetermined instead of given a number.

**The plan.** Fish may be added once ammonia and nitrite have stayed below caution for so many days and the
simulated tank
with fish in it stays below harm; water is due when nitrate reaches 50 mg/L (11.3 mg N/L). The range is the middle
80 % that
the fit's uncertainty leaves; without readings it is that of every parameter's plausible range, hence wide. **It is a
simulation's plan, not a vet's: measure before you act on it.**""",
)


SURE = 0.8
"""A date for fish that comes in fewer of the draws is given with a warning."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a keeper gets: the plan, and with readings the fit and how far its curves may be off."""

    mine: Mine
    start: date
    plan: Plan
    fit: Fit | None = None
    band: Band | None = None


def work(mine: Mine, readings: Readings | None, report) -> Answer:
    """Fit, band and plan; `report` is told the share done, and may end it all by raising."""
    tank = mine.tank()
    start = date.fromisoformat(mine.start) if readings is None or readings.start is None else readings.start
    if readings is None:
        return Answer(mine, start, plan(tank, start, calm=mine.calm, report=report))
    known = fit(tank, readings, mine.free, lambda share: report(FITTED * share))
    wide = band(known, report=lambda share: report(FITTED + (BANDED - FITTED) * share))
    planned = plan(tank, start, known, mine.calm, report=lambda share: report(BANDED + (1 - BANDED) * share))
    return Answer(mine, start, planned, known, wide)


def answer(text: str | None, *values) -> Iterator[list]:
    """Progress, then every picture, table and download."""
    mine = from_values(Mine, values)
    readings = read(text, mine.unit) if text and text.strip() else None
    began = time.monotonic()
    for share, found in watched(lambda report: work(mine, readings, report)):
        if found is None:
            yield [gr.skip()] * 8 + [parts.progress(share, _busy(share, time.monotonic() - began, readings))]
    yield [*shown(found), ""]


def _busy(share: float, seconds: float, readings: Readings | None) -> str:
    fitting = readings is not None and share < FITTED
    zh, en = ("正在拟合", "fitting") if fitting else ("正在排计划", "planning")
    return tr(f"{zh}，{seconds:.1f} 秒", f"{en}, {seconds:.1f} s")


def shown(found: Answer) -> list:
    """The plan's figure, sentence, table and file; the fit's figures and table where there is one."""
    out = [figures.timeline(found.plan, found.start), verdict(found), tables.plan(found.plan), saved(found.plan)]
    if found.fit is None:
        return [*out, gr.update(visible=False), *[gr.skip()] * 3]
    fitted = [figures.fitted(found.fit, found.band), figures.estimates(found.fit), tables.estimates(found.fit)]
    return [*out, gr.update(visible=True), *fitted]


def verdict(found: Answer) -> str:
    """When fish may be added, when water is due, what the readings could tell."""
    zh, en = (list(both) for both in zip(_fish(found.plan), _water(found.plan), strict=True))
    if found.fit is None:
        zh.append("没有读数：范围是所有参数的合理范围留下的，所以很宽。")
        en.append("No readings: the ranges are those of every parameter, hence wide.")
    else:
        told = spoken(found.fit)
        worse = f"{found.fit.rms:.1f}"
        zh.append(f"{found.fit.readings.count} 个读数，残差是设定误差的 {worse} 倍。{told[0]}")
        en.append(f"{found.fit.readings.count} readings; residuals are {worse} times the assumed error. {told[1]}")
    return markup("".join(zh), " ".join(en))


def _fish(planned: Plan) -> tuple[str, str]:
    tank, entry = planned.run.tank, planned.entries[0]
    zh, en = ("放鱼", "Fish") if tank.stocking_day else ("再加鱼", "More fish")
    if entry.when is None:
        never = f"{tank.days} 天内还不能{zh}", f"{en} may not be added within {tank.days} days"
        return f"<b class=bad>{never[0]}</b>。", f"<b class=bad>{never[1]}</b>."
    dates, share = _dates(entry, tank.days), entry.share_of_draws
    sure = "", ""
    if share < SURE:
        sure = (
            f"<b class=bad>只有 {share:.0%} 的参数组在 {tank.days} 天内等到这一天</b>：先测水，别照日期放。",
            f" <b class=bad>Within {tank.days} days it comes in {share:.0%} of the draws only</b>: "
            "go by the water, not by the date.",
        )
    return f"可以{zh}：{dates[0]}{sure[0]}", f"{en} may be added from {dates[1]}{sure[1]}"


def _water(planned: Plan) -> tuple[str, str]:
    tank, entry, share = planned.run.tank, planned.entries[1], planned.share_needed
    if entry.when is None:
        return f"{tank.days} 天内不必换水。", f"No water is due within {tank.days} days."
    dates = _dates(entry, tank.days)
    zh, en = f"第一次该换水：{dates[0]}", f"Water is first due on {dates[1]}"
    if planned.enough or share is None:
        return zh, en
    if share > 1:
        return (
            f"{zh}自来水的硝酸盐太高，换水降不到限值。",
            f"{en} Tap water holds too much nitrate to get to the limit.",
        )
    return (
        f"{zh}那时至少要换 {share:.0%}，多于你设的 {tank.change_share:.0%}。",
        f"{en} It must take at least {share:.0%}, more than your {tank.change_share:.0%}.",
    )


def _dates(entry: Entry, days: int) -> tuple[str, str]:
    """A date with the range of eight draws in ten, whose end may be open, in Chinese and in English."""
    low, high = entry.earliest or "", entry.latest or ""
    zh = f"{low} 至 {high}" if high else f"{low} 起，或 {days} 天内都没有" if low else f"{days} 天内都没有"
    en = f"{low} to {high}" if high else f"from {low}, or not within {days} days" if low else f"not within {days} days"
    when = f"<b>{entry.when}</b>"
    return f"{when}（十次里八次：{zh}）。", f"{when} (eight in ten: {en})."


def saved(planned: Plan) -> str:
    """A link that saves the plan as CSV."""
    rows = ["what,day,date,earliest,latest,share_of_draws"]
    for e in planned.entries:
        cells = (e.kind, e.day, e.when, e.earliest, e.latest, round(e.share_of_draws, 3))
        rows.append(",".join("" if cell is None else str(cell) for cell in cells))
    return download("aquarium-plan.csv", "\n".join(rows) + "\n", tr("计划存为 CSV", "Save the plan as CSV"))


def download(name: str, text: str, label: str) -> str:
    """A link that saves a text from the page itself."""
    return f'<a class="aquarium-save" download="{name}" href="data:text/csv;charset=utf-8,{quote(text)}">{label}</a>'


def take(path: str | None) -> str:
    """An uploaded file's text, once it is known to hold readings."""
    if not path:
        return gr.skip()
    read_file(path)
    data = Path(path).read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("gb18030")


def build(page: Page, tabs: gr.Tabs) -> None:
    """Draw the view."""
    default = Mine()
    first = shown(work(default, None, lambda share: None))
    made = buttons([*EXAMPLES, *TRY])
    with gr.Row():
        with gr.Column(scale=3, min_width=300):
            timeline = parts.figure(first[0])
            said = parts.verdict(first[1])
            start, stop, link, status = controls(page, "mine", tr("拟合，排计划", "Fit and plan"), "plan")
            listed = gr.HTML(first[2], elem_classes="aquarium-dates")
            saving = gr.HTML(first[3])
            with gr.Column(visible=False) as fitted:
                curves, intervals = parts.figure(), parts.figure()
                estimates = gr.HTML()
        with gr.Column(scale=2, min_width=300):
            readings, upload = _readings()
            knobs = _knobs(default)
    gr.Markdown(EXPLANATION, latex_delimiters=parts.LATEX)
    knobs, order = in_order(knobs, Mine)
    outputs = [timeline, said, listed, saving, fitted, curves, intervals, estimates, status]
    latest_run = gr.State(Latest())
    planning = (latest(guard(answer)), [latest_run, readings, *order], outputs)
    view = page.view("mine", Mine, knobs, link, tabs=tabs, redraw=planning)
    runs = [start.click(*planning, **RUN)]
    start.click(None, order, None, js=view.keep)
    values = [knob_value(v) for v in dataclasses.astuple(Mine(**SETTINGS))]
    for (_, last), button in zip(EXAMPLES, made, strict=False):
        filled = button.click(lambda last=last: [made_up(last), *values], None, [readings, *order], **QUIET)
        runs.append(filled.then(*planning, **RUN))
    taken = upload.upload(guard(take), [upload], [readings], **QUIET)
    runs.append(taken.success(*planning, **RUN))
    for button in made[len(EXAMPLES) :]:
        button.click(lambda: "", None, readings, **QUIET)
    runs += presets(made[len(EXAMPLES) :], TRY, Mine, view, planning)
    gr.on([k.input for k in (readings, *order)], lambda: CHANGED, None, status, **QUIET)
    stop.click(halt, [latest_run], status, cancels=runs, **QUIET)


def _readings() -> tuple[gr.Textbox, gr.File]:
    text = gr.Textbox(
        label=tr("你的读数（CSV，可直接填写）", "your readings (CSV, type or paste)"),
        placeholder="day,ammonia,nitrite,nitrate\n0,0.2,0,1\n3,1.1,0,1",
        lines=6,
        max_lines=12,
        elem_id="aquarium-readings",
        elem_classes="aquarium-text",
    )
    upload = gr.File(label=tr("或上传 CSV", "or upload CSV"), file_types=[".csv", ".txt", ".tsv"], height=150)
    form = download("aquarium-readings.csv", template(), tr("下载空表", "an empty form"))
    sample = download("aquarium-example.csv", made_up(), tr("下载造的例子", "the made-up example"))
    true_en = ", ".join(f"{PARAMETERS[n].en} {v:g}" for n, v in TRUTH.items())
    true_zh = "，".join(f"{PARAMETERS[n].zh} {v:g}" for n, v in TRUTH.items())
    note = markup(
        f"造的例子是模型自己加试剂误差造的，真值：{true_zh}；看拟合找不找得回。",
        f"The made-up example is the model itself plus a kit's error. Its truth: {true_en}. Does the fit find it?",
    )
    gr.HTML(f'<p class="kx-note">{form} · {sample}<br>{note}</p>')
    return text, upload


def _knobs(default: Mine) -> dict:
    knobs: dict = {"unit": gr.Radio(UNIT_CHOICES, value=default.unit, label=tr("读数的单位（mg/L）", "unit (mg/L)"))}
    with gr.Row():
        knobs["start"] = day_zero(default.start)
        knobs["calm"] = number("calm", default.calm, tr("须平静几天才放鱼", "calm days before fish"))
    knobs |= sliders(default, ("turtles", "paradise_fish", "loaches", "ceramsite_kg", "plants_g", "stocking_day"))
    with gr.Accordion(tr("更多：缸、水、拟合哪些参数", "More: tank, water, what is fitted"), open=False):
        knobs["pump"] = pump(default)
        rest = ("days", "temperature", "ph", "depth_cm", "pump_flow", "grain_mm", "dose", "change_every")
        knobs |= sliders(default, (*rest, "change_share", "tap_nitrate"))
        named = [(tr(PARAMETERS[n].zh, PARAMETERS[n].en), n) for n in FREE]
        knobs["free"] = gr.CheckboxGroup(named, value=list(default.free), label=tr("拟合", "fitted"))
    return knobs
