"""The text that the character models learn from: read from the data folder, a share of each source, never copied.

A document is held out for validation by the hash of its text, so the split is the same on every machine. The unigram
and bigram counts at the end are the baselines: what one or no character of context is worth.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shared.jsonl import read_rows
from spaces.gradient_flow.characters import END, Vocabulary

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "lm"
SOURCES = {  # file, and millions of characters taken of it
    "literature": ("modern_lit_pd.jsonl.xz", 2.0),
    "wiki": ("wiki_passages.jsonl.xz", 1.5),
    "poems": ("poems.jsonl.xz", 1.2),
    "tech": ("tech_docs.jsonl.xz", 1.0),
    "dialogues": ("kdconv_crosswoz.jsonl.xz", 1.0),
    "support": ("smilechat_25k.jsonl.xz", 1.0),
}
FREE = ("Apache-2.0", "CC BY 4.0", "Unlicense")  # of the technical documents, those that are not share-alike
HELD_OUT = 25  # of 1,000 documents
MOST = 4094  # characters with an id of their own


@dataclass(frozen=True)
class Corpus:
    """Ids of the training text and of the validation text, each document after an END; and the vocabulary."""

    train: np.ndarray
    validation: np.ndarray
    vocabulary: Vocabulary


def texts(source: str, data: Path = DATA) -> Iterator[tuple[str, bool]]:
    """(text, held out) of a source's documents in the order of their hashes, until its share is reached."""
    name, millions = SOURCES[source]
    rows = {}
    for row in read_rows(data / name, "text"):
        if row.get("lic", FREE[0]) in FREE:
            text = _simplified(row["text"]) if "traditional" in row.get("src", "") else row["text"]
            rows[hashlib.blake2b(text.encode(), digest_size=16).hexdigest()] = text
    left = millions * 1e6
    for key in sorted(rows):
        if left <= 0:
            return
        left -= len(rows[key])
        yield rows[key], int(key[:8], 16) % 1000 < HELD_OUT


def _simplified(text: str) -> str:
    from opencc import OpenCC  # training data only

    return OpenCC("tw2s").convert(text)


def corpus(data: Path = DATA, vocabulary: Vocabulary | None = None) -> Corpus:
    """All sources, shuffled by document; the vocabulary is the training text's most frequent characters."""
    documents = [row for source in SOURCES for row in texts(source, data)]
    train = [text for text, held_out in documents if not held_out]
    if vocabulary is None:
        counts = Counter("".join(train))
        vocabulary = Vocabulary("".join(sorted(c for c, _ in counts.most_common(MOST))))
    np.random.default_rng(0).shuffle(train)
    held_out = [text for text, held_out in documents if held_out]
    return Corpus(stream(vocabulary, train), stream(vocabulary, held_out), vocabulary)


def stream(vocabulary: Vocabulary, rows: list[str]) -> np.ndarray:
    """One array of ids, each text after an END."""
    return np.concatenate([np.array([END, *vocabulary.encode(text)], np.int16) for text in rows])


def unigram(train: np.ndarray, size: int) -> np.ndarray:
    """Probabilities of `size` ids from their counts, one added to each."""
    counts = np.bincount(train, minlength=size) + 1.0
    return counts / counts.sum()


def unigram_bits(train: np.ndarray, validation: np.ndarray, size: int) -> float:
    """Bits per character of the counts of single characters, of `size` ids."""
    return float(-np.log2(unigram(train, size))[validation].mean())


def pair_table(train: np.ndarray, size: int) -> np.ndarray:
    """p(j | i) (size, size) float32: counts of pairs, smoothed by the unigram (Witten and Bell 1991)."""
    codes, times = np.unique(train[:-1].astype(np.int64) * size + train[1:], return_counts=True)
    table = np.zeros((size, size), np.float32)
    table[codes // size, codes % size] = times
    kinds = np.count_nonzero(table, axis=1).clip(1)  # how many characters followed i
    table += kinds[:, None] * unigram(train, size).astype(np.float32)
    return table / table.sum(1, keepdims=True)


def bigram_bits(table: np.ndarray, validation: np.ndarray) -> float:
    """Bits per character given the one before, by a table of p(j | i)."""
    return float(-np.log2(table[validation[:-1], validation[1:]].astype(np.float64)).mean())
