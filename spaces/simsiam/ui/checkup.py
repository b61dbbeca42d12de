"""Is mine collapsed? A visitor's embeddings, or a made-up sample, under the check-up."""

from __future__ import annotations

import html
from pathlib import Path

import gradio as gr

from shared import page as parts
from shared.experiment import InputError
from shared.i18n import markup, number, pick, tr
from shared.page import Page, guard
from spaces.simsiam import figures
from spaces.simsiam.checkup import Report, examine
from spaces.simsiam.embeddings import read
from spaces.simsiam.samples import Sample, draw

SAMPLES = [
    (tr("健康", "healthy"), "healthy"),
    (tr("完全坍缩", "complete collapse"), "complete"),
    (tr("部分坍缩", "partial collapse"), "partial"),
    (tr("维度坍缩", "dimensional collapse"), "dimensional"),
    (tr("局部坍缩", "local collapse"), "local"),
    (tr("只有噪声", "noise"), "noise"),
]


def show(report: Report, name: str) -> tuple[str, str, str]:
    """The sentence, the spectrum and the table of measurements of a report."""
    return markup(html.escape(report.zh), html.escape(report.en)), figures.report_spectrum(report), table(report, name)


def table(report: Report, name: str) -> str:
    """All numbers of a report, with what each means."""

    def shown(value: float | None, digits: int = 2) -> str:
        return "–" if value is None else number(value, digits)

    size = f"{report.rows} × {report.dim}"
    sampled = (
        ("", "")
        if report.sampled == report.rows
        else (f"（抽样 {report.sampled} 行）", f" ({report.sampled} rows sampled)")
    )
    zh, en = (f"{html.escape(pick(name, x))}：{size}{more}" for x, more in zip(("zh", "en"), sampled, strict=True))
    ranks = ", ".join(f"{c.effective_rank:.1f}" for c in report.clusters[:12])
    rows = [
        (tr("数据", "data"), tr(zh, en.replace("：", ": "))),
        (tr("std × √d（1 铺开，0 坍缩）", "std × √d (1 spread, 0 collapsed)"), shown(report.std, 3)),
        (tr("有效秩 / 最大可能", "effective rank / maximum"), f"{report.effective_rank:.1f} / {report.possible_rank}"),
        (tr("簇的个数（k-means）", "clusters (k-means)"), str(len(report.clusters) or "–")),
        (
            tr("簇的分离度（轮廓系数，−1 到 1）", "separation of the clusters (silhouette, −1 to 1)"),
            shown(report.separation),
        ),
        (tr("各簇的有效秩（大簇在前）", "effective rank of each cluster (largest cluster first)"), ranks or "–"),
        (
            tr("两半维度的近邻重合（0 巧合，1 相同）", "neighbours shared by two halves (0 chance, 1 all)"),
            shown(report.overlap),
        ),
        (tr("全零行 · 重复行", "zero rows · repeated rows"), f"{report.zero_rows} · {report.duplicates}"),
    ]
    cells = "".join(f"<tr><th scope='row'>{label}</th><td>{value}</td></tr>" for label, value in rows)
    return f'<table class="kx-table">{cells}</table>'


def examine_sample(kind: str) -> tuple[str, str, str]:
    """The check-up of a made-up sample."""
    sample = Sample(kind)
    label = next(text for text, value in SAMPLES if value == kind)
    return show(examine(draw(sample)), label)


def examine_file(path: str | None):
    """The check-up of an uploaded file; a file that cannot be read leaves a sentence and nothing of the one before."""
    if not path:
        return [gr.skip()] * 4
    try:
        report = examine(read(path))
    except InputError as error:
        said = markup(
            f"<b class=bad>无法读取</b>：{html.escape(error.zh)}", f"<b class=bad>Not read</b>: {html.escape(error.en)}"
        )
        return said, figures.report_spectrum(None), "", None
    return *show(report, Path(path).name[:60]), None


def build(page: Page, tabs: gr.Tabs) -> None:
    """Draw the view."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            kind = gr.Radio(
                SAMPLES, value=Sample().kind, label=tr("先看一个造出来的样本", "Look at a made-up sample first")
            )
            upload = gr.File(
                label=tr(
                    "或上传你的：.npy、.npz、.csv，至多 100 MB",
                    "Or yours: .npy, .npz, .csv, 100 MB at most",
                ),
                file_types=[".npy", ".npz", ".csv"],
                height=150,
            )
            link = page.link_button("checkup")
        with gr.Column(scale=3, min_width=300):
            first = examine_sample(Sample().kind)
            said = parts.verdict(first[0])
            spectrum = parts.figure(first[1])
            numbers = gr.HTML(first[2])
    outputs = [said, spectrum, numbers]
    page.view("checkup", Sample, {"kind": kind}, link, tabs=tabs, redraw=(guard(examine_sample), [kind], outputs))
    run = dict(show_progress_on=[said], concurrency_limit=2, api_visibility="private")
    kind.input(guard(examine_sample), [kind], outputs, trigger_mode="always_last", **run)
    upload.upload(examine_file, [upload], [*outputs, kind], **run)
