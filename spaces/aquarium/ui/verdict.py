"""The author's verdict, tried: take out pump, ceramsite or plants; then let plausible parameters vote."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence

import gradio as gr

from shared import page as parts
from shared.experiment import from_values
from shared.i18n import markup, prose, tr
from shared.page import Page, guard, knob_value
from spaces.aquarium import keeper_figures as figures
from spaces.aquarium import tables
from spaces.aquarium.ui.keeping import Question
from spaces.aquarium.ui.knobs import QUIET, RUN, buttons, controls, in_order, number, presets, sliders
from spaces.aquarium.verdicts import AUTHOR, REMOVED, SITUATIONS, Judgement, Outcome, Vote, judge, sensitivity, vote

FEW = 5
"""Draws asked about nitrate that are too few to speak against the author."""
EVERY = 0.5
"""Seconds between two pictures of a vote."""
NAMES = {"pump": ("水泵", "pump"), "ceramsite": ("陶粒", "ceramsite"), "plants": ("水草", "plants")}
SITUATION_NAMES = {
    "later": tr("养成之后撤掉", "taken out of a grown tank"),
    "never": tr("从来没有", "never there"),
}
QUANTITY_NAMES = {
    "no2": tr("亚硝酸盐", "nitrite"),
    "nh3": tr("非离子氨", "un-ionised ammonia"),
    "no3": tr("硝酸盐", "nitrate"),
    "oxygen": tr("溶氧", "oxygen"),
}
TRY = [  # label, the settings that differ from the default
    (tr("第 60 天各撤一样", "each taken out on day 60"), {}),
    (tr("从来就没有", "never there at all"), {"situation": "never"}),
    (tr("看硝酸盐：水草管不管用", "nitrate: what plants are good for"), {"quantity": "no3", "closer": "plants"}),
    (
        tr("饲料减半：水草成了关键", "half the food: plants decide"),
        {"ration": 0.005, "quantity": "no3", "closer": "plants"},
    ),
    (tr("夏天 30 °C，pH 8", "summer, 30 °C, pH 8"), {"temperature": 30.0, "ph": 8.0}),
    (tr("停泵：氧够不够", "no pump: is there oxygen"), {"quantity": "oxygen", "closer": "pump"}),
]
SAID = {  # whether the author calls it essential
    True: ("作者：不可少", "the author: essential"),
    False: ("作者：可有可无", "the author: not essential"),
}
EXPLANATION = prose(
    """**问的是什么。** 作者后来的结论：水泵和过滤可有可无，陶粒和水草不可少。这里同一口缸各撤一样（或从来没有），
判的是同一段日子：
非离子氨或亚硝酸盐高于有害限值累计满一天，算“急性伤害”；硝酸盐另算。完整的缸不伤鱼、撤了才伤鱼的，才叫“不可少”。

**为什么要投票。** 文章没有测量，参数来自文献或我们的假设（见下表）。从每个参数的合理范围里拉丁超立方抽样，
每组参数各模拟四口缸；
自己就养不好鱼的那些组不问，因为作者的缸是养好了的。投票用抽到的日粮，不用旋钮上的。

**看什么。** 点落在红线哪一边就是那一票。“谁左右结论”列出的参数，正是值得去量的。""",
    """**What is asked.** The author's later verdict: pump and filter are not essential, ceramsite and plants are.
Here one
tank loses one of them (or never had it), and the same days are judged: un-ionised ammonia or nitrite above its limit of
harm for a whole day in all is acute harm; nitrate counts apart. Essential is what harms when it is gone, where the
complete
tank harms nothing.

**Why a vote.** The article measured nothing; the parameters are the literature's or our assumptions (table below).
All are
drawn from their plausible ranges at once (Latin hypercube), four tanks for each draw. Draws whose complete tank is
itself in
trouble are not asked, for the author's was not. The vote draws the ration, too.

**What to see.** The side of the red line on which a point lies is its vote. “What decides” shows the parameters that
decide: these are the ones worth measuring.""",
)


def decide(voted: tuple | None, *values) -> list:
    """The four tanks, the verdict on each removal, and the figure of what decides; an older vote is called so."""
    question = from_values(Question, values)
    judged = judge(question.tank(), {"ration": question.ration}, question.situation)
    note, deciding = gr.skip(), gr.skip()
    if voted:
        deciding = figures.decisive(voted[1], question.closer)
        note = counted(voted[1], "" if asked(question) == voted[0] else "old")
    return [figures.comparison(judged, question.quantity), told(judged), note, deciding]


def asked(question: Question) -> Question:
    """A question without what is only looked at, and without the ration, which the vote draws."""
    return dataclasses.replace(question, quantity="no2", closer="ceramsite", ration=Question.ration)


def told(judged: Judgement) -> str:
    """Where the model agrees with the author and where it refutes him, one sentence each."""
    zh, en = zip(*(_told(judged, name) for name in REMOVED), strict=True)
    own = judged.outcome.nitrate["complete"]
    if own > 1:
        zh += (f"完整的缸硝酸盐自己就到限值的 {own:.1f} 倍，所以硝酸盐这一问这里问不了：减少饲料或多换水再问。",)
        en += (
            f"Nitrate reaches {own:.1f} times its limit in the complete tank, too, so nitrate cannot be asked here: "
            "feed less or change more water.",
        )
    return markup("<br>".join(zh), "<br>".join(en))


def _told(judged: Judgement, name: str) -> tuple[str, str]:
    outcome, (zh, en) = judged.outcome, NAMES[name]
    agrees, (said_zh, said_en) = judged.agrees(name), SAID[AUTHOR[name]]
    word_zh, word_en, kind = {
        True: ("模型同意", "the model agrees", "good"),
        False: ("模型反对", "the model refutes it", "bad"),
        None: ("问不全", "cannot be asked in full", ""),
    }[agrees]
    why_zh, why_en = {
        "essential_acute": ("会伤鱼", "fish are harmed"),
        "essential_nitrate": ("硝酸盐积到有害", "nitrate piles up to harm"),
        "not_essential": ("不会急性伤鱼", "no acute harm"),
        "open_nitrate": (
            "不会急性伤鱼，硝酸盐却更高，而完整的缸也已超限",
            "no acute harm, but more nitrate, of which the complete tank has too much already",
        ),
        "undecided": ("完整的缸自己就伤鱼", "the complete tank harms by itself"),
    }[outcome.verdict(name)]
    over = f"{outcome.hazard[name]:.2f}"
    nitrate = f"{outcome.nitrate[name]:.2f}"
    return (
        f"<b class={kind}>{zh}：{word_zh}</b>（{said_zh}）。"
        f"没有它，{why_zh}：氨或亚硝酸盐为有害限值的 {over} 倍，硝酸盐 {nitrate} 倍。",
        f"<b class={kind}>{en}: {word_en}</b> ({said_en}). "
        f"Without it {why_en}: ammonia or nitrite at {over} times the limit of harm, nitrate at {nitrate}.",
    )


def poll(*values) -> Iterator[list]:
    """Draw by draw: the votes, every draw's hazards, what decides; progress in between."""
    question = from_values(Question, values)
    outcomes, last = [], 0.0
    opened = gr.update(visible=True)
    for outcome in sensitivity(question.tank(), question.draws, question.seed, question.situation):
        outcomes.append(outcome)
        if time.monotonic() - last > EVERY:
            last = time.monotonic()
            told = _progress(len(outcomes), question.draws)
            yield [opened, *shown(outcomes, question), gr.skip(), told, (asked(question), list(outcomes))]
            opened = gr.skip()
    yield [opened, *shown(outcomes, question), counted(outcomes), "", (asked(question), outcomes)]


def shown(outcomes: Sequence[Outcome], question: Question) -> list[str]:
    """The vote's figures."""
    return [
        figures.votes(outcomes),
        figures.hazards(outcomes),
        figures.hazards(outcomes, "nitrate"),
        figures.decisive(outcomes, question.closer),
    ]


def counted(outcomes: Sequence[Outcome], state: str = "") -> str:
    """The vote in words: how many of how many, and whose side that is."""
    zh, en = [], []
    for name, v in vote(outcomes).items():
        kind = {None: "", True: "good", False: "bad"}[sides(v, AUTHOR[name])]
        zh.append(
            f"<b class={kind}>{NAMES[name][0]}</b>（{SAID[AUTHOR[name]][0]}）："
            f"{v.asked} 组里 {v.acute} 组说因氨或亚硝酸盐不可少，"
            f"{v.asked_nitrate} 组里 {v.nitrate} 组说因硝酸盐不可少"
        )
        en.append(
            f"<b class={kind}>{NAMES[name][1]}</b> ({SAID[AUTHOR[name]][1]}): {v.acute} of {v.asked} draws call it "
            f"essential for ammonia or nitrite, {v.nitrate} of {v.asked_nitrate} for nitrate"
        )
    old_zh, old_en = ("（这是改设置之前投的票。）", " (This vote is older than the settings.)") if state else ("", "")
    total = len(outcomes)
    return markup(f"{total} 组参数投票：{'；'.join(zh)}。{old_zh}", f"Vote of {total} draws: {'; '.join(en)}.{old_en}")


def sides(v: Vote, essential: bool) -> bool | None:
    """Whether most draws side with the author; None where too few could be asked about nitrate to say they do not."""
    if v.undecided:
        return None
    acute = v.acute > v.asked / 2
    if not acute and v.asked_nitrate < FEW:
        return None if essential else True
    return (acute or v.nitrate > v.asked_nitrate / 2) == essential


def _progress(done: int, of: int) -> str:
    return parts.progress(done / of, tr(f"第 {done} / {of} 组参数", f"draw {done} of {of}"))


def build(page: Page, tabs: gr.Tabs) -> None:
    """Draw the view."""
    default, voted = Question(), gr.State(None)
    first = decide(None, *(knob_value(v) for v in dataclasses.astuple(default)))
    made = buttons(TRY)
    with gr.Row():
        with gr.Column(scale=3, min_width=300):
            compared = parts.figure(first[0])
            said = parts.verdict(first[1])
            start, stop, link, status = controls(page, "verdict", tr("让参数投票", "Start the vote"), "vote")
            result = parts.verdict(
                markup(
                    "按“让参数投票”：每组参数模拟四口缸，默认 64 组，十到三十秒。",
                    "Press the button: four tanks for each draw of all parameters, 64 draws by default, in ten to "
                    "thirty seconds.",
                )
            )
        with gr.Column(scale=2, min_width=300):
            knobs = _knobs(default)
    with gr.Column(visible=False) as ballot:
        with gr.Row(elem_classes="aquarium-two"):
            votes = parts.figure()
            with gr.Column(min_width=300):
                closer = [(tr(*NAMES[name]), name) for name in REMOVED]
                knobs["closer"] = gr.Radio(
                    closer, value=default.closer, label=tr("谁左右结论：没有", "What decides without")
                )
                deciding = parts.figure()
        with gr.Row(elem_classes="aquarium-two"):
            acute, nitrate = parts.figure(), parts.figure()
    gr.Markdown(EXPLANATION, latex_delimiters=parts.LATEX)
    _sources()

    knobs, order = in_order(knobs, Question)
    deciding_now = (guard(decide), [voted, *order], [compared, said, result, deciding])
    view = page.view("verdict", Question, knobs, link, tabs=tabs, redraw=deciding_now)
    gr.on([k.input for k in order], *deciding_now, **QUIET)
    presets(made, TRY, Question, view, deciding_now)
    polling = start.click(guard(poll), order, [ballot, votes, acute, nitrate, deciding, result, status, voted], **RUN)
    start.click(None, order, None, js=view.keep)
    stop.click(None, cancels=[polling], api_visibility="private").then(stopped, [voted], [result, status], **QUIET)


def stopped(voted: tuple | None) -> list[str]:
    """What the votes until now say."""
    return [counted(voted[1]) if voted else gr.skip(), tr("已停止。", "Stopped.")]


def _sources() -> None:
    with gr.Accordion(tr("全部参数：取值、范围、来源", "All parameters: values, ranges, sources"), open=False):
        gr.HTML(tables.parameters(), elem_id="aquarium-parameters")
    with gr.Accordion(tr("限值：从哪里起要注意，从哪里起有害", "Limits: where caution and harm begin"), open=False):
        gr.HTML(tables.limits())


def _knobs(default: Question) -> dict:
    knobs: dict = {}
    situations = [(SITUATION_NAMES[name], name) for name in SITUATIONS]
    knobs["situation"] = gr.Radio(situations, value=default.situation, label=tr("怎么没有的", "how it is missing"))
    quantities = [(label, name) for name, label in QUANTITY_NAMES.items()]
    knobs["quantity"] = gr.Radio(quantities, value=default.quantity, label=tr("画什么", "drawn"))
    knobs |= sliders(default, ("ration", "change_every", "change_share", "temperature", "ph"))
    draws = tr("投票的参数（组）", "draws that vote")
    knobs["draws"] = parts.slider(8, 256, value=default.draws, step=8, label=draws)
    with gr.Accordion(tr("更多旋钮", "More knobs"), open=False):
        rare = ("removal_day", "days", "turtles", "paradise_fish", "loaches", "plants_g", "ceramsite_kg", "grain_mm")
        knobs |= sliders(default, (*rare, "depth_cm", "pump_flow", "stocking_day", "dose", "tap_nitrate"))
        knobs["seed"] = number("seed", default.seed, tr("抽样的随机种子", "seed of the draws"))
    return knobs
