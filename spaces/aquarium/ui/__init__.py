"""The aquarium tab. Only this folder imports gradio."""

from __future__ import annotations

import gradio as gr

from shared.experiment import Experiment
from shared.i18n import markup, tr
from shared.page import Page, expose
from spaces.aquarium.api import aquarium_simulate
from spaces.aquarium.ui import mine, nitrogen, pipes, verdict

OURS = markup(
    "文章没有任何测量。下面的水管和氮两个模型都是我们的；参数的取值、范围和来源列在“作者的结论”一栏，没有来源的写明是假设。",
    "The article measured nothing. Both models here, of pipes and of nitrogen, are ours; every parameter stands "
    "with its range and source under “The author's verdict”, and where none was found it is called an assumption.",
)
STYLE = """.aquarium-alarms { list-style: none; margin: 0; padding: 0; font-size: 14.5px; line-height: 1.6; }
.gradio-container .aquarium-text textarea, .gradio-container .aquarium-text input {
  border: 1px solid var(--kx-line) !important; border-radius: 4px; padding: 5px 9px !important;
  font-variant-numeric: tabular-nums; }
.aquarium-alarms li { list-style: none !important; border-left: 4px solid var(--kx-line); padding: 2px 10px;
margin: 4px 0; }
.aquarium-alarms li.harm { border-color: var(--kx-accent); background: var(--kx-accent-soft); }
.aquarium-alarms li.caution { border-color: var(--kx-grey); }
.aquarium-two { display: grid !important; gap: 14px !important; align-items: start;
grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr)); }
.aquarium-two > * { min-width: 0 !important; width: auto !important; }
.aquarium-two .kx-caption { min-height: 3.1em !important; }
.aquarium-dates td { white-space: nowrap; }
.aquarium-save { color: var(--kx-accent); text-underline-offset: 3px; }"""


def build(page: Page) -> None:
    """Draw the tab's views."""
    gr.HTML(f'<style>{STYLE}</style><p class="kx-note">{OURS}</p>')
    with gr.Tabs(overflow_behavior="wrap") as tabs:
        with gr.Tab(tr("水管", "Pipes"), id="pipes"):
            pipes.build(page, tabs)
        with gr.Tab(tr("氮", "Nitrogen"), id="nitrogen"):
            nitrogen.build(page, tabs)
        with gr.Tab(tr("作者的结论", "The author's verdict"), id="verdict"):
            verdict.build(page, tabs)
        with gr.Tab(tr("我的缸", "My tank"), id="mine"):
            mine.build(page, tabs)
    expose(aquarium_simulate, "aquarium_simulate")


EXPERIMENT = Experiment(
    slug="aquarium",
    title=tr("没有过滤器的鱼缸", "A tank without a filter"),
    claim=tr(
        "水管层层叠叠成“工”字，每个进水口到水泵一样远，吸的水就一样多；而养好的缸里，水泵和过滤可有可无，陶粒和水草不可少。",
        "Where pipes branch as 工 within 工, every inlet is equally far from the pump and draws the same; and in a "
        "grown tank pump and filter are not essential, ceramsite and plants are.",
    ),
    invitation=tr(
        "堵一个进水口，撤一样东西，看鱼怎么样", "Clog an inlet, take something out, and see how the fish fare"
    ),
    archive=7961,
    build=build,
)
