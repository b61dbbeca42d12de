"""The tank's nitrogen day by day: the cycle of a new tank, alarms with dates, where all of it goes."""

from __future__ import annotations

import dataclasses
from datetime import date

import gradio as gr

from shared import page as parts
from shared.experiment import from_values
from shared.i18n import prose, tr
from shared.page import Page, guard, knob_value
from spaces.aquarium import figures
from spaces.aquarium.parameters import values as parameters
from spaces.aquarium.place import food
from spaces.aquarium.tank import simulate
from spaces.aquarium.ui.alarms import listed, summary
from spaces.aquarium.ui.keeping import Water
from spaces.aquarium.ui.knobs import QUIET, buttons, day_zero, in_order, presets, pump, slider, sliders

PICTURES = (figures.cycle, figures.danger, figures.nitrate, figures.oxygen, figures.balance)
REMOVALS = [(tr("不撤", "nothing"), "none"), *((label, name) for name, label in figures.REMOVED_NAMES.items())]
TRY = [  # label, the settings that differ from the default
    (tr("新缸，当天放鱼", "a new tank, fish in at once"), {}),
    (tr("先空缸养菌 40 天", "40 days without fish first"), {"stocking_day": 40}),
    (tr("冬天 12 °C：菌长得慢", "winter, 12 °C: slow bacteria"), {"temperature": 12.0}),
    (tr("pH 8.5：同样的氨更毒", "pH 8.5: the same ammonia is worse"), {"ph": 8.5}),
    (
        tr("喂双份，每周换一半水", "double ration, half the water weekly"),
        {"ration": 0.02, "change_every": 7, "change_share": 0.5},
    ),
    (tr("第 60 天撤陶粒", "ceramsite out on day 60"), {"removed": "ceramsite"}),
    (tr("第 60 天停泵", "pump out on day 60"), {"removed": "pump"}),
    (tr("一半的饲料，从不换水", "half the food, never any water"), {"ration": 0.005, "change_share": 0.0}),
]
MAIN = ("turtles", "paradise_fish", "loaches", "ration", "change_every", "change_share", "temperature", "ph")
RARE = (
    "stocking_day",
    "dose",
    "plants_g",
    "ceramsite_kg",
    "grain_mm",
    "depth_cm",
    "pump_flow",
    "tap_nitrate",
)
EXPLANATION = prose(
    r"""**怎么读。** 饲料变成氨；陶粒、玻璃、叶子上的两种细菌依次把它氧化：$\mathrm{NH_3\to NO_2^-\to NO_3^-}$。
氨氧化菌先长起来，所以氨先到顶；亚硝酸氧化菌要等到有亚硝酸盐才长，所以亚硝酸盐后到顶。“有害”看的是非离子氨
$\mathrm{NH_3}$，它占总氨的比例随 pH 和水温上升：$1/(1+10^{\mathrm{p}K_a-\mathrm{pH}})$。

**警报**从放鱼那天算起，限值和出处在“作者的结论”一栏的表里。龟、斗鱼、泥鳅会呼吸空气，所以低氧只画不报。

**守恒。** 每一毫克氮都记账：来的（开缸时的、饲料、自来水）等于在的加走的（换水、剪草、反硝化、逸出、搬走）。

**不知道的。** pH 由你给，不由模型算；模型只算出硝化要用掉多少碱度（食物里的氮每变成 1 个硝酸根，净用 1 个碳酸氢根；
变回氮气或被水草吃掉就还回来）。没有磷、光照、昼夜和死鱼。""",
    r"""**How to read it.** Food becomes ammonia; two kinds of bacteria on ceramsite, glass and leaves oxidise it
in turn:
$\mathrm{NH_3\to NO_2^-\to NO_3^-}$. Ammonia oxidisers grow first, so ammonia peaks first; nitrite oxidisers need
nitrite to grow, so nitrite follows. What harms is un-ionised $\mathrm{NH_3}$, whose share of the total rises with
pH and
temperature: $1/(1+10^{\mathrm{p}K_a-\mathrm{pH}})$.

**Alarms** count from the day the fish go in; limits and sources stand in the table under “The author's verdict”.
Turtles, paradise fish and loaches breathe air, so low oxygen is drawn, not reported.

**Conserved.** Every mg of nitrogen is in the books: what came (start, food, tap) is what is there and what went
(changed
water, trimmings, denitrified, volatilised, carried out).

**Not known.** pH is given by you, not computed; what is computed is the alkalinity that nitrification takes (net
one bicarbonate for each nitrate made of food, given back where plants or denitrification take the nitrate). There is
no phosphorus, light, night, or dying fish.""",
)


def draw(*values) -> list[str]:
    """The figures, the summary and the alarms of one tank."""
    water = from_values(Water, values)
    tank, changes = water.tank(), {"ration": water.ration}
    run = simulate(tank, changes)
    said = summary(run, food(tank, parameters(changes)))
    return [*(picture(run) for picture in PICTURES), said, listed(run, date.fromisoformat(water.start))]


def build(page: Page, tabs: gr.Tabs) -> None:
    """Draw the view."""
    default = Water()
    first = draw(*(knob_value(v) for v in dataclasses.astuple(default)))
    made = buttons(TRY)
    with gr.Row():
        with gr.Column(scale=3, min_width=300):
            cycle = parts.figure(first[0])
            said = parts.verdict(first[-2])
            alarms = gr.HTML(first[-1])
            link = page.link_button("nitrogen")
        with gr.Column(scale=2, min_width=300):
            knobs = _knobs(default)
    with gr.Row(elem_classes="aquarium-two"):
        others = [parts.figure(spec) for spec in first[1:-2]]
    gr.Markdown(EXPLANATION, latex_delimiters=parts.LATEX)

    knobs, order = in_order(knobs, Water)
    drawing = (guard(draw), order, [cycle, *others, said, alarms])
    view = page.view("nitrogen", Water, knobs, link, tabs=tabs, redraw=drawing)
    typed = knobs["start"]  # half a date is no date: wait for the end
    turned = [k.input for k in order if k is not typed]
    gr.on([*turned, typed.blur, typed.submit], *drawing, **QUIET)
    presets(made, TRY, Water, view, drawing)


def _knobs(default: Water) -> dict:
    knobs: dict = sliders(default, MAIN)
    knobs["pump"] = pump(default)
    with gr.Accordion(tr("撤去一样", "Take something out"), open=False):
        knobs["removed"] = gr.Radio(REMOVALS, value=default.removed, label=tr("撤什么", "what"))
        knobs["removal_day"] = slider("removal_day", default.removal_day)
    with gr.Accordion(tr("更多旋钮", "More knobs"), open=False):
        knobs |= sliders(default, ("days", *RARE))
        knobs["start"] = day_zero(default.start)
    return knobs
