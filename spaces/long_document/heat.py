"""The text as a heat map with a minimap: the data for heat.js, which draws it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from shared.i18n import tr
from spaces.long_document.evidence import Document, Evidence, paragraphs, sentences, strongest_sentence, summed

FOLDER = Path(__file__).parent
STYLE = (FOLDER / "heat.css").read_text("utf-8")
SCRIPT = (FOLDER / "heat.js").read_text("utf-8") + "\nkxHeat(element, props, trigger, watch);"
FOR, AGAINST = tr("支持这个标签", "speaks for the label"), tr("反对", "against it")
HOW = tr(
    "竖条是段落，底线是句子，底色是词元；点一句选中它，点右边的小图跳过去",
    "bar: paragraph, underline: sentence, shade: token; click a sentence to choose it, the map on the right to jump",
)
TEMPLATE = f"""<div class="kx-heat"><div class="kx-heat-text" tabindex="0" role="document"></div>
<canvas class="kx-heat-map" aria-hidden="true"></canvas></div>
<p class="kx-heat-said"><b style="background:var(--kx-accent)"></b><span>{FOR}</span>
<b style="background:var(--kx-counter)"></b><span>{AGAINST}</span> · <span>{HOW}</span></p>"""


def heat(doc: Document, found: Evidence) -> str:
    """JSON: text, tokens' parts, sums over sentences and paragraphs, the strongest sentence; places in UTF-16 units."""
    inner, at = doc.inner, units(doc.text)
    lines, said = paragraphs(doc.text), sentences(doc.text)
    by_line, by_sentence = (summed(doc, found.parts, part) for part in (lines, said))
    chosen = said.index(strongest_sentence(doc, found)) if said else None
    scale = float(np.abs(found.parts).max()) or 1.0
    return json.dumps(
        {
            "text": doc.text,
            "starts": at[doc.spans[inner, 0]].tolist(),
            "stops": at[doc.spans[inner, 1]].tolist(),
            "parts": [round(float(v), 3) for v in found.parts[inner] / scale],
            "sentences": _stretches(said, by_sentence / scale, at),
            "paragraphs": _stretches(lines, by_line / scale, at),
            "chosen": chosen,
        },
        ensure_ascii=False,
    )


def _stretches(spans: list[tuple[int, int]], values: np.ndarray, at: np.ndarray) -> list[list[float]]:
    return [[int(at[a]), int(at[b]), float(f"{v:.3g}")] for (a, b), v in zip(spans, values, strict=True)]


def units(text: str) -> np.ndarray:
    """(characters + 1,): where each character begins for JavaScript, which counts UTF-16 units: an emoji is two."""
    beyond = np.frombuffer(text.encode("utf-32-le"), "<u4") > 0xFFFF
    return np.concatenate([[0], np.cumsum(1 + beyond)])


def cut_units(text: str, start: int, stop: int) -> str:
    """text from unit to unit, as JavaScript slices it."""
    return text.encode("utf-16-le")[2 * start : 2 * stop].decode("utf-16-le", "ignore")
