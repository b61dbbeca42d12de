"""A book of the length that was asked for, with its evidence where it was asked for."""

import pytest

from shared.experiment import InputError
from spaces.long_document.generator import EVIDENCE, compose
from spaces.long_document.settings import Example


@pytest.mark.parametrize("place", [0, 35, 100])
@pytest.mark.parametrize("tokens", [512, 5000])
def test_length_and_place(place, tokens):
    text, (start, stop) = compose(len, Example(tokens, place))
    assert tokens * 0.9 - 200 < len(text) <= tokens
    assert text[start:stop] == EVIDENCE["医药养生"] and text.count(EVIDENCE["医药养生"]) == 1
    assert abs(start / (len(text) - (stop - start)) - place / 100) < 0.5 * 512 / tokens + 0.05


def test_the_same_book_twice_and_another_for_another_seed():
    assert compose(len, Example(seed=3)) == compose(len, Example(seed=3)) != compose(len, Example(seed=4))


def test_tokens_need_not_be_characters():
    text, _ = compose(lambda part: len(part) // 3, Example(4096, 50))
    assert 0.9 * 4096 < len(text) // 3 <= 4096


def test_bad_examples():
    for bad, field in [({"genre": "诗"}, "genre"), ({"place": 101}, "place"), ({"tokens": 100}, "tokens")]:
        with pytest.raises(InputError) as caught:
            compose(len, Example(**bad))
        assert caught.value.field == field
