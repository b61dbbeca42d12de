"""Tasks on numbers: sums, order, the next of a row, counting, dates."""

from __future__ import annotations

import random
from collections.abc import Iterator

from spaces.chat.tasks import facts
from spaces.chat.tasks.words import LIST_SEPARATORS, Pair, person, some


def add(rng: random.Random) -> Iterator[Pair]:
    top = rng.choice((5, 10, 10, 20, 50))
    while True:
        a, b = rng.randint(0, top), rng.randint(0, top)
        yield f"{a}+{b}", str(a + b)


def subtract(rng: random.Random) -> Iterator[Pair]:
    top = rng.choice((10, 10, 20, 50))
    while True:
        b, a = sorted((rng.randint(0, top), rng.randint(0, top)))
        yield f"{a}-{b}", str(a - b)


def word_sum(rng: random.Random) -> Iterator[Pair]:
    thing, only_more = rng.choice(facts.OBJECTS), rng.random() < 0.5
    while True:
        a, b, who = rng.randint(1, 10), rng.randint(1, 9), person(rng)
        more = only_more or rng.random() < 0.5
        if not more and b > a:
            a, b = b, a
        yield f"{who}有{a}个{thing}，又{'买了' if more else '丢了'}{b}个，一共有几个", str(a + b if more else a - b)


def largest(rng: random.Random) -> Iterator[Pair]:
    separator, pick = rng.choice((" ", "，", ",", "、")), rng.choice((max, min))
    count, top = rng.randint(2, 4), rng.choice((10, 100, 1000))
    while True:
        values = rng.sample(range(top), count)
        yield separator.join(map(str, values)), str(pick(values))


def sort(rng: random.Random) -> Iterator[Pair]:
    separator, down = rng.choice((" ", "，", ",", "、")), rng.random() < 0.3
    count = rng.randint(2, 4)
    while True:
        values = rng.sample(range(rng.choice((10, 10, 100))), count)
        yield separator.join(map(str, values)), separator.join(map(str, sorted(values, reverse=down)))


def next_number(rng: random.Random) -> Iterator[Pair]:
    step, separator = rng.choice((1, 1, 2, 2, 3, 5, 10)), rng.choice((" ", "，", ",", "、"))
    while True:
        first = rng.randint(0, 30)
        values = [first + step * i for i in range(4)]
        yield separator.join(map(str, values[:3])), str(values[3])


def count(rng: random.Random) -> Iterator[Pair]:
    separator = rng.choice(LIST_SEPARATORS)
    while True:
        items = some(rng, 1, 5)
        yield separator.join(items), str(len(items))


def compare(rng: random.Random) -> Iterator[Pair]:
    shape, yes, no = rng.choice(
        (("{}和{}", "大于", "小于"), ("{} {}", ">", "<"), ("{}>{}", "是", "否"), ("{}>{}", "对", "错"))
    )
    while True:
        a, b = rng.sample(range(rng.choice((10, 100))), 2)
        yield shape.format(a, b), yes if a > b else no


def date(rng: random.Random) -> Iterator[Pair]:
    shape = rng.choice(("{y}-{m}-{d}", "{y}/{m}/{d}", "{y}.{m}.{d}", "{m}月{d}日", "{y}年", "{m}/{d}"))
    while True:
        parts = {"y": rng.randint(1900, 2030), "m": rng.randint(1, 12), "d": rng.randint(1, 28)}
        yield "{y}年{m}月{d}日".format(**parts), shape.format(**parts)
