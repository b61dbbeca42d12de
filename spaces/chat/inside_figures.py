"""Figures of inside.py: attention and similarity as heat maps, the three layouts as a table. Pure."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

import numpy as np

from shared import plots
from shared.i18n import markup, tr
from spaces.chat.inside import Inside
from spaces.chat.layout import Reading
from spaces.chat.pieces_figures import whole

MOST_TICKS = 24
DARKEST = (-1.5, 0.0)  # log10 of a share: blank below 3 %, darkest at all of it, the same for every layer and head
LAYOUTS = {
    "gpt2": tr("GPT-2（对的）", "GPT-2 (right)"),
    "gpt2_ml": tr("GPT2_ML", "GPT2_ML"),
    "no_final_norm": tr("没有最后的 LN", "no final LN"),
}


def _axis(found: Inside, label: str) -> dict:
    step = -(-len(found.pieces) // MOST_TICKS)
    places = range(0, len(found.pieces), step)
    names = [_named(found.pieces[i]) for i in places]
    return plots.axis(label, ticks=list(places), names=names)


def _named(piece: str) -> str:
    return piece.replace("\n", "↵").replace(" ", "␣")[:4] or "■"


def attention_figure(found: Inside, layer: int, head: int) -> str:
    """Row by row, whom a token looks at."""
    places = np.arange(len(found.pieces))
    logs = np.log10(found.attention.clip(1e-9))
    z = [[v if j <= i else math.nan for j, v in enumerate(row)] for i, row in enumerate(logs)]
    which_zh, which_en = (f"第 {head} 头", f"head {head}") if head else ("各头平均", "mean of its heads")
    return plots.figure(
        "attention",
        _axis(found, tr("被看的词元", "token looked at")),
        _axis(found, tr("在看的词元", "token that looks")),
        [plots.cells(places, places, z, tr("log₁₀ 注意力", "log₁₀ attention"), DARKEST, low="surface", high="accent")],
        caption=tr(
            f"第 {layer} 层，{which_zh}：一行是一个词元怎样分它的注意力（■ 是文首标记）。",
            f"Layer {layer}, {which_en}: a row is how one token divides its attention (■: the mark of the beginning).",
        ),
        aspect=0.9,
    )


def similarity_figure(found: Inside, layer: int) -> str:
    """Which places the layer takes for alike."""
    places = np.arange(len(found.pieces))
    return plots.figure(
        "similarity",
        _axis(found, tr("词元", "token")),
        _axis(found, tr("词元", "token")),
        [plots.cells(places, places, found.similarity, tr("余弦", "cosine"), (-1.0, 1.0))],
        caption=tr(
            f"第 {layer} 层之后隐状态的相似度（减去全文平均）：青色相像，朱红相反。",
            f"Likeness of the hidden states after layer {layer} (the text's mean taken off): teal alike, red opposite.",
        ),
        aspect=0.9,
    )


def verdict(found: Inside, layer: int) -> str:
    """Where the attention goes, in a sentence."""
    shares = {name: "–" if math.isnan(v) else f"{v:.0%}" for name, v in found.shares.items()}
    cut = found.cut
    left = f"只画了末尾的词元，前面 {cut} 个略去。", f" The first {cut} tokens are left out."
    also_zh, also_en = left if cut else ("", "")
    return markup(
        f"第 {layer} 层把 <b>{shares['first']}</b> 的注意力停在文首标记上，{shares['before']} 给前一个词元，"
        f"{shares['itself']} 给自己。{also_zh}",
        f"Layer {layer} rests <b>{shares['first']}</b> of its attention on the mark of the beginning, "
        f"{shares['before']} on the token before, {shares['itself']} on the token itself.{also_en}",
    )


def layout_table(readings: Sequence[Reading]) -> str:
    """The three layouts: bits per character of the text, and how each goes on."""
    if not readings:
        return ""
    best = min(readings, key=lambda r: r.bits_per_character)
    lines = []
    for one in readings:
        mark = " class=best" if one is best else ""
        lines.append(
            f"<tr><th>{LAYOUTS[one.layout]}</th><td{mark}>{one.bits_per_character:.2f}</td>"
            f"<td class=said>{html.escape(whole(one.continuation))}</td></tr>"
        )
    titles = ("", tr("比特/字", "bits a character"), tr("接着写（总取最可能的）", "goes on (the likeliest)"))
    head = "".join(f"<th>{name}</th>" for name in titles)
    return f'<table class="kx-table"><tr>{head}</tr>{"".join(lines)}</table>'
