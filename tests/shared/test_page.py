"""Errors on their way to the visitor, and the promise that a view has a knob for every setting."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import gradio as gr
import pytest

from shared.experiment import InputError
from shared.live import Latest
from shared.page import Page, clicked, guard, halt, latest, restore_from_link, slider


def bad(value):
    raise InputError("value", "须为正。", "must be positive.")


def bad_stream(value):
    yield value
    raise InputError("value", "须为正。", "must be positive.")


def test_guard_turns_bad_input_into_a_toast_in_both_languages():
    with pytest.raises(gr.Error) as caught:
        guard(bad)(1)
    assert "value：须为正。" in caught.value.message and "value: must be positive." in caught.value.message


def test_what_a_visitor_typed_is_text_in_a_toast():
    def quoting(value):
        raise InputError(value, f"{value} 不对。", f"{value} is wrong.")

    with pytest.raises(gr.Error) as caught:
        guard(quoting)("<img src=x onerror=alert(1)>")
    assert "<img" not in caught.value.message and caught.value.message.count("&lt;img") == 4


def test_guard_keeps_what_a_stream_has_yielded():
    stream = guard(bad_stream)(1)
    assert next(stream) == 1
    with pytest.raises(gr.Error):
        next(stream)


def test_guard_hides_no_other_exception():
    with pytest.raises(ZeroDivisionError):
        guard(lambda: 1 / 0)()


def test_stop_ends_the_runs_under_way():
    runs = Latest()
    shown = latest(lambda: (step for step in range(3)))(runs)
    assert next(shown) == 0 and "Stopped" in halt(runs)
    assert list(shown) == [gr.skip()]


@pytest.mark.parametrize("sent", [{"x": 1}, {"x": 1, "y": "nan"}, {"x": 1, "y": 1e999}, {"x": [], "y": 0}, None, 3])
def test_a_click_is_two_finite_numbers(sent):
    assert clicked(SimpleNamespace(_data={"x": 2, "y": "0.5"})) == [2.0, 0.5]
    assert clicked(SimpleNamespace(_data={"start": 3}), "start") == [3.0]
    with pytest.raises(InputError, match="finite numbers"):
        clicked(SimpleNamespace(_data=sent))


def test_an_older_run_changes_nothing_more():
    """gradio sends the last result of a generator a second time when that ends: it must not be a picture."""
    runs, count = Latest(), latest(lambda name: ((name, step) for step in range(3)))
    old = count(runs, "old")
    assert next(old) == ("old", 0)
    assert list(count(runs, "new"))[-2:] == [("new", 2), gr.skip()]
    assert list(old) == [gr.skip()]


def test_a_view_without_a_knob_for_a_setting_is_refused():
    @dataclass(frozen=True)
    class Two:
        a: float = 1
        b: float = 2

    with gr.Blocks(), pytest.raises(ValueError, match=r"no knob for \['b'\]"):
        Page("tab").view("v", Two, {"a": gr.Number(1)}, gr.Button())


def test_a_slider_hands_on_what_was_typed_also_after_an_update():
    knob = slider(0, 1, value=0.5)
    rebuilt = type(knob)(**{**knob.constructor_args, "value": 0.7})  # what gradio does when a handler updates it
    assert knob.preprocess(9) == rebuilt.preprocess(9) == 9 and rebuilt.preprocess(None) is None


def test_only_the_linked_view_pays_for_its_link():
    """Every output of an event costs the browser time: the load event has none of the views' knobs."""

    @dataclass(frozen=True)
    class One:
        a: float = 1

    page, knobs = Page("tab"), [gr.Number(1, render=False) for _ in range(3)]
    with gr.Blocks() as demo:
        with gr.Tabs() as tabs, gr.Tab():
            for name, knob in zip("uvw", knobs, strict=True):
                knob.render()
                page.view(name, One, {"a": knob}, page.link_button(name), redraw=(float, [knob], knob))
        restore_from_link(demo, tabs, gr.HTML(), ("tab",), page.views)
    events = {e.targets[0]: e for e in demo.fns.values()}
    assert not set(knobs) & set(events[demo._id, "load"].outputs)
    filling = [e for e in demo.fns.values() if e.outputs == [knobs[1]] and e.targets[0][1] == "click"]
    assert [e.fn([7]) for e in filling] == [{"value": 7, "__type__": "update"}]
