"""What few-shot questions are made of: words, names, made-up words, numbers and simple sentences, drawn at random."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from spaces.chat.tasks import facts

Pair = tuple[str, str]
Task = Callable[[random.Random], Iterator[Pair]]
LIST_SEPARATORS = (" ", "，", "、", ",", ", ", "/")
WORDS = sorted(
    {w for pairs in (facts.CAPITALS, facts.PROVINCE_SEATS, facts.WORKS) for pair in pairs for w in pair}
    | {left for left, _ in facts.ENGLISH + facts.ANTONYMS}
    | {w for words in facts.KINDS.values() for w in words.split()}
    | set(facts.OBJECTS + facts.PLACES + facts.DEEDS + facts.JOBS + facts.TIMES + facts.COLOURS)
)
LATIN = sorted({right for _, right in facts.ENGLISH})
_TEXT = [w for pairs in (facts.ENGLISH, facts.ANTONYMS, facts.VERSES, facts.CAPITALS) for pair in pairs for w in pair]
_TEXT += [*facts.IDIOMS, *facts.OBJECTS, *facts.DEEDS, *facts.PLACES, facts.GIVEN, facts.SURNAMES]
CHARACTERS = sorted({c for c in "".join(_TEXT) if "\u4e00" <= c <= "\u9fff"})
SENTENCES = (
    "{time}，{person}在{place}{verb}{object}", "{person}{time}在{place}{deed}", "{person}在{place}{deed}",
    "{time}{person}去{place}{deed}", "{person}{verb}{object}", "{person}是{place}的{job}",
    "{job}{person}在{place}{verb}{object}", "从{time}起，{person}在{place}工作", "{time}，{job}{person}来到{place}",
    "{person}说他{verb}{object}", "在{place}，{person}遇见了一位{job}", "{person}毕业后在{place}当{job}",
    "听说{person}{time}{verb}{object}", "{person}喜欢在{place}{deed}", "{object}是{person}{time}在{place}买的",
    "{person}把{object}忘在了{place}", "{time}的时候{person}正在{place}{deed}", "{person}出生于{time}，是一名{job}",
    "{place}的{job}{person}{verb}{object}",
)  # fmt: skip


def person(rng: random.Random) -> str:
    if rng.random() < 0.2:
        return rng.choice(("小", "老", "阿")) + rng.choice(facts.GIVEN + facts.SURNAMES)
    return rng.choice(facts.SURNAMES) + "".join(rng.choice(facts.GIVEN) for _ in range(rng.choice((1, 2, 2))))


def number(rng: random.Random) -> str:
    return str(rng.randrange(10 ** rng.randint(1, 5)))


def characters(rng: random.Random, low: int, high: int) -> str:
    return "".join(rng.choice(CHARACTERS) for _ in range(rng.randint(low, high)))


def word(rng: random.Random) -> str:
    """A word, a name, a made-up word, a number or an English word."""
    draw = rng.random()
    if draw < 0.4:
        return rng.choice(WORDS)
    if draw < 0.55:
        return person(rng)
    if draw < 0.8:
        return characters(rng, 1, 3)
    return number(rng) if draw < 0.9 else rng.choice(LATIN)


def some(rng: random.Random, low: int, high: int) -> list[str]:
    return [word(rng) for _ in range(rng.randint(low, high))]


def sentence(rng: random.Random) -> dict[str, str]:
    """A simple sentence and what stands in its slots: person, place, time, object, deed; "text" is the sentence."""
    slots = {
        "person": person(rng), "place": rng.choice(facts.PLACES), "time": rng.choice(facts.TIMES),
        "object": rng.choice(facts.OBJECTS), "deed": rng.choice(facts.DEEDS), "verb": rng.choice(facts.VERBS),
        "job": rng.choice(facts.JOBS),
    }  # fmt: skip
    if rng.random() < 0.3:
        slots["time"] = f"{rng.randint(1800, 2030)}年" + (f"{rng.randint(1, 12)}月" if rng.random() < 0.5 else "")
    if rng.random() < 0.15:
        slots["place"] = characters(rng, 1, 2) + rng.choice("市县村镇山湖路")
    shape = rng.choice(SENTENCES)
    text = shape.format(**slots)
    return {"text": text} | {name: value for name, value in slots.items() if "{" + name + "}" in shape}
