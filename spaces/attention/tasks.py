"""Two tasks for a Transformer that is trained while one watches: one exact, one of real images.

recall: N pairs of a key and a value, then N questions that name a key: answer its value. Each question must find one
token among all. digits: a handwritten digit as 16 tokens, patches of 2 × 2 pixels, read out by their mean.

Try first: `recall(4, 32, torch.Generator().manual_seed(0))`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

KEYS, VALUES = 64, 16
LEVELS = 17  # of grey
TASKS = ("recall", "digits")
CHANCE = {"recall": 1 / VALUES, "digits": 0.1}
SIDE, PATCH, DIGITS = 4, 2, 10  # patches along a side, pixels along a patch
TESTED = 597


@dataclass(frozen=True)
class Batch:
    """tokens (B, L, K), ids whose embeddings are added; labels (B, Q), of the last Q places, or the mean if Q = 1."""

    tokens: torch.Tensor
    labels: torch.Tensor


def recall(batch: int, pairs: int, random: torch.Generator) -> Batch:
    """The ids: keys 0 … KEYS−1, values KEYS …, and KEYS + VALUES, “which?”, in a question's place of the value."""
    keys = torch.rand(batch, KEYS, generator=random).argsort(1)[:, :pairs]
    values = torch.randint(VALUES, (batch, pairs), generator=random)
    order = torch.rand(batch, pairs, generator=random).argsort(1)
    given = torch.stack([keys, KEYS + values], -1)
    asked = torch.stack([keys.gather(1, order), torch.full_like(keys, KEYS + VALUES)], -1)
    return Batch(torch.cat([given, asked], 1), values.gather(1, order))


@cache
def images() -> tuple[torch.Tensor, torch.Tensor]:
    """All digits as tokens (N, 16, 5): the grey levels of a patch's four pixels, and its place; labels (N, 1)."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    split = torch.from_numpy(x[order]).long().view(-1, SIDE, PATCH, SIDE, PATCH).transpose(2, 3)
    levels = split.flatten(3).flatten(1, 2) + LEVELS * torch.arange(PATCH**2)
    places = (LEVELS * PATCH**2 + torch.arange(SIDE**2)).expand(len(y), -1)[..., None]
    return torch.cat([levels, places], -1), torch.from_numpy(y[order]).long()[:, None]


def digits(batch: int, random: torch.Generator) -> Batch:
    """A batch of the training images."""
    tokens, labels = images()
    rows = torch.randint(len(labels) - TESTED, (batch,), generator=random)
    return Batch(tokens[rows], labels[rows])


def draw(task: str, batch: int, pairs: int, seed: int, step: int) -> Batch:
    """The training batch of one step."""
    random = torch.Generator().manual_seed(seed * 1_000_003 + step)
    return recall(batch, pairs, random) if task == "recall" else digits(batch, random)


def held_out(task: str, pairs: int, seed: int) -> Batch:
    """What is never trained on: fresh sequences, or the last TESTED images."""
    if task == "recall":
        return recall(64, pairs, torch.Generator().manual_seed(seed * 1_000_003 + 999_983))
    tokens, labels = images()
    return Batch(tokens[-TESTED:], labels[-TESTED:])


def vocabulary(task: str) -> tuple[int, int]:
    """Ids and classes."""
    return (KEYS + VALUES + 1, VALUES) if task == "recall" else (LEVELS * PATCH**2 + SIDE**2, DIGITS)
