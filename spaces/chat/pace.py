"""One thread or all of them for a decoding step: whichever is faster at the moment, found out on the way.

On idle cores a second thread nearly doubles a step's speed. On busy ones (another tab trains) its half of every small
product waits until it is its turn: best steps 165 tokens a second, the median 19, where one thread keeps its pace. So
now and then a few steps try the other number, ever more rarely while it loses.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from threadpoolctl import ThreadpoolController

from shared import accelerator

TRIAL = 3  # steps
SOONEST, LATEST = 32, 1024  # steps between trials
WEIGHT = 0.1  # of a new step in the running mean


def torch_threads(number: int) -> None:
    """So many threads for torch's operators in this thread; elsewhere and in threads yet to come, as many as before."""
    usual = torch.get_num_threads()
    torch.set_num_threads(number)
    other = threading.Thread(target=torch.set_num_threads, args=(max(usual, accelerator.threads()),))
    other.start()
    other.join()


def blas_threads(number: int) -> None:
    """So many threads for numpy's products, in the whole process."""
    for library in _numpys_blas():
        library.set_num_threads(number)


@cache
def _numpys_blas() -> list:
    libraries = ThreadpoolController().select(user_api="blas").lib_controllers
    return [library for library in libraries if "numpy" in library.filepath]


class Pace:
    """Runs steps with one thread or with `most`, whichever has been faster lately."""

    def __init__(self, set_threads: Callable[[int], None], most: int | None = None):
        self._set, self.most = set_threads, most or accelerator.threads()
        self.threads = 1
        self._mean, self._until_trial, self._pause = 0.0, 2 * TRIAL, SOONEST
        self._now = 0  # what is set

    def run(self, step: Callable[[], Any]) -> Any:
        """The step's result; its time counts."""
        trial = self.most > 1 and self._until_trial <= 0
        self._use(self._other if trial else self.threads)
        began = time.perf_counter()
        result = step()
        passed = time.perf_counter() - began
        self._until_trial -= 1
        if not trial:
            self._mean = passed if not self._mean else (1 - WEIGHT) * self._mean + WEIGHT * passed
        else:
            self._tried(passed)
        return result

    @property
    def _other(self) -> int:
        return self.most if self.threads == 1 else 1

    def _tried(self, passed: float) -> None:
        """After each step of a trial; one that is much slower ends it."""
        self._spent = (0.0 if self._until_trial == -1 else self._spent) + passed
        steps = -self._until_trial
        if self._spent > 2 * TRIAL * self._mean or steps == TRIAL:
            better = steps == TRIAL and self._spent < TRIAL * self._mean
            if better:
                self.threads, self._mean = self._other, self._spent / TRIAL
            self._pause = SOONEST if better else min(2 * self._pause, LATEST)
            self._until_trial = self._pause

    def _use(self, number: int) -> None:
        if number != self._now:
            self._set(number)
            self._now = number
