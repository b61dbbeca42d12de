"""A document comes in: pasted, uploaded, or composed with its evidence hidden; its tokens are counted."""

from __future__ import annotations

import functools
import html
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from shared.experiment import InputError, from_values
from shared.i18n import markup, pick, tr
from spaces.long_document.documents import MOST_BYTES, check_text, read_file
from spaces.long_document.figures import named
from spaces.long_document.generator import compose
from spaces.long_document.reader import Reader, load_named, trained
from spaces.long_document.readings import CLOCK
from spaces.long_document.settings import Example, Read

SHOWN = 20_000  # characters in the box; the whole is kept beside it
TASKS = [(tr("法规出自哪里（7 地）", "province of a regulation (7)"), "province"),
         (tr("古文属于哪类（12 类）", "genre of a classical text (12)"), "genre")]  # fmt: skip
OTHERS = tr("这个模型的标签", "this model's labels")
COMPOSED = tr("写出来的书", "a composed book")
START = tr(
    "按“读”读这一篇；或者先粘贴、上传你自己的，点上面的例子也行。",
    "Press “Read” to read this text; or first paste or upload your own, or take an example above.",
)


@dataclass(frozen=True)
class Document:
    """What a visitor brought."""

    text: str = ""
    name: str = ""
    evidence: tuple[int, int] | None = None
    """Where a generated book hides its passage, characters."""
    hidden: str = ""
    """The label of that passage."""

    def __deepcopy__(self, memo) -> Document:
        return self


@dataclass(frozen=True)
class Bench:
    """What the other views need of this one: the document and the model that reads it."""

    document: gr.State
    box: gr.Textbox
    """Shows the document, or the beginning of a long one."""
    model: gr.Textbox
    task: gr.Radio
    label: gr.State
    """(document, model, task, label): what the last whole reading said of what; () before it."""


def tidy(function: Callable[..., Iterator[list]], empty: Callable[[], list]) -> Callable[..., Iterator[list]]:
    """The generator function, its outputs set to `empty()` before an InputError: no bar is left standing."""

    @functools.wraps(function)
    def stream(*values):
        try:
            yield from function(*values)
        except InputError:
            yield empty()
            raise

    return stream


def bring(path: str | None) -> list:
    """A file becomes the document."""
    if not path:
        return [gr.skip()] * 2
    file = Path(path)
    if file.stat().st_size > MOST_BYTES:
        raise InputError(file.name, "超过 20 MB。", "is larger than 20 MB.")
    document = Document(read_file(file.name, file.read_bytes()), file.name)
    return [document, shown(document)]


def shown(document: Document) -> dict:
    """What the box shows of a document: all, or the beginning of a book."""
    return gr.update(value=preview(document), interactive=len(document.text) <= SHOWN)


def preview(document: Document) -> str:
    """The text, or its beginning."""
    return document.text if len(document.text) <= SHOWN else document.text[:SHOWN] + "……"


def pasted(text: str, document: Document) -> Document:
    """What is in the box is the document, unless the box shows the beginning of a longer one."""
    return document if text in (preview(document), document.text) else Document(text or "")


def make(*values) -> Iterator[list]:
    """A generated book becomes the document: (document, box, status)."""
    example = from_values(Example, values)
    yield [gr.skip(), gr.skip(), tr(f"正在写 {example.tokens:,} 个词元……", f"writing {example.tokens:,} tokens…")]
    reader = load_named()
    text, where = compose(lambda part: len(reader.tokenizer(part, verbose=False).input_ids), example)
    document = Document(text, COMPOSED, where, example.genre)
    yield [document, shown(document), ""]


def restored(model: str, *maker) -> Iterator[list]:
    """What a link wants: (tasks of another model, document, box, status); its book, unless it is the default."""
    foreign = bool(model) and not set(load_named(model).tasks) <= {task for _, task in TASKS}
    tasks = choices(model) if foreign else gr.skip()
    yield [tasks, *[gr.skip()] * 3]
    if from_values(Example, maker) != Example():
        for made in make(*maker):
            yield [tasks, *made]


def count(document: Document, *values) -> Iterator[str]:
    """Tokens and, once a short reading has been timed, the seconds of each chosen reading."""
    if not document.text.strip():
        yield START
        return
    settings = from_values(Read, values)
    reader = load_named(settings.model)
    check_text(document.text)
    tokens = reader.tokens(document.text).shape[1]
    yield told(document, reader, tokens, None)
    yield told(document, reader, tokens, [CLOCK.seconds(reader, r, tokens, settings.stride) for r in settings.readings])


def told(document: Document, reader: Reader, tokens: int, seconds: list[float] | None) -> str:
    """The sentence about a document that is not read yet."""
    known = trained(reader)
    names = [f"<b>{html.escape(pick(document.name, x))}</b> · " if document.name else "" for x in ("zh", "en")]
    zh = f"{names[0]}{len(document.text):,} 字 = <b>{tokens:,}</b> 个词元；"
    en = f"{names[1]}{len(document.text):,} characters = <b>{tokens:,}</b> tokens; "
    if tokens <= known:
        zh += f"不超过 {known} 个，几种精确读法看到的一样。"
        en += f"up to {known} all exact readings see the same."
    else:
        zh, en = zh + f"前 {known} 个只占 {known / tokens:.1%}。", en + f"the first {known} are {known / tokens:.1%}."
    if document.hidden:
        label = html.escape(named(document.hidden))
        zh += f"藏着“{pick(label, 'zh')}”。"
        en += f" “{pick(label, 'en')}” is hidden in it."
    if seconds is not None:
        total = lasting(sum(seconds))
        zh, en = f"{zh}所选读法共约 {total[0]}。", f"{en} The chosen readings take about {total[1]}."
    if tokens > reader.capacity:
        zh += f"超过 {reader.capacity:,}，不能整篇读，只能截断或滑动窗口。"
        en += f" More than {reader.capacity:,} cannot be read at once: cut it or slide a window."
    return markup(zh, en)


def lasting(seconds: float) -> tuple[str, str]:
    """Seconds in words, Chinese and English."""
    if seconds < 90:
        value = f"{seconds:.1f}" if seconds < 10 else f"{seconds:.0f}"
        return f"{value} 秒", f"{value} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} 分钟", f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} 小时", f"{seconds / 3600:.1f} hours"


def asks_genre(model: str) -> dict:
    """What an example asks of the default: the genre; another model may not know that task and keeps its own."""
    return gr.skip() if model.strip() else gr.update(choices=TASKS, value="genre")


def choices(model: str) -> dict:
    """The tasks of another model."""
    reader = load_named(model)
    named = [(next((text for text, name in TASKS if name == task), OTHERS), task) for task in reader.tasks]
    return gr.update(choices=named, value=named[0][1])
