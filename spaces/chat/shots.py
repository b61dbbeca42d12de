"""What the examples of a few-shot prompt are worth: the log-probability of an answer, shot by shot, form by form.

* ledger: leave each shot out; what the answer loses is what that shot gave.
* grid: the same shots written otherwise; how much hangs on a colon.
* prior removed: an answer can be likely whatever is asked. The score after a question without content is taken off
  (contextual calibration, Zhao et al. 2021).

Scores are in nats, of the answer in its own segmentation. What two prompts begin with is computed once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from shared.experiment import InputError
from spaces.chat.engines import Speaker

SEPARATORS = (" ", "：", " -> ", "=", "\n")
TEMPLATES = ("{q}{s}{a}\n", "{q}{s}{a}\n\n", "问：{q}{s}答：{a}\n", "“{q}”{s}“{a}”\n", "{q}{s}{a}；")
CONTENT_FREE = ("无", "N/A", "")
MOST_SHOTS, MOST_CANDIDATES = 32, 16


@dataclass(frozen=True)
class FewShot:
    """Examples and a question, written in one form."""

    shots: tuple[tuple[str, str], ...]
    question: str
    form: str = "{q} {a}\n"

    def __post_init__(self):
        if len(self.shots) > MOST_SHOTS:
            zh, en = f"至多 {MOST_SHOTS} 个例子。", f"must be at most {MOST_SHOTS} examples."
            raise InputError("shots", zh, en)
        if not 0 <= self.form.find("{q}") < self.form.find("{a}"):
            raise InputError("form", "须先有 {q} 后有 {a}。", "must have {q} and after it {a}.")

    def write(self, without: int | None = None, question: str | None = None) -> str:
        """The prompt, which ends where the answer begins; one shot may be left out, the question replaced."""
        shots = (shot for i, shot in enumerate(self.shots) if i != without)
        asked = self.question if question is None else question
        return "".join(_written(self.form, q, a) for q, a in shots) + _written(self.form.partition("{a}")[0], asked, "")


def _written(form: str, q: str, a: str) -> str:
    return re.sub(r"\{[qa]\}", lambda hole: q if hole[0] == "{q}" else a, form)


def recognise(prompt: str, forms: Sequence[str]) -> FewShot:
    """The shots of a prompt written in one of the forms, which it must be from its first character to its last.

    Raises InputError where it is in none of them.
    """
    for form in sorted(forms, key=len, reverse=True):
        pattern = re.sub(r"\\\{([qa])\\\}", r"(?P<\1>[^\n]+?)", re.escape(form))
        shots, place = [], 0
        while found := re.compile(pattern).match(prompt, place):
            shots.append((found["q"], found["a"]))
            place = found.end()
        before = re.sub(r"\\\{q\\\}", r"(?P<q>[^\n]+?)", re.escape(form.partition("{a}")[0]))
        asked = re.compile(before).fullmatch(prompt, place)
        if shots and asked and "{q}" in form.partition("{a}")[0]:
            return FewShot(tuple(shots), asked["q"], form)
    raise InputError(
        "prompt", "没有认出例子的写法：每个例子须写法相同。", "has no form of examples: write each one alike."
    )


class Scorer:
    """Log-probabilities of answers after prompts, one after the other over one cache."""

    def __init__(self, speaker: Speaker):
        self.speaker, self.cache = speaker, speaker.engine.cache()

    def score(self, prompt: str, answer: str) -> float:
        """ln p(answer | prompt), nats; raises InputError where they do not fit the context together."""
        speaker = self.speaker
        said = speaker.tokenizer.encode(answer)
        before = [*speaker.start, *speaker.tokenizer.encode(prompt)]
        if not said or not before:
            raise InputError("answer", "提示和答案都不能为空。", "must not be empty, nor the prompt.")
        if len(before) + len(said) > speaker.engine.context:
            most = speaker.engine.context
            zh = f"连同答案超过了上下文的 {most} 个词元，请减少例子。"
            raise InputError("prompt", zh, f"is longer than the context of {most} tokens: take fewer examples.")
        logits = speaker.engine.read([*before, *said[:-1]], self.cache, len(said))
        return float(logits.log_softmax(1)[torch.arange(len(said)), torch.tensor(said)].sum())


@dataclass(frozen=True)
class Ledger:
    """ln p of the answer with all shots, and for each shot without it; what is not computed yet is missing."""

    whole: float
    without: tuple[float, ...] = ()

    @property
    def worth(self) -> tuple[float, ...]:
        """Nats that each shot gives to the answer; negative where it stands in the way."""
        return tuple(self.whole - less for less in self.without)


def ledger(speaker: Speaker, prompt: FewShot, answer: str) -> Iterator[Ledger]:
    """The ledger as it fills, shot by shot, the last first: their prompts share the longest beginning."""
    scorer = Scorer(speaker)
    book = Ledger(scorer.score(prompt.write(), answer))
    yield book
    for i in reversed(range(len(prompt.shots))):
        book = replace(book, without=(scorer.score(prompt.write(without=i), answer), *book.without))
        yield book


def grid(
    speaker: Speaker,
    prompt: FewShot,
    answer: str,
    templates: Sequence[str] = TEMPLATES,
    separators: Sequence[str] = SEPARATORS,
) -> Iterator[list[list[float]]]:
    """ln p of the answer, (templates, separators), as it fills, row by row."""
    scorer, rows = Scorer(speaker), []
    for template in templates:
        forms = [template.replace("{s}", separator) for separator in separators]
        rows = [*rows, [scorer.score(replace(prompt, form=form).write(), answer) for form in forms]]
        yield rows


@dataclass(frozen=True)
class Candidate:
    """An answer's ln p after the question, and after questions without content."""

    text: str
    score: float
    prior: float

    @property
    def gain(self) -> float:
        """Nats that the question itself gives to the answer."""
        return self.score - self.prior


def without_prior(
    speaker: Speaker, prompt: FewShot, answers: Sequence[str], empty: Sequence[str] = CONTENT_FREE
) -> list[Candidate]:
    """Candidates in the order given; the prior is the mean probability over the questions without content."""
    if not 1 <= len(answers) <= MOST_CANDIDATES:
        raise InputError("answers", f"须为 1 到 {MOST_CANDIDATES} 个。", f"must be 1 to {MOST_CANDIDATES}.")
    scorer, rows = Scorer(speaker), []
    for answer in answers:
        nothing = torch.tensor([scorer.score(prompt.write(question=question), answer) for question in empty])
        prior = float(nothing.double().logsumexp(0) - torch.tensor(len(empty)).double().log())
        rows.append(Candidate(answer, scorer.score(prompt.write(), answer), prior))
    return rows
