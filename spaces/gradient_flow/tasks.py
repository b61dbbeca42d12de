"""Two tasks that only memory solves, drawn anew for every batch, so that each training batch is also a test.

copy    `symbols` out of four, then `delay` blanks, then as many calls: give the symbols back in order.
        Who remembers nothing is right in 1/4 and has a loss of ln 4 per symbol (Hochreiter and Schmidhuber, 1997).
adding  numbers from 0 to 1, two of them marked, the first at the start and the second at the end, `delay` numbers apart
        at least: give their sum. Who always says 1 has a squared error of 2/12, the variance of the sum, and is
        within 0.04 of it in 1 − 0.96² = 7.84 %.

In both the network must carry something over at least `delay` steps; the adding task has noise in between.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

ALPHABET = 4
WINDOW = 5  # steps at either end of the adding task, within which one number is marked
CLOSE = 0.04  # an answer of the adding task counts as right within this
MOST_DELAY, MOST_SYMBOLS = 200, 10
LONGEST = MOST_DELAY + max(2 * MOST_SYMBOLS, 2 * WINDOW)  # steps


@dataclass(frozen=True)
class Batch:
    """B sequences of T steps; the answers are asked at the last A steps."""

    x: Tensor  # (T, B, D)
    y: Tensor  # (A, B), symbols or sums
    needed: Tensor  # (T, B) bool: the steps that hold what must be remembered over the delay


class Task(Protocol):
    """How many numbers go in and out of a step, how to draw a batch, and what an answer is worth."""

    inputs: int
    outputs: int
    chance: float
    """Expected accuracy of the best answer that knows nothing of the inputs."""
    baseline: float
    """Expected loss of the best answer that knows nothing of the inputs."""

    def draw(self, delay: int, batch_size: int, generator: torch.Generator) -> Batch: ...

    def score(self, z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Loss, and accuracy from 0 to 1, of answers z (A, B, outputs) to y (A, B)."""
        ...


class Copy:
    """The copy task: one-hot symbols, a blank, a call."""

    inputs, outputs = ALPHABET + 2, ALPHABET
    chance, baseline = 1 / ALPHABET, math.log(ALPHABET)

    def __init__(self, symbols: int):
        self.symbols = symbols

    def draw(self, delay: int, batch_size: int, generator: torch.Generator) -> Batch:
        y = torch.randint(ALPHABET, (self.symbols, batch_size), generator=generator)
        silent = torch.full((delay, batch_size), ALPHABET)
        read = torch.cat([y, silent, torch.full_like(y, ALPHABET + 1)])  # (T, B)
        return Batch(F.one_hot(read, self.inputs).float(), y, read < ALPHABET)

    def score(self, z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return F.cross_entropy(z.flatten(0, 1), y.flatten()), (z.argmax(-1) == y).float().mean()


class Adding:
    """The adding task: a number and a mark at each step."""

    inputs, outputs = 2, 1
    chance, baseline = 1 - (1 - CLOSE) ** 2, 2 / 12

    def draw(self, delay: int, batch_size: int, generator: torch.Generator) -> Batch:
        length, every = delay + 2 * WINDOW, torch.arange(batch_size)
        values = torch.rand(length, batch_size, generator=generator)
        first, second = torch.randint(WINDOW, (2, batch_size), generator=generator)
        needed, marks = torch.zeros(length, batch_size, dtype=torch.bool), torch.zeros(length, batch_size)
        needed[first, every] = True
        marks[first, every] = marks[length - 1 - second, every] = 1
        return Batch(torch.stack([values, marks], -1), (values * marks).sum(0, keepdim=True), needed)

    def score(self, z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        error = z[..., 0] - y
        return error.square().mean(), (error.abs() < CLOSE).float().mean()


def task(name: str, symbols: int) -> Task:
    """The task "copy", of so many symbols, or "adding"."""
    return Copy(symbols) if name == "copy" else Adding()
