"""Where does linear pay? Time and memory on this machine, row by row, and the lengths where the lines cross."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Iterator, Sequence

import gradio as gr

from shared import accelerator
from shared import page as parts
from shared.experiment import from_values
from shared.i18n import markup, pick, prose, tr
from shared.live import Latest
from shared.page import Page, guard, halt, knob_value, latest
from spaces.attention import pay_figures as figures
from spaces.attention.pay import LIMITS, Pay, Row, crossover, disturbed, measure
from spaces.attention.pay_figures import NAMES, rounded
from spaces.attention.ui.names import RUN, options

TRY = [
    (tr("一个头，d = 32", "one head, d = 32"), {}),
    (tr("因果（语言模型）", "causal (a language model)"), {"causal": True}),
    (tr("d = 64：泰勒贵了", "d = 64: Taylor grows dear"), {"dim": 64, "longest": 8192}),
    (tr("Performer 只用 64 个特征", "Performer with 64 features"), {"features": 64}),
    (tr("四个头，到 4,096", "four heads, to 4,096"), {"heads": 4, "longest": 4096}),
]
EXPLANATION = prose(
    """**怎么量。** 都经 shared.attention：精确的是这台机器上最快的内核（CUDA 上 xformers，别处 torch 的 SDPA）；
Performer 与泰勒的特征数相同（$1+d+d(d+1)/2$），除非另选。时间取几次中最短的，只算前向，单精度；
别的程序在跑时会偏长，两个线程在忙的机器上互相等可慢几十倍，所以默认一个线程。
内存是逐次分配精确累计的峰值，不受别人影响。交点按两轴对数内插，没有量到的长度不外推；将超过 6 秒的长度跳过。""",
    """**How it is measured.** Everything goes through shared.attention: exact is this machine's fastest kernel (on CUDA
xformers, elsewhere torch's SDPA); Performer and Taylor have equally many features ($1+d+d(d+1)/2$) unless you choose.
Time is the shortest of several runs, forward only, single precision; other programs make it longer, most of all where
two threads wait for each other, hence one by default. Memory is the exact peak over all allocations, whatever others
do. Crossings are interpolated on logarithmic axes, nothing is extrapolated; lengths that would take more than 6 seconds
are left out.""",
)


def run(*values) -> Iterator[list]:
    """Measure, and show after each row."""
    settings = from_values(Pay, values)
    rows: dict[tuple[int, str], Row] = {}
    total = 2 * len(settings.lengths) * len(settings.backends)  # each is measured twice
    yield [*drawn([], settings), parts.progress(0, tr("正在量最短的长度", "measuring the shortest length"))]
    for i, found in enumerate(measure(settings)):
        rows[found.length, found.backend] = found
        who = [pick(NAMES[found.backend], language) for language in ("zh", "en")]
        said = tr(f"n = {found.length}，{who[0]}", f"n = {found.length}, {who[1]}")
        yield [*drawn(list(rows.values()), settings), parts.progress(min(1.0, (i + 1) / total), said)]
    yield [*drawn(list(rows.values()), settings, done=True), ""]


def drawn(rows: Sequence[Row], settings: Pay, done: bool = False) -> list[str]:
    """The figures, the sentence and the table."""
    pictures = [f(rows, settings) for f in (figures.time_figure, figures.ratio_figure, figures.memory_figure)]
    return [*pictures, verdict(rows, settings, done), table(rows)]


def verdict(rows: Sequence[Row], settings: Pay, done: bool) -> str:
    """From which length each linear backend is faster than the exact one."""
    if not rows:
        return markup(
            "按“开始量”：这台机器上，从多长起线性才划算？", "Press measure: from which length does linear pay here?"
        )
    here = html.escape(str(accelerator.describe()["name"]))
    zh, en = [], []
    for name in ("performer", "taylor"):
        if name not in settings.backends or "auto" not in settings.backends:
            continue
        place = crossover(rows, name, "auto")
        longest = max((r.length for r in rows if r.backend == name), default=0)
        label = NAMES[name]
        if place is None:
            zh.append(f"{pick(label, 'zh')} 到 {longest:,} 还<b class=bad>没有赢</b>")
            en.append(f"{pick(label, 'en')} has <b class=bad>not won</b> up to {longest:,}")
        else:
            zh.append(f"{pick(label, 'zh')} 从约 <b class=good>{rounded(place)}</b> 个 token 起更快")
            en.append(f"{pick(label, 'en')} is faster from about <b class=good>{rounded(place)}</b> tokens on")
    count = settings.count
    shape_zh = (
        f"{settings.heads} 个头 × {settings.dim} 维，Performer {count} 个特征{'，因果' if settings.causal else ''}"
    )
    shape_en = (
        f"{settings.heads} × {settings.dim}, Performer with {count} features{', causal' if settings.causal else ''}"
    )
    more = ("" if done else "（还在量）", "" if done else " (still measuring)")
    doubt = doubts(rows)
    return markup(
        f"{here}，{shape_zh}：{'；'.join(zh)}。{doubt[0]}{more[0]}",
        f"{here}, {shape_en}: {'; '.join(en)}.{doubt[1]}{more[1]}",
    )


def doubts(rows: Sequence[Row]) -> tuple[str, str]:
    """A warning where other programs disturbed the times, in Chinese and in English; empty where nothing tells."""
    found = disturbed(rows)
    if found is None:
        return "", ""
    name, short, long = found
    return (
        f"<b class=bad>机器正忙，量不准</b>：{pick(NAMES[name], 'zh')}在 {long:,} 反而比在 {short:,} 快得多；"
        "交点别当真，等空闲了再量。",
        f" <b class=bad>The machine is busy and the times are off</b>: {pick(NAMES[name], 'en')} took far less at "
        f"{long:,} than at {short:,}; trust no crossing, measure again when it is idle.",
    )


def table(rows: Sequence[Row]) -> str:
    """Milliseconds and MiB of every backend at every length."""
    if not rows:
        return ""
    names = [n for n in NAMES if any(r.backend == n for r in rows)]
    by = {(r.length, r.backend): r for r in rows}
    head = f"<th scope='col'>{tr('长度（token）', 'length (tokens)')}</th>"
    head += "".join(f"<th scope='col'>{NAMES[n]}<br>{tr('毫秒 · MiB', 'ms · MiB')}</th>" for n in names)
    body = ""
    for length in sorted({r.length for r in rows}):
        cells = ""
        for name in names:
            r = by.get((length, name))
            cells += f"<td>{f'{r.seconds * 1e3:,.2f} · {r.bytes / 2**20:,.1f}' if r else '–'}</td>"
        body += f"<tr><th scope='row'>{length:,}</th>{cells}</tr>"
    return f'<div class="kx-scroll"><table class="kx-table kx-columns"><tr>{head}</tr>{body}</table></div>'


def build(page: Page, tabs: gr.Tabs) -> None:
    """Draw the view; nothing is timed until a visitor asks."""
    default = Pay()
    first = drawn([], default)
    with gr.Row(elem_classes="kx-try"):
        presets = [gr.Button(label, size="sm") for label, _ in TRY]
    with gr.Row(elem_classes="kx-controls"):
        start = gr.Button(tr("开始量", "Measure"), variant="primary", elem_id="pay-start", min_width=100)
        stop = gr.Button(tr("停止", "Stop"), elem_id="pay-stop", min_width=100)
        link = page.link_button("pay")
    progress = parts.status()
    said = parts.verdict(first[3])
    with gr.Row(elem_classes="kx-grid"):
        shown = [parts.figure(spec) for spec in first[:3]]
    numbers = gr.HTML(first[4])
    with gr.Row(equal_height=False):
        knobs: dict = {
            "backends": gr.CheckboxGroup(
                options(NAMES), value=list(default.backends), label=tr("量谁", "who is measured")
            ),
            "threads": gr.Radio(
                [(tr("一个线程", "one thread"), "one"), (tr("全部", "all"), "all")],
                value=default.threads,
                label=tr("线程（CPU）", "threads (CPU)"),
            ),
            "causal": gr.Checkbox(default.causal, label=tr("因果：只看前面", "causal: only what came before")),
        }
    with gr.Row():
        for name, label, high, step in (
            ("longest", tr("最长（token）", "longest (tokens)"), LIMITS["longest"][1], 256),
            ("heads", tr("头数", "heads"), LIMITS["heads"][1], 1),
            ("dim", tr("每头维数 d", "dimension d of a head"), LIMITS["dim"][1], 4),
        ):
            knobs[name] = parts.slider(
                LIMITS[name][0], high, value=getattr(default, name), step=step, label=label, min_width=240
            )
    with gr.Accordion(tr("更多旋钮", "More knobs"), open=False):
        with gr.Row():
            knobs["features"] = gr.Number(
                default.features,
                label=tr("Performer 的特征数（0：与泰勒相同）", "Performer's features (0: as Taylor)"),
            )
            knobs["seed"] = gr.Number(default.seed, label=tr("随机种子", "seed"))
    gr.Markdown(EXPLANATION, latex_delimiters=parts.LATEX)

    order = [knobs[f.name] for f in dataclasses.fields(Pay)]
    outputs = [*shown, said, numbers, progress]
    view = page.view("pay", Pay, knobs, link, tabs=tabs)
    visitor = gr.State(Latest())
    measuring = (latest(guard(run)), [visitor, *order], outputs)
    start.click(None, order, None, js=view.keep)
    runs = [start.click(*measuring, **RUN)]
    for (_, changes), button in zip(TRY, presets, strict=True):
        values = [knob_value(v) for v in dataclasses.astuple(Pay(**changes))]
        runs.append(button.click(lambda v=values: v, None, order, **RUN).then(*measuring, **RUN))
        runs[-1].then(None, order, None, js=view.keep)
    stop.click(halt, [visitor], progress, cancels=runs, **RUN)
