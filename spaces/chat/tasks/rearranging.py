"""Tasks that copy, turn round, cut, join or replace what stands in the question."""

from __future__ import annotations

import random
from collections.abc import Iterator

from spaces.chat.tasks import facts
from spaces.chat.tasks.words import LIST_SEPARATORS, WORDS, Pair, characters, number, person, some, word


def copy(rng: random.Random) -> Iterator[Pair]:
    count = rng.randint(1, 4)
    separator = rng.choice(LIST_SEPARATORS)
    while True:
        text = separator.join(some(rng, count, count))
        yield text, text


def reverse_characters(rng: random.Random) -> Iterator[Pair]:
    length = rng.randint(2, 4)
    while True:
        text = characters(rng, length, length) if rng.random() < 0.7 else number(rng)
        yield text, text[::-1]


def reverse_words(rng: random.Random) -> Iterator[Pair]:
    separator, count = rng.choice(LIST_SEPARATORS), rng.randint(2, 4)
    while True:
        items = some(rng, count, count)
        yield separator.join(items), separator.join(items[::-1])


def pick_word(rng: random.Random) -> Iterator[Pair]:
    separator, count = rng.choice(LIST_SEPARATORS), rng.randint(2, 5)
    place = rng.choice((0, -1, 0, -1, 1))
    while True:
        items = some(rng, count, count)
        yield separator.join(items), items[place]


def pick_character(rng: random.Random) -> Iterator[Pair]:
    place = rng.choice((0, -1))
    while True:
        text = characters(rng, 2, 6) if rng.random() < 0.6 else rng.choice(WORDS + facts.IDIOMS)
        yield text, text[place]


def swap(rng: random.Random) -> Iterator[Pair]:
    middle = rng.choice(("和", "与", "、", " ", "，", "比", "爱", "或者", "-", "喜欢", "认识", "/"))
    while True:
        left, right = word(rng), word(rng)
        yield left + middle + right, right + middle + left


def double(rng: random.Random) -> Iterator[Pair]:
    repeated = ("{0}{0}", "{0} {0}", "{0}，{0}")
    shape = rng.choice((*repeated, "“{0}”", "《{0}》", "({0})", "{0}！", "我的{0}", "{0}们", "{0}，{0}，{0}"))
    while True:
        text = word(rng)
        yield text, shape.format(text)


def split_characters(rng: random.Random) -> Iterator[Pair]:
    separator, joined = rng.choice((" ", "，", "-", "/", "、")), rng.random() < 0.5
    while True:
        text = characters(rng, 2, 5)
        pair = text, separator.join(text)
        yield pair[::-1] if joined else pair


def replace(rng: random.Random) -> Iterator[Pair]:
    old, new = characters(rng, 1, 1), characters(rng, 1, 1)
    while True:
        text = list(characters(rng, 2, 4))
        text[rng.randrange(len(text))] = old
        yield "".join(text), "".join(text).replace(old, new)


def passive(rng: random.Random) -> Iterator[Pair]:
    plain, ba, bei = "{a}{v}了{b}", "{a}把{b}{v}了", "{b}被{a}{v}了"
    before, after = rng.choice(((plain, bei), (plain, ba), (ba, bei)))
    verbs = "打破 拿走 吃掉 卖掉 弄丢 修好 洗净 借走 打开 推倒 找到 藏起来 带回".split()
    while True:
        parts = {"a": person(rng), "b": rng.choice(facts.OBJECTS), "v": rng.choice(verbs)}
        yield before.format(**parts), after.format(**parts)
