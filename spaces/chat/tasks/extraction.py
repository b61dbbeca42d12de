"""Tasks that find something in the question: a slot of a sentence, a value, a member, a judgement."""

from __future__ import annotations

import random
from collections.abc import Iterator

from spaces.chat.tasks import facts
from spaces.chat.tasks.words import WORDS, Pair, number, person, sentence

ASKED = {
    "person": ("谁", "是谁", "人物是谁", "句子里的人是谁"), "place": ("哪里", "在哪里", "地点是哪里", "在什么地方"),
    "time": ("什么时候", "时间是什么", "何时"), "object": ("什么东西", "物品是什么"), "job": ("什么职业", "职业是什么"),
    "deed": ("做什么", "在做什么"),
}  # fmt: skip


def member(rng: random.Random) -> Iterator[Pair]:
    yes, no = rng.choice((("是", "否"), ("有", "没有"), ("在", "不在")))
    while True:
        items = rng.sample(WORDS, rng.randint(2, 4))
        inside = rng.random() < 0.5
        asked = rng.choice(items) if inside else rng.choice(WORDS)
        yield f"{' '.join(items)}；{asked}", yes if asked in items else no


def lookup(rng: random.Random) -> Iterator[Pair]:
    link, separator = rng.choice((("=", "，"), ("：", "，"), ("是", "，"), ("=", " "), (":", ", ")))
    by_number = rng.random() < 0.5
    while True:
        keys = rng.sample(WORDS, rng.randint(2, 4)) if rng.random() < 0.7 else [person(rng) for _ in range(3)]
        values = [number(rng) if by_number else rng.choice(WORDS) for _ in keys]
        i = rng.randrange(len(keys))
        yield separator.join(k + link + v for k, v in zip(keys, values, strict=True)) + "；" + keys[i], values[i]


def extract(rng: random.Random) -> Iterator[Pair]:
    slot = rng.choice(("person", "person", "person", "place", "time", "object", "job", "deed"))
    while True:
        while slot not in (found := sentence(rng)):
            pass
        yield found["text"] + rng.choice(("。", "")), found[slot]


def answer_question(rng: random.Random) -> Iterator[Pair]:
    mark = rng.choice(("？", "？", "?", ""))
    while True:
        found = sentence(rng)
        slot = rng.choice([s for s in ASKED if s in found])
        yield f"{found['text']}。{rng.choice(ASKED[slot])}{mark}", found[slot]


def triple(rng: random.Random) -> Iterator[Pair]:
    separator = rng.choice((",", "，", " ", "、", "|", ", "))
    shape = rng.choice(("{0}的{1}是{2}", "{0}{1}{2}", "{0}的{1}为{2}", "{0}，{1}{2}", "{0}的{1}有{2}"))
    while True:
        attribute = rng.choice(list(facts.ATTRIBUTES))
        low, high, unit = facts.ATTRIBUTES[attribute]
        name = person(rng) if rng.random() < 0.7 else rng.choice(facts.OBJECTS)
        parts = name, attribute, f"{rng.randint(low, high)}{unit}"
        text = (shape if rng.random() < 0.6 else rng.choice(("{0}的{1}是{2}", "{0}{1}{2}"))).format(*parts)
        yield text, separator.join(parts)


def attribute(rng: random.Random) -> Iterator[Pair]:
    place = rng.choice((0, 1, 2, 2))
    while True:
        name, values = rng.choice(list(facts.ATTRIBUTES.items()))
        parts = person(rng), name, f"{rng.randint(*values[:2])}{values[2]}"
        yield rng.choice(("{0}的{1}是{2}", "{0}{1}{2}", "{0}，{1}{2}")).format(*parts), parts[place]


def colour(rng: random.Random) -> Iterator[Pair]:
    while True:
        things, shades = rng.sample(facts.OBJECTS, 2), rng.sample(facts.COLOURS, 2)
        i = rng.randrange(2)
        text = "，".join(f"{t}是{c}的" for t, c in zip(things, shades, strict=True))
        yield f"{text}。{things[i]}是什么颜色", shades[i]


def contact(rng: random.Random) -> Iterator[Pair]:
    slot = rng.randrange(3)
    while True:
        phone = "1" + "".join(rng.choice("0123456789") for _ in range(rng.choice((4, 7, 10))))
        parts = person(rng), phone, rng.choice(facts.PLACES)
        labels = rng.choice((("姓名：", "电话：", "地址："), ("联系人", "号码", "地点"), ("", "", "")))
        yield "，".join(label + part for label, part in zip(labels, parts, strict=True)), parts[slot]


def sentiment(rng: random.Random) -> Iterator[Pair]:
    labels = "好评 差评", "正面 负面", "积极 消极", "好 坏", "positive negative", "1 0"
    good, bad = rng.choice(labels).split()
    while True:
        positive = rng.random() < 0.5
        text = rng.choice(facts.REVIEWED) + rng.choice(facts.GOOD if positive else facts.BAD)
        yield text + rng.choice(("", "。", "！")), good if positive else bad
