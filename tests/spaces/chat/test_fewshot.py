"""Questions are unseen in training, prompts end where the answer begins, exact matches are counted line by line."""

import random
import re

import pytest

from spaces.chat import fewshot, model
from spaces.chat.fewshot import FORMS, OWN_FORMS, WEIGHTS, measure, prompts, questions, unseen
from spaces.chat.tasks import IN_PROMPT, KNOWN


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


def test_exact_matches_are_counted_by_kind(monkeypatch):
    answers = {q.prompt: q.answer for task in IN_PROMPT | KNOWN for q in questions(task, 4)}

    def say(model, tokenizer, asked):
        return [f" {answers[prompt]} " if i % 2 else "wrong" for i, prompt in enumerate(asked)]

    monkeypatch.setattr(model, "complete_lines", say)
    result = measure(None, None, 4)
    assert result["in_prompt"] == result["known"] == 0.5 and set(result["tasks"]) == set(IN_PROMPT | KNOWN)
