"""One document, read in five ways: cut off, by a sliding window, whole, and whole with linear attention.

Each says its label, how sure it is, how long it took and how much memory it grew by; how long it will take is said
before. The whole reading is exact and in blocks (blockwise.py). Performer and Taylor put other attention under weights
that were trained with softmax: without fine-tuning the labels suffer, and this shows by how much (archives/7921, 7919).

Try first: `python -m benchmarks.long_document`, or in a notebook
`for share, reading in perform(load_named(), ids, "genre", "whole"): …`
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import torch
from torch import Tensor

from shared import accelerator
from shared.accelerator import run
from shared.attention import attention
from shared.experiment import InputError
from spaces.long_document.blockwise import read, trunk_of
from spaces.long_document.reader import CHANGES, Reader, load_changed, load_named

if TYPE_CHECKING:  # building the page loads no model code
    from transformers import PreTrainedModel

WINDOW = 512
SAMPLE = 2048  # tokens of the reading that is timed to foretell others
LINEAR = ("performer", "taylor")


@dataclass(frozen=True)
class Reading:
    """What one way of reading says; None where it has not finished."""

    name: str
    scores: dict[str, float]
    """Label → probability, the most likely first."""
    tokens: int
    seconds: float
    peak_mb: float
    """Memory that the process grew by while it read, MB; of the device on CUDA."""
    done: float = 1.0

    @property
    def label(self) -> str:
        return next(iter(self.scores))

    @property
    def confidence(self) -> float:
        return next(iter(self.scores.values()))


class Meter:
    """Seconds, and the growth of memory, between `with` and its end."""

    def __init__(self, device: torch.device):
        self.device, self.stop = device, threading.Event()
        self.seconds = self.peak_mb = 0.0

    def __enter__(self) -> Meter:
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
            self.base = torch.cuda.memory_allocated()
        else:
            accelerator.return_memory()
            self.process = psutil.Process()
            self.base = self.highest = self.process.memory_info().rss
            self.thread = threading.Thread(target=self._watch, daemon=True)
            self.thread.start()
        self.began = time.perf_counter()
        return self

    def _watch(self) -> None:
        while not self.stop.wait(0.005):
            self.highest = max(self.highest, self.process.memory_info().rss)

    def now(self) -> tuple[float, float]:
        """(seconds, MB) until now."""
        if self.device.type == "cuda":
            top = torch.cuda.max_memory_allocated()
        else:
            top = self.highest = max(self.highest, self.process.memory_info().rss)
        return time.perf_counter() - self.began, max(0, top - self.base) / 2**20

    def __exit__(self, *_) -> None:
        self.seconds, self.peak_mb = self.now()
        self.stop.set()
        if self.device.type != "cuda":
            self.thread.join()


def pick_task(reader: Reader, task: str) -> tuple[list[str], slice]:
    """A task's labels and places; InputError with the list of tasks. A model with one task needs no name."""
    if task not in reader.tasks and len(reader.tasks) == 1:
        return next(iter(reader.tasks.values()))
    if task not in reader.tasks:
        names = ", ".join(reader.tasks)
        raise InputError("task", f"这个模型的任务是：{names}。", f"must be one of this model's: {names}.")
    return reader.tasks[task]


def scored(labels: list[str], logits: Tensor) -> dict[str, float]:
    """Label → probability of logits (labels,), the most likely first."""
    pairs = zip(labels, logits.softmax(-1).tolist(), strict=True)
    return dict(sorted(pairs, key=lambda pair: -pair[1]))


def cut_ids(ids: Tensor, limit: int) -> Tensor:
    """The first `limit` tokens of ids (1, n), the closing special token included."""
    return ids if ids.shape[1] <= limit else torch.cat([ids[:, : limit - 1], ids[:, -1:]], 1)


def windows(ids: Tensor, stride: int, size: int = WINDOW) -> list[Tensor]:
    """ids (1, n) → windows (1, ≤ size), each between the text's first and last special token."""
    begin, body, end = ids[:, :1], ids[:, 1:-1], ids[:, -1:]
    inner = size - 2
    step = min(stride, inner)
    starts = range(0, max(1, body.shape[1] - inner + step), step)
    return [torch.cat([begin, body[:, s : s + inner], end], 1) for s in starts]


def steps(reader: Reader, ids: Tensor, name: str, stride: int) -> Iterator[tuple[float, Tensor | None, int]]:
    """(share done, all outputs (labels,) or None, tokens read) of a reading; sliding ones give running means.

    Only a reading of the whole at once needs positions for all of it: InputError where there are too few.
    """
    if name == "sliding":
        yield from _slide(reader, ids, stride)
        return
    if name.isdecimal():
        ids = cut_ids(ids, int(name))
    backend = name if name in LINEAR else "auto"
    for share, logits in read(reader.model, reader.fitting(ids), backend):
        yield share, logits, ids.shape[1]


def _slide(reader: Reader, ids: Tensor, stride: int) -> Iterator[tuple[float, Tensor | None, int]]:
    parts = windows(ids, stride)
    total, seen = torch.zeros(reader.model.config.num_labels), 0
    for number, part in enumerate(parts, 1):
        *_, (_, logits) = read(reader.model, part)
        total += logits
        seen = min(ids.shape[1], seen + (part.shape[1] if number == 1 else stride))
        yield number / len(parts), total / number, seen


def perform(reader: Reader, ids: Tensor, task: str, name: str, stride: int = 256) -> Iterator[tuple[float, Reading]]:
    """(share done, the reading so far or None) while it lasts, at last (1.0, the reading)."""
    labels, places = pick_task(reader, task)
    reading = None
    with Meter(reader.model.device) as meter:
        for share, logits, tokens in steps(reader, ids, name, stride):
            if logits is not None:
                reading = Reading(name, scored(labels, logits[places]), tokens, *meter.now(), done=share)
            left = time.perf_counter()
            yield share, reading if share < 1 else None
            meter.began += time.perf_counter() - left  # other visitors' turns
    yield 1.0, replace(reading, seconds=meter.seconds, peak_mb=meter.peak_mb)


@run(duration=120)
def perform_named(
    model: str, ids: Tensor, task: str, name: str, stride: int = 256, changes: Path | None = None
) -> Iterator[tuple[float, Reading]]:
    """`perform` on the device, by the model's name, or with the default's tensors changed."""
    reader = load_changed(changes) if changes else load_named(model)
    reader.model.to(accelerator.device())
    yield from perform(reader, ids, task, name, stride)


@run(duration=60)
def time_reading(model: str, backend: str) -> tuple[float, float]:
    """(seconds a token, seconds a pair of tokens) on the device: of a short reading, and of attention alone.

    A short reading does not show the pairs' part, which is nearly all of a long one.
    """
    reader = load_named(model)
    reader.model.to(accelerator.device())
    length, vocabulary = min(SAMPLE, reader.capacity), reader.model.config.vocab_size
    ids = torch.randint(5, vocabulary, (1, length))
    list(read(reader.model, ids[:, : length // 4], backend))  # the first one of all is slow
    began = time.perf_counter()
    list(read(reader.model, ids, backend))
    seconds = time.perf_counter() - began
    pair = time_pair(reader.model) if backend == "auto" else 0.0
    return max(0.0, seconds / length - pair * length), pair


@torch.inference_mode()
def time_pair(model: PreTrainedModel, queries: int = 1024, keys: int = 8192) -> float:
    """Seconds that all layers' exact attention takes for a query and a key."""
    config = model.config
    count, size = config.num_attention_heads, config.hidden_size // config.num_attention_heads
    q, k, v = torch.randn(3, 1, count, keys, size, dtype=model.dtype, device=model.device)
    attention(q[:, :, :64], k, v)
    began = time.perf_counter()
    float(attention(q[:, :, :queries], k, v)[0, 0, 0, 0])  # waits for a GPU
    layers = config.num_hidden_layers - (trunk_of(model) is not None)  # a classifier's last one asks a single query
    return layers * (time.perf_counter() - began) / (queries * keys)


class Clock:
    """Foretells seconds: a reading of n tokens costs a·n + b·n², with a and b measured once a model."""

    def __init__(self):
        self._known: dict[tuple[str, str], tuple[float, float]] = {}

    def seconds(self, reader: Reader, name: str, tokens: int, stride: int = 256) -> float:
        """Of a reading of so many tokens; measures at the first question."""
        if name.isdecimal():
            tokens, name = min(tokens, int(name)), "whole"
        if name == "sliding":
            step = min(stride, WINDOW - 2)
            return len(range(0, max(1, tokens - WINDOW + step), step)) * self.seconds(reader, "whole", WINDOW)
        linear, square = self._fit(reader, name)
        return linear * tokens + square * tokens**2

    def _fit(self, reader: Reader, name: str) -> tuple[float, float]:
        key = (reader.name, name)
        if key not in self._known:  # two visitors may both measure: neither waits for the other's turn
            self._known.setdefault(key, time_reading(reader.name, name if name in LINEAR else "auto"))
        return self._known[key]

    def correct(self, reader: Reader, name: str, tokens: int, seconds: float) -> None:
        """Learn from a reading that has finished: long ones say more than the short one."""
        if name == "sliding" or tokens < SAMPLE:
            return
        name = "whole" if name.isdecimal() else name
        linear, square = self._fit(reader, name)
        foretold = linear * tokens + square * tokens**2
        if foretold > 0:
            self._known[reader.name, name] = (linear * seconds / foretold, square * seconds / foretold)


CLOCK = Clock()


def fine_tuned(name: str) -> Path | None:
    """The folder of the default's version that was fine-tuned with this attention, if it is there."""
    folder = Path(__file__).parent / f"weights_{name}"
    return folder if (folder / CHANGES).is_file() else None
