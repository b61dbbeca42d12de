"""A few-shot prompt on the scales: with all its examples, with those left on, with none; shot by shot, form by form.

Everything is ln p of the same answer, by shots.py; results come as they are found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from shared import accelerator
from shared.experiment import InputError
from spaces.chat.answer import checked
from spaces.chat.examples import ARTICLE
from spaces.chat.fewshot import FORMS, OWN_FORMS
from spaces.chat.shots import Candidate, FewShot, Scorer, grid, ledger, recognise, without_prior
from spaces.chat.voices import is_server, speaker

FIRST = ARTICLE[0]
LONGEST, LONGEST_ANSWER = 4000, 100
MOST_ANSWERS = 6
ALL_FORMS = tuple(
    form
    for form in dict.fromkeys([*FORMS, *(f for forms in OWN_FORMS.values() for f in forms), "{q}\n三元组：{a}\n"])
    if 0 <= form.find("{q}") < form.find("{a}")
)


@dataclass(frozen=True)
class Weighing:
    """A prompt of examples, the answer that is weighed, and which examples are switched off ("1,3", from 1)."""

    prompt: str = FIRST.prompt
    answer: str = FIRST.answer
    model: str = ""
    off: str = ""

    def __post_init__(self):
        for name, most in (("prompt", LONGEST), ("answer", LONGEST_ANSWER)):
            value = getattr(self, name)
            if not isinstance(value, str) or len(value) > most:
                raise InputError(name, f"至多 {most} 字。", f"must have at most {most} characters.")
        if not isinstance(self.off, str) or not all(part.isdecimal() for part in self.off.split(",") if part):
            raise InputError("off", '须为用逗号隔开的序号，如 "1,3"。', 'must be numbers with commas, such as "1,3".')

    @property
    def switched_off(self) -> set[int]:
        """Places of the examples that are off, from 0."""
        return {int(part[:6]) - 1 for part in self.off.split(",") if part}

    def switch(self, shot: int) -> Weighing:
        """With one example (from 0) switched."""
        off = self.switched_off ^ {shot}
        return replace(self, off=",".join(str(i + 1) for i in sorted(off)))


@dataclass(frozen=True)
class Weighed:
    """What is known so far, in nats; what is not is None or short."""

    prompt: FewShot
    answer: str
    on: tuple[bool, ...]
    all_on: float | None = None
    """ln p of the answer with all examples."""
    whole: float | None = None
    """With those that are on."""
    none: float | None = None
    """With the question alone."""
    worth: tuple[float | None, ...] = ()
    """Of each example that is on, what the answer loses without it."""
    grid: tuple[tuple[float, ...], ...] = ()
    """(templates, separators) of shots.py."""
    candidates: tuple[Candidate, ...] = ()


def parse(asked: Weighing) -> Weighed:
    """The prompt taken apart; raises InputError where it is not made of examples."""
    if not asked.answer.strip():
        raise InputError("answer", "请写下要称的答案。", "is empty: write the answer that is to be weighed.")
    prompt = recognise(checked(asked.prompt), ALL_FORMS)
    on = tuple(i not in asked.switched_off for i in range(len(prompt.shots)))
    return Weighed(prompt, asked.answer.strip(), on)


@accelerator.run(duration=60)
def weigh(asked: Weighing) -> Iterator[Weighed]:
    """The scales as they fill: the three sums, the ledger, the grid of forms, the priors."""
    found = parse(asked)
    if is_server(asked.model):
        zh, en = "须为本进程里的模型：服务器不打分。", "must be one of this process: servers score no answers."
        raise InputError("model", zh, en)
    one, prompt = speaker(asked.model), found.prompt
    kept = replace(prompt, shots=tuple(s for s, on in zip(prompt.shots, found.on, strict=True) if on))
    scorer = Scorer(one)
    found = replace(
        found,
        all_on=scorer.score(prompt.write(), found.answer),
        none=scorer.score(replace(prompt, shots=()).write(), found.answer),
    )
    for book in ledger(one, kept, found.answer):
        found = replace(found, whole=book.whole, worth=_spread(found.on, book.worth))
        yield found
    for rows in grid(one, kept, found.answer):
        found = replace(found, grid=tuple(map(tuple, rows)))
        yield found
    answers = list(dict.fromkeys([found.answer, *(a for _, a in prompt.shots)]))[:MOST_ANSWERS]
    yield replace(found, candidates=tuple(without_prior(one, kept, answers)))


def _spread(on: tuple[bool, ...], worth: tuple[float, ...]) -> tuple[float | None, ...]:
    """The worths at the places of the examples that are on; the last ones are known first."""
    missing = sum(on) - len(worth)
    known = iter([None] * missing + list(worth))
    return tuple(next(known) if is_on else None for is_on in on)
