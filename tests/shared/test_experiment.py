"""Settings to a link and back, and every way in which a link or a JSON can be wrong."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.experiment import InputError, from_json, from_query, from_values, to_query


@dataclass(frozen=True)
class Knobs:
    rate: float = 0.5
    steps: int = 10
    stop_gradient: bool = True
    name: str = "mlp"
    cells: tuple[str, ...] = ("rnn", "lstm")

    def __post_init__(self):
        if not 0 < self.rate <= 1:
            raise InputError("rate", "须大于 0，至多 1。", "must be above 0 and at most 1.")


def read(query: str):
    return from_query(Knobs, dict(parse_qsl(query.lstrip("?"), keep_blank_values=True)))


@given(
    st.floats(1e-6, 1),
    st.integers(0, 10**6),
    st.booleans(),
    st.text(max_size=20).filter(lambda s: "\ud800" > s or True),
    st.lists(st.sampled_from(["rnn", "gru", "su"]), max_size=3),
)
def test_a_link_restores_what_it_was_made_from(rate, steps, stop_gradient, name, cells):
    settings = Knobs(rate, steps, stop_gradient, name.encode("utf-8", "ignore").decode(), tuple(cells))
    restored, errors = read(to_query(settings, tab="x", view="y"))
    assert (restored, errors) == (settings, [])


def test_a_link_of_the_defaults_names_the_tab_alone():
    assert to_query(Knobs(), tab="simsiam", view="toy") == "?tab=simsiam&view=toy"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("rate=7", "rate"),
        ("rate=x", "rate"),
        ("steps=1.5", "steps"),
        ("stop_gradient=yes", "stop_gradient"),
        ("colour=red", "colour"),
    ],
)
def test_what_is_wrong_in_a_link_is_named_and_the_rest_is_kept(query, field):
    settings, errors = read(f"{query}&name=fixed")
    assert [e.field for e in errors] == [field]
    assert settings == Knobs(name="fixed")


def test_a_link_is_read_in_the_order_of_the_fields():
    @dataclass(frozen=True)
    class Span:
        most: int = 9
        at: int = 0

        def __post_init__(self):
            if self.at > self.most:
                raise InputError("at", "太大。", "is too large.")

    assert from_query(Span, {"at": "20", "most": "30"}) == (Span(30, 20), [])


def test_gradios_own_parameters_are_left_alone():
    assert read("__theme=dark&tab=x&view=y") == (Knobs(), [])


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("{", "settings"),
        ("[1]", "settings"),
        ("[" * 100_000, "settings"),
        ('{"rate": ' + "9" * 5000 + "}", "settings"),
        ('{"rat": 1}', "rat"),
        ('{"rate": 2}', "rate"),
    ],
)
def test_what_is_wrong_in_json_is_named(text, field):
    with pytest.raises(InputError) as caught:
        from_json(Knobs, text)
    assert caught.value.field == field


def test_an_error_speaks_both_languages():
    text = str(InputError("rate", "须大于 0。", "must be above 0."))
    assert "rate" in text and "须大于 0。" in text and "must be above 0." in text


def test_emptied_knobs_fall_back_and_lists_become_tuples():
    @dataclasses.dataclass(frozen=True)
    class Knobs:
        names: tuple[str, ...] = ("a",)
        size: int = 3

    assert from_values(Knobs, [["b", "c"], None]) == Knobs(("b", "c"), 3)
    assert from_values(Knobs, [None, 0]) == Knobs(("a",), 0)
