"""Yours: a visitor's own nn.RNN, nn.LSTM or nn.GRU as a .safetensors state dict, or a sample of ours."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from shared import page as parts
from shared.experiment import InputError, choice, number
from shared.i18n import markup, pick, prose, tr
from shared.live import watched
from shared.page import Page, guard
from spaces.gradient_flow.state_dict import KINDS, MOST_BYTES, MOST_HIDDEN, NONLINEARITIES, Recurrent, parse
from spaces.gradient_flow.state_dict import read as read_tensors
from spaces.gradient_flow.ui.names import PATHS, steps_of
from spaces.gradient_flow.yours import LENGTH, SAMPLES, SEED, Report, examine, sample
from spaces.gradient_flow.yours_figures import layers_figure, name_of

QUICK = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": 2}
MINE = "mine"
MOST_NETWORKS = 4
"""Of one file; further ones by name are passed over."""
REGIMES = {"vanish": tr("消失", "vanishes"), "stable": tr("保持", "stays"), "explode": tr("爆炸", "explodes")}
EXPLANATION = prose(
    f"""**怎么存。** `from safetensors.torch import save_file; save_file(rnn.state_dict(), "mine.safetensors")`，
整个模型的 state dict 也行：里面的 {"、".join(f"nn.{k}" for k in KINDS.values())} 会被找出来
（至多 {MOST_NETWORKS} 个网络， {MOST_BYTES // 2**20} MB，隐藏维数至多 {MOST_HIDDEN}）。

**算的是什么。** 各层各方向按 torch 的方程读一段单位方差的噪声
（torch 的 GRU 与文章的不同：重置门乘在 $U_n h+b$ 之后，$z$ 是保留的那一份），量
$\\lVert\\partial s_T/\\partial s_t\\rVert$，输入固定。
真实输入上的半衰期会不同：门随输入而变。""",
    f"""**How to save it.** `from safetensors.torch import save_file; save_file(rnn.state_dict(), "mine.safetensors")`;
a whole model's state dict will do: the {", ".join(f"nn.{k}" for k in KINDS.values())} in it is found (at most
{MOST_NETWORKS} networks, {MOST_BYTES // 2**20} MB, {MOST_HIDDEN} hidden units).

**What is computed.** Each layer and direction reads noise of unit variance by torch's equations (whose GRU is not the
article's: the reset gate acts after $U_n h+b$, and $z$ is the share that is kept), and
$\\lVert\\partial s_T/\\partial s_t\\rVert$ is measured with the inputs held fixed. On real input gates differ, and so
does the half-life.""",
)


@dataclass(frozen=True)
class Yours:
    """Which network, and how it is run."""

    network: str = "lstm"
    """A sample's name; mine: the uploaded file."""
    nonlinearity: str = "tanh"
    """Of an nn.RNN: its state dict does not say."""
    length: int = 200
    seed: int = 0

    def __post_init__(self):
        choice("network", self.network, (*SAMPLES, MINE))
        choice("nonlinearity", self.nonlinearity, NONLINEARITIES)
        object.__setattr__(self, "length", number("length", self.length, LENGTH))
        object.__setattr__(self, "seed", number("seed", self.seed, SEED))


def show(path: str | None, network: str, nonlinearity: str, length: int, seed: int) -> Iterator[list]:
    """The report of the chosen network."""
    settings = Yours(network, nonlinearity, length, seed if seed is not None else 0)
    if network == MINE and not path:
        raise InputError("network", "请先上传一个 .safetensors 文件。", "upload a .safetensors file first.")
    tensors = read_tensors(path) if network == MINE else sample(network)
    first = parse(tensors, settings.nonlinearity)
    networks = [first, *(parse(tensors, settings.nonlinearity, prefix) for prefix in first.others[: MOST_NETWORKS - 1])]
    for share, reports in watched(lambda told: _examined(networks, settings, told)):
        if reports is None:
            yield [*[gr.skip()] * 3, parts.progress(share, tr(f"正在量 {share:.0%}", f"measuring {share:.0%}"))]
    name = (
        tr(html.escape(Path(path).name[:60]), html.escape(Path(path).name[:60]))
        if network == MINE
        else SAMPLES[network][0]
    )
    verdicts = [report.verdict() for report in reports]
    said = markup(
        *(
            f"<b>{html.escape(pick(name, x))}</b>　{html.escape(' '.join(pick(v, x) for v in verdicts))}"
            for x in ("zh", "en")
        )
    )
    yield [said, layers_figure(reports), table(reports), ""]


def uploaded(path: str | None, *values) -> Iterator[list]:
    """The report of a file just uploaded; one that cannot be read leaves a sentence and nothing of the one before."""
    if not path:
        return
    try:
        for found in show(path, MINE, *values):
            yield [*found, MINE]
    except InputError as error:
        zh, en = html.escape(error.zh), html.escape(error.en)
        said = markup(f"<b class=bad>无法读取</b>：文件{zh}", f"<b class=bad>Not read</b>: the file {en}")
        yield [said, layers_figure([]), "", "", None]


def _examined(networks: list[Recurrent], settings: Yours, told: Callable[[float], None]) -> list[Report]:
    reports = []
    for i, network in enumerate(networks):
        part = lambda share, i=i: told((i + share) / len(networks))  # noqa: E731
        reports.append(examine(network, settings.length, settings.seed, part))
    return reports


def table(reports: list[Report]) -> str:
    """Half-life, spectral radii and the keeping gate of every layer."""
    heads = [
        tr("层", "layer"),
        tr("梯度", "gradient"),
        tr("半衰期（步）", "half-life (steps)"),
        tr("各门 U 的谱半径", "spectral radius of each gate's U"),
        tr("遗忘门平均（5%–95%）", "keeping gate, mean (5–95 %)"),
    ]
    rows = []
    for name, layer in ((name_of(report, layer), layer) for report in reports for layer in report.layers):
        radii = "<br>".join(tr(*(f"{pick(PATHS[g], x)} {r:.2f}" for x in ("zh", "en"))) for g, r in layer.radii.items())
        kept = layer.kept
        gate = f"{kept.mean:.2f} ({kept.low:.2f}–{kept.high:.2f})" if kept else "–"
        regime = tr("权重有 NaN", "weights hold NaN") if layer.broken else REGIMES[layer.regime]
        cells = [regime, "–" if layer.regime == "explode" else steps_of(layer.half_life), radii, gate]
        rows.append(f"<tr><th scope='row'>{html.escape(name)}</th>{''.join(f'<td>{c}</td>' for c in cells)}</tr>")
    head = "".join(f"<th scope='col'>{h}</th>" for h in heads)
    exact = (
        ""
        if all(report.exact for report in reports)
        else tr("隐藏维数大于 256：范数由随机行估计。", "Above 256 units norms are estimated by random rows.")
    )
    body = f'<table class="kx-table kx-columns">{head}{"".join(rows)}</table>'
    return f'<div class="kx-scroll">{body}</div><small>{exact}</small>'


def build(page: Page, tabs: gr.Tabs) -> None:
    """Draw the view."""
    default = Yours()
    first = list(show(None, default.network, default.nonlinearity, default.length, default.seed))[-1]
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            options = [(label, name) for name, (label, _) in SAMPLES.items()] + [(tr("我上传的", "my upload"), MINE)]
            network = gr.Radio(options, value=default.network, label=tr("先看一个样本", "Look at a sample first"))
            upload = gr.File(
                label=tr("或上传你的 .safetensors（state dict）", "Or upload yours: .safetensors (a state dict)"),
                file_types=[".safetensors"],
                height=130,
            )
            nonlinearity = gr.Radio(
                NONLINEARITIES,
                value=default.nonlinearity,
                label=tr("nn.RNN 的激活（文件里没有写）", "activation of an nn.RNN (the file does not say)"),
            )
            length = parts.slider(*LENGTH, value=default.length, step=1, label=tr("长度 T（步）", "length T (steps)"))
            seed = gr.Number(default.seed, label=tr("噪声的种子", "seed of the noise"))
            link = page.link_button("yours")
        with gr.Column(scale=3, min_width=300):
            status = parts.status()
            said = parts.verdict(first[0])
            chart = parts.figure(first[1])
            numbers = gr.HTML(first[2])
    gr.Markdown(EXPLANATION, latex_delimiters=parts.LATEX)

    knobs = {"network": network, "nonlinearity": nonlinearity, "length": length, "seed": seed}
    outputs, order = [said, chart, numbers, status], list(knobs.values())
    drawing = (guard(show), [upload, *order], outputs)
    page.view("yours", Yours, knobs, link, tabs=tabs, redraw=drawing)
    gr.on([k.input for k in order], *drawing, trigger_mode="always_last", **QUICK)
    upload.upload(guard(uploaded), [upload, *order[1:]], [*outputs, network], **QUICK)
