"""Continuous batching without a server: whoever wants a token next makes one for everybody.

One step reads the weights once for all answers under way, so eight visitors cost little more than one, and all get
their tokens at the same pace: nobody waits for another's answer to end. A prompt is read in parts of 64 tokens between
the steps, those of several newcomers in turns, so that a long one does not stop the others for longer than that.

`batch.tokens(...)` is a generator: a visitor who asks for his next token while there is none has one step made for all,
by the batch's own thread (products.py says why). An answer whose visitor does not ask gets AHEAD tokens in front of
him and then waits; closed, it is gone: a generation nobody listens to stops. In a fork (ZeroGPU) it is a batch of one.

Caches are kept after an answer: the next turn of a conversation, a retry or a fork computes only what is new.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import torch

from spaces.chat import products
from spaces.chat.decode import Engine, Memory, shared_prefix
from spaces.chat.sampling import Sampler, Sampling

PART = 64  # tokens of prompts that are read between two steps: 40 ms for 30 M parameters on one core, 20 in int8
AHEAD = 16  # tokens made for a visitor before he asks for them
SLICE = 0.05  # seconds of steps before the visitors are woken: a page draws no more often
MOST = 16  # answers in one step; of more, those go first that have waited longest
ALTERNATIVES = 8


@dataclass(frozen=True)
class Token:
    """A drawn token with the model's own distribution (temperature 1, before penalties) at its place."""

    id: int
    log_probability: float
    alternatives: tuple[tuple[int, float], ...]
    """(token, probability), the likeliest first."""


def told(logits: torch.Tensor, token: int, count: int = ALTERNATIVES) -> Token:
    """Token from logits (V,), in nats."""
    logs = logits.log_softmax(0)
    top = logs.topk(min(count, len(logs)))
    return Token(token, float(logs[token]), tuple(zip(top.indices.tolist(), top.values.exp().tolist(), strict=True)))


@dataclass(eq=False)
class _Answer:
    """One answer under way; `ids` grows by what is drawn."""

    ids: list[int]
    sampler: Sampler
    end_id: int
    most: int
    """Tokens to draw."""
    cache: Memory | None = None
    ready: deque[Token] = field(default_factory=deque)
    done: bool = False
    read: int = 0
    """Tokens of the prompt read so far; −1: all."""
    drawn: int = 0
    error: Exception | None = None
    """What ended it; raised to its own visitor, whoever made the step."""

    @property
    def waits(self) -> bool:
        """Whether its visitor has enough to go on with."""
        return len(self.ready) >= AHEAD


@contextmanager
def _borne_by(*answers: _Answer) -> Iterator[None]:
    """What fails here ends these answers and no other."""
    try:
        yield
    except Exception as error:
        for answer in answers:
            answer.error, answer.done = error, True


class Batch:
    """All answers of one engine."""

    def __init__(self, engine: Engine, kept_bytes: int = 2**28):
        """kept_bytes: of caches that wait for the next turn of their conversation."""
        self.engine, self.most_kept = engine, max(1, min(MOST, kept_bytes // max(1, engine.cache_bytes)))
        self._under_way: list[_Answer] = []
        self._kept: deque[Memory] = deque()
        self._turn = threading.Condition()
        self._stepping = False
        self._hand, self._process = products.hand(), os.getpid()

    @property
    def active(self) -> int:
        """Answers under way."""
        return len(self._under_way)

    def tokens(self, ids: Sequence[int], sampling: Sampling, end_id: int) -> Iterator[Token]:
        """Tokens that follow a prompt that fits the context, up to end_id (not told), the limit or the context."""
        most = min(sampling.max_new_tokens, self.engine.context - len(ids))
        if most < 1:
            return
        answer = _Answer(list(ids), Sampler(sampling, list(ids)), end_id, most)
        with self._turn:
            self._under_way.append(answer)
        try:
            while (token := self._next(answer)) is not None:
                yield token
        finally:
            self._leave(answer)

    def _next(self, answer: _Answer) -> Token | None:
        """The answer's next token: one that is ready, or that somebody's step brings, or our own step."""
        while True:
            with self._turn:
                while self._stepping and not answer.ready and not answer.done:
                    self._turn.wait()
                if answer.ready:
                    return answer.ready.popleft()
                if answer.error:
                    raise answer.error
                if answer.done:
                    return None
                self._stepping = True
            try:
                self._by_hand()
            finally:
                with self._turn:
                    self._stepping = False
                    self._turn.notify_all()

    def _by_hand(self) -> None:
        if self._process != os.getpid():  # a fork (ZeroGPU) has none of its parent's threads
            self._hand, self._process = products.hand(), os.getpid()
        self._hand.submit(self._advance).result()

    def _leave(self, answer: _Answer) -> None:
        with self._turn:
            while self._stepping:  # its cache may be in use
                self._turn.wait()
            self._under_way.remove(answer)
            if answer.cache is not None and not answer.error:
                self._kept.append(answer.cache)
                while len(self._kept) > self.most_kept:
                    self._kept.popleft()

    # --- one step, by whoever holds `_stepping` -------------------------------------------------------

    def _advance(self) -> None:
        """Steps for all, until a slice is over, a first token is there, or nobody wants more."""
        began = time.perf_counter()
        while self._step() and time.perf_counter() - began < SLICE:
            pass

    def _step(self) -> bool:
        """Read parts of prompts, and make a token for each answer whose prompt is read; whether to go on at once."""
        with self._turn:
            wanted = [a for a in self._under_way if not a.done and not a.waits]
        speakers = [a for a in wanted if a.read < 0][:MOST]
        if speakers:
            with _borne_by(*speakers):
                self._speak(speakers)
        served, room = list(speakers), PART
        for reader in (a for a in wanted if a.read >= 0):
            if room <= 0:
                break
            with _borne_by(reader):
                room -= self._read(reader, room)
            served.append(reader)
        with self._turn:  # those served go to the end of the line
            numbers = {id(a) for a in served}
            self._under_way.sort(key=lambda a: id(a) in numbers)
        return bool(served) and not any(a.done or a.drawn == 1 for a in served)

    def _warm(self, ids: list[int]) -> Memory:
        """A kept cache most of which is the prompt's beginning, else the oldest of too many, else a new one."""
        best = max(self._kept, key=lambda cache: shared_prefix(ids, cache.ids), default=None)
        if best is None or 2 * shared_prefix(ids, best.ids) < len(best.ids):
            best = self._kept[0] if len(self._kept) >= self.most_kept else None
        if best is None:
            return self.engine.cache()
        self._kept.remove(best)
        return best

    def _read(self, answer: _Answer, most: int) -> int:
        """At most so many tokens of a prompt, after its last one the first token of the answer; how many were read."""
        if answer.cache is None:
            answer.cache = self._warm(answer.ids)
            answer.read = min(shared_prefix(answer.ids, answer.cache.ids), len(answer.ids) - 1)
        before, answer.read = answer.read, min(answer.read + most, len(answer.ids))
        count = answer.read - before
        logits = self.engine.read(answer.ids[: answer.read], answer.cache)
        if answer.read == len(answer.ids):
            answer.read = -1
            self._drawn(answer, logits[0])
        return count

    def _speak(self, answers: list[_Answer]) -> None:
        step = partial(self.engine.step, [a.ids[-1] for a in answers], [a.cache for a in answers])
        # A pace is of one visitor's steps: several rows take longer, whatever the threads.
        logits = self.engine.pace.run(step) if self.engine.pace and len(answers) == 1 else step()
        for answer, row in zip(answers, logits, strict=True):
            with _borne_by(answer):
                self._drawn(answer, row)

    def _drawn(self, answer: _Answer, logits: torch.Tensor) -> None:
        token = answer.sampler.draw(logits)
        answer.ids.append(token)
        answer.drawn += 1
        if token != answer.end_id:
            answer.ready.append(told(logits, token))
        answer.done = token == answer.end_id or answer.drawn == answer.most
