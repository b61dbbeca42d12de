"""Where the evidence of a label stands: paragraph, sentence, token; and whether an explanation is to be believed.

* By gradient: one reading and one way back, in bounded memory at any length (blockwise.py). A token's part is the
  gradient times its embedding less the mean embedding: the first-order change of log p were it made average.
* By occlusion: pieces are hidden behind <mask> and the change of log p is measured; the pieces that matter most are
  split further, so that a few dozen readings go from the whole text down to tokens.
* Faithfulness: hide what an explanation names, first 2 %, then 5, 10, 20 % of the tokens, and the label should
  fall faster than when as many random tokens are hidden. The score is the mean difference of p.

Try first: `*_, (_, found) = by_gradient(reader, document, label)`, then `found.faithfulness`.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from shared.experiment import InputError
from spaces.long_document.blockwise import gradients, outcome, read
from spaces.long_document.reader import Reader
from spaces.long_document.readings import pick_task, scored

SHARES = (0.02, 0.05, 0.1, 0.2)  # of the tokens, that are hidden to test an explanation
DRAWS = 2  # random sets of tokens beside it
BELIEVED = 0.02  # mean difference of p above which an explanation is worth believing
RUN = 8  # random tokens are hidden in runs of about this length, as explanations come in runs
STOP = r"""\.(?=["'”’)]*(?:\s|$))"""  # a full stop before a space: 3.14 is no end
BODY = rf"(?:[^。！？；!?;\n.]++|(?!{STOP})\.)"
SENTENCE = re.compile(rf"""{BODY}*+(?:[。！？；!?;\n]|{STOP})+["'”’」』）)]*|{BODY}++""")
LONG = 2000  # characters of a sentence or paragraph, beyond which it is cut: a page cannot draw a book as one line


@dataclass(frozen=True)
class Document:
    """A text, its tokens (1, n), and where each token lies [start, end) in the text."""

    text: str
    ids: Tensor
    spans: np.ndarray

    @property
    def inner(self) -> np.ndarray:
        """Places of the tokens that are text, not special."""
        return np.flatnonzero(self.spans[:, 1] > self.spans[:, 0])


@dataclass(frozen=True)
class Evidence:
    """Each token's part in log p of a label, and how far it is to be believed."""

    label: str
    parts: np.ndarray
    """(n,): positive speaks for the label, negative against it."""
    curve: dict[str, list[float]] = field(default_factory=dict)
    """share of tokens hidden → p(label): "share", "named" and "random"."""

    @property
    def faithfulness(self) -> float:
        """Mean of p(random hidden) − p(named hidden), to a hundredth; above BELIEVED it names what matters."""
        pairs = list(zip(self.curve.get("random", []), self.curve.get("named", []), strict=True))[1:]
        return round(float(np.mean([random - named for random, named in pairs])), 2) if pairs else float("nan")


def document(reader: Reader, text: str) -> Document:
    """The text as tokens, with their places."""
    ids, spans = reader.placed(text)
    return Document(text, reader.fitting(ids), np.array(spans, dtype=np.int64).reshape(-1, 2))


def paragraphs(text: str) -> list[tuple[int, int]]:
    """[start, end) of each line that is not empty; lines beyond LONG are cut where a sentence begins."""
    found = []
    for line in re.finditer(r"[^\n]+\n?", text):
        start, stop = line.span()
        for a, b in sentences(line.group()) if stop - start > LONG else ():
            if line.start() + b - start > LONG and line.start() + a > start:
                found.append((start, line.start() + a))
                start = line.start() + a
        found.append((start, stop))
    return [(start, stop) for start, stop in found if text[start:stop].strip()]


def sentences(text: str) -> list[tuple[int, int]]:
    """[start, end) of each sentence, cut every LONG characters."""
    found = []
    for m in SENTENCE.finditer(text):
        found += [(start, min(start + LONG, m.end())) for start in range(m.start(), m.end(), LONG)]
    return [(start, stop) for start, stop in found if text[start:stop].strip()]


def probability(reader: Reader, ids: Tensor, task: str, label: str) -> Iterator[tuple[float, float | None]]:
    """(share done, None) while it reads, at last (1.0, p(label))."""
    labels, places = pick_task(reader, task)
    for share, logits in read(reader.model, ids):
        yield share, None if logits is None else scored(labels, logits[places])[label]


def _asked(
    reader: Reader, ids: Tensor, task: str, label: str, done: int, total: int
) -> Generator[tuple[float, None], None, float]:
    """p(label) by one of `total` readings, `done` of which lie behind: the share of all of them on the way."""
    return (yield from outcome(probability(reader, ids, task, label), done, total))


def mask_id(reader: Reader) -> int:
    """The token that hides others; the padding token where a tokenizer has no mask."""
    tokenizer = reader.tokenizer
    found = tokenizer.mask_token_id if tokenizer.mask_token_id is not None else tokenizer.pad_token_id
    if found is None:
        raise InputError("model", "分词器没有掩码词元。", "has no mask token to hide words with.")
    return found


def hidden(reader: Reader, ids: Tensor, places: np.ndarray) -> Tensor:
    """ids with the tokens at `places` behind the mask."""
    ids = ids.clone()
    ids[0, torch.from_numpy(places)] = mask_id(reader)
    return ids


def by_gradient(reader: Reader, doc: Document, task: str, label: str) -> Iterator[tuple[float, Evidence | None]]:
    """(share done, None) while it works, at last (1.0, the evidence, its faithfulness not yet tested)."""
    labels, places = pick_task(reader, task)
    place = places.start + labels.index(label)
    for share, found in gradients(reader.model, doc.ids, place, places):
        if found is None:
            yield share, None
    parts = found.numpy()
    parts[np.setdiff1d(np.arange(len(parts)), doc.inner)] = 0
    yield 1.0, Evidence(label, parts)


def by_occlusion(
    reader: Reader, doc: Document, task: str, label: str, budget: int = 48
) -> Iterator[tuple[float, Evidence | None]]:
    """The same by hiding: eight stretches first, then what the one with the largest effect consists of, and so on.

    budget: readings at most. What was never hidden alone shares its stretch's effect evenly among its tokens.
    """
    whole = yield from _asked(reader, doc.ids, task, label, 0, budget)
    parts, done, counter = np.zeros(doc.ids.shape[1]), 1, 0
    queue: list[tuple[float, int, np.ndarray]] = []
    waiting = [piece for piece in _pieces(doc, doc.inner) if len(piece)]
    while waiting and done < budget:
        for piece in waiting[: budget - done]:
            p = yield from _asked(reader, hidden(reader, doc.ids, piece), task, label, done, budget)
            effect = float(np.log(max(whole, 1e-12)) - np.log(max(p, 1e-12)))
            parts[piece] = effect / len(piece)
            done, counter = done + 1, counter + 1
            heapq.heappush(queue, (-abs(effect), counter, piece))
        waiting = []
        while queue and not waiting:
            waiting = [piece for piece in _pieces(doc, heapq.heappop(queue)[2]) if len(piece)]
    yield 1.0, Evidence(label, parts)


def _pieces(doc: Document, places: np.ndarray, most: int = 8) -> list[np.ndarray]:
    """A stretch of tokens as up to `most` smaller ones: paragraphs, else sentences, else tokens; [] for one token."""
    if len(places) < 2:
        return []
    start, stop = int(doc.spans[places[0], 0]), int(doc.spans[places[-1], 1])
    for cut in (paragraphs(doc.text[start:stop]), sentences(doc.text[start:stop])):
        if len(cut) > 1:
            first = np.array([start + a for a, _ in cut])
            group = np.searchsorted(first, doc.spans[places, 0], side="right") - 1
            stretches = [places[group == g] for g in range(len(cut))]
            return _joined([s for s in stretches if len(s)], most)
    return [np.asarray(part) for part in np.array_split(places, min(most, len(places)))]


def _joined(stretches: list[np.ndarray], most: int) -> list[np.ndarray]:
    """Neighbours together until at most `most` are left, of about equal length."""
    if len(stretches) <= most:
        return stretches
    ends = np.cumsum([len(s) for s in stretches])
    group = np.minimum((ends - 1) * most // ends[-1], most - 1)
    return [np.concatenate([s for s, g in zip(stretches, group, strict=True) if g == k]) for k in np.unique(group)]


def challenged(
    reader: Reader, doc: Document, task: str, found: Evidence, seed: int = 0
) -> Iterator[tuple[float, Evidence | None]]:
    """(share done, None) while it hides and reads, at last (1.0, the evidence with its deletion curve)."""
    inner = doc.inner
    order = inner[np.argsort(-found.parts[inner], kind="stable")]
    dice = np.random.default_rng(seed)
    scrambled = [_random_order(inner, dice) for _ in range(DRAWS)]
    total, done = 1 + len(SHARES) * (1 + DRAWS), 0

    start = yield from _asked(reader, doc.ids, task, found.label, done, total)
    curve = {"share": [0.0], "named": [start], "random": [start]}
    for share in SHARES:
        count = max(1, round(share * len(inner)))
        values = []
        for places in (order, *scrambled):
            done += 1
            ids = hidden(reader, doc.ids, places[:count])
            values.append((yield from _asked(reader, ids, task, found.label, done, total)))
        curve["share"].append(share)
        curve["named"].append(values[0])
        curve["random"].append(float(np.mean(values[1:])))
    yield 1.0, Evidence(found.label, found.parts, curve)


def _random_order(inner: np.ndarray, dice: np.random.Generator) -> np.ndarray:
    """The tokens in runs of RUN, the runs shuffled."""
    runs = np.array_split(inner, max(1, len(inner) // RUN))
    return np.concatenate([runs[i] for i in dice.permutation(len(runs))])


def summed(doc: Document, parts: np.ndarray, stretches: list[tuple[int, int]]) -> np.ndarray:
    """The parts of the tokens in each [start, end) of the text, summed."""
    starts = np.array([start for start, _ in stretches])
    group = np.searchsorted(starts, doc.spans[doc.inner, 0], side="right") - 1
    sums = np.zeros(len(stretches))
    np.add.at(sums, group[group >= 0], parts[doc.inner][group >= 0])
    return sums


def strongest_sentence(doc: Document, found: Evidence) -> tuple[int, int]:
    """[start, end) of the best sentence of the paragraph with the largest part for the label.

    One sentence of a long text may score high by chance; a paragraph's sum is steadier.
    """
    lines = paragraphs(doc.text)
    first, last = lines[int(summed(doc, found.parts, lines).argmax())]
    stretches = sentences(doc.text)
    inside = [stretch for stretch in stretches if first <= stretch[0] < last]
    return max(inside or stretches, key=lambda stretch: support(doc, found, stretch))


def support(doc: Document, found: Evidence, stretch: tuple[int, int]) -> float:
    """The part of a stretch [start, end) of the text in log p of the label."""
    starts = doc.spans[doc.inner, 0]
    return float(found.parts[doc.inner][(starts >= stretch[0]) & (starts < stretch[1])].sum())
