"""The notebook: a text that the model continues, every written piece with what else could have stood there."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from functools import partial
from typing import Any

import gradio as gr

from shared.component import packed
from shared.experiment import InputError, from_values
from shared.i18n import prose, tr
from shared.page import Page as Canvas
from shared.page import complain, guard
from spaces.chat import voices
from spaces.chat.answer import ENDS
from spaces.chat.examples import ALL, ARTICLE, MORE
from spaces.chat.notebook import Branch, Notebook, Page, branches, marks
from spaces.chat.settings import LONGEST_LINK, Writing
from spaces.chat.stream import Tokenizer
from spaces.chat.ui.component import component
from spaces.chat.ui.knobs import QUIET, RUN, deed, demonstration, found, model_knob, sampling_knobs, text_of, whole

LONG = 20_000  # characters of a prompt that always travels back to the page
FIRST = replace(ARTICLE[0].settings, model=voices.default())
EXPLANATION = prose(
    r"""**怎么玩。** 纸上的字都可以改。按“续写”，模型从末尾往下写：它写的字有底纹，越红越是它自己也没想到的
（概率低）。**点一个它写的字**，就看到当时还有哪些候选、各有多大概率；点候选，就从那里另走一条路，走过的路都留在下面的树里。

**文章的说法**：26 亿参数的 CPM 不用训练，给几个例子，就能接着答——首都、英汉词对、抽取主语、三元组。
文中的抽法是 top-p 0.95、温度 1、至多 16 个词元、到行末为止；这里的例子先取温度 0（总取最可能的），
要照文章抽，把温度拨到 1。
**内置的小模型只是演示**：它比 CPM 小几百倍，知道的事很少，会说错，不能当作意见或建议。""",
    r"""**What to do.** All of the paper can be edited. Press continue, and the model writes on from the end: its pieces
are shaded, the redder the less it expected them itself. **Click a piece that it wrote** to see what else could have
stood there, and how probable it was; click an alternative to go on from it. Every way tried stays in the tree below.

**The article's claim**: CPM, 2.6 billion parameters, answers from a few examples without any training: capitals, word
pairs, subjects, triples. It drew with top-p 0.95 at temperature 1, at most 16 tokens, to the end of the line; the
examples here take temperature 0, the likeliest; for the article's way, turn it to 1. **The small model that ships is a
demonstration**: hundreds of times smaller than CPM, it knows little, errs, and its words are no advice.""",
)


# --- what the page shows --------------------------------------------------------------------------------


def view(book: Notebook, said: str = "", refused: bool = False, known: bool = False) -> str:
    """The component's value; known: the page has the prompt, so that a long one need not travel."""
    with book.lock:
        page, reply, busy = book.page, book.reply, book.busy
        written = marks(page)
        value: dict[str, Any] = {
            "busy": busy, "said": said, "refused": refused, "label": page.label, "cut": reply.cut,
            "pieces": [[mark.text, mark.node, _share(page, mark.node)] for mark in written],
            "can": {"undo": book.can_undo, "retry": book.can_retry}, "end": _ending(book),
            "cost": voices.described(reply, (book.cost.get("weights", 0), book.cost.get("cache", 0))),
        }  # fmt: skip
        if not known or len(page.prompt) <= LONG:
            value["prompt"] = page.prompt
        if not busy:
            value["choices"] = {mark.node: choices(page, mark.node) for mark in written}
            value["tree"] = [_branch(branch) for branch in branches(page)]
        return packed(value)


def _ending(book: Notebook) -> str:
    """Why the model stopped, in a sentence (tr)."""
    reply = book.reply
    if reply.note:
        return tr(reply.note.zh, reply.note.en)
    zh, en = ENDS[reply.finish]
    return tr(f"{zh}。", f"{en}.") if reply.finish != "running" else ""


def _share(page: Page, node: int) -> float | None:
    """The probability of a node's token; None where a server tells none."""
    log = page.tree.nodes[node].token.log_probability
    return None if math.isnan(log) else round(math.exp(log), 5)


def choices(page: Page, node: int) -> list[list]:
    """[text, probability, token] of what could have stood at a node."""
    here = page.tree.nodes[node].token
    return [[spelt(page.tokenizer, token), round(p, 5), token] for token, p in here.alternatives]


def spelt(tokenizer: Tokenizer, token: int) -> str:
    """A single token as a reader may see it: a byte as <E4>, an end as such."""
    if token == tokenizer.eod_id:
        return tr("（结束）", "(end)")
    known = getattr(tokenizer, "token_bytes", None)
    if known is not None:
        try:
            return known[token].decode() or "∅"
        except UnicodeDecodeError:
            return "".join(f"<{byte:02X}>" for byte in known[token])
    return tokenizer.decode([token]) or "∅"


def _branch(branch: Branch) -> dict[str, Any]:
    bits = None if math.isnan(branch.bits) else round(branch.bits, 1)
    below = [_branch(one) for one in branch.branches]
    return {"text": branch.text, "node": branch.node, "bits": bits, "on": branch.shown, "branches": below}


# --- what the page asks for -----------------------------------------------------------------------------

Knobs = Callable[[], Writing]  # read where somebody is to write: a bad one stops nothing else

def act(book: Notebook, event: gr.EventData, *values) -> Iterator[str]:
    """A deed of the paper, and what the model writes because of it."""
    try:
        yield from deed(event._data, VERBS)(book, event._data, partial(from_values, Writing, values))
    except InputError as error:
        complain(error)
        yield view(book, refused=True)


def _go_on(book: Notebook, data: dict, knobs: Knobs) -> Iterator[str]:
    text = text_of(data)
    if not text.strip():
        raise InputError("prompt", "请先写点什么：模型续写你的文字。", "is empty: the model continues what you write.")
    how = knobs()
    for said, voice in found(how.model, how.precision):
        if voice is None:
            yield view(book, said, refused=True)  # the page keeps what was typed
    book.edit(text)
    for _ in book.go_on(voice, how.model, how.sampling):
        yield view(book, known=True)


def _retry(book: Notebook, data: dict, knobs: Knobs) -> Iterator[str]:
    how = knobs()
    *_, (_, voice) = found(how.model, how.precision)
    for _ in book.retry(voice, how.model, how.sampling):
        yield view(book, known=True)


def _choose(book: Notebook, data: dict, knobs: Knobs) -> Iterator[str]:
    node, token = whole(data, "node"), whole(data, "token")
    how = knobs()
    *_, (_, voice) = found(how.model, how.precision)
    for _ in book.choose(voice, how.model, node, token, how.sampling):
        yield view(book, known=True)


def _stop(book: Notebook, data: dict, knobs: Knobs) -> Iterator[str]:
    book.stop()
    yield view(book)


def _undo(book: Notebook, data: dict, knobs: Knobs) -> Iterator[str]:
    book.undo()
    yield view(book)


def _visit(book: Notebook, data: dict, knobs: Knobs) -> Iterator[str]:
    book.visit(whole(data, "node"))
    yield view(book)


VERBS = {"go_on": _go_on, "retry": _retry, "choose": _choose, "stop": _stop, "undo": _undo, "visit": _visit}


def put(book: Notebook, text: str, *values) -> Iterator[str]:
    """A text from an example or a link, continued at once where there is a model."""
    try:
        if text and text.strip():
            book.put(text)
            yield view(book)
            yield from _go_on(book, {"text": text}, partial(from_values, Writing, values))
    except InputError as error:
        complain(error)
        yield view(book)


def show(book: Notebook, text: str) -> Iterator[str | dict]:
    """A text from a link, not continued yet; without one nothing is drawn over what is being typed."""
    if not (text and text.strip()):
        yield gr.skip()
        return
    book.put(text)
    yield view(book)


def build(canvas: Canvas, tabs: gr.Tabs) -> None:
    """Draw the view."""
    default = Writing(model=voices.default())
    opened = Notebook()
    opened.put(FIRST.prompt)
    with gr.Row(elem_classes="kx-try"):
        chosen = {e.key: gr.Button(e.name, size="sm") for e in ARTICLE}
        four = tr("文章的四种，还有：", "the article's four, and:")
        gr.HTML(f'<span class="kx-note">{four}</span>', min_width=0)
        chosen |= {e.key: gr.Button(e.name, size="sm") for e in MORE}
    demonstration()
    book = gr.State(opened, time_to_live=6 * 3600)
    paper = component("paper", view(opened), elem_id="chat-paper")
    knobs: dict[str, gr.components.Component] = {}
    with gr.Accordion(tr("模型与抽样", "Model and sampling"), open=False, elem_id="chat-knobs"):
        knobs["model"] = model_knob(default.model, elem_id="chat-model")
        knobs |= sampling_knobs(default)
    with gr.Row(elem_classes="kx-try"):
        copy = gr.Button(tr("复制链接", "Copy link"), size="sm", elem_classes="kx-link", elem_id="chat-copy")
    knobs["prompt"] = gr.Textbox(visible=False)
    gr.Markdown(EXPLANATION)

    order = [knobs[f.name] for f in fields(Writing)]
    paper.act(act, [book, *order], [paper], **RUN)
    redraw = (guard(show), [book, knobs["prompt"]], [paper])
    linked = canvas.view("notebook", Writing, knobs, None, tabs=tabs, redraw=redraw)
    for key, button in chosen.items():
        wanted = ALL[key].settings
        drawn = [knobs[f.name] for f in fields(Writing) if f.name not in ("model", "prompt")]
        values = [getattr(wanted, f.name) for f in fields(Writing) if f.name not in ("model", "prompt")]
        button.click(lambda v=values: v, None, drawn, **QUIET).then(
            put, [book, gr.State(wanted.prompt), *order], [paper], **RUN
        )
    copy.click(guard(present), [book], [knobs["prompt"]], **QUIET).success(None, order, None, js=linked.copy)


def present(book: Notebook) -> str:
    """The text for a link."""
    text = book.page.text
    if len(text) > LONGEST_LINK:
        zh, en = f"超过 {LONGEST_LINK} 字，链接放不下。", f"is too long for a link ({LONGEST_LINK} characters)."
        raise InputError("prompt", zh, en)
    return text
