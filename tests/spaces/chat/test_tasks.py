"""Tasks on known values: what the answer says follows from the question."""

import itertools
import random
import re

import pytest

from spaces.chat.tasks import IN_PROMPT, KNOWN, facts
from spaces.chat.tasks.knowledge import numeral
from spaces.chat.tasks.words import CHARACTERS, sentence


def _pairs(task: str, prompts: int = 30, shots: int = 12):
    for seed in range(prompts):
        yield list(itertools.islice((IN_PROMPT | KNOWN)[task](random.Random(seed)), shots))


def _numbers(text: str) -> list[int]:
    return [int(n) for n in re.findall(r"\d+", text)]


ANSWERS = {  # task -> whether the pair is right
    "copy": lambda q, a: q == a,
    "reverse_characters": lambda q, a: a == q[::-1],
    "split_characters": lambda q, a: re.sub(r"\W", "", q) == re.sub(r"\W", "", a) and q != a,
    "pick_character": lambda q, a: a in (q[0], q[-1]),
    "double": lambda q, a: q in a and q != a,
    "add": lambda q, a: sum(_numbers(q)) == int(a),
    "subtract": lambda q, a: _numbers(q)[0] - _numbers(q)[1] == int(a) >= 0,
    "word_sum": lambda q, a: int(a) == _numbers(q)[0] + (1 if "买了" in q else -1) * _numbers(q)[1] >= 0,
    "largest": lambda q, a: int(a) in (max(_numbers(q)), min(_numbers(q))),
    "sort": lambda q, a: _numbers(a) in (sorted(_numbers(q)), sorted(_numbers(q))[::-1]),
    "next_number": lambda q, a: int(a) - _numbers(q)[2] == _numbers(q)[2] - _numbers(q)[1] > 0,
    "compare": lambda q, a: (a in ("大于", ">", "是", "对")) == (_numbers(q)[0] > _numbers(q)[1]),
    "date": lambda q, a: all(n in _numbers(q) for n in _numbers(a)),
    "extract": lambda q, a: a in q,
    "answer_question": lambda q, a: a in q.rpartition("。")[0],
    "triple": lambda q, a: all(part in q for part in re.split(r"[,，、| ]+", a)),
    "attribute": lambda q, a: a in q,
    "contact": lambda q, a: a in q,
    "lookup": lambda q, a: a in q.rpartition("；")[0] and q.rpartition("；")[2] in q.rpartition("；")[0],
    "colour": lambda q, a: q.split("。")[1].removesuffix("是什么颜色") + "是" + a in q,
    "member": lambda q, a: (a in ("是", "有", "在")) == (q.split("；")[1] in q.split("；")[0].split(" ")),
    "multiply": lambda q, a: int(q[0]) * int(q[2]) == int(a),
    "idiom_half": lambda q, a: q + a in facts.IDIOMS,
}


@pytest.mark.parametrize("task", sorted(ANSWERS))
def test_answers_follow_from_the_questions(task):
    for shots in _pairs(task):
        for q, a in shots:
            assert ANSWERS[task](q, a), (q, a)


@pytest.mark.parametrize("task", sorted(IN_PROMPT | KNOWN))
def test_questions_and_answers_are_lines_and_repeat_with_the_seed(task):
    assert list(_pairs(task, 3)) == list(_pairs(task, 3))
    assert all(q and a and "\n" not in q + a for shots in _pairs(task) for q, a in shots)


@pytest.mark.parametrize("task", sorted(KNOWN))
def test_no_fact_comes_twice_before_all_have_come(task):
    shots = next(_pairs(task, 1, 1000))
    number = len(set(shots))
    assert number < 500 and len(set(shots[:number])) == number and shots[number : 2 * number] == shots[:number]


def test_a_prompt_asks_one_thing():
    for shots in _pairs("pick_character"):
        assert all(q[0] == a for q, a in shots) or all(q[-1] == a for q, a in shots)
    for shots in _pairs("sort"):
        answers = [_numbers(a) for _, a in shots]
        assert answers in ([sorted(a) for a in answers], [sorted(a, reverse=True) for a in answers])


def test_numerals():
    assert [numeral(n) for n in (0, 7, 10, 13, 20, 45, 99)] == ["零", "七", "十", "十三", "二十", "四十五", "九十九"]
    assert len({numeral(n) for n in range(100)}) == 100


def test_sentences_hold_their_slots():
    rng = random.Random(0)
    for _ in range(300):
        slots = sentence(rng)
        text = slots.pop("text")
        assert "{" not in text and len(slots) >= 2 and all(value in text for value in slots.values())


def test_facts_are_one_to_one_where_they_are_asked_both_ways():
    for name in ("CAPITALS", "PROVINCE_SEATS", "PROVINCE_LETTERS", "CHEMICALS"):
        pairs = getattr(facts, name)
        assert len({left for left, _ in pairs}) == len({right for _, right in pairs}) == len(pairs), name
    assert all(len(idiom) == 4 for idiom in facts.IDIOMS)
    assert all("\u4e00" <= c <= "\u9fff" for c in CHARACTERS)
    assert dict(facts.CAPITALS)["中国"] == "北京" and dict(facts.ENGLISH)["鸟"] == "bird"
