"""Few-shot tasks: each draws questions whose answer stands in the prompt, or facts the model may know.

A task is a function of a random generator that settles what one prompt asks for (which slot to extract, which separator)
and returns a sampler of (question, answer) pairs for its shots. IN_PROMPT and KNOWN list the tasks by name.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

from spaces.chat import facts

Pair = tuple[str, str]
Sampler = Callable[[], Pair]
Task = Callable[[random.Random], Sampler]
IN_PROMPT: dict[str, Task] = {}
KNOWN: dict[str, Task] = {}
DIGITS = "零一二三四五六七八九"
LIST_SEPARATORS = (" ", "，", "、", ",", ", ", "/")
CHARACTERS = sorted(
    {c for name in ("ENGLISH", "ANTONYMS", "VERSES", "CAPITALS") for pair in getattr(facts, name) for c in "".join(pair)}
    | {c for word in facts.IDIOMS + facts.OBJECTS + facts.DEEDS + facts.PLACES for c in word}
    | set(facts.GIVEN + facts.SURNAMES)
)
CHARACTERS = [c for c in CHARACTERS if "\u4e00" <= c <= "\u9fff"]
WORDS = sorted(
    {w for pairs in (facts.CAPITALS, facts.PROVINCE_SEATS, facts.WORKS) for pair in pairs for w in pair}
    | {left for left, _ in facts.ENGLISH + facts.ANTONYMS}
    | {w for words in facts.KINDS.values() for w in words.split()}
    | set(facts.OBJECTS + facts.PLACES + facts.DEEDS + facts.JOBS + facts.TIMES + facts.COLOURS)
)
LATIN = sorted({right for _, right in facts.ENGLISH})


def in_prompt(task: Task) -> Task:
    IN_PROMPT[task.__name__] = task
    return task


def known(task: Task) -> Task:
    KNOWN[task.__name__] = task
    return task


def person(rng: random.Random) -> str:
    if rng.random() < 0.2:
        return rng.choice(("小", "老", "阿")) + rng.choice(facts.GIVEN + facts.SURNAMES)
    return rng.choice(facts.SURNAMES) + "".join(rng.choice(facts.GIVEN) for _ in range(rng.choice((1, 2, 2))))


def number(rng: random.Random) -> str:
    return str(rng.randrange(10 ** rng.randint(1, 5)))


def word(rng: random.Random) -> str:
    """A word, a name, a made-up word, a number or an English word."""
    draw = rng.random()
    if draw < 0.4:
        return rng.choice(WORDS)
    if draw < 0.55:
        return person(rng)
    if draw < 0.8:
        return "".join(rng.choice(CHARACTERS) for _ in range(rng.randint(1, 3)))
    return number(rng) if draw < 0.9 else rng.choice(LATIN)


def some(rng: random.Random, low: int, high: int) -> list[str]:
    return [word(rng) for _ in range(rng.randint(low, high))]


def characters(rng: random.Random, low: int, high: int) -> str:
    return "".join(rng.choice(CHARACTERS) for _ in range(rng.randint(low, high)))


def sentence(rng: random.Random) -> dict[str, str]:
    """A simple sentence and what stands in its slots: person, place, time, object, deed; "text" is the sentence."""
    slots = {
        "person": person(rng), "place": rng.choice(facts.PLACES), "time": rng.choice(facts.TIMES),
        "object": rng.choice(facts.OBJECTS), "deed": rng.choice(facts.DEEDS), "verb": rng.choice(facts.VERBS), "job": rng.choice(facts.JOBS),
    }  # fmt: skip
    if rng.random() < 0.3:
        slots["time"] = f"{rng.randint(1800, 2030)}年" + (f"{rng.randint(1, 12)}月" if rng.random() < 0.5 else "")
    if rng.random() < 0.15:
        slots["place"] = characters(rng, 1, 2) + rng.choice("市县村镇山湖路")
    shape = rng.choice(SHAPES)
    slots["text"] = shape.format(**slots)
    return {k: v for k, v in slots.items() if k == "text" or "{" + k + "}" in shape}


SHAPES = (
    "{time}，{person}在{place}{verb}{object}", "{person}{time}在{place}{deed}", "{person}在{place}{deed}",
    "{time}{person}去{place}{deed}", "{person}{verb}{object}", "{person}是{place}的{job}", "{job}{person}在{place}{verb}{object}",
    "从{time}起，{person}在{place}工作", "{time}，{job}{person}来到{place}", "{person}说他{verb}{object}",
    "在{place}，{person}遇见了一位{job}", "{person}毕业后在{place}当{job}", "听说{person}{time}{verb}{object}",
    "{person}喜欢在{place}{deed}", "{object}是{person}{time}在{place}买的", "{person}把{object}忘在了{place}",
    "{time}的时候{person}正在{place}{deed}", "{person}出生于{time}，是一名{job}", "{place}的{job}{person}{verb}{object}",
)  # fmt: skip
QUESTIONS = {
    "person": ("谁", "是谁", "人物是谁", "句子里的人是谁"), "place": ("哪里", "在哪里", "地点是哪里", "在什么地方"),
    "time": ("什么时候", "时间是什么", "何时"), "object": ("什么东西", "物品是什么"), "job": ("什么职业", "职业是什么"),
    "deed": ("做什么", "在做什么"),
}  # fmt: skip


@in_prompt
def copy(rng):
    count = rng.randint(1, 4)
    separator = rng.choice(LIST_SEPARATORS)

    def draw():
        text = separator.join(some(rng, count, count))
        return text, text

    return draw


@in_prompt
def reverse_characters(rng):
    length = rng.randint(2, 4)

    def draw():
        text = characters(rng, length, length) if rng.random() < 0.7 else number(rng)
        return text, text[::-1]

    return draw


@in_prompt
def reverse_words(rng):
    separator, count = rng.choice(LIST_SEPARATORS), rng.randint(2, 4)

    def draw():
        items = some(rng, count, count)
        return separator.join(items), separator.join(items[::-1])

    return draw


@in_prompt
def pick_word(rng):
    separator, count = rng.choice(LIST_SEPARATORS), rng.randint(2, 5)
    place = rng.choice((0, -1, 0, -1, 1))

    def draw():
        items = some(rng, count, count)
        return separator.join(items), items[place]

    return draw


@in_prompt
def pick_character(rng):
    place = rng.choice((0, -1))

    def draw():
        text = characters(rng, 2, 6) if rng.random() < 0.6 else rng.choice(WORDS + facts.IDIOMS)
        return text, text[place]

    return draw


@in_prompt
def swap(rng):
    middle = rng.choice(("和", "与", "、", " ", "，", "比", "爱", "或者", "-", "喜欢", "认识", "/"))

    def draw():
        left, right = word(rng), word(rng)
        return left + middle + right, right + middle + left

    return draw


@in_prompt
def double(rng):
    shape = rng.choice(("{0}{0}", "{0} {0}", "{0}，{0}", "“{0}”", "《{0}》", "({0})", "{0}！", "我的{0}", "{0}们", "{0}，{0}，{0}"))

    def draw():
        text = word(rng)
        return text, shape.format(text)

    return draw


@in_prompt
def split_characters(rng):
    separator, joined = rng.choice((" ", "，", "-", "/", "、")), rng.random() < 0.5

    def draw():
        text = characters(rng, 2, 5)
        pair = text, separator.join(text)
        return pair[::-1] if joined else pair

    return draw


@in_prompt
def replace(rng):
    old, new = characters(rng, 1, 1), characters(rng, 1, 1)

    def draw():
        text = list(characters(rng, 2, 4))
        text[rng.randrange(len(text))] = old
        return "".join(text), "".join(text).replace(old, new)

    return draw


@in_prompt
def add(rng):
    top = rng.choice((5, 10, 10, 20, 50))

    def draw():
        a, b = rng.randint(0, top), rng.randint(0, top)
        return f"{a}+{b}", str(a + b)

    return draw


@in_prompt
def subtract(rng):
    top = rng.choice((10, 10, 20, 50))

    def draw():
        b, a = sorted((rng.randint(0, top), rng.randint(0, top)))
        return f"{a}-{b}", str(a - b)

    return draw


@in_prompt
def word_sum(rng):
    thing, signs = rng.choice(facts.OBJECTS), rng.random() < 0.5

    def draw():
        a, b, who = rng.randint(1, 10), rng.randint(1, 9), person(rng)
        more = signs or rng.random() < 0.5
        if not more and b > a:
            a, b = b, a
        return f"{who}有{a}个{thing}，又{'买了' if more else '丢了'}{b}个，一共有几个", str(a + b if more else a - b)

    return draw


@in_prompt
def largest(rng):
    separator, pick = rng.choice((" ", "，", ",", "、")), rng.choice((max, min))
    count, top = rng.randint(2, 4), rng.choice((10, 100, 1000))

    def draw():
        values = rng.sample(range(top), count)
        return separator.join(map(str, values)), str(pick(values))

    return draw


@in_prompt
def sort(rng):
    separator, down = rng.choice((" ", "，", ",", "、")), rng.random() < 0.3
    count = rng.randint(2, 4)

    def draw():
        values = rng.sample(range(rng.choice((10, 10, 100))), count)
        return tuple(separator.join(map(str, v)) for v in (values, sorted(values, reverse=down)))

    return draw


@in_prompt
def next_number(rng):
    step, separator = rng.choice((1, 1, 2, 2, 3, 5, 10)), rng.choice((" ", "，", ",", "、"))

    def draw():
        first = rng.randint(0, 30)
        values = [first + step * i for i in range(4)]
        return separator.join(map(str, values[:3])), str(values[3])

    return draw


@in_prompt
def count(rng):
    separator = rng.choice(LIST_SEPARATORS)

    def draw():
        items = some(rng, 1, 5)
        return separator.join(items), str(len(items))

    return draw


@in_prompt
def compare(rng):
    yes, no = rng.choice((("大于", "小于"), (">", "<"), ("是", "否"), ("对", "错")))

    def draw():
        a, b = rng.sample(range(rng.choice((10, 100))), 2)
        return (f"{a}和{b}" if yes == "大于" else f"{a} {b}" if yes == ">" else f"{a}>{b}"), yes if a > b else no

    return draw


@in_prompt
def member(rng):
    yes, no = rng.choice((("是", "否"), ("有", "没有"), ("在", "不在")))

    def draw():
        items = rng.sample(WORDS, rng.randint(2, 4))
        inside = rng.random() < 0.5
        asked = rng.choice(items) if inside else rng.choice(WORDS)
        return f"{' '.join(items)}；{asked}", yes if asked in items else no

    return draw


@in_prompt
def lookup(rng):
    link, separator = rng.choice((("=", "，"), ("：", "，"), ("是", "，"), ("=", " "), (":", ", ")))
    by_number = rng.random() < 0.5

    def draw():
        keys = rng.sample(WORDS, rng.randint(2, 4)) if rng.random() < 0.7 else [person(rng) for _ in range(3)]
        values = [number(rng) if by_number else rng.choice(WORDS) for _ in keys]
        i = rng.randrange(len(keys))
        return separator.join(k + link + v for k, v in zip(keys, values, strict=True)) + "；" + keys[i], values[i]

    return draw


@in_prompt
def extract(rng):
    slot = rng.choice(("person", "person", "person", "place", "time", "object", "job", "deed"))

    def draw():
        while slot not in (found := sentence(rng)):
            pass
        return found["text"] + rng.choice(("。", "")), found[slot]

    return draw


@in_prompt
def answer_question(rng):
    mark = rng.choice(("？", "？", "?", ""))

    def draw():
        found = sentence(rng)
        slot = rng.choice([s for s in QUESTIONS if s in found])
        return f"{found['text']}。{rng.choice(QUESTIONS[slot])}{mark}", found[slot]

    return draw


@in_prompt
def triple(rng):
    separator = rng.choice((",", "，", " ", "、", "|", ", "))
    shape = rng.choice(("{0}的{1}是{2}", "{0}{1}{2}", "{0}的{1}为{2}", "{0}，{1}{2}", "{0}的{1}有{2}"))

    def draw():
        attribute = rng.choice(list(facts.ATTRIBUTES))
        low, high, unit = facts.ATTRIBUTES[attribute]
        name = person(rng) if rng.random() < 0.7 else rng.choice(facts.OBJECTS)
        parts = name, attribute, f"{rng.randint(low, high)}{unit}"
        text = (shape if rng.random() < 0.6 else rng.choice(("{0}的{1}是{2}", "{0}{1}{2}"))).format(*parts)
        return text, separator.join(parts)

    return draw


@in_prompt
def attribute(rng):
    place = rng.choice((0, 1, 2, 2))

    def draw():
        name, values = rng.choice(list(facts.ATTRIBUTES.items()))
        parts = person(rng), name, f"{rng.randint(*values[:2])}{values[2]}"
        return rng.choice(("{0}的{1}是{2}", "{0}{1}{2}", "{0}，{1}{2}")).format(*parts), parts[place]

    return draw


@in_prompt
def colour(rng):
    def draw():
        things, shades = rng.sample(facts.OBJECTS, 2), rng.sample(facts.COLOURS, 2)
        i = rng.randrange(2)
        text = "，".join(f"{t}是{c}的" for t, c in zip(things, shades, strict=True))
        return f"{text}。{things[i]}是什么颜色", shades[i]

    return draw


@in_prompt
def passive(rng):
    before, after = rng.choice((("{a}{v}了{b}", "{b}被{a}{v}了"), ("{a}{v}了{b}", "{a}把{b}{v}了"), ("{a}把{b}{v}了", "{b}被{a}{v}了")))
    verbs = "打破 拿走 吃掉 卖掉 弄丢 修好 洗净 借走 打开 推倒 找到 藏起来 带回".split()

    def draw():
        parts = {"a": person(rng), "b": rng.choice(facts.OBJECTS), "v": rng.choice(verbs)}
        return before.format(**parts), after.format(**parts)

    return draw


@in_prompt
def contact(rng):
    slot = rng.randrange(3)

    def draw():
        phone = "1" + "".join(rng.choice("0123456789") for _ in range(rng.choice((4, 7, 10))))
        parts = person(rng), phone, rng.choice(facts.PLACES)
        labels = rng.choice((("姓名：", "电话：", "地址："), ("联系人", "号码", "地点"), ("", "", "")))
        return "，".join(label + part for label, part in zip(labels, parts, strict=True)), parts[slot]

    return draw


@in_prompt
def date(rng):
    shape = rng.choice(("{y}-{m}-{d}", "{y}/{m}/{d}", "{y}.{m}.{d}", "{m}月{d}日", "{y}年", "{m}/{d}"))

    def draw():
        parts = {"y": rng.randint(1900, 2030), "m": rng.randint(1, 12), "d": rng.randint(1, 28)}
        return "{y}年{m}月{d}日".format(**parts), shape.format(**parts)

    return draw


@in_prompt
def sentiment(rng):
    good, bad = rng.choice((("好评", "差评"), ("正面", "负面"), ("积极", "消极"), ("好", "坏"), ("positive", "negative"), ("1", "0")))

    def draw():
        positive = rng.random() < 0.5
        text = rng.choice(facts.REVIEWED) + rng.choice(facts.GOOD if positive else facts.BAD)
        return text + rng.choice(("", "。", "！")), good if positive else bad

    return draw


def numeral(n: int) -> str:
    """n below 100 in Chinese."""
    tens, ones = divmod(n, 10)
    return (("" if tens == 1 else DIGITS[tens]) + "十" if tens else "") + (DIGITS[ones] if ones or not tens else "")


def _facts(pairs: list[Pair], both_ways: bool = False) -> Task:
    """Sampler of facts, none twice in a prompt as long as there are enough."""

    def task(rng):
        rows = rng.sample(pairs, len(pairs))
        backwards = both_ways and rng.random() < 0.4
        position = itertools.cycle(rows)

        def draw():
            left, right = next(position)
            return (right, left) if backwards else (left, right)

        return draw

    return task


KNOWN |= {
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
    "kind": _facts([(w, kind) for kind, words in facts.KINDS.items() for w in words.split()]),
    "continent": _facts([(w, place) for place, words in facts.CONTINENTS.items() for w in words.split()]),
    "numeral": _facts([(str(n), numeral(n)) for n in range(100)], True),
    "multiply": _facts([(f"{a}×{b}", str(a * b)) for a in range(1, 10) for b in range(1, 10)]),
}


@known
def next_of_cycle(rng):
    step = rng.choice((1, 1, -1))
    cycle = rng.choice(facts.CYCLES)
    order = itertools.cycle(rng.sample(range(len(cycle)), len(cycle)))

    def draw():
        i = next(order)
        return cycle[i], cycle[(i + step) % len(cycle)]

    return draw
