"""Where the evidence is: a heat map over the text, its faithfulness, and a passage that moves."""

from __future__ import annotations

import dataclasses
import html
import time
from collections.abc import Iterator
from functools import partial

import gradio as gr

from shared import page as parts
from shared.accelerator import device, run
from shared.experiment import InputError, from_values
from shared.i18n import markup, pick, prose, tr
from shared.live import Latest
from shared.page import Page, clicked, guard, halt, latest
from spaces.long_document import figures
from spaces.long_document.documents import check_text
from spaces.long_document.evidence import (
    BELIEVED,
    LONG,
    Evidence,
    by_gradient,
    by_occlusion,
    challenged,
    document,
    strongest_sentence,
    support,
)
from spaces.long_document.heat import SCRIPT, STYLE, TEMPLATE, cut_units, heat
from spaces.long_document.moving import move
from spaces.long_document.reader import Reader, load_named
from spaces.long_document.readings import CLOCK, perform_named, pick_task
from spaces.long_document.settings import LIMITS, Example, Explain
from spaces.long_document.ui.document import Bench, Document, asks_genre, lasting, make, tidy

QUIET = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": 4}
EVERY = 0.2
BACKWARD = 3.5  # a gradient costs so many readings, measured
WAYS = [(tr("梯度（快）", "gradient (fast)"), "gradient"), (tr("逐层遮挡", "occlusion, level by level"), "occlusion")]
STAGES = {
    "read": ("先读出标签", "reading for the label"),
    "search": ("找证据", "finding the evidence"),
    "test": ("考验它：遮住再读", "testing it by hiding"),
}
ABOUT = tr(
    "解释“读一篇”里的那篇文档；还没有的话，先按一个例子。",
    "Explains the document of “Read”; if there is none yet, take an example.",
)
SAID = "—"
WHICH = tr("解释哪个标签（—：模型的判断）", "label to explain (—: the model's)")
START = tr(
    "按“找证据”：哪一段、哪一句、哪个词撑起了这个标签？",
    "Press “Find evidence”: which paragraph, sentence, word carries the label?",
)
EXPLANATION = prose(
    r"""**梯度**：读一遍、往回走一遍，内存仍然只随长度线性增长；每个词元的分数是“把它换成平均词”时
$\log p$ 的一阶变化。**遮挡**：先把全文分成八段，一段段遮住重读，影响最大的再细分，直到句子和词元。

**忠实度**：解释点名的词元遮住 2 %、5 %、10 %、20 %，标签的概率应当比随机遮住同样多时掉得快。分数是平均差。

**挪证据**：把一句话（点正文选）从头挪到尾。512 的整数倍是位置块的边；没有跨过边训练的模型在那里会有盲区。""",
    r"""**Gradient**: one reading and one way back, in memory that still grows linearly; a token's score is the
first-order change of $\log p$ were it replaced by the mean word. **Occlusion**: the text in eight stretches, each
hidden and read again; what matters most is split further, down to sentences and tokens.

**Faithfulness**: hide 2, 5, 10, 20 % of the tokens, those that the explanation names: the label should lose its
probability faster than when as many random ones are hidden. The score is the mean difference.

**Move the evidence**: one sentence (click it in the text) travels from the beginning to the end. Multiples of 512 are
the edges between blocks of positions; a reader that was not trained across them has blind spots there.""",
)


@run(duration=120)
def explained(model: str, text: str, task: str, label: str, way: str, budget: int) -> Iterator[tuple]:
    """(share, stage, document or None, evidence or None): found first, then tested."""
    reader = load_named(model)
    reader.model.to(device())
    doc = document(reader, text)
    how = by_gradient if way == "gradient" else partial(by_occlusion, budget=budget)
    search = how(reader, doc, task, label)
    for share, found in search:
        yield share, "search", doc if found else None, found
    for share, whole in challenged(reader, doc, task, found):
        yield share, "test", doc if whole else None, whole


@run(duration=120)
def moved(model: str, text: str, passage: tuple[int, int], task: str, label: str, tokens: int, steps: int) -> Iterator:
    """`move` on the device, by the model's name."""
    reader = load_named(model)
    reader.model.to(device())
    yield from move(reader, text, passage, task, label, tokens, steps)


def explain(doc: Document, model: str, task: str, said: tuple, *values) -> Iterator[list]:
    """(heat map, deletion figure, verdict, status, passage, its place) while the evidence is found and tested."""
    settings = from_values(Explain, values)
    nothing = [gr.skip()] * 3
    check_text(doc.text)
    yield [*nothing, parts.progress(0, tr("载入模型", "loading the model")), *nothing[:2]]
    reader = load_named(model)
    foretold = _foretold(reader, reader.encode(doc.text).shape[1], settings)
    for share, label in _label(model, reader, doc, task, said, settings.label):
        if not label:
            yield [*nothing, _progress("read", share, foretold), *nothing[:2]]
    asked = doc.hidden in pick_task(reader, task)[0]
    hides = doc if asked else dataclasses.replace(doc, evidence=None, hidden="")
    last = began = time.perf_counter()
    for share, stage, read, found in explained(model, doc.text, task, label, settings.way, settings.budget):
        if found is not None:
            start, stop = strongest_sentence(read, found)
            told = _verdict(label, found, hides, start, support(read, found, (start, stop)))
            status = "" if stage == "test" else _progress("test", 0, foretold)
            began = time.perf_counter()
            yield [heat(read, found), figures.deletion_figure(found), told, status, doc.text[start:stop], start]
        elif time.perf_counter() - last > EVERY:
            last = time.perf_counter()
            left = (last - began) * (1 - share) / share if share > 0.05 else foretold
            yield [*nothing, _progress(stage, share, left), *nothing[:2]]


def _label(
    model: str, reader: Reader, doc: Document, task: str, said: tuple, wanted: str = ""
) -> Iterator[tuple[float, str]]:
    """(share done, "") while the whole is read, at last (1.0, label).

    The label wanted, else what an earlier reading of the whole of this very document said, else what it says now.
    """
    labels, _ = pick_task(reader, task)
    if wanted or said[:3] == (doc, model, task):
        label = wanted or said[3]
        if label in labels:
            yield 1.0, label
            return
    for share, found in perform_named(model, reader.tokens(doc.text), task, "whole"):
        yield share, found.label if found else ""


def _foretold(reader: Reader, tokens: int, settings: Explain) -> float:
    one = CLOCK.seconds(reader, "whole", tokens)
    return one * ((BACKWARD if settings.way == "gradient" else settings.budget) + 14)


def _progress(stage: str, share: float, seconds: float) -> str:
    left = lasting(seconds)
    zh, en = STAGES[stage]
    told = tr(f"{zh} {share:.0%}，还要约 {left[0]}", f"{en} {share:.0%}, about {left[1]} to go")
    return parts.progress(share, told)


def _verdict(label: str, found: Evidence, doc: Document, start: int, for_it: float) -> str:
    """What the explanation names, beside what was hidden, and whether to believe it.

    start, for_it: of the strongest sentence, where it begins and its part in log p.
    """
    place = start / max(1, len(doc.text))
    names = [pick(html.escape(figures.named(label)), language) for language in ("zh", "en")]
    zh = f"“{names[0]}”最强的证据在全文 <b>{place:.0%}</b> 处"
    en = f"The strongest evidence for “{names[1]}” stands <b>{place:.0%}</b> of the way through"
    if for_it <= 0:
        zh, en = f"没有哪一句单独撑起“{names[0]}”", f"No sentence speaks for “{names[1]}” by itself"
    elif doc.evidence and doc.hidden == label:
        hit = doc.evidence[0] <= start < doc.evidence[1]
        zh += "，正是藏进去的那一段" if hit else "，<b class='bad'>不是</b>藏进去的那一段"
        en += ": it is what was hidden there" if hit else ": it is <b class='bad'>not</b> what was hidden"
    if doc.hidden and doc.hidden != label:
        other = [pick(html.escape(figures.named(doc.hidden)), language) for language in ("zh", "en")]
        zh += f"；但藏进去的是<b class='bad'>“{other[0]}”</b>，模型没有认出来"
        en += f"; but what was hidden is <b class='bad'>“{other[1]}”</b>, which the model did not recognise"
    if found.curve:
        p = found.curve["named"][0]
        zh, en = f"模型有 {p:.0%} 的把握。{zh}", f"The model is {p:.0%} sure. {en}"
        good = found.faithfulness > BELIEVED
        kind = "good" if good else "bad"
        score = f"{found.faithfulness:+.2f}".replace("-", "−")
        zh += f"。忠实度 <b class='{kind}'>{score}</b>，{'可信' if good else '别信'}"
        en += f". Faithfulness <b class='{kind}'>{score}</b>: {'worth believing' if good else 'do not believe it'}"
    return markup(zh + "。", en + ".")


def chosen(doc: Document, event: gr.EventData) -> list:
    """The sentence that was clicked becomes the passage: (its words, where they stand in the document)."""
    (start,), words = clicked(event, "start"), event._data.get("text")
    if not isinstance(words, str) or len(words) > LONG or start < 0:
        raise InputError("click", "点的不是一句话。", "was not on a sentence.")
    return [words, len(cut_units(doc.text, 0, int(start)))]


def slide(doc: Document, model: str, task: str, said: tuple, passage: str, place: int, *values) -> Iterator[list]:
    """(figure, status) while the passage moves; place: where it was clicked, of its words' occurrences."""
    settings = from_values(Explain, values)
    if not passage.strip():
        raise InputError("passage", "先找证据，或点一句正文。", "find the evidence first, or click a sentence.")
    start = place if doc.text.startswith(passage, place) else doc.text.find(passage)
    text, span = doc.text, (start, start + len(passage))
    if start < 0:  # the visitor's own words
        text, span = f"{passage}\n{doc.text}", (0, len(passage) + 1)
    reader = load_named(model)
    for share, label in _label(model, reader, doc, task, said, settings.label):
        if not label:
            yield [gr.skip(), parts.progress(share, tr(*STAGES["read"]))]
    yield [gr.skip(), parts.progress(0, tr("第一处", "the first place"))]
    for share, found in moved(model, text, span, task, label, settings.tokens, settings.steps):
        bar = parts.progress(share, tr(f"挪动 {share:.0%}", f"moving {share:.0%}"))
        yield [figures.moved_figure(found) if found else gr.skip(), bar]
    yield [figures.moved_figure(found), ""]


def labels_of(model: str, task: str, present: str) -> dict:
    """The labels that can be explained; the present one stays if it is among them."""
    labels, _ = pick_task(load_named(model), task)
    both = lambda label: " · ".join(dict.fromkeys(pick(figures.named(label), x) for x in ("zh", "en")))  # noqa: E731
    named = [(SAID, ""), *((both(label), label) for label in labels)]  # a drop-down's own field shows one text only
    return gr.update(choices=named, value=present if present in labels else "")


def build(page: Page, tabs: gr.Tabs, tab: gr.Tab, bench: Bench) -> None:
    """Draw the view."""
    default = Explain()
    knobs: dict[str, gr.components.Component] = {}
    gr.HTML(f'<p class="kx-note">{ABOUT}</p>')
    with gr.Row(elem_classes="kx-try"):
        examples = [
            gr.Button(tr("例子：医方藏在 70 % 处", "example: a prescription at 70 %"), size="sm"),
            gr.Button(tr("例子：命书藏在开头", "example: divination at the beginning"), size="sm"),
            gr.Button(tr("例子：话本藏在末尾", "example: a tale at the end"), size="sm"),
        ]
    with gr.Row(elem_classes="kx-controls"):
        start = gr.Button(tr("找证据", "Find evidence"), variant="primary", elem_id="evidence-start", min_width=190)
        stop = gr.Button(tr("停止", "Stop"), elem_id="evidence-stop", min_width=80)
        knobs["way"] = gr.Radio(
            WAYS, value=default.way, label=tr("怎么找", "by"), show_label=False, container=False, min_width=260
        )
        link = page.link_button("evidence")
    status = parts.status()
    said = parts.verdict(START)
    text = gr.HTML(
        "",
        html_template=TEMPLATE,
        css_template=STYLE,
        js_on_load=SCRIPT,
        apply_default_css=False,
        elem_id="evidence-text",
    )
    with gr.Row(elem_classes="kx-grid"):
        deletion = parts.figure(figures.deletion_figure(None))
        with gr.Column(min_width=300):
            moving = parts.figure(figures.moved_figure(None))
    with gr.Row():
        passage = gr.Textbox(
            label=tr("要挪的一段（点正文选，或自己写）", "the passage to move (click the text, or write one)"),
            lines=2,
            max_lines=4,
            scale=3,
            min_width=300,
            elem_id="evidence-passage",
        )
        with gr.Column(scale=1, min_width=160):
            go = gr.Button(tr("挪证据", "Move the evidence"), variant="primary", elem_id="evidence-move")
            moving_status = parts.status()
    with gr.Accordion(tr("更多旋钮", "More knobs"), open=False), gr.Row():
        knobs["label"] = gr.Dropdown(  # a link's label comes before the list that it is on
            [(SAID, "")], value="", label=WHICH, elem_id="evidence-label", allow_custom_value=True
        )
        labels = {
            "budget": tr("遮挡最多重读几遍", "readings that occlusion may take"),
            "steps": tr("挪到几个地方", "places to move to"),
            "tokens": tr("在多长的文档里挪（词元）", "length of the document moved through (tokens)"),
        }
        for name, text_of in labels.items():
            high = 16_384 if name == "tokens" else LIMITS[name][1]
            knobs[name] = parts.slider(LIMITS[name][0], high, value=getattr(default, name), step=1, label=text_of)
    gr.Markdown(EXPLANATION, latex_delimiters=parts.LATEX)

    order = [knobs[f.name] for f in dataclasses.fields(Explain)]
    who = [bench.document, bench.model, bench.task, bench.label]
    place = gr.State(0)
    outputs = [text, deletion, said, status, passage, place]
    listing = (guard(labels_of), [bench.model, bench.task, knobs["label"]], knobs["label"])
    view = page.view("evidence", Explain, knobs, link, tabs=tabs, redraw=listing)
    finds, moves = gr.State(Latest()), gr.State(Latest())
    explaining = latest(guard(tidy(explain, lambda: [*[gr.skip()] * 3, "", *[gr.skip()] * 2])))
    finding = (explaining, [finds, *who, *order], outputs)
    gr.on([tab.select, bench.task.change], *listing, **QUIET)
    bench.document.change(lambda: figures.moved_figure(None), None, moving, **QUIET)  # it was of another document
    running = [start.click(*finding, **QUIET)]
    start.click(None, order, None, js=view.keep)
    wanted = [Example(3072, 70.0), Example(3072, 0.0, "术数命理"), Example(3072, 100.0, "白话小说")]
    for example, button in zip(wanted, examples, strict=True):
        outcome = [bench.document, bench.box, status, bench.task, bench.label]
        made = button.click(guard(partial(_made, dataclasses.astuple(example))), bench.model, outcome, **QUIET)
        running.append(made.success(*finding, **QUIET))
    text.pick(guard(chosen), [bench.document], [passage, place], **QUIET)
    sliding = latest(guard(tidy(slide, lambda: [gr.skip(), ""])))
    running.append(go.click(sliding, [moves, *who, passage, place, *order], [moving, moving_status], **QUIET))
    stop.click(lambda *begun: [halt(*begun), ""], [finds, moves], [status, moving_status], cancels=running, **QUIET)


def _made(values: tuple, model: str) -> Iterator[list]:
    """(document, box, status, task, label) of an example."""
    for made, shown, said in make(*values):
        yield [made, shown, said, asks_genre(model), ()]
