"""Slide a key passage through a document and watch the confidence: where is a reader blind?

The passage is taken out and put back at each of some places, at line or sentence ends next to them. Places near a
multiple of 512 tokens lie at an edge between blocks of positions (i, j): q jumps there, and a reader that was never
trained across an edge shows a dead zone.

Try first: `for share, moved in move(reader, text, (start, end), "genre", "医药养生"): …`
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from shared.experiment import InputError
from spaces.long_document.blockwise import outcome
from spaces.long_document.evidence import probability
from spaces.long_document.reader import Reader, trained

END = re.compile(r"[。！？!?\n]|\.(?=\s)")


@dataclass(frozen=True)
class Moved:
    """Confidence by place; lists grow while it moves."""

    label: str
    places: list[int]
    """Tokens before the passage."""
    confidence: list[float]
    without: float
    """p(label) of the document without the passage."""
    tokens: int
    block: int
    """Trained positions n: edges lie at its multiples."""


def places_for(tokens: int, steps: int, block: int) -> np.ndarray:
    """`steps` places spread evenly, and one on each side of the first edges, sorted, each once."""
    edges = [edge + d for edge in range(block, tokens, block)[: max(1, steps // 4)] for d in (-24, 0, 24)]
    even = np.linspace(0, tokens, steps).round().astype(int)
    return np.unique([p for p in (*even, *edges) if 0 <= p <= tokens])


def move(
    reader: Reader, text: str, passage: tuple[int, int], task: str, label: str, tokens: int = 2048, steps: int = 17
) -> Iterator[tuple[float, Moved | None]]:
    """(share done, None) on the way to each place, (share, what is known) there.

    The rest of the text is cut to `tokens` less the passage.
    """
    start, stop = passage
    key, rest = text[start:stop], text[:start] + text[stop:]
    if not key.strip():
        raise InputError("passage", "没有选中段落。", "is empty: choose a passage.")
    if not rest.strip():
        raise InputError("text", "除了这一段没有别的文字。", "has nothing but the passage.")
    room = min(tokens, reader.capacity) - len(reader.encode(key)[0])
    if room < 64:
        zh, en = "段落太长，没有地方可移。", "leaves no room to move in: choose a shorter passage or more tokens."
        raise InputError("passage", zh, en)
    spans = reader.placed(rest)[1][1:-1][: room - 2]
    rest = rest[: spans[-1][1]]
    block = trained(reader)
    wanted = places_for(len(spans), steps, block)
    total = len(wanted) + 1
    without = yield from outcome(probability(reader, reader.encode(rest), task, label), 0, total)
    found = Moved(label, [], [], without, len(spans), block)
    for number, place in enumerate(wanted, 1):
        at = _boundary(rest, spans[place][0] if place < len(spans) else len(rest))
        ids = reader.encode(rest[:at] + key + rest[at:])
        p = yield from outcome(probability(reader, ids, task, label), number, total)
        before = sum(1 for span in spans if span[0] < at)
        if before not in found.places:
            found.places.append(before)
            found.confidence.append(p)
        yield (number + 1) / total, found


def _boundary(text: str, at: int) -> int:
    """The end of a sentence nearest to a place in the text, within 40 characters, else the place itself."""
    low, high = max(0, at - 40), min(len(text), at + 40)
    ends = [low + m.end() for m in END.finditer(text[low:high])] + [0] * (at < 40) + [len(text)] * (at > len(text) - 40)
    return min(ends, key=lambda end: abs(end - at), default=at)
