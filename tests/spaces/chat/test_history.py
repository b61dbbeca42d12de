"""Branches, export and import there and back, hostile files, the cut of a long conversation."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.experiment import InputError
from spaces.chat import history
from spaces.chat.history import ROOT, Conversation, Turn, as_prompt, from_json, from_markdown


def talk() -> Conversation:
    hello = Conversation().say("user", "你好").say("model", "你好！", "ours")
    return hello.say("user", "再见").say("model", "再见。", "ours")


def test_a_branch_keeps_what_was_said():
    edited = talk().again(2, "天气？").say("model", "晴。", "ours")
    assert [edited.turns[i].text for i in edited.branch()] == ["你好", "你好！", "天气？", "晴。"]
    assert edited.versions(2) == [2, 4] and len(edited.turns) == 6
    assert [edited.show(2).turns[i].text for i in edited.show(2).branch()][-1] == "再见。"
    assert edited.back_to(1).branch() == [0, 1] and edited.back_to(ROOT).branch() == []


def test_a_question_after_nothing_has_its_own_versions():
    again = talk().again(0, "早")
    assert again.branch() == [4] and again.versions(4) == [0, 4]


TEXT = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\r"), max_size=40)


@given(st.lists(st.tuples(st.sampled_from(history.ROLES), TEXT), max_size=6))
def test_json_there_and_back(turns):
    conversation = Conversation()
    for role, text in turns:
        conversation = conversation.say(role, text, "m" if role == "model" else "")
    assert from_json(conversation.to_json()) == conversation


@given(st.lists(st.sampled_from(["a", "## 问 · You", "\\## x", "# b", "", "答：c", "## 答 · Model · x"]), max_size=5))
def test_markdown_there_and_back_whatever_stands_in_a_turn(lines):
    text = "\n".join(lines).strip("\n")
    conversation = Conversation().say("user", text).say("model", "好", "our model")
    assert from_markdown(conversation.to_markdown()) == conversation


def test_markdown_is_of_the_branch_in_view():
    text = talk().again(2, "天气？").to_markdown()
    assert "天气？" in text and "再见" not in text


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{", "null", '{"version": 2, "turns": [], "current": -1}',
        '{"version": 1, "turns": 3, "current": -1}',
        '{"version": 1, "turns": [[0, "user", "a", ""]], "current": 0}', "[" * 100_000,
        '{"version": 1, "turns": [[-1, "root", "a", ""]], "current": 0}',
        '{"version": 1, "turns": [[-1, "user", 5, ""]], "current": 0}',
        '{"version": 1, "turns": [[-1, "user", "a", ""]], "current": 1}',
        '{"version": 1, "turns": [[-1, "user", "a"]], "current": 0}',
        '{"version": 1, "turns": [[true, "user", "a", ""]], "current": 0}',
        '{"version": 1, "turns": [[-1, "user", "\\ud800", ""]], "current": 0}',
        '{"version": 1, "turns": [[-1, "model", "a", "\\udfff"]], "current": 0}',
        '{"version": 1, "turns": [], "current": -' + "1" * 5000 + "}",
        '{"version": 1, "turns": [], "current": "x"}', '{"version": 1, "turns": []}',
    ],
)  # fmt: skip
def test_broken_json_is_refused(text):
    with pytest.raises(InputError, match="unchanged"):
        from_json(text)


def test_too_much_is_refused(monkeypatch):
    row = [-1, "user", "a" * (history.MOST_CHARACTERS + 1), ""]
    with pytest.raises(InputError, match="characters"):
        from_json(json.dumps({"version": 1, "turns": [row], "current": 0}))
    with pytest.raises(InputError, match="turns"):
        from_json(json.dumps({"version": 1, "turns": [[-1, "user", "", ""]] * 2001, "current": 0}))
    rows = [[i - 1, "user", "a" * 99_999, ""] for i in range(11)]
    with pytest.raises(InputError, match="in all"):
        from_json(json.dumps({"version": 1, "turns": rows, "current": 0}))
    monkeypatch.setattr(history, "MOST_BYTES", 10)
    with pytest.raises(InputError, match="MB"):
        from_json(talk().to_json())


@pytest.mark.parametrize("text", ["", "hello", "x\n## 问 · You\n\na"])
def test_other_markdown_is_refused(text):
    with pytest.raises(InputError, match="unchanged"):
        from_markdown(text)


def test_turns_that_are_not_there():
    for turn in (9, -2, "a", True):
        with pytest.raises(InputError):
            talk().show(turn)


def test_the_oldest_turns_fall_out_first_and_no_answer_stands_alone():
    turns = [Turn(ROOT, ("user", "model")[i % 2], str(i) * 8) for i in range(7)]  # 11 characters a line
    assert as_prompt(turns, len, 1000) == (written := as_prompt(turns, len, 79)) and written.fallen == 0
    cut = as_prompt(turns, len, 50)  # 答： and four lines; the first of them an answer, which goes too
    assert cut.fallen == 4 and cut.prompt.startswith("问：4") and cut.prompt.endswith("答：")
    assert as_prompt(turns, len, 1).fallen == 6


def test_only_turns_that_may_fit_are_measured():
    turns, measured = [Turn(ROOT, "user", "12345678")] * 1000, []

    def measure(text):
        measured.append(text)
        return len(text)

    assert as_prompt(turns, measure, 50).fallen == 996 and len(measured) == 6


def test_room_is_what_one_more_turn_may_have(monkeypatch):
    assert talk().room == history.MOST_CHARACTERS
    monkeypatch.setattr(history, "MOST_IN_ALL", 15)
    assert talk().room == 15 - 10
    monkeypatch.setattr(history, "MOST_TURNS", 4)
    assert talk().room == 0
