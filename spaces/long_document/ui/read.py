"""Read anything: up to five readings of a document answer side by side."""

from __future__ import annotations

import dataclasses
import html
import math
import time
from collections.abc import Iterator
from pathlib import Path

import gradio as gr

from shared import page as parts
from shared.experiment import from_values
from shared.i18n import markup, pick, prose, tr
from shared.live import Latest
from shared.page import Page, guard, halt, knob_value, latest
from spaces.long_document import figures
from spaces.long_document.documents import SUFFIXES, check_text
from spaces.long_document.generator import compose
from spaces.long_document.reader import load_named
from spaces.long_document.readings import CLOCK, Reading, fine_tuned, perform_named
from spaces.long_document.settings import HIDDEN, LIMITS, READINGS, Example, Read
from spaces.long_document.ui.document import (
    COMPOSED,
    START,
    TASKS,
    Bench,
    Document,
    asks_genre,
    bring,
    choices,
    count,
    lasting,
    make,
    pasted,
    restored,
    shown,
    tidy,
)

QUIET = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": 4}
EVERY = 0.2  # seconds between two pictures
TRY = [  # label, what the example is
    (tr("一回书：4,096 词元", "a chapter: 4,096 tokens"), {"tokens": 4096}),
    (tr("证据藏在开头", "evidence at the beginning"), {"tokens": 8192, "place": 0.0}),
    (tr("证据藏在末尾", "evidence at the end"), {"tokens": 8192, "place": 100.0}),
    (tr("一整本书：262,144 词元", "a whole book: 262,144 tokens"), {"tokens": 262_144}),
]
EXPLANATION = prose(
    r"""**怎么做到的。** 训练过的位置只有 $p_1\dots p_n$，$n=512$。令 $u=(p-\alpha p_1)/(1-\alpha)$，
$$q_{(i-1)n+j}=\alpha u_i+(1-\alpha)u_j,$$
前 $n$ 个原封不动，总共 $n^2=262{,}144$ 个。注意力是精确的，但一块一块地算：除了三个 (n, d) 张量，
没有随长度增长的东西。

**五种读法。** 截断只看开头；滑动窗口把各窗口的打分平均，窗口之间互不相见；整篇一次读完。
Performer 与 Taylor 把别的注意力塞进用 softmax 训练的权重，不微调就会读坏；
“微调后”的注意力训练过半小时，古文的类别大半读得回来，法规的省市读不回来。“离整篇”是与精确整篇的全变差距离，
“峰值”是模型之外用的内存；把握更高不等于更对。

**默认模型**只认两件事：中国地方性法规出自哪个省市（地名已遮住）、古文属于哪一类。别的文章它也会硬给一个标签。
结果不能当法律或医疗意见。""",
    r"""**How.** Only $p_1\dots p_n$, $n=512$, were trained. With $u=(p-\alpha p_1)/(1-\alpha)$,
$$q_{(i-1)n+j}=\alpha u_i+(1-\alpha)u_j$$
leaves the first $n$ as they were and makes $n^2=262{,}144$. Attention is exact, but computed block by block: nothing
but three tensors (n, d) grows with the length.

**Five readings.** Cutting sees the beginning; a sliding window averages the scores of windows that never see one
another; the whole is read at once. Performer and Taylor put other attention under weights that were trained with
softmax: without fine-tuning they misread. “Fine-tuned” attention was trained for half an hour: genres mostly come
back, provinces of laws do not. “From the whole” is the total variation distance from the exact answer;
“peak” is the memory beyond the model's. A higher confidence is not a better answer.

**The default model** knows two things: which province a Chinese local regulation comes from (names of places are
masked), and the genre of a classical text. Any other text gets one of these labels too. Nothing here is legal or
medical advice.""",
)
EARLIER = tr("图和表是换文字之前那一篇的；再按“读”。", "Figure and table are of the text before; press “Read” again.")
ASK = tr("各种读法会给出同一个标签吗？", "Will the readings give the same label?")


def answer(document: Document, *values) -> Iterator[list]:
    """(figure, table, verdict, status, what the whole is of what) while the readings come in."""
    settings = from_values(Read, values)
    check_text(document.text)
    yield [gr.skip(), gr.skip(), gr.skip(), parts.progress(0, tr("载入模型", "loading the model")), gr.skip()]
    reader = load_named(settings.model)
    ids = reader.tokens(document.text)
    done: list[Reading] = []
    said = lambda done: (document, settings.model, settings.task, _label(done))  # noqa: E731
    for name, tuned, key in _planned(settings):
        foretold = CLOCK.seconds(reader, name, ids.shape[1], settings.stride)
        drawn = began = time.perf_counter()
        for share, reading in perform_named(settings.model, ids, settings.task, name, settings.stride, tuned):
            if share < 1 and time.perf_counter() - drawn < EVERY:
                continue
            drawn = time.perf_counter()
            so_far = [*done, dataclasses.replace(reading, name=key)] if reading else done
            yield [*pictures(so_far, document.hidden), _progress(key, share, drawn - began, foretold), said(done)]
        done.append(dataclasses.replace(reading, name=key))
        CLOCK.correct(reader, name, reading.tokens, reading.seconds)
    yield [*pictures(done, document.hidden), "", said(done)]


def _planned(settings: Read) -> Iterator[tuple[str, Path | None, str]]:
    """(reading, folder of its fine-tuned version or None, name shown): that version follows the damaged one."""
    for name in settings.readings:
        yield name, None, name
        tuned = fine_tuned(name) if not settings.model else None
        if tuned:
            yield name, tuned, f"{name}+"


def _label(done: list[Reading]) -> str:
    return next((r.label for r in done if r.name == "whole"), "")


def _progress(name: str, share: float, seconds: float, foretold: float) -> str:
    left = lasting(max(foretold * (1 - share), seconds / share * (1 - share) if share > 0.05 else foretold))
    zh, en = (pick(figures.reading_name(name), language) for language in ("zh", "en"))
    return parts.progress(share, tr(f"{zh} {share:.0%}，还要约 {left[0]}", f"{en} {share:.0%}, about {left[1]} to go"))


def pictures(readings: list[Reading], hidden: str = "") -> list:
    """Figure, table, sentence; hidden: the label of what a composed book hides."""
    hidden = hidden if readings and hidden in readings[0].scores else ""  # else another task was asked
    return [figures.readings_figure(readings), table(readings, hidden), verdict(readings, hidden)]


def verdict(readings: list[Reading], hidden: str = "") -> str:
    """What the readings agree on, and which of them saw what was hidden."""
    if not readings:
        return ASK
    labels = {r.label for r in readings}
    last = next((r for r in readings if r.name == "whole"), readings[-1])
    label = html.escape(figures.named(last.label))
    zh = f"{pick(figures.reading_name(last.name), 'zh')}：<b>{pick(label, 'zh')}</b>（{last.confidence:.0%}）"
    en = f"{pick(figures.reading_name(last.name), 'en')}: <b>{pick(label, 'en')}</b> ({last.confidence:.0%})"
    if len(readings) > 1:
        agree = len(labels) == 1
        zh += "，各种读法一致。" if agree else "，读法之间<b class='bad'>不一致</b>。"
        en += "; the readings agree." if agree else "; the readings <b class='bad'>disagree</b>."
    else:
        zh, en = zh + "。", en + "."
    if hidden:
        right, name = [r.name for r in readings if r.label == hidden], html.escape(figures.named(hidden))
        who = [figures.spoken(right, language) for language in ("zh", "en")]
        none = ("都没认出来。", "recognised by none.")
        seen = (f"认出来的：{who[0]}。", f"recognised by: {who[1]}.") if right else none
        zh, en = f"{zh}藏的是“{pick(name, 'zh')}”，{seen[0]}", f"{en} Hidden was “{pick(name, 'en')}”, {seen[1]}"
    return markup(zh, en)


def table(readings: list[Reading], hidden: str = "") -> str:
    """Label, confidence, how far from the exact whole, seconds, memory and tokens of each."""
    if not readings:
        return ""
    heads = (
        tr("读法", "reading"), tr("标签", "label"), tr("把握", "sure"), tr("离整篇", "from the whole"),
        tr("秒", "s"), tr("峰值 MB", "peak MB"),
    )  # fmt: skip
    exact = next((r for r in readings if r.name == "whole"), None)
    right = lambda r: (" ✓" if r.label == hidden else " ✗") if hidden else ""  # noqa: E731
    rows = "".join(
        f"<tr><th>{figures.reading_name(r.name)}<small>{tr(f'{r.tokens:,} 词元', f'{r.tokens:,} tokens')}</small></th>"
        f"<td>{html.escape(figures.named(r.label))}<span>{right(r)}</span></td>"
        f"<td>{r.confidence:.1%}</td><td>{distance(r, exact):.1%}</td><td>{r.seconds:.2f}</td>"
        f"<td>{r.peak_mb:,.0f}</td></tr>".replace("nan%", "–")
        for r in readings
    )
    head = "".join(f"<th>{name}</th>" for name in heads)
    return f'<div class="kx-scroll"><table class="kx-table kx-columns kx-brief"><tr>{head}</tr>{rows}</table></div>'


def distance(reading: Reading, exact: Reading | None) -> float:
    """Total variation between the answers of a reading and of the exact whole, nan without that."""
    if exact is None:
        return math.nan
    return sum(abs(p - exact.scores.get(label, 0)) for label, p in reading.scores.items()) / 2


def kept(document: Document, mine: Document, results: str) -> list:
    """(the visitor's own last text, whether the button that brings it back shows, what the results are of)."""
    own = bool(document.text) and document.name != COMPOSED
    said = EARLIER if results else gr.skip()
    return [document if own else mine, gr.update(visible=not own and bool(mine.text)), said]


def stopped(runs: Latest) -> str:
    """End the readings; a whole one says nothing before its end, windows say what they have seen."""
    halt(runs)
    return tr(
        "已停止；读完的留着，滑动窗口读过的部分也留着。",
        "Stopped; finished readings stay, and what sliding windows had read.",
    )


def build(page: Page, tabs: gr.Tabs) -> Bench:
    """Draw the view."""
    default, label = Read(), gr.State(())
    text, where = compose(len, Example(tokens=3000))
    document = gr.State(Document(text, COMPOSED, where, Example.genre))
    knobs: dict[str, gr.components.Component] = {}
    with gr.Row(elem_classes="kx-try"):
        presets = [gr.Button(text, size="sm") for text, _ in TRY]
    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            box = gr.Textbox(
                text,
                label=tr("文档", "document"),
                placeholder=START,
                lines=9,
                max_lines=14,
                elem_id="long-text",
            )
            with gr.Row(elem_classes="kx-controls"):
                upload = gr.UploadButton(
                    tr("上传文件", "Upload a file"), file_types=list(SUFFIXES), elem_id="long-upload", min_width=110
                )
                start = gr.Button(tr("读", "Read"), variant="primary", elem_id="long-read", min_width=90)
                stop = gr.Button(tr("停止", "Stop"), elem_id="long-stop", min_width=80)
            formats = (
                "txt · md · html · pdf · docx，20 MB，200 万字",
                "txt · md · html · pdf · docx, 20 MB, 2 M characters",
            )
            gr.HTML(f'<p class="kx-note">{tr(*formats)}</p>')
            counted = parts.verdict(START)
            knobs["task"] = gr.Radio(TASKS, value=default.task, label=tr("判断什么", "what is asked"))
            options = [(figures.READING_NAMES[name], name) for name in READINGS]
            knobs["readings"] = gr.CheckboxGroup(options, value=list(default.readings), label=tr("读法", "readings"))
        with gr.Column(scale=1, min_width=300):
            chart = parts.figure(figures.readings_figure([]))
            said = parts.verdict(ASK)
            results = gr.HTML()
            with gr.Row(elem_classes="kx-controls"):
                status = parts.status()
                again = gr.Button(tr("换回我的文字", "My text again"), size="sm", min_width=110, scale=0, visible=False,
                                  elem_id="long-again")  # fmt: skip
                clear = gr.Button(tr("清空", "Clear"), size="sm", min_width=70, scale=0)
                link = page.link_button("read")
    with gr.Accordion(tr("写一本书，把证据藏进去", "Compose a book and hide the evidence"), open=False):
        maker = _maker()
        knobs |= zip([f.name for f in dataclasses.fields(Example)], maker, strict=True)
        compose_it = gr.Button(tr("写", "Compose"), elem_id="long-compose", min_width=90)
    with gr.Accordion(tr("更多旋钮：模型、窗口", "More knobs: model, windows"), open=False):
        knobs["model"] = gr.Textbox(
            default.model,
            label=tr(
                "模型（空：内置；也可填分类器的文件夹或 Hugging Face 名称）",
                "model (empty: embedded; or a folder or hub name of a classifier)",
            ),  # fmt: skip
            max_lines=1,
        )
        knobs["stride"] = parts.slider(
            *LIMITS["stride"],
            value=default.stride,
            step=32,
            label=tr("滑动窗口的步长（词元）", "stride of the windows (tokens)"),
        )
    gr.Markdown(EXPLANATION, latex_delimiters=parts.LATEX)

    order = [knobs[f.name] for f in dataclasses.fields(Read)]
    mine = gr.State(Document())
    document.change(kept, [document, mine, results], [mine, again, said], **QUIET)
    again.click(lambda mine: [mine, shown(mine)], mine, [document, box], **QUIET)
    runs, answers = gr.State(Latest()), gr.State(Latest())
    wanted = (guard(restored), [knobs["model"], *maker], [knobs["task"], document, box, status])
    view = page.view("read", Read, knobs, link, tabs=tabs, redraw=wanted)
    counting = (latest(guard(count)), [runs, document, *order], counted)
    upload.upload(guard(bring), upload, [document, box], **QUIET).success(*counting, **QUIET)
    taken = box.change(pasted, [box, document], document, trigger_mode="always_last", **QUIET)  # also what is pasted
    taken.then(*counting, **QUIET)
    changed = [knobs["readings"].input, knobs["stride"].input]
    gr.on(changed, *counting, trigger_mode="always_last", **QUIET)
    knobs["model"].submit(guard(choices), knobs["model"], knobs["task"], **QUIET)
    made = (guard(make), maker, [document, box, status])
    asks = compose_it.click(*made, **QUIET).success(*counting, **QUIET)
    for (_, changes), button in zip(TRY, presets, strict=True):
        values = [knob_value(v) for v in dataclasses.astuple(Example(**changes))]
        outcome = [*maker, knobs["task"]]
        asked = button.click(lambda model, v=values: [*v, asks_genre(model)], knobs["model"], outcome, **QUIET)
        asked.then(*made, **QUIET).success(*counting, **QUIET)
    outputs = [chart, results, said, status, label]
    typed = start.click(pasted, [box, document], document, **QUIET)
    answering = latest(guard(tidy(answer, lambda: [gr.skip(), gr.skip(), gr.skip(), "", gr.skip()])))
    reading = typed.then(answering, [answers, document, *order], outputs, **QUIET)
    start.click(None, order, None, js=view.keep)
    stop.click(stopped, [answers], status, cancels=[reading, asks], **QUIET)
    clear.click(
        lambda: [Document(), gr.update(value="", interactive=True), START, *pictures([]), "", ()],
        None,
        [document, box, counted, chart, results, said, status, label],
        **QUIET,
    )
    return Bench(document, box, knobs["model"], knobs["task"], label)


def _maker() -> list:
    """The knobs of the generator, in the order of Example's fields."""
    default = Example()
    length, place = tr("长度（词元）", "length (tokens)"), tr("证据的位置（%）", "place of the evidence (%)")
    genres = [(figures.named(genre), genre) for genre in HIDDEN]
    with gr.Row():
        return [
            parts.slider(*LIMITS["tokens"], value=default.tokens, step=512, label=length),
            parts.slider(*LIMITS["place"], value=default.place, step=1, label=place),
            gr.Radio(genres, value=default.genre, label=tr("证据的类别", "genre of the evidence")),
            parts.slider(*LIMITS["share"], value=default.share, step=1, label=tr("证据占多少（%）", "evidence (%)")),
            gr.Number(default.seed, label=tr("随机种子", "seed")),
        ]
