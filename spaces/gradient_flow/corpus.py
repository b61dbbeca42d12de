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
from sklearn.utils.extmath import randomized_svd

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


def neighbours(train: np.ndarray, size: int, width: int, window: int = 2) -> np.ndarray:
    """A start for the embedding (size, width), unit variance: principal parts of who stands near whom.

    Positive pointwise mutual information of characters at most `window` apart, and its leading singular vectors, each
    times the root of its value (Levy and Goldberg 2014).
    """
    pairs = np.zeros((size, size), np.float32)
    for k in range(1, window + 1):
        codes, times = np.unique(train[:-k].astype(np.int64) * size + train[k:], return_counts=True)
        pairs[codes // size, codes % size] += times
    pairs += pairs.T
    share = pairs.sum(0) + 1
    information = np.log(np.maximum(pairs * (share.sum() / share) / share[:, None], 1))
    U, values, _ = randomized_svd(information, width, random_state=0)
    rows = U * np.sqrt(values)
    return (rows / rows.std()).astype(np.float32)


def unigram_bits(train: np.ndarray, validation: np.ndarray, size: int) -> float:
    """Bits per character of the counts of single characters, of `size` ids."""
    return float(-np.log2(unigram(train, size))[validation].mean())


def bigram_bits(train: np.ndarray, validation: np.ndarray, size: int) -> float:
    """Bits per character given the one before: counts of pairs, smoothed by the unigram (Witten and Bell 1991)."""
    codes, times = np.unique(train[:-1].astype(np.int64) * size + train[1:], return_counts=True)
    seen = np.bincount(codes // size, times, minlength=size)
    kinds = np.bincount(codes // size, minlength=size)
    asked = validation[:-1].astype(np.int64) * size + validation[1:]
    place = np.searchsorted(codes, asked).clip(max=len(codes) - 1)
    pair = np.where(codes[place] == asked, times[place], 0)
    before, after = validation[:-1], validation[1:]
    new = np.where(kinds[before] > 0, kinds[before], 1)
    p = (pair + new * unigram(train, size)[after]) / (seen[before] + new)
    return float(-np.log2(p).mean())
