"""The map: where gradients vanish, stay or explode, measured point by point; and the forget bias alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import gradio as gr
import numpy as np

from shared import page as parts
from shared.experiment import from_values
from shared.i18n import markup, pick, tr
from shared.live import Latest
from shared.page import Page, clicked, guard, halt, knob_value, latest
from spaces.gradient_flow import map_figures as figures
from spaces.gradient_flow.cells import CARRIED, GATES
from spaces.gradient_flow.regimes import AXES, LIMITS, RANGES, Map, Regimes, Sweep, regimes, sweep_bias
from spaces.gradient_flow.ui.flow import Look, Target
from spaces.gradient_flow.ui.names import CELLS

QUIET = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": 4}
AXIS_CHOICES = {name: [(figures.SETTINGS[option], option) for option in options] for name, options in AXES.items()}
TRY = [  # label, the settings that differ from the default
    (tr("LSTM：谱半径 × 遗忘偏置", "LSTM: spectral radius × forget bias"), {}),
    (tr("GRU：同一张图", "GRU: the same"), {"cell": "gru"}),
    (tr("RNN：谱半径 × 偏移（饱和）", "RNN: spectral radius × offset (saturation)"), {"cell": "rnn", "up": "offset"}),
    (tr("ReLU：谱半径 × 输入强度", "ReLU: spectral radius × input"), {"cell": "rnn_relu", "up": "input_scale"}),
    (tr("作者的单元", "the author's cell"), {"cell": "su"}),
]


def measure(*values) -> Iterator[list]:
    """The map row by row, then the sweep of the forget bias where the cell has one."""
    settings = from_values(Map, values)
    for found in regimes(settings):
        shown = gr.update(visible=settings.cell in CARRIED)
        yield [figures.map_figure(found), gr.skip(), shown, said_of(found), _progress(0.8 * found.done), settings]
    if settings.cell in CARRIED:
        for curve in sweep_bias(settings.cell, settings.flow(1.0, 0.0)):
            yield [
                gr.skip(),
                figures.bias_figure(curve),
                *[gr.skip()] * 2,
                _progress(0.8 + 0.2 * curve.done),
                gr.skip(),
            ]
    yield [*[gr.skip()] * 4, "", gr.skip()]


def said_of(found: Regimes) -> str:
    """How much of the map is which."""
    count = {name: int((found.regime == name).sum()) for name in ("vanish", "stable", "explode")}
    total = max(1, sum(count.values()))
    shares = [f"{n / total:.0%}" for n in count.values()]
    zh, en = (pick(CELLS[found.map.cell], language) for language in ("zh", "en"))
    return markup(
        f"{zh}，{total} 个点：消失 <b>{shares[0]}</b>，保持 <b>{shares[1]}</b>，爆炸 <b>{shares[2]}</b>。",
        f"{en}, {total} points: <b>{shares[0]}</b> vanish, <b>{shares[1]}</b> stay, <b>{shares[2]}</b> explode.",
    )


def jump(settings: Map | None, event: gr.EventData) -> list:
    """The flow view's knobs for the clicked point."""
    at = (settings or Map()).flow(*clicked(event))
    look = Look(**{f.name: getattr(at, f.name) for f in dataclasses.fields(at)})
    if at.cells[0] in CARRIED:
        look = dataclasses.replace(look, cell=at.cells[0])
    return [gr.Tabs(selected="flow"), *(knob_value(v) for v in dataclasses.astuple(look))]


def _progress(share: float) -> str:
    return parts.progress(share, tr(f"正在量 {share:.0%}", f"measuring {share:.0%}"))


def build(page: Page, tabs: gr.Tabs, target: Target) -> None:
    """Draw the view; a click on the map opens the flow view at that point."""
    default, measured = Map(), gr.State(None)
    empty = Regimes(default, *_nothing(default), 0.0)
    with gr.Row(elem_classes="kx-try"):
        presets = [gr.Button(label, size="sm") for label, _ in TRY]
    with gr.Row(elem_classes="kx-controls"):
        start = gr.Button(tr("开始量", "Measure"), variant="primary", elem_id="map-start", min_width=100)
        stop = gr.Button(tr("停止", "Stop"), elem_id="map-stop", min_width=100)
        link = page.link_button("map")
    status = parts.status()
    said = parts.verdict(
        markup(
            "按“开始量”：每个点都真的跑一遍再反向扫一遍。",
            "Press measure: every point is a run and a sweep of its own.",
        )
    )
    with gr.Row(elem_classes="kx-grid"):
        chart = parts.figure(figures.map_figure(empty), pickable=True)
        unknown = np.full(2, np.nan)
        nothing = Sweep(default.cell, np.array(RANGES["forget_bias"]), unknown, unknown, unknown, 0.0)
        with gr.Column(min_width=300) as biased:  # a figure that is hidden itself loses its properties
            curve = parts.figure(figures.bias_figure(nothing))
    with gr.Row():
        cells = [(CELLS[name], name) for name in GATES]
        knobs: dict = {"cell": gr.Radio(cells, value=default.cell, label=tr("单元", "cell"))}
        labels = {"across": tr("横轴", "across"), "up": tr("纵轴", "up")}
        for name, label in labels.items():
            knobs[name] = gr.Radio(AXIS_CHOICES[name], value=getattr(default, name), label=label)
    with gr.Accordion(tr("更多旋钮", "More knobs"), open=False), gr.Row():
        names = {
            "columns": tr("列数", "columns"),
            "rows": tr("行数", "rows"),
            "hidden": tr("隐藏维数 H", "hidden units H"),
            "length": tr("长度 T（步）", "length T (steps)"),
        }
        for name, label in names.items():
            knobs[name] = parts.slider(*LIMITS[name], value=getattr(default, name), step=1, label=label)
        knobs["seed"] = gr.Number(default.seed, label=tr("随机种子", "seed"))

    order = [knobs[f.name] for f in dataclasses.fields(Map)]
    runs_of_visitor = gr.State(Latest())
    measuring = (latest(guard(measure)), [runs_of_visitor, *order], [chart, curve, biased, said, status, measured])
    view = page.view("map", Map, knobs, link, tabs=tabs, redraw=measuring)
    runs = [start.click(*measuring, **QUIET)]
    start.click(None, order, None, js=view.keep)
    for (_, changes), button in zip(TRY, presets, strict=True):
        values = list(dataclasses.astuple(Map(**changes)))
        runs.append(button.click(lambda v=values: v, None, order, **QUIET).then(*measuring, **QUIET))
        runs[-1].then(None, order, None, js=view.keep)
    stop.click(halt, [runs_of_visitor], status, cancels=runs, **QUIET)
    chart.pick(guard(jump), [measured], [tabs, *target.order], **QUIET).then(*target.drawing, **target.run)


def _nothing(settings: Map) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    shape = (settings.rows, settings.columns)
    return np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, "", dtype="<U7")
