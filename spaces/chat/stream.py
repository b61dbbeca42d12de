"""Tokens to text as it may be shown: whole characters only, and nothing that may yet turn out to be a stop string.

A character outside the vocabulary comes as bytes, one token each; a stop string may begin in one token and end in the
next. What cannot be told yet is held back; `end()` hands out what was held back when no more tokens come. Everything
added, joined, is the decoded text up to the first stop string.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Sequence
from typing import Protocol

BYTES_OF_A_CHARACTER = 4
WINDOW = 8  # tokens that are decoded again before new ones: a space or a character may depend on them


class Tokenizer(Protocol):
    """Text to ids and back: CpmTokenizer, or the one that came with another model."""

    eod_id: int

    def encode(self, text: str) -> list[int]: ...

    def decode(self, ids: Sequence[int]) -> str: ...


class _Bytes:
    """Tokens that are bytes each: an incremental UTF-8 decoder does all."""

    def __init__(self, tokenizer):
        self.token_bytes, self.decoder = tokenizer.token_bytes, codecs.getincrementaldecoder("utf-8")("replace")

    def add(self, token: int) -> str:
        return self.decoder.decode(self.token_bytes[token])

    def end(self) -> str:
        return self.decoder.decode(b"", final=True)


class _Decoded:
    """Tokens of a tokeniser that only decodes: the difference that each makes, once it ends in a whole character."""

    def __init__(self, tokenizer, before: Sequence[int]):
        self.tokenizer, self.ids = tokenizer, list(before[-WINDOW:])
        self.known = tokenizer.decode(self.ids)

    def add(self, token: int) -> str:
        self.ids.append(token)
        text = self.tokenizer.decode(self.ids)
        if text.endswith("\ufffd") and not text.endswith("\ufffd" * BYTES_OF_A_CHARACTER):
            return ""
        return self._difference(text)

    def _difference(self, text: str) -> str:
        new, self.known = text[len(self.known) :], text
        if len(self.ids) >= 4 * WINDOW:  # what is far back changes nothing: decoding stays as short
            self.ids = self.ids[-WINDOW:]
            self.known = self.tokenizer.decode(self.ids)
        return new

    def end(self) -> str:
        return self._difference(self.tokenizer.decode(self.ids))


def following(tokenizer: Tokenizer, before: Sequence[int], ids: Sequence[int]) -> str:
    """The text of ids after others: many tokenisers drop the space that a text begins with."""
    before = list(before[-WINDOW:])
    return tokenizer.decode([*before, *ids])[len(tokenizer.decode(before)) :]


class Text:
    """The text of an answer while its tokens arrive."""

    def __init__(self, tokenizer: Tokenizer | None, stops: Iterable[str] = (), before: Sequence[int] = ()):
        """No tokenizer where the pieces come as text (`add_text`); before: the ids that it follows."""
        bytewise = hasattr(tokenizer, "token_bytes")
        self._speller = tokenizer and (_Bytes(tokenizer) if bytewise else _Decoded(tokenizer, before))
        self._stops, self._held = tuple(stops), ""
        self.stopped = False

    def add(self, token: int) -> str:
        """What may be shown once this token is known, often the empty string; nothing after a stop."""
        return self.add_text(self._speller.add(token))

    def add_text(self, piece: str) -> str:
        """The same for text that comes as text."""
        if self.stopped:
            return ""
        text = self._held + piece
        ends = [place for stop in self._stops if (place := text.find(stop)) >= 0]
        if ends:
            self.stopped, self._held = True, ""
            return text[: min(ends)]
        border = len(text) - self._suspicious(text)
        self._held = text[border:]
        return text[:border]

    def end(self) -> str:
        """What was held back, now that no more tokens come."""
        text = self.add_text(self._speller.end() if self._speller else "")
        held, self._held = self._held, ""
        return text + held

    def _suspicious(self, text: str) -> int:
        """Length of the longest end of the text with which a stop string begins."""
        longest = max((len(stop) for stop in self._stops), default=1) - 1
        ends = range(min(longest, len(text)), 0, -1)
        return next((n for n in ends if any(stop.startswith(text[-n:]) for stop in self._stops)), 0)
