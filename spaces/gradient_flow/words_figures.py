"""The figures of "Which words still count?": a sentence to point at, and what its cells have in common.

`reader` makes the value of a gr.HTML whose template, style and script stand here too: no text of a visitor enters any
of them, it travels as JSON and is set as text.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from shared import plots
from shared.i18n import number, pick, tr
from spaces.gradient_flow.race_figures import NAMES, STYLES
from spaces.gradient_flow.words import Dependence

FOLDER = Path(__file__).parent
STYLE = (FOLDER / "words.css").read_text("utf-8")
SCRIPT = (FOLDER / "words.js").read_text("utf-8") + "\nkxWords(element, props, watch);"
HINT = tr(
    "指着或点一个字，或用左右方向键：红色越深，模型预测它时越依赖那个字。末尾的“？”是接下来的字。"
    "□ 是模型不认识的字，■ 是文末。",
    "Point at a character, tap it, or use the arrow keys: the redder one is, the more the prediction depends on it. "
    "The “？” at the end is the character to come. □: a character unknown to the models; ■: the end of a text.",
)
TEMPLATE = f"""<div class="kx-words" tabindex="0" role="group" aria-label="{HINT}">
<p class="kx-words-hint">{HINT}</p><div class="kx-words-rows"></div></div>"""
MOST_CELLS = 100  # along one side of the heat map
MOST_TICKS = 24
DARKEST = (-1.65, -0.3)  # log10 of a share: from no colour to full, the same in all cells' maps, so that they compare

Found = Mapping[str, Dependence]


def reader(found: Found, at: int | None = None) -> str:
    """JSON for `SCRIPT`: the sentence, and for each cell every row's shares; `at` is the character shown first.

    Shares are bytes, 255 for the row's largest, rows i = 1 … N of i entries each laid end to end, in base64.
    """
    first = next(iter(found.values()))
    n = len(first.text)
    return json.dumps(
        {
            "characters": list(first.text),
            "unknown": list(first.unknown),
            "at": n if at is None else max(1, min(at, n)),
            "cells": [_cell(name, one) for name, one in found.items()],
        },
        ensure_ascii=False,
        allow_nan=False,
    )


def _cell(name: str, found: Dependence) -> dict:
    shares, n = found.shares, len(found.text)
    peak = shares.max(1, keepdims=True)
    levels = np.divide(255 * shares, peak, out=np.zeros_like(shares), where=peak > 0).round().astype(np.uint8)
    rows = range(1, n + 1)
    return {
        "label": NAMES[name],
        "color": STYLES[name]["color"],
        "levels": base64.b64encode(b"".join(levels[i, :i].tobytes() for i in rows)).decode(),
        "nearest": [0, *(int(shares[i, :i].argmax()) for i in rows)],
        "half": [0, *(found.latest(i) for i in rows)],
        "bits": plots.numbers(found.bits, 4),
        "top": [[[c, float(f"{p:.3g}")] for c, p in row] for row in found.top],
    }


def heat(found: Dependence) -> str:
    """One cell's shares: which earlier character (x) the prediction of which character (y) depends on."""
    n, shares = len(found.text), found.shares[1:]
    block = -(-n // MOST_CELLS)
    side = -(-n // block)
    padded = np.zeros((side * block, side * block))
    padded[:n, :n] = shares
    pooled = padded.reshape(side, block, side, block).max((1, 3))
    earlier = np.arange(side) * block + (block + 1) / 2
    logs = np.log10(pooled.clip(1e-9))
    z = [[v if t <= i else math.nan for t, v in enumerate(row)] for i, row in enumerate(logs)]
    places = range(1, n + 1, -(-n // MOST_TICKS))
    named = {"ticks": list(places), "names": [found.text[i - 1].replace("\n", "↵") for i in places]}
    label, name = tr("份额（log₁₀）", "share (log₁₀)"), NAMES[found.cell]
    return plots.figure(
        f"words-{found.cell}",
        plots.axis(tr("较早的字", "earlier character"), **named),
        plots.axis(tr("被预测的字", "character predicted"), **named),
        [plots.cells(earlier, earlier + 1, z, label, DARKEST, low="surface", high="accent")],
        caption=tr(
            f"{pick(name, 'zh')}：每一行是一次预测，只亮在对角线旁就是只看最近的字。",
            f"{pick(name, 'en')}: each row is one prediction; where only the diagonal glows, only the latest count.",
        ),
        aspect=0.8,
    )


def by_lag(found: Found) -> str:
    """Mean share against the lag, a line for each cell."""
    layers = []
    for name, one in found.items():
        shares = one.by_lag()
        logs = np.log10(np.where(shares > 0, shares, np.nan))
        layers.append(plots.line(np.arange(1, len(shares) + 1), logs, NAMES[name], width=2, **STYLES[name]))
    return plots.figure(
        "words-by-lag",
        plots.axis(tr("往回多少个字", "characters back")),
        plots.axis(tr("平均份额", "mean share"), log=True),
        layers,
        caption=tr(
            "预测对往回第 k 个字的依赖占多少（对数轴）：线掉得越陡，忘得越快。",
            "The share of a prediction's dependence that lies k characters back (log axis): a steep line forgets fast.",
        ),
    )


def context(trained: Mapping[str, dict], baselines: Mapping[str, float]) -> str:
    """Bits per character of held-out text given so many characters of context, as the training measured them."""
    layers, lags = [], set()
    for name, measured in trained.items():
        after = {int(k): bits for k, bits in measured.get("bits_after", {}).items()}
        ks = sorted(after)
        lags |= set(ks)
        x, y = [math.log2(k) for k in ks], [after[k] for k in ks]
        layers.append(plots.line(x, y, NAMES[name], width=2, **STYLES[name]))
    ks = sorted(lags)
    if "bigram_bits" in baselines:
        layers.append(plots.rule("hline", baselines["bigram_bits"], tr("只数相邻两字", "counts of pairs"), dash=True))
    return plots.figure(
        "words-context",
        plots.axis(tr("给它看的字数", "characters given"), ticks=list(map(math.log2, ks)), names=list(map(str, ks))),
        plots.axis(tr("每字比特（留出的文本）", "bits per character (held-out text)")),
        layers,
        caption=tr(
            "读得越多，猜得越准——直到它记不住更多：线在哪里变平，记忆就到哪里。",
            "The more it has read, the better it guesses, until it holds no more: memory ends where the line flattens.",
        ),
    )


def verdict(found: Found) -> str:
    """How many of the latest characters hold half of the dependence, cell by cell (tr)."""
    reach = {name: one.reach() for name, one in found.items()}
    said = {
        language: [f"{pick(NAMES[name], language)} {number(value, 1)}" for name, value in reach.items()]
        for language in ("zh", "en")
    }
    return tr(
        f"一半的依赖来自最近几个字：{'，'.join(said['zh'])}。",
        f"Half of the dependence lies in the last so many characters: {', '.join(said['en'])}.",
    )
