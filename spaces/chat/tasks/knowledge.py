"""Tasks on facts that a model may know: each gives its facts in random order, none twice before all have come."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

from spaces.chat.tasks import facts
from spaces.chat.tasks.words import Pair, Task

DIGITS = "零一二三四五六七八九"


def numeral(n: int) -> str:
    """n below 100 in Chinese."""
    tens, ones = divmod(n, 10)
    return (("" if tens == 1 else DIGITS[tens]) + "十" if tens else "") + (DIGITS[ones] if ones or not tens else "")


def _facts(pairs: list[Pair], both_ways: bool = False) -> Task:
    """The task of these facts; both ways, four prompts of ten ask for the left side by the right."""

    def task(rng: random.Random) -> Iterator[Pair]:
        rows = rng.sample(pairs, len(pairs))
        backwards = both_ways and rng.random() < 0.4
        return itertools.cycle([pair[::-1] for pair in rows] if backwards else rows)

    return task


def next_of_cycle(rng: random.Random) -> Iterator[Pair]:
    step = rng.choice((1, 1, -1))
    cycle = rng.choice(facts.CYCLES)
    order = rng.sample(range(len(cycle)), len(cycle))
    return itertools.cycle([(cycle[i], cycle[(i + step) % len(cycle)]) for i in order])


def _members(groups: dict[str, str]) -> list[Pair]:
    return [(word, name) for name, words in groups.items() for word in words.split()]


TASKS: dict[str, Task] = {
    "capital": _facts(facts.CAPITALS, True),
    "province_seat": _facts(facts.PROVINCE_SEATS, True),
    "province_letter": _facts(facts.PROVINCE_LETTERS, True),
    "english": _facts(facts.ENGLISH, True),
    "antonym": _facts(facts.ANTONYMS, True),
    "idiom_end": _facts([(idiom[:3], idiom[3]) for idiom in facts.IDIOMS]),
    "idiom_half": _facts([(idiom[:2], idiom[2:]) for idiom in facts.IDIOMS]),
    "idiom_whole": _facts([(idiom[:3], idiom) for idiom in facts.IDIOMS]),
    "verse": _facts(facts.VERSES),
    "dynasty": _facts(facts.POET_DYNASTIES),
    "measure": _facts(facts.MEASURES),
    "author": _facts(facts.WORKS),
    "chemical": _facts(facts.CHEMICALS, True),
    "kind": _facts(_members(facts.KINDS)),
    "continent": _facts(_members(facts.CONTINENTS)),
    "numeral": _facts([(str(n), numeral(n)) for n in range(100)], True),
    "multiply": _facts([(f"{a}×{b}", str(a * b)) for a in range(1, 10) for b in range(1, 10)]),
    "next_of_cycle": next_of_cycle,
}
