"""Batch: many documents in, a table out; stopped and resumed."""

from __future__ import annotations

import html
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import gradio as gr

from shared import page as parts
from shared.accelerator import device, run
from shared.experiment import InputError, choice
from shared.i18n import markup, prose, tr
from shared.live import Latest
from shared.page import guard, halt, latest
from spaces.long_document import figures
from spaces.long_document.batch import Row, classify, from_csv, to_csv
from spaces.long_document.many import Named, open_many
from spaces.long_document.reader import load_named
from spaces.long_document.settings import READINGS
from spaces.long_document.ui.document import Bench, lasting, tidy

QUIET = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": 2}
EVERY, SAVED_EVERY = 0.3, 2.0  # seconds between two pictures, and two links: each carries the whole table
SHOWN = 50
ABOUT = prose(
    "一个 zip（txt、md、html、pdf、docx）或一个有 <code>text</code> 列的 CSV，最多 2,000 篇。"
    "任务和模型按“读一篇”里的设置。"
    "读坏的那篇写明原因，不影响别的。停下以后，把已有的结果表交回来，就从断处接着读。",
    "A zip (txt, md, html, pdf, docx) or a CSV with a column <code>text</code>, 2,000 documents at most. Task and "
    "model are those of “Read”. A document that cannot be read says why, and the others go on. Once stopped, hand the "
    "table back and it goes on from there.",
)


@run(duration=120)
def classified(model: str, documents: list[Named], task: str, reading: str, known: list[Row]) -> Iterator:
    """`classify` on the device, by the model's name."""
    reader = load_named(model)
    reader.model.to(device())
    yield from classify(reader, documents, task, reading, model, known)


def work(path: str | None, earlier: str | None, model: str, task: str, reading: str) -> Iterator[list]:
    """(table, download, verdict, status) while the documents are read."""
    if not path:
        raise InputError("documents", "先上传 zip 或 CSV。", "upload a zip or a CSV first.")
    choice("reading", reading, READINGS)
    known = from_csv(Path(earlier).read_bytes()) if earlier else []
    yield [gr.skip(), gr.skip(), gr.skip(), parts.progress(0, tr("打开文档", "opening the documents"))]
    total, found = open_many(Path(path).name, Path(path).read_bytes())
    documents: list[Named] = []
    last = time.perf_counter()
    for document in found:
        documents.append(document)
        if time.perf_counter() - last > EVERY:
            last = time.perf_counter()
            told = tr(f"打开 {len(documents)} / {total} 篇", f"opening {len(documents)} of {total}")
            yield [gr.skip(), gr.skip(), gr.skip(), parts.progress(len(documents) / total, told)]
    load_named(model)
    rows: list[Row] = []
    last = began = time.perf_counter()
    saved = 0.0
    for share, row in classified(model, documents, task, reading, known):
        rows += [row] if row else []
        if time.perf_counter() - last > EVERY or share == 1:
            last = time.perf_counter()
            due = share == 1 or last - saved > SAVED_EVERY
            saved = last if due else saved
            left = lasting((last - began) / share * (1 - share))
            told = tr(
                f"{len(rows)} / {len(documents)} 篇，还要约 {left[0]}",
                f"{len(rows)} of {len(documents)}, about {left[1]} to go",
            )
            yield [
                table(rows),
                link(rows) if due else gr.skip(),
                verdict(rows, len(documents)),
                "" if share == 1 else parts.progress(share, told),
            ]


def verdict(rows: list[Row], total: int) -> str:
    """How many are read, and how many could not be."""
    bad = sum(bool(row.error) for row in rows)
    return markup(
        f"读了 <b>{len(rows)}</b> / {total} 篇"
        + (f"，<b class='bad'>{bad}</b> 篇读不了，原因在表里。" if bad else "。"),
        f"<b>{len(rows)}</b> of {total} read"
        + (f"; <b class='bad'>{bad}</b> could not be, the table says why." if bad else "."),
    )


def table(rows: list[Row]) -> str:
    """The last rows as HTML."""
    heads = (
        tr("文档", "document"),
        tr("标签", "label"),
        tr("把握", "confidence"),
        tr("词元", "tokens"),
        tr("秒", "seconds"),
    )
    head = "".join(f"<th>{name}</th>" for name in heads)
    body = ""
    for row in rows[-SHOWN:]:
        cells = [html.escape(row.label), f"{row.confidence:.1%}", f"{row.tokens:,}", f"{row.seconds:.2f}"]
        inner = "".join(f"<td>{cell}</td>" for cell in cells)
        if row.error:
            inner = f'<td colspan="4">{tr(*map(html.escape, _sentence(row.error)))}</td>'
        body += f"<tr><td>{html.escape(row.name[-60:])}</td>{inner}</tr>"
    return f'<div class="kx-scroll"><table class="kx-table kx-columns"><tr>{head}</tr>{body}</table></div>'


def _sentence(error: str) -> tuple[str, str]:
    zh, _, en = error.partition(" / ")
    return zh, en or zh


def link(rows: list[Row]) -> str:
    """A link that saves the table."""
    data = b64encode(to_csv(rows).encode()).decode()
    said = tr("下载结果表（CSV）", "Download the table (CSV)")
    return f'<a download="long_document_results.csv" href="data:text/csv;base64,{data}">{said}</a>'


def build(bench: Bench) -> None:
    """Draw the view."""
    gr.HTML(f'<div class="kx-note">{ABOUT}</div>', padding=False)
    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            file = gr.File(
                label=tr("文档：zip 或 CSV", "documents: zip or CSV"),
                file_types=[".zip", ".csv"],
                height=130,
                elem_id="batch-file",
            )
            earlier = gr.File(
                label=tr("接着读：已有的结果表", "resume: an earlier table"),
                file_types=[".csv"],
                height=130,
                elem_id="batch-earlier",
            )
        with gr.Column(scale=1, min_width=300):
            options = [(figures.READING_NAMES[name], name) for name in READINGS]
            reading = gr.Radio(options, value="whole", label=tr("读法", "reading"))
            with gr.Row(elem_classes="kx-controls"):
                start = gr.Button(tr("开始", "Start"), variant="primary", elem_id="batch-start", min_width=90)
                stop = gr.Button(tr("停止", "Stop"), elem_id="batch-stop", min_width=80)
            status = parts.status()
            said = parts.verdict(tr("上传一批文档，再按“开始”。", "Upload documents and press “Start”."))
            saved = gr.HTML()
    results = gr.HTML()
    works = gr.State(Latest())
    working = latest(guard(tidy(work, lambda: [*[gr.skip()] * 3, ""])))
    wanted = [works, file, earlier, bench.model, bench.task, reading]
    run = start.click(working, wanted, [results, saved, said, status], **QUIET)
    stop.click(stopped, [works], status, cancels=[run], **QUIET)


def stopped(works: Latest) -> str:
    """End the reading of a batch; its table stays."""
    halt(works)
    return tr("已停止；表留着。", "Stopped; the table stays.")
