"""A run under a visitor's hands: advanced in slices, paused, stepped, taken over by a second start, bounded in time.

An experiment derives its own run from `LiveRun`; the page shows it after each slice. On ZeroGPU a call is a fork, so
`_advance` gets and keeps plain states, never an open process.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

SLICE = 0.25  # seconds of computing between two pictures: about four a second
PAUSE = 0.5  # seconds between two reports: a browser on a busy machine cannot draw ten a second, they pile up
DELIVERY = 2.0  # seconds that a newer run waits for an older one's result to be delivered: it takes some 50 ms
LONGEST = 1800  # seconds of computing that one run may take


class LiveRun:
    """One visitor's run; `started`, `step`, `goal` and `_advance` are the experiment's."""

    def __init__(self):
        self.seconds = 0.0
        self.running = False
        self.lock = threading.Lock()  # slices of one visitor never overlap
        self._runner = 0  # whoever holds this number may go on: a second start takes over from the first

    def __deepcopy__(self, memo) -> LiveRun:
        return type(self)()  # gradio copies a State's first value for each session

    @property
    def started(self) -> bool:
        """Whether there is a run at all."""
        raise NotImplementedError

    @property
    def step(self) -> int:
        """Steps made so far."""
        raise NotImplementedError

    @property
    def goal(self) -> int:
        """Steps at which the run is over."""
        raise NotImplementedError

    def _advance(self, steps: int) -> None:
        raise NotImplementedError

    @property
    def over(self) -> tuple[str, str]:
        """Why a run that is done does not go on, in Chinese and in English."""
        if self.step < self.goal:
            return (f"已算满 {LONGEST // 60} 分钟，一次运行的上限；请重新开始。",
                    f"it has computed for {LONGEST // 60} minutes, the most that a run may: start again.")
        return "已经走完；请增加步数，或重新开始。", "the run is at its end: raise the steps, or start again."

    @property
    def done(self) -> bool:
        """Whether there is nothing to go on with."""
        return not self.started or self.step >= self.goal or self.seconds > LONGEST

    def pause(self) -> None:
        """Let whoever runs it stop after the present slice."""
        self._runner += 1

    def advance(self, steps: int) -> None:
        """`steps` further, and the time that it took."""
        began = time.perf_counter()
        self._advance(steps)
        self.seconds += time.perf_counter() - began

    def run(self) -> Iterator[None]:
        """Advance slice by slice until paused, taken over, or done."""
        self._runner += 1
        mine, steps = self._runner, 1
        self.running = True
        try:
            while not self.done and self._runner == mine:
                before = self.seconds
                self.advance(min(steps, self.goal - self.step))
                steps = max(1, min(2 * steps, round(steps * SLICE / (self.seconds - before))))
                yield
        finally:
            self.running = False


class Training(LiveRun):
    """Networks that `start(settings)` makes and `advance(state, settings, steps)` trains and measures.

    settings.steps is the goal, state.step the steps made by all; `frames` by network, in order.
    """

    def __init__(self, start: Callable, advance: Callable):
        super().__init__()
        self._how = start, advance
        self.settings, self.state, self.frames = None, None, {}

    def __deepcopy__(self, memo) -> Training:
        return type(self)(*self._how)

    @property
    def started(self) -> bool:
        return self.state is not None

    @property
    def step(self) -> int:
        return self.state.step if self.state else 0

    @property
    def goal(self) -> int:
        return self.settings.steps

    def begin(self, settings: Any) -> None:
        """Fresh networks; what `start` raises leaves the old ones as they were."""
        state = self._how[0](settings)
        self.pause()
        self.settings, self.state, self.seconds, self.frames = settings, state, 0.0, {}

    def _advance(self, steps: int) -> None:
        self.state, frames = self._how[1](self.state, self.settings, steps)
        for name, more in frames.items():
            self.frames.setdefault(name, []).extend(more)


class Latest:
    """Of one visitor's runs over the same figures the last to begin goes on, older ones end at their next result.

    A result on its way to the page when a newer run begins is let through first, or it would cover the newer one's.
    """

    def __init__(self):
        self._number = 0
        self._on_its_way: set[int] = set()  # numbers of the runs whose last result was not yet followed by a next()
        self._changed = threading.Condition()

    def __deepcopy__(self, memo) -> Latest:
        return Latest()  # gradio copies a State's first value for each session

    def only(self, run: Generator) -> Iterator:
        """The results of a run, until another begins."""
        with self._changed:
            self._number += 1
            mine = self._number
            self._changed.wait_for(lambda: not self._on_its_way, DELIVERY)
            self._on_its_way.clear()  # whoever was not waited for has gone
        with closing(run):
            for result in run:
                with self._changed:
                    newest = self._number == mine
                    if newest:
                        self._on_its_way.add(mine)
                if not newest:
                    return
                try:
                    yield result
                finally:
                    with self._changed:
                        self._on_its_way.discard(mine)
                        self._changed.notify_all()


def watched(work: Callable[[Callable[[float], None]], Any]) -> Iterator[tuple[float, Any]]:
    """Run work(report) in a thread: yields (share done, None) every PAUSE, at last (1.0, what it returned).

    If nobody reads on, the next report raises in the thread, so that work that reports often ends soon.
    """
    told, left = [0.0], threading.Event()

    def report(share: float) -> None:
        if left.is_set():
            raise InterruptedError("nobody waits for the result")
        told[0] = share

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work, report)
        try:
            while True:
                try:
                    yield 1.0, future.result(timeout=PAUSE)
                    return
                except TimeoutError:
                    if future.done():  # just now, or with a timeout of its own
                        yield 1.0, future.result()
                        return
                yield told[0], None
        finally:
            left.set()
