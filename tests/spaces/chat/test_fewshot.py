"""Questions are unseen in training, prompts end where the answer begins, exact matches are counted line by line."""

import itertools
import random
import re

import pytest
import torch

from spaces.chat import fewshot
from spaces.chat.fewshot import FORMS, OWN_FORMS, WEIGHTS, line_of, measure, prompts, questions, unseen
from spaces.chat.model import load
from spaces.chat.tasks import IN_PROMPT, KNOWN
from tests.spaces.chat.tiny import tiny


@pytest.fixture
def numbered(monkeypatch):
    """One task, whose pairs are (q0, a0), (q1, a1), … up to 999."""

    def task(rng):
        while True:
            n = rng.randrange(1000)
            yield f"q{n}", f"a{n}"

    monkeypatch.setattr(fewshot, "IN_PROMPT", {"numbered": task})
    monkeypatch.setattr(fewshot, "KNOWN", {})


def _asked(text: str) -> list[tuple[str, str]]:
    return [(f"q{n}", f"a{n}") for n in re.findall(r"q(\d+)", text)]


def test_training_shows_no_question_of_the_test(numbered):
    trained = {pair for text in prompts(1, 2000) for pair in _asked(text)}
    asked = {_asked(question.prompt)[-1] for question in questions("numbered", 500)}
    assert len(trained) > 850 and len(asked) > 50 and not trained & asked
    assert not any(unseen("numbered", pair) for pair in trained) and all(unseen("numbered", pair) for pair in asked)


def test_shots_of_a_test_are_not_its_question_and_stand_in_training_form(numbered):
    for question in questions("numbered", 100):
        *shots, (_, answer) = _asked(question.prompt)
        assert 3 <= len(shots) <= 8 and question.answer.startswith(answer)
        assert all(question.prompt.count(f"{a}") for _, a in shots) and (f"q{answer[1:]}", answer) not in shots


@pytest.mark.parametrize("task", sorted(IN_PROMPT))
def test_every_task_has_enough_questions_to_hold_some_out(task, monkeypatch):
    drawn, draw = [], fewshot._draw

    def spy(task, pairs, held_out):
        drawn.append((draw(task, pairs, held_out), held_out))
        return drawn[-1][0]

    monkeypatch.setattr(fewshot, "_draw", spy)
    assert len(list(questions(task, 10))) == 10
    assert all(unseen(task, pair) == held_out for pair, held_out in drawn)


def test_about_a_tenth_of_the_questions_is_held_out():
    rng = random.Random(0)
    pairs = IN_PROMPT["swap"](rng)
    share = sum(unseen("swap", next(pairs)) for _ in range(3000)) / 3000
    assert share == pytest.approx(0.10, abs=0.02)


def test_prompts_of_training_and_of_validation_differ_and_repeat_with_their_seed():
    one, again, two = (list(prompts(seed, 400)) for seed in (1, 1, 2))
    assert one == again and not set(one) & set(two)


def test_a_question_ends_where_its_answer_begins():
    for task in sorted(IN_PROMPT | KNOWN):
        for question in questions(task, 6):
            assert question.answer and "\n" not in question.answer
            assert not question.prompt.endswith(question.answer)


def test_every_form_has_one_question_and_one_answer_and_ends_a_line():
    for form in (*FORMS, *(form for forms in OWN_FORMS.values() for form in forms)):
        assert form.count("{q}") == form.count("{a}") == 1 and form.endswith("\n")
    names = set(IN_PROMPT | KNOWN)
    assert set(OWN_FORMS) <= names and set(WEIGHTS) <= names


def test_exact_matches_are_counted_by_kind():
    answers = {q.prompt: q.answer for task in IN_PROMPT | KNOWN for q in questions(task, 4)}
    turns = itertools.count()
    result = measure(lambda prompt: f" {answers[prompt]} " if next(turns) % 2 else "wrong", 4)
    assert result["in_prompt"] == result["known"] == 0.5 and set(result["tasks"]) == set(IN_PROMPT | KNOWN)


def test_the_line_that_follows_is_greedy_and_ends_where_the_line_does(tmp_path):
    folder = tiny(tmp_path)
    network, tokenizer = load(folder)
    ids = [tokenizer.eod_id, *tokenizer.encode("美国 华盛顿\n法国")]
    begin = len(ids)
    for _ in range(32):
        ids.append(int(network(torch.tensor([ids])).logits[0, -1].argmax()))
    assert line_of(folder)("美国 华盛顿\n法国") == tokenizer.decode(ids[begin:]).split("\n")[0]


@pytest.mark.parametrize("seed", range(4))
def test_a_short_cycle_runs_out_of_shots_but_not_of_questions(seed):
    for asked in questions("next_of_cycle", 60, seed):
        lines = asked.prompt.split("\n")
        assert not any(line.endswith(asked.answer) and line.startswith(lines[-1]) for line in lines[:-1] if lines[-1])
