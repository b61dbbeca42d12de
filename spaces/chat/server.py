"""A server instead of this process: any OpenAI-compatible one, when OPENAI_BASE_URL is set (vLLM, transformers serve).

    OPENAI_BASE_URL=http://127.0.0.1:8000/v1 python app.py        # OPENAI_API_KEY and OPENAI_MODEL where it wants them

The same `Reply` streams as from our own engine, with log-probabilities where the server gives them (their tokens are
texts, so `Server.answer` tells them apart as `said`). Whatever goes wrong - no server, an error, silence, garbage, a
connection that dies on the way - ends the answer with finish "error", the text so far, and a sentence.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import httpx

from shared.experiment import InputError
from spaces.chat.answer import SECONDS, Reply, checked
from spaces.chat.sampling import Sampling
from spaces.chat.stream import Text

CONNECT, SILENCE = 5.0, 30.0  # seconds to reach the server; between two pieces
LONGEST_LINE = 1_000_000  # characters of one event: nobody's memory is the server's
FINISHES = {"stop": "end", "length": "length", "content_filter": "filter"}


@dataclass(frozen=True)
class Said:
    """A piece from the server with its log-probability in nats, and the alternatives as texts."""

    text: str
    log_probability: float
    alternatives: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class ServerReply(Reply):
    """A reply whose tokens the server names by their texts."""

    said: tuple[Said, ...] = ()


class _Failure(Exception):
    """What happened, in Chinese and in English."""


@dataclass(frozen=True)
class Server:
    """A server's address (…/v1), the key it wants, and the model it serves; an empty model: its first."""

    url: str
    key: str = ""
    model: str = ""
    silence: float = SILENCE

    @classmethod
    def from_environment(cls) -> Server | None:
        """The one that OPENAI_BASE_URL names, if any."""
        url = os.getenv("OPENAI_BASE_URL", "").strip()
        return cls(url, os.getenv("OPENAI_API_KEY", ""), os.getenv("OPENAI_MODEL", "")) if url else None

    @property
    def host(self) -> str:
        """Its address as anybody may see it: no user, no password, no path."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    def models(self) -> list[str]:
        """The models that it serves; raises InputError where it does not say."""
        try:
            with self._client() as client:
                response = client.get("models")
                if response.status_code != 200:
                    raise _Failure(*_refused(response.status_code, response.text))
                names = [str(row["id"])[:200] for row in response.json()["data"]]
                if not names:
                    raise _Failure("服务器没有模型", "the server has no model")
                return names
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError, _Failure) as error:
            raise InputError("server", *_sentence(error)) from None

    def answer(
        self, prompt: str, sampling: Sampling, chat: list[dict[str, str]] | None = None, seconds: float = SECONDS
    ) -> Iterator[ServerReply]:
        """The continuation of a prompt, or with `chat` (OpenAI's messages) the next message, after each piece.

        Stop strings are cut here: a server would not say which came, nor what came after it, and so could not go on.
        """
        asked = checked(prompt) if chat is None else ""
        began, reply = time.perf_counter(), ServerReply()
        text = Text(None, sampling.stop)
        try:
            for piece, said, finish in self._pieces(asked, sampling, chat):
                passed = time.perf_counter() - began
                if piece:
                    reply = replace(
                        reply, text=reply.text + text.add_text(piece), count=reply.count + 1, seconds=passed,
                        first=reply.first or passed, said=(*reply.said, *_spelling(piece, said)),
                    )  # fmt: skip
                over = "stop" if text.stopped else "time" if passed > seconds else finish
                if over:
                    yield replace(reply, text=reply.text + text.end(), finish=over)
                    return
                if piece:
                    yield reply
            raise _Failure("服务器没有说完就断开了", "the server hung up before the end")
        except (httpx.HTTPError, httpx.InvalidURL, _Failure, InputError) as error:
            note = error if isinstance(error, InputError) else InputError("server", *_sentence(error))
            yield replace(reply, text=reply.text + text.end(), finish="error", note=note)

    def _client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        timeout = httpx.Timeout(self.silence, connect=min(CONNECT, self.silence))
        return httpx.Client(base_url=self.url.rstrip("/") + "/", headers=headers, timeout=timeout)

    def _pieces(
        self, prompt: str, sampling: Sampling, chat: list[dict[str, str]] | None
    ) -> Iterator[tuple[str, tuple[Said, ...], str]]:
        """(text, its tokens, finish or "") event by event."""
        body = self._body(sampling) | ({"messages": chat, "logprobs": True, "top_logprobs": 8} if chat else {})
        if not chat:
            body |= {"prompt": prompt, "logprobs": 8}
        with self._client() as client:
            with client.stream("POST", "chat/completions" if chat else "completions", json=body) as response:
                if response.status_code != 200:
                    raise _Failure(*_refused(response.status_code, _beginning(response)))
                for data in _events(response):
                    yield _piece(data)

    def _body(self, sampling: Sampling) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.model or self.models()[0],
            "stream": True,
            "max_tokens": sampling.max_new_tokens,
            "temperature": sampling.temperature,
            "top_p": max(sampling.top_p, 1e-3),  # servers refuse 0
            "seed": sampling.seed,
        }
        # vLLM's own; others refuse what they do not know, so only where the visitor asks for it.
        if sampling.top_k:
            body["top_k"] = sampling.top_k
        if sampling.repetition_penalty != 1:
            body["repetition_penalty"] = sampling.repetition_penalty
        return body


def _events(response: httpx.Response) -> Iterator[dict]:
    """The JSON of each server-sent event up to [DONE]; {} for other signs of life, so that the clock is looked at."""
    for line in _lines(response):
        if not line.startswith("data:"):
            yield {}
            continue
        data = line[5:].strip()
        if data == "[DONE]":
            return
        try:
            value = json.loads(data)
        except (json.JSONDecodeError, RecursionError):
            raise _Failure("服务器的回答读不懂", "the server's answer cannot be read") from None
        if isinstance(value, dict) and (error := value.get("error")):
            message = error.get("message", "") if isinstance(error, dict) else error
            raise _Failure(f"服务器报错：{_short(message)}", f"the server says: {_short(message)}")
        if not isinstance(value, dict) or not isinstance(value.get("choices"), list):
            raise _Failure("服务器的回答读不懂", "the server's answer cannot be read")
        yield value["choices"][0] if value["choices"] else {}  # usage comes without


def _lines(response: httpx.Response) -> Iterator[str]:
    """Lines as they come, after each part an empty one; a line without an end is not waited for."""
    held = ""
    for part in response.iter_text():
        *lines, held = (held + part).split("\n")
        yield from (*lines, "")
        if len(held) > LONGEST_LINE:
            raise _Failure("服务器的回答没有分行", "the server's answer has no lines")
    yield held


def _piece(choice: Any) -> tuple[str, tuple[Said, ...], str]:
    try:
        json.dumps(choice, ensure_ascii=False).encode()  # half a surrogate pair could not be sent on
        text = choice["text"] if "text" in choice else choice.get("delta", {}).get("content")
        finish = choice.get("finish_reason")
        if not isinstance(text, str | None) or not isinstance(finish, str | None):
            raise TypeError
        return text or "", _said(choice.get("logprobs")), FINISHES.get(finish, "end") if finish else ""
    except (TypeError, KeyError, AttributeError, ValueError):
        raise _Failure("服务器的回答读不懂", "the server's answer cannot be read") from None


def _spelling(piece: str, said: tuple[Said, ...]) -> tuple[Said, ...]:
    """The tokens of a piece; all of it as one without a probability where they do not spell it."""
    return said if "".join(one.text for one in said) == piece else (Said(piece, math.nan),)


def _said(logprobs: Any) -> tuple[Said, ...]:
    """Tokens of a chat's piece (content) or a completion's (tokens, token_logprobs, top_logprobs)."""
    if not isinstance(logprobs, dict):
        return ()
    if isinstance(content := logprobs.get("content"), list):
        return tuple(
            Said(
                row["token"], float(row["logprob"]),
                _ranked({r["token"]: r["logprob"] for r in row.get("top_logprobs") or ()}),
            )
            for row in content
        )  # fmt: skip
    tokens, logs = logprobs.get("tokens") or [], logprobs.get("token_logprobs") or []
    tops = logprobs.get("top_logprobs") or [{}] * len(tokens)
    # The first token of all may have no probability.
    rows = zip(tokens, logs, tops, strict=False)
    return tuple(Said(text, float(log), _ranked(top or {})) for text, log, top in rows if log is not None)


def _ranked(top: dict[str, float]) -> tuple[tuple[str, float], ...]:
    return tuple(sorted(((text, float(log)) for text, log in top.items()), key=lambda pair: -pair[1]))


def _beginning(response: httpx.Response) -> str:
    part = next(response.iter_text(), "")
    return part[:2000]


def _refused(status: int, text: str) -> tuple[str, str]:
    try:
        value = json.loads(text)
        error = value.get("error", value)
        message = error.get("message", "") if isinstance(error, dict) else error
    except (ValueError, AttributeError, RecursionError):
        message = ""
    tail = f"：{_short(message)}" if message else ""
    return f"服务器拒绝了（HTTP {status}）{tail}", f"the server refused (HTTP {status}){tail.replace('：', ': ')}"


def _short(message: Any) -> str:
    return " ".join(str(message).split())[:200]


def _sentence(error: Exception) -> tuple[str, str]:
    """One sentence for what went wrong with a server."""
    if isinstance(error, _Failure):
        zh, en = error.args
    elif isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.InvalidURL | httpx.UnsupportedProtocol):
        zh, en = "连不上 OPENAI_BASE_URL 的服务器", "the server of OPENAI_BASE_URL cannot be reached"
    elif isinstance(error, httpx.TimeoutException):
        zh, en = "服务器太久没有声音", "the server was silent for too long"
    elif isinstance(error, httpx.HTTPError):
        zh, en = "与服务器的连接断了", "the connection to the server broke off"
    else:
        zh, en = "服务器的回答读不懂", "the server's answer cannot be read"
    return f"{zh}；已有的文字保留。", f"{en}; the text so far is kept."
