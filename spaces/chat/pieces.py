"""A text as CPM reads it: jieba's words, their pieces, the ids; and the same before 22 November 2020.

Until then ▃, the stand-in for a line break, had no piece in the published vocabulary: every line break reached the
model as <unk>, and a few-shot prompt lost its lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cache

from shared.experiment import InputError, choice
from spaces.chat.answer import Reply, checked
from spaces.chat.data import DATA
from spaces.chat.model import WEIGHTS
from spaces.chat.sampling import Sampling
from spaces.chat.tokenizer import CpmTokenizer, Word
from spaces.chat.voices import Local

LONGEST = 2000
OURS, PUBLISHED = "ours", "cpm"
REAL = DATA / "cpm_tokenizer"


@dataclass(frozen=True)
class Spelling:
    """A text, and whose vocabulary spells it: ours or, where it is at hand, cpm: the published 30,000 pieces."""

    text: str = "法国 巴黎\n日本 东京\n中国 "
    vocabulary: str = OURS
    model: str = ""
    """Which model shows what the bug did."""

    def __post_init__(self):
        if not isinstance(self.text, str) or not self.text.strip() or len(self.text) > LONGEST:
            raise InputError("text", f"须为 1 到 {LONGEST} 字。", f"must have 1 to {LONGEST} characters.")
        choice("vocabulary", self.vocabulary, vocabularies())


@dataclass(frozen=True)
class Spelt:
    """The words with their pieces now and before the repair, and how much text a token holds."""

    now: tuple[Word, ...]
    before: tuple[Word, ...]
    size: int
    """Pieces in the vocabulary."""
    characters: int
    decoded: str
    """What the ids come back as."""
    lost: int
    """Line breaks that became <unk>."""

    @property
    def tokens(self) -> int:
        """Ids of the whole text."""
        return sum(len(word.ids) for word in self.now)


def vocabularies() -> list[str]:
    """Those that are on this machine."""
    return [OURS] + [PUBLISHED] * REAL.is_dir()


@cache
def tokenizer(vocabulary: str) -> CpmTokenizer:
    """The tokeniser of a vocabulary's name."""
    return CpmTokenizer({OURS: WEIGHTS, PUBLISHED: REAL}[vocabulary])


def spell(asked: Spelling) -> Spelt:
    """The text in words, pieces and ids."""
    made = tokenizer(asked.vocabulary)
    now, before = made.inspect(asked.text), made.inspect(asked.text, newline_known=False)
    ids = [i for word in now for i in word.ids]
    lost = sum(i == made.unk_id for word in before for i in word.ids) - ids.count(made.unk_id)
    return Spelt(tuple(now), tuple(before), made.size, len(asked.text), made.decode(ids), lost)


def compare(asked: Spelling, voice: Local, sampling: Sampling) -> Iterator[tuple[Reply, Reply]]:
    """What a model says after the text as it is read now, and as it was read before; both as they grow."""
    if not isinstance(getattr(voice, "tokenizer", None), CpmTokenizer):
        zh, en = "须为带 CPM 词表的模型。", "must be a model with a CPM vocabulary."
        raise InputError("model", zh, en)
    read = voice.read(checked(asked.text), sampling.max_new_tokens).ids
    broken = [i for word in voice.tokenizer.inspect(asked.text, newline_known=False) for i in word.ids]
    now, before = Reply(), Reply()
    with closing(voice.go_on(read, sampling)) as replies:
        for now in replies:
            yield now, before
    with closing(voice.go_on([*voice.start, *broken], sampling)) as replies:
        for before in replies:
            yield now, before
