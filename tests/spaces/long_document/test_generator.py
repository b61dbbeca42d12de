"""A book of the length that was asked for, with its evidence where it was asked for."""

import random

import pytest

from shared.experiment import InputError
from spaces.long_document.generator import compose
from spaces.long_document.manners import MANNERS, passage
from spaces.long_document.settings import HIDDEN, Example


@pytest.mark.parametrize("place", [0, 35, 100])
@pytest.mark.parametrize("tokens", [512, 5000])
def test_length_and_place(place, tokens):
    text, (start, stop) = compose(len, Example(tokens, place))
    assert tokens * 0.9 - 200 < len(text) <= tokens
    assert 0.2 * tokens <= stop - start < 0.2 * tokens + 60
    assert "各" in text[start:stop] and "各" not in (text[:start] + text[stop:]).replace("各散", "")
    assert abs(start / (len(text) - (stop - start)) - place / 100) < 0.5 * 512 / tokens + 0.05


@pytest.mark.parametrize("genre", HIDDEN)
def test_every_genre_has_a_manner(genre):
    words, forms = MANNERS[genre]
    assert all(len(slot) == 1 for slot in words) and len(forms) > 2
    text = passage(genre, random.Random(1), 300)
    assert 300 <= len(text) < 400 and "{" not in text and text == passage(genre, random.Random(1), 300)


def test_the_same_book_twice_and_another_for_another_seed():
    assert compose(len, Example(seed=3)) == compose(len, Example(seed=3)) != compose(len, Example(seed=4))


def test_tokens_need_not_be_characters():
    text, _ = compose(lambda part: len(part) // 3, Example(4096, 50))
    assert 0.9 * 4096 < len(text) // 3 <= 4096


def test_bad_examples():
    for field, bad in {"genre": "诗", "place": 101, "tokens": 100, "share": 60}.items():
        with pytest.raises(InputError) as caught:
            compose(len, Example(**{field: bad}))
        assert caught.value.field == field
