"""Whoever goes on with a text: a model of this process or a server, behind one seam for page and API.

    voice = find("")                          # the embedded default; a folder, a hub name, "server", "server:NAME"
    for reply in voice.go_on(voice.read("中国 北京\\n法国").ids, sampling): ...

In this process nobody takes a turn at the device: batching.py shares it token by token, where two turns at a time would
keep six of eight visitors waiting. ZeroGPU lends its GPU by the call, so there the same function goes through
`accelerator.run`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from shared import accelerator, models
from shared.experiment import InputError
from spaces.chat.answer import CHARACTERS_PER_TOKEN, SECONDS, Reply, answer, at_most, checked, fit, follow
from spaces.chat.batching import Token
from spaces.chat.engines import Speaker, load
from spaces.chat.history import Turn, as_prompt
from spaces.chat.ngrams import WithCounts
from spaces.chat.sampling import Sampling
from spaces.chat.server import Server, ServerReply
from spaces.chat.stream import Tokenizer

SERVER, DEFAULT, NETWORK = "server", "default", "network"  # NETWORK: the default without its counts
FRAMES = 15  # a second, as a page can draw them


@dataclass(frozen=True)
class Prompt:
    """A text as it is read: ids, and how many characters at its beginning do not fit."""

    ids: tuple[int, ...]
    cut: int = 0


@dataclass(frozen=True)
class Answering:
    """A reply to a conversation, and how many turns at its beginning fell out of the context."""

    reply: Reply
    fallen: int = 0


class Voice(Protocol):
    """A model that goes on with texts and answers."""

    label: str
    """Which model it is, in both languages alike."""

    def decode(self, ids: Sequence[int]) -> str: ...

    def read(self, text: str, room: int) -> Prompt: ...

    def go_on(self, ids: Sequence[int], sampling: Sampling, tokenizer: Tokenizer | None = None) -> Iterator[Reply]: ...

    def talk(self, turns: Sequence[Turn], sampling: Sampling, form: str = "text") -> Iterator[Answering]: ...

    def memory(self, tokens: int) -> tuple[int, int]: ...


def find(model: str, precision: str = "full", report: models.Progress | None = None) -> Voice:
    """The voice of a name; raises InputError where there is none."""
    if not isinstance(model, str):
        raise InputError("model", "须为文本。", "must be text.")
    if is_server(model):
        return Remote(model.partition(":")[2])
    return Local(model, precision, report)


# --- a model of this process --------------------------------------------------------------------------


def speaker(model: str, precision: str = "full") -> Speaker:
    """The speaker of a model on the device of this call."""
    loaded = load(shelf_name(model), precision)
    if precision == "full" and loaded.model.device.type != accelerator.device().type:
        loaded.model.to(accelerator.device())  # ZeroGPU: weights wait on the CPU, this fork has a GPU
        loaded.model.__dict__.pop("_speakers", None)
    return Speaker.of(loaded, counted=model != NETWORK)


def shelf_name(model: str) -> str:
    """Its name for shared.models."""
    return "" if model in (DEFAULT, NETWORK) else model


def is_server(model: str) -> bool:
    """Whether a name is a server's: "server", or "server:" and what it serves."""
    return model == SERVER or model.startswith(f"{SERVER}:")


def _by_batch(function):
    """On ZeroGPU through the accelerator, elsewhere as it is: the batch has its own turns."""
    zero = accelerator.backend().name == "zerogpu"
    return accelerator.run(duration=SECONDS)(function) if zero else function


@_by_batch
def _follow(model: str, precision: str, ids: list[int], sampling: Sampling) -> Iterator[Reply]:
    yield from at_most(follow(speaker(model, precision), ids, sampling), FRAMES)


@_by_batch
def _answer(model: str, precision: str, prompt: str, sampling: Sampling) -> Iterator[Reply]:
    yield from at_most(answer(speaker(model, precision), prompt, sampling), FRAMES)


class Local:
    """A model on the shelf of shared.models."""

    def __init__(self, name: str, precision: str = "full", report: models.Progress | None = None):
        self.name, self.precision = name, precision
        loaded = load(shelf_name(name), precision, report)
        one = Speaker.of(loaded, counted=name != NETWORK)
        self.tokenizer, self.start, self._engine, self._bytes = one.tokenizer, one.start, one.engine, loaded.bytes
        self._one = one
        self.label = label(loaded) + (" + n-grams" if isinstance(one.engine, WithCounts) else "")

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids."""
        return self.tokenizer.decode(list(ids))

    def read(self, text: str, room: int) -> Prompt:
        """A text's ids, leaving room for so many tokens."""
        ids, cut = fit(self._one, checked(text), min(room, self._engine.context // 2))
        return Prompt(tuple(ids), cut)

    def go_on(self, ids: Sequence[int], sampling: Sampling, tokenizer: Tokenizer | None = None) -> Iterator[Reply]:
        """What follows; of ids that leave no room, the end is read. The ids are the model's own, whoever read them."""
        context, start, cut = self._engine.context, self.start, 0
        if len(ids) >= context:
            kept = context - len(start) - min(sampling.max_new_tokens, context // 2)
            cut = len(self.decode(ids[len(start) : -kept]))
            ids = [*start, *ids[-kept:]]
        for reply in _follow(self.name, self.precision, list(ids), sampling):
            yield replace(reply, cut=cut)

    def talk(self, turns: Sequence[Turn], sampling: Sampling, form: str = "text") -> Iterator[Answering]:
        """The next answer of a conversation, as much of it as fits."""
        context = self._engine.context
        room = context - len(self.start) - min(sampling.max_new_tokens, context // 2)
        most = CHARACTERS_PER_TOKEN * context  # what is longer does not fit, whatever its tokens
        written = as_prompt(turns, lambda text: len(self.tokenizer.encode(text[-most:])), room)
        for reply in _answer(self.name, self.precision, written.prompt, sampling):
            yield Answering(reply, written.fallen)

    def memory(self, tokens: int) -> tuple[int, int]:
        """Bytes of the weights, with what the engine copied or rounded, and of keys and values for so many tokens."""
        engine = self._engine
        return self._bytes + engine.extra_bytes, engine.cache_bytes * min(tokens, engine.context) // engine.context


def label(loaded: models.Loaded) -> str:
    """A loaded model in a few words for both languages: name, size, number format; ours says that it is a demo."""
    count = loaded.parameters
    size = f"{count / 1e9:.2f} B" if count >= 1e9 else f"{count / 1e6:.1f} M" if count >= 1e5 else str(count)
    kind = "spread" if hasattr(loaded.model, "hf_device_map") else str(loaded.dtype).removeprefix("torch.")
    name = "小 CPM demo" if loaded.source == "embedded" else loaded.name[-120:]
    return f"{name} · {size} · {kind}"


# --- a server -----------------------------------------------------------------------------------------


class Pieces:
    """A server's texts under numbers, so that a tree of tokens can hold them."""

    eod_id = -1

    def __init__(self):
        self.texts: list[str] = []
        self.numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        """The number of a text, always the same."""
        if text not in self.numbers:
            self.numbers[text] = len(self.texts)
            self.texts.append(text)
        return self.numbers[text]

    def encode(self, text: str) -> list[int]:
        """The one number of a text."""
        return [self.number(text)]

    def decode(self, ids: Sequence[int]) -> str:
        """The texts in a row."""
        return "".join(self.texts[i] for i in ids)


class Remote:
    """The server that OPENAI_BASE_URL names, as Voice."""

    def __init__(self, model: str = ""):
        server = Server.from_environment()
        if server is None:
            zh, en = "没有设置 OPENAI_BASE_URL，没有服务器可连。", "is a server, but OPENAI_BASE_URL is not set."
            raise InputError("model", zh, en)
        self.server = replace(server, model=model or server.model)
        self.tokenizer = Pieces()
        self.label = f"{self.server.model or 'server'} @ {self.server.host}"[:200]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids."""
        return self.tokenizer.decode(ids)

    def read(self, text: str, room: int) -> Prompt:
        """The text as one piece: the server cuts or refuses what is too long."""
        return Prompt((self.tokenizer.number(checked(text)),))

    def go_on(self, ids: Sequence[int], sampling: Sampling, tokenizer: Pieces | None = None) -> Iterator[Reply]:
        """What the server says next, its pieces as tokens; tokenizer: the pieces that the ids are numbers of."""
        pieces = tokenizer or self.tokenizer
        for reply in at_most(self.server.answer(pieces.decode(ids), sampling), FRAMES):
            yield replace(reply, tokens=_tokens(reply, pieces.number))

    def talk(self, turns: Sequence[Turn], sampling: Sampling, form: str = "text") -> Iterator[Answering]:
        """The next answer; the server itself minds its context."""
        roles = {"user": "user", "model": "assistant"}
        messages = [{"role": roles[turn.role], "content": turn.text} for turn in turns]
        prompt = "" if form == "messages" else as_prompt(turns, len, 10**9).prompt
        replies = self.server.answer(prompt, sampling, messages if form == "messages" else None)
        for reply in at_most(replies, FRAMES):
            yield Answering(reply)

    def memory(self, tokens: int) -> tuple[int, int]:
        """Nothing of it is here."""
        return 0, 0


def _tokens(reply: ServerReply, number: Callable[[str], int]) -> tuple[Token, ...]:
    """Pieces with their alternatives, where the server tells any."""
    return tuple(
        Token(number(s.text), s.log_probability, tuple((number(t), math.exp(lp)) for t, lp in s.alternatives))
        for s in reply.said
    )


def default() -> str:
    """Whom a first visitor hears: the server where there is one, else the embedded model."""
    return SERVER if Server.from_environment() else ""


def described(reply: Reply, memory: tuple[int, int]) -> dict[str, Any]:
    """What an answer cost: seconds to its first token, tokens a second, bytes."""
    weights, cache = memory
    return {
        "first": round(reply.first, 3), "rate": round(reply.tokens_per_second, 1), "count": reply.count,
        "prompt": reply.prompt_tokens, "weights": weights, "cache": cache,
    }  # fmt: skip
