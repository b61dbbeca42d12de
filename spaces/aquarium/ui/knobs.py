"""Knobs of a tank, shared by the views; and presets, which set all knobs and draw."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import gradio as gr

from shared import page as parts
from shared.i18n import tr
from shared.page import Page, View, knob_value
from spaces.aquarium.settings import TANK_LIMITS

QUIET = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": 8, "trigger_mode": "always_last"}
"""always_last, for by default gradio drops what comes while it is busy."""
RUN = QUIET | {"concurrency_limit": 2, "trigger_mode": "once"}
"""For work of seconds."""
SLIDERS = {  # label, range where it is narrower than the limits, step
    "days": (tr("看多少天", "days to look at"), (10, 365), 1),
    "turtles": (tr("草龟苗（只）", "baby turtles"), (0, 20), 1),
    "paradise_fish": (tr("斗鱼（条）", "paradise fish"), (0, 40), 1),
    "loaches": (tr("泥鳅（条）", "loaches"), (0, 20), 1),
    "pump_flow": (tr("水泵流量（L/h）", "the pump's flow (L/h)"), (10, 1000), 10),
    "ceramsite_kg": (tr("陶粒（kg）", "ceramsite (kg)"), None, 0.5),
    "grain_mm": (tr("陶粒粒径（mm）", "grain (mm)"), None, 0.5),
    "plants_g": (tr("水草鲜重（g）", "plants, fresh weight (g)"), (0, 1000), 10),
    "depth_cm": (tr("水深（cm）", "depth of water (cm)"), (10, 60), 1),
    "temperature": (tr("水温（°C）", "temperature (°C)"), None, 0.5),
    "ph": (tr("pH", "pH"), None, 0.1),
    "stocking_day": (
        tr("第几天放鱼（此前照常投食，空缸养菌）", "day the fish go in (fed empty until then)"),
        (0, 120),
        1,
    ),
    "dose": (tr("开缸时加氨（mg N/L）", "ammonia dosed on day 0 (mg N/L)"), (0, 5), 0.1),
    "change_every": (tr("换水间隔（天）", "days between water changes"), (1, 120), 1),
    "change_share": (tr("每次换多少（0–1）", "share of water changed (0–1)"), None, 0.05),
    "tap_nitrate": (tr("自来水硝酸盐（mg N/L）", "nitrate in tap water (mg N/L)"), (0, 20), 0.5),
    "removal_day": (tr("第几天撤", "day it is taken out"), (0, 365), 1),
    "ration": (
        tr("日粮（干饲料 g ÷ 体重 g）", "daily ration (g dry feed per g body)"),
        (0.0, 0.04),
        0.001,
    ),
}


def slider(name: str, value: float, **options: Any) -> gr.Slider:
    """One of SLIDERS."""
    label, span, step = SLIDERS[name]
    return parts.slider(*(span or TANK_LIMITS[name]), value=value, step=step, label=label, **options)


def sliders(settings: Any, names: Sequence[str]) -> dict[str, gr.Slider]:
    """Sliders by name, at the settings' values."""
    return {name: slider(name, getattr(settings, name)) for name in names}


def pump(settings: Any) -> gr.Checkbox:
    """The pump's switch."""
    return gr.Checkbox(settings.pump, label=tr("水泵开着", "pump on"))


def number(name: str, value: float, label: str, **options: Any) -> gr.Number:
    """A number that the settings check."""
    return gr.Number(value, label=label, elem_id=f"aquarium-{name}", **options)


def day_zero(value: str) -> gr.Textbox:
    """The date of day 0."""
    return gr.Textbox(value, label=tr("第 0 天是哪天", "date of day 0"), max_lines=1, elem_classes="aquarium-text")


def controls(page: Page, view: str, label: str, name: str) -> tuple[gr.Button, gr.Button, gr.Button, gr.HTML]:
    """The buttons that start and stop work of seconds, the link's, and the line that shows progress."""
    with gr.Row(elem_classes="kx-controls"):
        start = gr.Button(label, variant="primary", elem_id=f"aquarium-{name}", min_width=150)
        stop = gr.Button(tr("停止", "Stop"), elem_id=f"aquarium-{name}-stop", min_width=80)
        link = page.link_button(view)
    return start, stop, link, parts.status()


def in_order(knobs: dict, kind: type) -> tuple[dict, list]:
    """The knobs in the order of the settings' fields, as a dict and as a list."""
    ordered = {f.name: knobs[f.name] for f in dataclasses.fields(kind)}
    return ordered, list(ordered.values())


def buttons(tries: Sequence[tuple[str, dict]]) -> list[gr.Button]:
    """A row of "try this"."""
    with gr.Row(elem_classes="kx-try"):
        return [gr.Button(label, size="sm") for label, _ in tries]


def presets(made: list[gr.Button], tries: Sequence[tuple[str, dict]], kind: type, view: View, drawing: tuple) -> list:
    """Each button sets every knob and draws; the address keeps what it set. Returns the events, to be cancelled."""
    order, runs = list(view.knobs.values()), []
    for (_, changes), button in zip(tries, made, strict=True):
        values = [knob_value(v) for v in dataclasses.astuple(kind(**changes))]
        runs.append(button.click(lambda v=values: v, None, order, **QUIET).then(*drawing, **QUIET))
        runs[-1].then(None, order, None, js=view.keep)
    return runs
