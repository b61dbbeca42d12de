"""An answer as it streams: the text so far, its tokens, why it ended, what of the prompt was read.

The same `Reply` comes from our own engine (`answer`) and from a server (server.py): the page shows either. Whatever
goes wrong on the way leaves the text so far and says in one sentence what happened.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace

from shared.experiment import InputError
from spaces.chat.batching import Token
from spaces.chat.engines import Speaker
from spaces.chat.history import unicode
from spaces.chat.sampling import Sampling
from spaces.chat.stream import Text

LONGEST_PROMPT = 2_000_000  # characters that are looked at
CHARACTERS_PER_TOKEN = 20  # more than any piece holds: what is farther back than that cannot be in the context
SECONDS = 120  # an answer may take
ENDS = {
    "running": ("正在回答", "answering"),
    "end": ("模型说完了", "the model ended"),
    "stop": ("遇到停止串", "a stop string came"),
    "length": ("到了长度上限", "the length was reached"),
    "context": ("上下文已满", "the context is full"),
    "filter": ("服务器滤掉了下文", "the server filtered the rest"),
    "time": (f"超过 {SECONDS} 秒", f"more than {SECONDS} seconds"),
    "error": ("中断", "interrupted"),
    "stopped": ("已停下", "stopped"),  # by the visitor
}


@dataclass(frozen=True)
class Reply:
    """An answer so far."""

    text: str = ""
    tokens: tuple[Token, ...] = ()
    """Empty where a server tells no probabilities."""
    count: int = 0
    """Tokens so far; from a server, its pieces."""
    finish: str = "running"
    """One of ENDS."""
    note: InputError | None = None
    """What went wrong, if something did."""
    cut: int = 0
    """Characters at the prompt's beginning that did not fit the context."""
    prompt_tokens: int = 0
    first: float = 0.0
    """Seconds to the first token."""
    seconds: float = 0.0

    @property
    def tokens_per_second(self) -> float:
        """After the first token; 0 where there is nothing to divide."""
        return (self.count - 1) / (self.seconds - self.first) if self.count > 1 and self.seconds > self.first else 0.0


def checked(prompt: str) -> str:
    """A prompt that can be continued; raises InputError for what is none."""
    if not isinstance(prompt, str) or not prompt.strip():
        raise InputError("prompt", "请先写点什么：模型续写你的文字。", "is empty: the model continues what you write.")
    if len(prompt) > LONGEST_PROMPT:
        zh, en = f"至多 {LONGEST_PROMPT} 个字符。", f"must be at most {LONGEST_PROMPT} characters."
        raise InputError("prompt", zh, en)
    if not unicode(prompt):
        zh, en = "含有半个代理对，不是合法的 Unicode。", "holds half a surrogate pair: not valid Unicode."
        raise InputError("prompt", zh, en)
    return prompt


def fit(speaker: Speaker, prompt: str, room: int) -> tuple[list[int], int]:
    """The ids that are read, leaving room for so many tokens, and how many characters at the beginning are not.

    A prompt that fits keeps all of itself and takes the room that is left.
    """
    space = speaker.engine.context - len(speaker.start)
    tail = prompt[-CHARACTERS_PER_TOKEN * space :]
    ids = speaker.tokenizer.encode(tail)
    if len(ids) < space and len(tail) == len(prompt):
        return [*speaker.start, *ids], 0
    kept = ids[-max(1, space - room) :]
    return [*speaker.start, *kept], max(0, len(prompt) - len(speaker.tokenizer.decode(kept)))


def answer(speaker: Speaker, prompt: str, sampling: Sampling, seconds: float = SECONDS) -> Iterator[Reply]:
    """The answer after each token; the last one has its `finish`. Closed early, nothing goes on."""
    began = time.perf_counter()
    ids, cut = fit(speaker, checked(prompt), min(sampling.max_new_tokens, speaker.engine.context // 2))
    yield from follow(speaker, ids, sampling, Reply(cut=cut), seconds, began)


def follow(
    speaker: Speaker, ids: list[int], sampling: Sampling, reply: Reply | None = None, seconds: float = SECONDS,
    began: float | None = None,
) -> Iterator[Reply]:  # fmt: skip
    """What comes after these ids, like `answer`; began: when the visitor asked (perf_counter)."""
    began = time.perf_counter() if began is None else began
    text, reply = Text(speaker.tokenizer, sampling.stop, ids), replace(reply or Reply(), prompt_tokens=len(ids))
    tokens: list[Token] = []
    with closing(speaker.batch.tokens(ids, sampling, speaker.tokenizer.eod_id)) as stream:
        for token in stream:
            tokens.append(token)
            passed = time.perf_counter() - began
            reply = replace(
                reply, text=reply.text + text.add(token.id), tokens=tuple(tokens), count=len(tokens), seconds=passed,
                first=reply.first or passed,
            )  # fmt: skip
            if text.stopped or passed > seconds:
                finish = "stop" if text.stopped else "time"
                break
            yield reply
        else:
            full = len(ids) + len(tokens) >= speaker.engine.context
            finish = "length" if len(tokens) == sampling.max_new_tokens else "context" if full else "end"
    yield replace(reply, text=reply.text + text.end(), finish=finish)


def at_most(replies: Iterator[Reply], per_second: float = 15) -> Iterator[Reply]:
    """The same answer in fewer frames, as a page can draw them; the first and the last always come."""
    shown, waiting = 0.0, None
    for reply in replies:
        waiting = reply
        if time.perf_counter() - shown >= 1 / per_second:
            shown, waiting = time.perf_counter(), None
            yield reply
    if waiting is not None:
        yield waiting
