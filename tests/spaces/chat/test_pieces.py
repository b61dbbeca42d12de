"""Words, pieces and ids cover the text; before the repair every line break is <unk>; a model reads both."""

import pytest

from shared.experiment import InputError
from spaces.chat import pieces
from spaces.chat.calculator import Shape
from spaces.chat.calculator_figures import memory_table, parameter_bars, size, ways_out
from spaces.chat.pieces import Spelling, compare, spell
from spaces.chat.pieces_figures import boxes, verdict
from spaces.chat.sampling import Sampling
from spaces.chat.ui.calculator import read, show
from spaces.chat.voices import Local
from tests.spaces.chat.tiny import tiny


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny(tmp_path_factory.mktemp("pieces") / "tiny")


def test_the_bug_takes_each_line_break():
    found = spell(Spelling("猫 cat\n狗 dog\n鸟 "))
    assert found.lost == 2 and found.decoded == "猫 cat\n狗 dog\n鸟 "
    assert "".join(word.text for word in found.now) == found.decoded
    assert boxes(found.before).count("class=unk") == 2 and "class=unk" not in boxes(found.now)
    assert "2 line breaks" in verdict(found)


def test_the_published_vocabulary_where_it_is_at_hand(data):
    found = spell(Spelling("床前明月光\n", "cpm"))
    assert found.size == 30_000 and found.lost == 1 and found.decoded == "床前明月光\n"


def test_boxes_escape_and_bound_what_they_show():
    assert "<img" not in boxes(spell(Spelling("<img src=x>")).now)
    assert boxes(spell(Spelling("天 " * 500)).now).count('class="word"') == 400


def test_both_readings_are_continued(model):
    *_, (now, before) = compare(Spelling("猫 cat\n狗 "), Local(model), Sampling(temperature=0.0, max_new_tokens=5))
    assert now.finish == before.finish == "length" and now.prompt_tokens != 0
    assert before.prompt_tokens == now.prompt_tokens + 1  # ▁ and <unk> for one piece


@pytest.mark.parametrize("wrong", [{"text": ""}, {"text": "长" * (pieces.LONGEST + 1)}, {"vocabulary": "/etc"}])
def test_what_cannot_be_spelt_is_named(wrong):
    with pytest.raises(InputError) as caught:
        Spelling(**wrong)
    assert caught.value.field in wrong


def test_the_calculator_tells_cpm_and_the_ways_out():
    said, table, bars, _ = show(32, 2560, 32, 30_000, 1024, True, "float16", 1)
    assert "2,597,073,920" in said and "327.7 kB" in table and "64.6%" in bars
    small = 4 * 10**9
    assert memory_table(Shape(), small, 1).count("does not fit") == 3 and "vllm serve" in ways_out(Shape(), small)
    assert ways_out(Shape(2, 64, 2, 100, 64), small) == "" and size(327_680) == "327.7 kB"
    assert parameter_bars(Shape()).count("<li>") == 5


def test_a_folders_configuration_is_read_without_its_weights(model, tmp_path):
    assert read(model) == [2, 64, 2, 8000, 128, True]
    (tmp_path / "config.json").write_text('{"hidden_size": 4}')
    for wrong in (str(tmp_path), "/no/such/folder", "some/model"):
        with pytest.raises(InputError) as caught:
            read(wrong)
        assert caught.value.field == "model"
