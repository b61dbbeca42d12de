"""The pipes under the ceramsite: the H-tree beside a comb, inlets to clog, and what evenness costs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import gradio as gr
import numpy as np

from shared import page as parts
from shared.experiment import InputError, choice, from_values
from shared.i18n import markup, prose, tr
from shared.page import Page, guard, knob_value
from spaces.aquarium import figures
from spaces.aquarium.drawing import floor
from spaces.aquarium.pipes import Flows, solve
from spaces.aquarium.settings import LAYOUTS, PIPE_LIMITS, Pipes
from spaces.aquarium.sweeps import RANGES, sweep
from spaces.aquarium.ui.knobs import QUIET, buttons, in_order, presets

SCRIPT = (Path(__file__).parent / "floor.js").read_text("utf-8")
STYLE = """.aquarium-floor h3 { margin: 0 0 2px; } .aquarium-floor p { margin: 0 0 6px; }
.aquarium-floor [data-inlet]:hover .reach { stroke: var(--kx-accent); stroke-width: 2; }"""
SLIDERS = {  # label, range, step
    "levels": (tr("分叉级数（进水口 2ⁿ 个）", "levels of splits (2ⁿ inlets)"), (1, 8), 1),
    "inlet_mm": (tr("进水孔直径（mm）", "inlet hole (mm)"), (1, 16), 0.5),
    "flow": (tr("水泵流量（L/h）", "the pump's flow (L/h)"), (10, 1500), 10),
    "trunk_mm": (tr("主管内径（mm）", "trunk's inner diameter (mm)"), (6, 40), 1),
    "taper": (tr("逐级缩径比", "taper from level to level"), PIPE_LIMITS["taper"], 0.01),
    "grain_mm": (tr("陶粒粒径（mm，0：没有陶粒）", "grain (mm; 0: no ceramsite)"), (0, 50), 0.5),
}
LOSS_CHOICES = [
    (tr("全部：层流、湍流、三通、孔", "all: laminar, turbulent, tees, holes"), "full"),
    (tr("只算层流（线性）", "laminar alone (linear)"), "laminar"),
]
TRY = [  # label, the settings that differ from the default
    (tr("16 口：同程对梳形", "16 inlets: H-tree and comb"), {}),
    (tr("64 口：差距更大", "64 inlets: further apart"), {"levels": 6}),
    (tr("堵住一个口", "clog one inlet"), {"blocked": ("5",), "blocked_comb": ("5",)}),
    (tr("2 毫米小孔：梳形也均匀了", "holes of 2 mm: the comb is even, too"), {"inlet_mm": 2.0}),
    (tr("粗管 40 mm：差距缩小", "a trunk of 40 mm: closer"), {"trunk_mm": 40.0, "knob": "trunk_mm"}),
    (tr("慢流，只算层流", "slow and laminar"), {"flow": 30.0, "losses": "laminar", "knob": "flow"}),
]
HEADS = {
    "h_tree": '<h3 class="kx-run-a">{}</h3>',
    "comb": '<h3 class="kx-run-b">{}</h3>',
}
CLOGGED = {
    "blocked": tr("同程里堵住的口（编号）", "clogged in the H-tree (numbers)"),
    "blocked_comb": tr("梳形里堵住的口（编号）", "clogged in the comb (numbers)"),
}
CHOSEN = {"trigger_mode": "multiple", "api_visibility": "private"}
EVEN = 1e-9
"""A coefficient of variation below this is rounding."""
LEGEND = markup(
    "<b>点一个圆就堵住这个进水口</b>，再点疏通（键盘：Tab 与回车）。圆越大吸得越多，偏离平均 10% 以上的是红色；"
    "虚线跑得越快水越快（比真实慢 6 倍）；黑点或白点是水泵。",
    "<b>Click a disc to clog that inlet</b>, again to clear it (keyboard: Tab and Enter). Larger discs draw more, red "
    "ones are more than 10 % off the mean; faster dashes are faster water (6 times slower than real); the plain dot is "
    "the pump.",
)
EXPLANATION = prose(
    r"""**看什么。** 文章的底滤是层层叠叠的“工”字：从每个进水口到水泵，路一样长，拐弯一样多。
对照是梳形：一根主管，两边长齿，从一头抽。

**怎么算。** 未知数是各口的流量 $q_i$。每条路损失的压力相同：$\sum_{e}h_e(Q_e)+r(q_i)=p$，$\sum q_i=Q$。
管子按雷诺数取层流（Hagen–Poiseuille）或湍流（Colebrook）摩擦，加三通和孔的局部损失，加水汇聚穿过陶粒的阻力；
牛顿法解到舍入误差。
均匀程度用变异系数（标准差 ÷ 平均）衡量。
三通的损失取手册常数；不计三通，默认梳形的变异系数是 10%，用螺纹三通则是 38%；同程总是 0。

**结论。** 没堵时同程恰好是 0，与流量、孔径、管径无关——这是对称性。梳形要么粗主管，要么小孔，
靠孔的阻力压倒管的阻力，代价是吸力。""",
    r"""**What to see.** The article's bottom filter is a 工 within a 工: every inlet is equally far from the pump,
with equal turns. Beside it a comb: one header with teeth on both sides, drawn at one end.

**How it is computed.** Unknown are the inlets' flows $q_i$. Every path loses the same pressure:
$\sum_{e}h_e(Q_e)+r(q_i)=p$, $\sum q_i=Q$. Pipes have laminar (Hagen–Poiseuille) or turbulent (Colebrook) friction by
their Reynolds number, tees and holes their losses, and the water converges through the ceramsite; Newton's method
solves it
to rounding. Evenness is measured by the coefficient of variation, standard deviation over mean. Tees have handbook
constants: without any loss in tees the default comb has 10 %, with threaded tees 38 %; the H-tree has 0 with all.

**What follows.** Unclogged, the H-tree has exactly 0 at any flow and any diameter: that is symmetry. A comb needs
a wide
header or small holes, whose resistance outweighs the pipes', and pays for them in suction.""",
)


@dataclass(frozen=True)
class Floors:
    """Both layouts with the same pipes, each with its own clogged inlets, and the knob that is swept."""

    levels: int = Pipes.levels
    inlet_mm: float = Pipes.inlet_mm
    flow: float = Pipes.flow
    trunk_mm: float = Pipes.trunk_mm
    taper: float = Pipes.taper
    grain_mm: float = Pipes.grain_mm
    losses: str = Pipes.losses
    knob: str = "inlet_mm"
    blocked: tuple[str, ...] = ()
    blocked_comb: tuple[str, ...] = ()

    def __post_init__(self):
        choice("knob", self.knob, tuple(RANGES))
        tree = self.pipes("h_tree")
        try:
            comb = self.pipes("comb")
        except InputError as error:
            raise InputError("blocked_comb", error.zh, error.en) from None
        for name in (*SLIDERS, "blocked"):
            object.__setattr__(self, name, getattr(tree, name))
        object.__setattr__(self, "blocked_comb", comb.blocked)

    def pipes(self, layout: str) -> Pipes:
        """The network of one layout."""
        shared = {name: getattr(self, name) for name in (*SLIDERS, "losses")}
        return Pipes(layout=layout, blocked=self.blocked if layout == "h_tree" else self.blocked_comb, **shared)


def draw(*values) -> Iterator[list]:
    """Both floors and their inlets at once, then the sweeps, of the networks with nothing clogged."""
    settings = from_values(Floors, values)
    flows = {layout: solve(settings.pipes(layout)) for layout in LAYOUTS}
    names = [figures.LAYOUT_NAMES[layout] for layout in LAYOUTS]
    first = [*(scene(kind, f) for kind, f in flows.items()), verdict(flows), figures.inlets(*flows.values(), names)]
    yield [*first, gr.skip(), gr.skip()]
    swept = sweep(settings.pipes("h_tree").but(blocked=()), settings.knob)
    yield [*first, figures.evenness(swept), figures.suction(swept)]


def scene(layout: str, flows: Flows) -> str:
    """One floor with its name and numbers."""
    drawn = flows.inlet[flows.open]
    low, high, cv = drawn.min(), drawn.max(), _percent(flows.variation)
    pull = f"{flows.suction:,.0f} Pa"
    each = f"{low:.1f}" if high - low < 0.05 else f"{low:.1f}–{high:.1f}"
    said = tr(
        f"每口 {each} L/h · 变异系数 {cv} · 吸力 {pull}",
        f"{each} L/h each · coefficient of variation {cv} · suction {pull}",
    )
    crowded = tr(" · 齿比间距还粗，造不出来", " · teeth wider than their spacing: not to be built")
    room = "" if flows.layout.fits else crowded
    head = HEADS[layout].format(figures.LAYOUT_NAMES[layout])
    return head + f'<p class="kx-note"><span>{said}</span><span>{room}</span></p>' + floor(flows)


def _percent(variation: float) -> str:
    return "0" if variation < EVEN else f"{100 * variation:.1f} %" if variation >= 5e-4 else "< 0.05 %"


def verdict(flows: dict[str, Flows]) -> str:
    """Whether equal paths draw evenly, beside the comb."""
    tree, comb = flows["h_tree"], flows["comb"]
    clogged = {"h_tree": int((~tree.open).sum()), "comb": int((~comb.open).sum())}
    return markup(
        f"同程{_clogged(clogged['h_tree'], 'zh')}：变异系数 <b class=good>{_percent(tree.variation)}</b>"
        f"{'（对称，恰好均匀）' if tree.variation < EVEN else ''}；"
        f"梳形{_clogged(clogged['comb'], 'zh')}：<b class={_kind(comb)}>{_percent(comb.variation)}</b>，"
        f"最多的口是最少的 {_ratio(comb):.2f} 倍。"
        f"水泵要吸 {tree.suction:,.0f} 与 {comb.suction:,.0f} Pa（{tree.suction / 98.07:.1f} 与 "
        f"{comb.suction / 98.07:.1f} 厘米水柱）；管中雷诺数至多 {_reynolds(tree, comb):,.0f}。",
        f"H-tree{_clogged(clogged['h_tree'], 'en')}: coefficient of variation "
        f"<b class=good>{_percent(tree.variation)}</b>{' (even, by symmetry)' if tree.variation < EVEN else ''}; "
        f"comb{_clogged(clogged['comb'], 'en')}: <b class={_kind(comb)}>{_percent(comb.variation)}</b>, its best inlet "
        f"draws {_ratio(comb):.2f} times its worst. The pump pulls {tree.suction:,.0f} and {comb.suction:,.0f} Pa "
        f"({tree.suction / 98.07:.1f} and {comb.suction / 98.07:.1f} cm of water); Reynolds numbers in the pipes reach "
        f"{_reynolds(tree, comb):,.0f}.",
    )


def _clogged(count: int, language: str) -> str:
    if not count:
        return ""
    return f"（堵 {count} 个）" if language == "zh" else f" ({count} clogged)"


def _kind(flows: Flows) -> str:
    return "bad" if flows.variation > 0.1 else "good"


def _ratio(flows: Flows) -> float:
    drawn = flows.inlet[flows.open]
    return float(drawn.max() / drawn.min())


def _reynolds(*flows: Flows) -> float:
    return float(max(np.max(f.reynolds) for f in flows))


def shrink(levels, *clogged) -> list:
    """The clogged inlets that there still are with fewer levels."""
    count = 2 ** int(levels) if isinstance(levels, int | float) and 1 <= levels <= PIPE_LIMITS["levels"][1] else 256
    return [[n for n in listed if int(n) < count] for listed in clogged]


def build(page: Page, tabs: gr.Tabs) -> None:
    """Draw the view."""
    default = Floors()
    first = list(draw(*(knob_value(v) for v in dataclasses.astuple(default))))[-1]
    made = buttons(TRY)
    with gr.Row(elem_classes="kx-grid"):
        floors = [_floor(first[i], layout) for i, layout in enumerate(LAYOUTS)]
    gr.HTML(f'<p class="kx-note">{LEGEND}</p>')
    said = parts.verdict(first[2])
    with gr.Row():
        with gr.Column(scale=3, min_width=300):
            inlets = parts.figure(first[3])
            with gr.Row(elem_classes="kx-controls"):
                clear = gr.Button(tr("全部疏通", "Clear all"), size="sm", min_width=100, scale=0)
                link = page.link_button("pipes")
        with gr.Column(scale=2, min_width=300):
            knobs = _knobs(default)
    with gr.Row(elem_classes="kx-grid"):
        swept = [parts.figure(spec) for spec in first[4:]]
    gr.Markdown(EXPLANATION, latex_delimiters=parts.LATEX)

    knobs, order = in_order(knobs, Floors)
    drawing = (guard(draw), order, [*floors, said, inlets, *swept])
    view = page.view("pipes", Floors, knobs, link, tabs=tabs, redraw=drawing)
    clogged = [knobs["blocked"], knobs["blocked_comb"]]
    others = [knob.input for name, knob in knobs.items() if name != "levels"]
    gr.on(others, *drawing, **QUIET)
    knobs["levels"].input(shrink, [knobs["levels"], *clogged], clogged, **QUIET).then(*drawing, **QUIET)
    for shown, listed in zip(floors, clogged, strict=True):
        toggled = shown.pick(None, [listed], [listed], js="(list) => kx.aquariumToggled(list)", **CHOSEN)
        toggled.then(*drawing, **QUIET)
    clear.click(lambda: [[], []], None, clogged, **QUIET).then(*drawing, **QUIET)
    presets(made, TRY, Floors, view, drawing)


def _floor(value: str, layout: str) -> gr.HTML:
    """A floor whose `pick` tells that an inlet was chosen."""
    return gr.HTML(
        value,
        html_template='<div class="aquarium-floor">${value}</div>',
        css_template=STYLE,
        js_on_load=f"{SCRIPT}\nkx.aquariumFloor(element, (inlet) => trigger('pick', inlet));",
        apply_default_css=False,
        elem_id=f"floor-{layout}",
    )


def _knobs(default: Floors) -> dict:
    knobs: dict = {}

    def slider(name: str) -> None:
        label, span, step = SLIDERS[name]
        knobs[name] = parts.slider(*span, value=getattr(default, name), step=step, label=label)

    for name in ("levels", "inlet_mm", "flow", "trunk_mm"):
        slider(name)
    swept = [(figures.KNOB_NAMES[name], name) for name in RANGES]
    knobs["knob"] = gr.Radio(swept, value=default.knob, label=tr("下面两图横轴", "across in the two figures below"))
    with gr.Accordion(tr("更多旋钮", "More knobs"), open=False):
        slider("taper")
        slider("grain_mm")
        knobs["losses"] = gr.Radio(LOSS_CHOICES, value=default.losses, label=tr("算哪些损失", "losses"))
        numbers = [str(n) for n in range(2 ** PIPE_LIMITS["levels"][1])]
        for name, label in CLOGGED.items():
            knobs[name] = gr.Dropdown(numbers, value=[], multiselect=True, label=label)
    return knobs
