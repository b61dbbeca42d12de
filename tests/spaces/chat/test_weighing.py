"""The scales agree with shots.py; switching off is leaving out; figures say what was weighed and escape it."""

import math

import pytest

from shared.experiment import InputError
from spaces.chat import weighing_figures as figures
from spaces.chat.examples import ALL, ARTICLE, MORE
from spaces.chat.shots import SEPARATORS, TEMPLATES, Scorer
from spaces.chat.voices import speaker
from spaces.chat.weighing import ALL_FORMS, Weighing, parse, weigh
from tests.spaces.chat.tiny import tiny


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny(tmp_path_factory.mktemp("weighing") / "tiny", 256)


def test_sums_and_switches_are_scores_of_prompts(model):
    asked = Weighing(model=model)
    *_, all_on = weigh(asked)
    *_, one_off = weigh(asked.switch(1))
    score = Scorer(speaker(model)).score
    prompt = all_on.prompt
    assert all_on.whole == all_on.all_on == pytest.approx(score(prompt.write(), "北京"), abs=1e-4)
    assert one_off.whole == pytest.approx(all_on.whole - all_on.worth[1], abs=1e-4)
    assert one_off.all_on == pytest.approx(all_on.whole, abs=1e-4)
    assert one_off.on == (True, False, True, True) and one_off.worth[1] is None
    assert all_on.none == pytest.approx(score("中国 ", "北京"), abs=1e-4)
    assert len(all_on.grid) == len(TEMPLATES) and len(all_on.grid[0]) == len(SEPARATORS)
    assert [c.text for c in all_on.candidates] == ["北京", "巴黎", "东京", "柏林", "伦敦"]


def test_all_examples_off_is_the_question_alone(model):
    *_, found = weigh(Weighing(model=model, off="1,2,3,4"))
    assert found.whole == pytest.approx(found.none) and found.worth == (None,) * 4
    assert "0.0 nat" in figures.verdict(found) and figures.table_of_forms(found)


def test_a_switch_pressed_twice_is_as_before():
    assert Weighing(off="3").switch(0).off == "1,3" and Weighing(off="1,3").switch(0).off == "3"


@pytest.mark.parametrize("example", [e for e in ARTICLE + MORE if e.answer], ids=lambda e: e.key)
def test_every_example_with_an_answer_can_be_weighed(example):
    found = parse(Weighing(prompt=example.prompt, answer=example.answer))
    assert len(found.prompt.shots) >= 3 and found.prompt.write() == example.prompt
    assert example.shape in ALL_FORMS or found.prompt.form in ALL_FORMS


def test_examples_are_enough_and_their_settings_valid():
    assert len(ARTICLE) == 4 and len(MORE) >= 12 and len(ALL) == len(ARTICLE) + len(MORE)
    assert all(example.settings.prompt == example.prompt for example in ALL.values())


@pytest.mark.parametrize(
    "wrong, field",
    [
        ({"prompt": "没有例子"}, "prompt"), ({"answer": " "}, "answer"), ({"off": "x"}, "off"),
        ({"answer": "长" * 101}, "answer"), ({"model": "server"}, "model"),
    ],
)  # fmt: skip
def test_what_cannot_be_weighed_is_named(wrong, field):
    with pytest.raises(InputError) as caught:
        list(weigh(Weighing(**wrong)))
    assert caught.value.field == field


def test_tables_escape_what_a_visitor_wrote(model):
    prompt = "<img src=x onerror=1> 甲\n乙乙 丙\n丁 "
    *_, found = weigh(Weighing(prompt=prompt, answer="<b>", model=model))
    for text in (figures.verdict(found), figures.table_of_forms(found), figures.table_of_priors(found)):
        assert "<img" not in text and "“<b>”" not in text


@pytest.mark.parametrize(
    "p, said",
    [(0.43, "43 %"), (0.02, "2 %"), (0.0015, "0.15 %"), (9.6e-4, "0.096 %"), (9.4e-4, "0.094 %"), (5e-4, "0.05 %"),
     (3e-7, "3 × 10⁻⁷")],
)  # fmt: skip
def test_chances_read_as_a_reader_would(p, said):
    assert figures.chance(math.log(p)) == said


@pytest.mark.parametrize(
    "value, text", [(9.6e-6, "1 × 10⁻⁵"), (9.4e-6, "9 × 10⁻⁶"), (1e-7, "1 × 10⁻⁷"), (0.43, "43 %")]
)
def test_a_chance_has_one_digit_before_its_power(value, text):
    assert figures.chance(math.log(value)) == text
