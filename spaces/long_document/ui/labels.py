"""Your labels: a CSV becomes a head on the frozen long reader, cross-validated, to take away."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import gradio as gr

from shared import page as parts
from shared.accelerator import device, run
from shared.experiment import InputError, choice
from shared.i18n import markup, prose, tr
from shared.live import Latest
from shared.page import guard, halt, latest
from spaces.long_document import figures
from spaces.long_document.generator import compose
from spaces.long_document.head import FEWEST, MOST, check_labelled, features, fit, save_head
from spaces.long_document.many import Named, read_many
from spaces.long_document.reader import load_named
from spaces.long_document.readings import CLOCK
from spaces.long_document.settings import HIDDEN, Example
from spaces.long_document.ui.document import Bench, lasting, tidy

QUIET = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": 2}
LENGTHS = ("512", "2048", "8192", "32768")
ABOUT = prose(
    f"""带一个 CSV：两列 <code>text</code> 与 <code>label</code>，{FEWEST} 到 {MOST:,} 行。
模型不动，只在它上面训练一个线性头；
准确率是五折交叉验证的，每篇都由没见过它的头来判。下载的是普通的 Hugging Face checkpoint，位置已写成长表，
不用我们的代码，transformers 就能读。文档不离开这台机器，只在它的临时目录里，随其他上传一起清理。""",
    f"""Bring a CSV with the columns <code>text</code> and <code>label</code>, {FEWEST} to {MOST:,} rows. The reader
stays as it is; a linear head on top of it is trained and cross-validated in five folds: each text is judged by a
head that has not seen it. What you download is an ordinary Hugging Face checkpoint with its positions written out,
which plain transformers reads. Your texts stay on this machine, in its temporary folder, until that is cleared of
uploads.""",
)
SAVE = tr("下载 checkpoint（zip）", "Download the checkpoint (zip)")


@run(duration=120)
def featured(model: str, documents: list[Named], limit: int) -> Iterator:
    """`features` on the device, by the model's name."""
    reader = load_named(model)
    reader.model.to(device())
    yield from features(reader, documents, limit)


def train(path: str | None, model: str, length: str) -> Iterator[list]:
    """(figure, verdict, status, download) while the texts are read."""
    if not path:
        raise InputError("labels", "先上传一个 CSV，或按例子。", "upload a CSV first, or take the example.")
    documents = check_labelled(read_many("labels.csv", Path(path).read_bytes()))
    limit = int(choice("length", length, LENGTHS))
    hidden = gr.update(visible=False)
    yield [gr.skip(), gr.skip(), parts.progress(0, tr("载入模型", "loading the model")), hidden]
    reader = load_named(model)
    tokens = [reader.tokens(d.text, limit).shape[1] for d in documents[:20]]
    each = sum(CLOCK.seconds(reader, "whole", n) for n in tokens) / len(tokens)
    rows = None
    for share, found in featured(model, documents, limit):
        rows = found
        left = lasting(each * len(documents) * (1 - share))
        told = tr(f"读 {share:.0%}，还要约 {left[0]}", f"reading {share:.0%}, about {left[1]} to go")
        yield [gr.skip(), gr.skip(), parts.progress(share, told), gr.skip()]
    head = fit(rows, [d.label for d in documents])
    better = head.accuracy > head.guessing + 0.05
    kind = "good" if better else "bad"
    said = markup(
        f"{head.texts} 篇、{len(head.labels)} 种标签，交叉验证准确率 <b class='{kind}'>{head.accuracy:.0%}</b>，"
        f"macro-F1 {head.macro_f1:.2f}；总猜最多的一类是 {head.guessing:.0%}。",
        f"{head.texts} texts, {len(head.labels)} labels: <b class='{kind}'>{head.accuracy:.0%}</b> right in "
        f"cross-validation, macro-F1 {head.macro_f1:.2f}; always guessing the most frequent: {head.guessing:.0%}.",
    )
    with TemporaryDirectory() as folder:  # gradio has its own copy once this is shown
        file = save_head(reader, head, limit, Path(folder) / "long_document_head.zip")
        yield [figures.confusion_figure(head), said, "", gr.update(value=str(file), visible=True)]


def example() -> Iterator[list[str]]:
    """(path of a CSV, status): 24 generated texts, two labels, the evidence anywhere in 600 tokens."""
    reader = load_named()

    def count(text: str) -> int:
        return len(reader.tokenizer(text, verbose=False).input_ids)

    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["text", "label"])
    for number in range(24):
        genre = HIDDEN[number % 2]
        text, _ = compose(count, Example(700, (number * 37) % 100, genre, seed=number))
        writer.writerow([text, genre])
    with TemporaryDirectory() as folder:
        file = Path(folder) / "labels.csv"
        file.write_text(out.getvalue(), encoding="utf-8")
        yield [str(file), html.escape(file.name)]


def build(bench: Bench) -> None:
    """Draw the view."""
    gr.HTML(f'<div class="kx-note">{ABOUT}</div>', padding=False)
    with gr.Row(elem_classes="kx-try"):
        sample = gr.Button(tr("例子：24 篇、两种标签", "an example: 24 texts, two labels"), size="sm")
    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            file = gr.File(label="CSV", file_types=[".csv"], type="filepath", height=140, elem_id="labels-file")
            length = gr.Radio(
                [("512", "512"), ("2,048", "2048"), ("8,192", "8192"), ("32,768", "32768")],
                value="2048",
                label=tr("每篇最多读多少词元", "tokens read of each text, at most"),
            )
            with gr.Row(elem_classes="kx-controls"):
                start = gr.Button(tr("训练", "Train"), variant="primary", elem_id="labels-start", min_width=90)
                stop = gr.Button(tr("停止", "Stop"), elem_id="labels-stop", min_width=80)
            status = parts.status()
            said = parts.verdict(tr("上传 CSV，再按“训练”。", "Upload a CSV and press “Train”."))
            download = gr.DownloadButton(SAVE, visible=False, elem_id="labels-download")
        with gr.Column(scale=1, min_width=300):
            chart = parts.figure(figures.confusion_figure(None))
    trainings = gr.State(Latest())
    training = latest(guard(tidy(train, lambda: [gr.skip(), gr.skip(), "", gr.skip()])))
    training = (training, [trainings, file, bench.model, length], [chart, said, status, download])
    runs = [start.click(*training, **QUIET)]
    runs.append(sample.click(guard(example), None, [file, status], **QUIET).success(*training, **QUIET))
    stop.click(halt, [trainings], status, cancels=runs, **QUIET)
