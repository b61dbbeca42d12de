"""The point of no return, the optimiser race and the map of rates, filled in live."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import gradio as gr

from shared import page as parts
from shared.experiment import InputError, choice, number
from shared.i18n import markup, pick, tr
from shared.live import Latest
from shared.page import Page, clicked, guard, halt, knob_value, latest
from spaces.simsiam import figures
from spaces.simsiam.duel import Duel
from spaces.simsiam.races import ENCODER_RATES, PREDICTOR_RATES, optimiser_race, point_of_no_return, rate_map
from spaces.simsiam.settings import CHOICES, Settings
from spaces.simsiam.ui import live

KINDS = [
    (tr("覆水难收：停梯度关掉再打开", "Point of no return: stop-gradient off and on again"), "return"),
    (tr("优化器赛跑", "Optimiser race"), "race"),
    (tr("学习率地图", "Map of rates"), "map"),
]
OPTIMIZERS = [("SGD", "sgd"), ("Adam", "adam"), ("L-BFGS", "lbfgs")]


@dataclass(frozen=True)
class Race:
    """Which race, from which seed."""

    kind: str = "return"
    optimizer: str = "lbfgs"
    """Of the point of no return."""
    off: int = 20
    """The step at which stop-gradient goes."""
    after: int = 60
    """Steps once it is back."""
    steps: int = 60
    """Of each run in the optimiser race and on the map."""
    seed: int = 0

    def __post_init__(self):
        for name, options in {"kind": ("return", "race", "map"), "optimizer": CHOICES["optimizer"]}.items():
            choice(name, getattr(self, name), options)
        for name, limits in {"off": (0, 500), "after": (1, 500), "steps": (1, 500)}.items():
            object.__setattr__(self, name, number(name, getattr(self, name), limits))
        Settings(seed=self.seed)


Picture = tuple[str, str, str, str, list]  # two figures of curves, the map, the sentence, the map's cells


def run(*values) -> Iterator[Picture]:
    """The chosen race, picture by picture."""
    settings = Race(*(int(v) if isinstance(v, float) else v for v in values))
    yield *empty(settings.kind), figures.rates([]), markup("正在训练，请稍候……", "Training …"), []
    yield from {"return": run_return, "race": run_race, "map": run_map}[settings.kind](settings)


def stopped(visitor: Latest) -> str:
    """End the run; its figures stay."""
    halt(visitor)
    return markup("<b>已停止</b>。图上是停下时的结果。", "<b>Stopped.</b> The figures show what there was.")


def run_return(race: Race) -> Iterator[Picture]:
    """Stop-gradient off at one step and on again after 1, 2, 4, … more."""
    runs: dict = {}
    for result in point_of_no_return(Settings(seed=race.seed, optimizer=race.optimizer), race.off, after=race.after):
        runs[result.wait] = result
        done = [r for r in runs.values() if r.done and r.wait]
        saved = [r.wait for r in done if r.final > live.SPREAD]
        lost = [r.wait for r in done if r.final <= live.SPREAD]
        zh = f"关 {max(saved)} 步还救得回来" if saved else "还没有救回来的"
        en = f"off for {max(saved)} steps it still recovers" if saved else "none has recovered so far"
        if lost:
            zh, en = f"{zh}；关 {min(lost)} 步就回不来了", f"{en}; off for {min(lost)} it does not"
        yield (
            *figures.returns(list(runs.values())),
            gr.skip(),
            markup(f"<b>{zh}</b>。", f"<b>{en.capitalize()}</b>."),
            [],
        )


def run_race(race: Race) -> Iterator[Picture]:
    """Every optimiser with and without stop-gradient."""
    lanes: dict = {}
    for lane in optimiser_race(Settings(seed=race.seed), race.steps):
        lanes[lane.racer, lane.stop_gradient] = lane
        dead = [name for (name, on), a in lanes.items() if not on and a.curve.std[-1] < live.COLLAPSED]
        names = [figures.RACER_NAMES[name] for name in dead]
        zh = "、".join(pick(n, "zh") for n in names) or "无"
        en = ", ".join(pick(n, "en") for n in names) or "none"
        step = lane.curve.steps[-1]
        said = markup(
            f"第 {step} / {race.steps} 步。没有停梯度而已经坍缩的：<b>{zh}</b>。",
            f"Step {step} of {race.steps}. Collapsed without stop-gradient so far: <b>{en}</b>.",
        )
        yield figures.race(lanes.values(), True), figures.race(lanes.values(), False), gr.skip(), said, []


def run_map(race: Race) -> Iterator[Picture]:
    """Every pair of rates, without BatchNorm in the heads."""
    cells: list = []
    total = len(PREDICTOR_RATES) * len(ENCODER_RATES)
    for cell in rate_map(Settings(seed=race.seed, batch_norm="none"), steps=race.steps):
        cells.append(cell)
        dead = sum(c.std < live.COLLAPSED for c in cells)
        zh, en = (
            f"{len(cells)} / {total} 格，坍缩 <b>{dead}</b> 格。",
            f"{len(cells)} of {total} cells, <b>{dead}</b> collapsed.",
        )
        if len(cells) == total:
            rows = [[c.std for c in cells if c.row == row] for row in range(len(PREDICTOR_RATES))]
            slow, fast = (sum(r) / len(r) for r in (rows[0], rows[-1]))
            zh += f"平均 std × √d：预测器最慢的一行 {slow:.2f}，最快的一行 {fast:.2f}。"
            en += f" Mean std × √d: {slow:.2f} with the slowest predictor, {fast:.2f} with the fastest."
        said = markup(zh, en)
        yield gr.skip(), gr.skip(), figures.rates(cells), said, cells


def replay(cells: list, event: gr.EventData) -> list:
    """The knobs of the live view for the clicked cell, against the same run without stop-gradient."""
    column, row = map(round, clicked(event))
    found = next((c for c in cells if (c.row, c.column) == (row, column)), None)
    if found is None:
        raise InputError("cell", "这一格还没有算完。", "this cell has not been run yet.")
    own = {f"other_{name}": getattr(found.settings, name) for name in ("predictor_rate", "batch_norm")}
    duel = Duel(**dataclasses.asdict(found.settings), **own)
    return [gr.Tabs(selected="live"), *(knob_value(getattr(duel, f.name)) for f in dataclasses.fields(Duel))]


def empty(kind: str) -> tuple[str, str]:
    """The two figures of curves before anything has run."""
    return figures.returns([]) if kind != "race" else (figures.race([], True), figures.race([], False))


def shown(kind: str) -> list:
    """Which knobs and figures belong to a race."""
    wanted = [kind != "map", kind == "map"] + [kind == "return"] * 3 + [kind != "return"]
    return [*empty(kind), *(gr.update(visible=v) for v in wanted)]


def build(page: Page, tabs: gr.Tabs, target: live.Live) -> None:
    """Draw the view; a click on the map replays the run in the live view `target`."""
    default = Race()
    kind = gr.Radio(KINDS, value=default.kind, label=tr("哪一场", "Which race"))
    with gr.Row(elem_classes="kx-controls"):
        start = gr.Button(tr("开始", "Start"), variant="primary", elem_id="races-start", min_width=100)
        stop = gr.Button(tr("停止", "Stop"), elem_id="races-stop", min_width=100)
        link = page.link_button("races")
    said = parts.verdict(markup("按“开始”。", "Press start."))
    with gr.Row(elem_classes="kx-grid") as curves:
        left, right = (parts.figure(spec) for spec in figures.returns([]))
    with gr.Column(visible=False) as area:  # a figure that is hidden itself loses its properties when it is shown
        chart = parts.figure(figures.rates([]), pickable=True)
    with gr.Row():
        knobs = {
            "kind": kind,
            "optimizer": gr.Radio(OPTIMIZERS, value=default.optimizer, label=tr("优化器", "optimiser")),
            "off": gr.Slider(0, 100, default.off, step=1, label=tr("在第几步关掉停梯度", "stop-gradient goes at step")),
            "after": gr.Slider(10, 200, default.after, step=10, label=tr("打开之后再走几步", "steps after it is back")),
            "steps": gr.Slider(
                1, 200, default.steps, step=1, label=tr("每次训练的步数", "steps of each run"), visible=False
            ),
            "seed": gr.Number(default.seed, label=tr("随机种子", "seed")),
        }
    cells = gr.State([])
    outputs = [left, right, chart, said, cells]
    order = [knobs[f.name] for f in dataclasses.fields(Race)]
    switched = [left, right, curves, area, knobs["optimizer"], knobs["off"], knobs["after"], knobs["steps"]]
    page.view("races", Race, knobs, link, tabs=tabs, redraw=(shown, [kind], switched))

    quiet = dict(show_progress="hidden", api_visibility="private")
    kind.change(shown, [kind], switched, **quiet)
    visitor = gr.State(Latest())
    running = start.click(latest(guard(run)), [visitor, *order], outputs, concurrency_limit=8, **quiet)
    stop.click(stopped, [visitor], said, cancels=[running], **quiet)
    chart.pick(guard(replay), [cells], [tabs, *target.order], **quiet).then(*target.starting, **target.run)
