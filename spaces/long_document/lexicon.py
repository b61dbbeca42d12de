"""What each word and pair of words speaks for: a linear n-gram classifier that the reader learns from.

Windows of 512 tokens name a province seldom, and one label a window teaches a small encoder little. A linear
support vector machine on tf-idf of tokens and pairs of tokens is trained in seconds; what it says of every single
token is a target with as many numbers as the task has labels. The lexicon itself is thrown away after training.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sparse
from sklearn.svm import LinearSVC

from spaces.long_document.data import TASKS, Document, columns

PAIR = np.int64(65536)  # token ids are below
SAMPLE = 200  # documents whose evidence fixes the scale


def codes_of(tokens: np.ndarray) -> np.ndarray:
    """tokens (n,) → (2, n) int64: each token, and the pair that ends with it (−1 for the first)."""
    single = tokens.astype(np.int64)
    pairs = np.full_like(single, -1)
    pairs[1:] = (single[:-1] + 1) * PAIR + single[1:]
    return np.stack([single, pairs])


class Lexicon:
    """One task's n-grams and what they speak for; a gram that stands in one document only is left out."""

    def __init__(self, documents: list[Document], task: str, penalty: float = 10.0):
        own = columns(task)
        bags = [np.unique(codes_of(d.tokens), return_counts=True) for d in documents]
        codes, seen = np.unique(np.concatenate([codes for codes, _ in bags]), return_counts=True)
        keep = (seen > 1) & (codes >= 0)
        self.codes = codes[keep]  # (grams,) ascending
        self.rarity = (np.log((1 + len(documents)) / (1 + seen[keep])) + 1).astype(np.float32)
        labels = np.array([d.label - own.start for d in documents])
        machine = LinearSVC(C=penalty).fit(sparse.vstack([self.row(*bag) for bag in bags]).tocsr(), labels)
        self.weights = np.zeros((len(self.codes), own.stop - own.start), dtype=np.float32)
        if len(machine.classes_) == 2:  # scikit-learn then keeps one column
            self.weights[:, machine.classes_] = np.stack([-machine.coef_[0], machine.coef_[0]], 1)
        else:
            self.weights[:, machine.classes_] = machine.coef_.T
        self.scale = np.concatenate([self._said(d.tokens) for d in documents[:SAMPLE]]).std() + np.float32(1e-6)

    def find(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(which of the codes the lexicon has, their places in it)."""
        places = np.searchsorted(self.codes, codes).clip(max=len(self.codes) - 1)
        known = self.codes[places] == codes
        return known, places[known]

    def row(self, codes: np.ndarray, counts: np.ndarray) -> sparse.csr_matrix:
        """The tf-idf of a document, (1, grams), of length one."""
        known, places = self.find(codes)
        values = (1 + np.log(counts[known])) * self.rarity[places]
        values /= max(np.linalg.norm(values), 1e-9)
        return sparse.csr_matrix((values.astype(np.float32), places, [0, len(places)]), (1, len(self.codes)))

    def evidence(self, tokens: np.ndarray) -> np.ndarray:
        """tokens (n,) → (n, labels of the task): what each and its pair with the one before speak for, deviation 1."""
        return self._said(tokens) / self.scale

    def _said(self, tokens: np.ndarray) -> np.ndarray:
        found = np.zeros((len(tokens), self.weights.shape[1]), dtype=np.float32)
        for codes in codes_of(tokens):
            known, places = self.find(codes)
            found[known] += self.rarity[places, None] * self.weights[places]
        return found


def lexicons(documents: list[Document]) -> dict[str, Lexicon]:
    """task → its lexicon, from the documents that have a label."""
    labelled = {task: [d for d in documents if d.task == task and d.label >= 0] for task in TASKS}
    return {task: Lexicon(mine, task) for task, mine in labelled.items() if mine}
