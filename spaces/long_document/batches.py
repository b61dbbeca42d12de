"""Batches of equal length, so that no token is padding and attention needs no mask.

A window is a random piece of a text, 512 to 4,096 tokens; a "whole" batch takes texts of nearly one length, up
to 16,384. Laws and classical chapters share every batch, so that every step serves both tasks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from spaces.long_document.data import Document

BOS, EOS, MASK = 0, 2, 4  # phrases.SPECIAL
WINDOWS = (512, 1024, 2048, 4096)
# Four lengths an octave: few shapes, for kernels and allocators plan anew for each.
WHOLE = (*(octave * part for octave in (64, 128, 256, 512, 1024, 2048) for part in (4, 5, 6, 7)), 16384)


@dataclass(frozen=True)
class Mix:
    """How often each length is drawn, and how many tokens make a batch."""

    windows: tuple[float, ...]
    whole: float
    tokens: int = 65536
    longest: int = 16384
    laws: float = 0.5  # of the tokens


# Masked words need no whole texts. The laws have few documents and the harder task: they take more of a batch.
MLM_MIX = Mix(windows=(0.55, 0.2, 0.15, 0.1), whole=0.0)
TASK_MIX = Mix(windows=(0.18, 0.22, 0.2, 0.12), whole=0.28, tokens=49152, laws=0.6)
# For CPUs, where attention's share is larger: short windows while the words are learnt, then half whole texts.
EVIDENCE_MIX = Mix(windows=(0.6, 0.25, 0.15, 0.0), whole=0.0, tokens=8192, laws=0.65)
WHOLE_MIX = Mix(windows=(0.2, 0.1, 0.1, 0.0), whole=0.6, tokens=12288, longest=6144, laws=0.65)


def whole_length(document: Document, longest: int) -> int:
    """The greatest length of WHOLE that the text fills, its two special tokens included."""
    size = min(len(document.tokens) + 2, longest)
    return max((length for length in WHOLE if length <= size), default=WHOLE[0])


def cut(document: Document, length: int, random: np.random.Generator) -> np.ndarray:
    """(length,) ids: <s>, a piece, </s>; one in three pieces begins the text and one in six ends it."""
    body, most = length - 2, len(document.tokens) - (length - 2)
    where = random.random()
    start = 0 if where < 1 / 3 else most if where < 1 / 2 else int(random.integers(most + 1))
    return np.concatenate([[BOS], document.tokens[start : start + body], [EOS]]).astype(np.int64)


class Sampler:
    """Draws batches without end; a book's chapters count less each, the more chapters it has."""

    def __init__(self, documents: list[Document], mix: Mix, seed: int = 0):
        self.random = np.random.default_rng(seed)
        self.mix = mix
        self.tasks = []
        names = list(dict.fromkeys(d.task for d in documents))
        self.parts = [mix.laws if task == "province" else 1 - mix.laws for task in names]
        for task in names:
            ordered = sorted((d for d in documents if d.task == task), key=lambda d: len(d.tokens))
            sizes = {}
            for d in ordered:
                sizes[d.group] = sizes.get(d.group, 0) + 1
            weights = np.array([1.0 if not d.group else sizes[d.group] ** -0.5 for d in ordered])
            self.tasks.append((ordered, np.array([len(d.tokens) + 2 for d in ordered]), weights))

    def draw_length(self) -> tuple[int, bool]:
        """(length, whether whole texts of about that length are wanted)."""
        kind = self.random.choice(len(WINDOWS) + 1, p=(*self.mix.windows, self.mix.whole))
        if kind < len(WINDOWS):
            return min(WINDOWS[kind], self.mix.longest), False
        ordered, _, weights = self.tasks[self.random.integers(len(self.tasks))]
        anchor = ordered[self.random.choice(len(ordered), p=weights / weights.sum())]
        return whole_length(anchor, self.mix.longest), True

    def pick(self, task: int, length: int, count: int, whole: bool) -> list[Document]:
        """Up to `count` documents of a task with at least `length` tokens, whole ones not a third longer."""
        ordered, sizes, weights = self.tasks[task]
        first = int(np.searchsorted(sizes, length))
        last = len(ordered)
        if whole and length < self.mix.longest:
            last = max(int(np.searchsorted(sizes, length * 4 / 3)), min(first + count, last))
        if first == last:
            return []
        p = weights[first:last] / weights[first:last].sum()
        chosen = self.random.choice(last - first, size=min(count, last - first), replace=False, p=p)
        return [ordered[first + i] for i in chosen]

    def next(self) -> tuple[Tensor, Tensor, list[str]]:
        """ids (B, L) int64, labels (B,), −1 for texts without one, and every text's task."""
        while True:
            length, whole = self.draw_length()
            counts = [max(1, round(self.mix.tokens / length * part)) for part in self.parts]
            chosen = [d for task, count in enumerate(counts) for d in self.pick(task, length, count, whole)]
            if chosen:
                break
        ids = np.stack([cut(d, length, self.random) for d in chosen])
        return torch.from_numpy(ids), torch.tensor([d.label for d in chosen]), [d.task for d in chosen]


def hide(ids: Tensor, rate: float, vocabulary: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """BERT's masking of a fixed number of tokens: 80 % <mask>, 10 % another, 10 % the same.

    ids (B, L) → the damaged ids (B, L), the places (M,) in the flattened batch, the true tokens there (M,).
    """
    flat = ids.flatten()
    ordinary = ((flat != BOS) & (flat != EOS)).nonzero()[:, 0]
    order = torch.randperm(len(ordinary), generator=generator)[: max(1, int(rate * len(ordinary)))]
    places = ordinary[order]
    truth = flat[places]
    dice = torch.rand(len(places), generator=generator)
    other = torch.randint(5, vocabulary, places.shape, generator=generator)
    damaged = flat.clone()
    damaged[places] = torch.where(dice < 0.8, MASK, torch.where(dice < 0.9, other, truth))
    return damaged.view_as(ids), places, truth
