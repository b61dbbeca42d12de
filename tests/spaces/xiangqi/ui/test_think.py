"""Boards, lists and the strip of "See it think": what they show, without a browser."""

import json

import pytest

from shared.experiment import InputError
from shared.i18n import SEPARATOR, pick
from spaces.xiangqi.board import parse_iccs
from spaces.xiangqi.recitation import openings
from spaces.xiangqi.rules import Position
from spaces.xiangqi.study import LENSES
from spaces.xiangqi.ui import think
from spaces.xiangqi.ui.table import Table
from spaces.xiangqi.ui.think import attention, lists, pictures, recitation
from spaces.xiangqi.voices import MODELS, Saying

CANNON, HORSE = parse_iccs("h2e2"), parse_iccs("h0g2")
SAYING = Saying({CANNON: 0.5, HORSE: 0.25}, [("a0a9", 0.2, "blocked"), ("e4e5", 0.02, "empty")],
                {"blocked": 0.2, "empty": 0.02, "word": 0.01}, 0.02)


def test_arrows_are_the_likely_moves_and_the_likely_errors():
    arrows = pictures.policy_arrows(SAYING, "accent")
    assert [(a.move, a.label, a.color) for a in arrows] == [
        ("h2e2", "50%", "accent"), ("h0g2", "25%", "accent"), ("a0a9", "20%", "grey")]


def test_a_believed_board_keeps_its_marks():
    value = json.loads(pictures.picture(Position(), fade={0: 0.5}, marks=[pictures.Mark("e4", text="x")],
                                        believed=[5] + [0] * 89))
    assert value["board"] == "R" + "." * 89 and value["fade"] == {"a0": 0.5} and not value["sound"]
    assert value["marks"][0]["at"] == "e4" and value["legal"] == {}


def test_the_strip_has_both_notations():
    value = json.loads(pictures.moves_of((CANNON,), 1, 0))
    assert value["at"] == 1 and value["left"] == 0 and value["moves"][0] == {
        "word": f"炮二平五{SEPARATOR}C2=5", "iccs": "h2e2"}


def test_lists_name_rules_and_the_move_played():
    text = lists.says("faithful", SAYING, Position(), HORSE)
    assert "no. 2" in text and "played" in text and "25 %" in text
    assert "blocked: horse" in text and ">a0a9<" in text and "no piece on the square left" in text
    even = Saying({m: 0.01 for m in Position().legal_moves()}, [], {}, 0.0)
    assert lists.says("faithful", even, Position(), CANNON).count("xt-row played") == 1


def test_the_table_of_rules_has_here_and_mean():
    quiet = Saying({CANNON: 1.0}, [], {}, 0.0)
    table = lists.broken({model: {0: SAYING, 1: quiet} for model in MODELS}, 0)
    assert "20 %" in table and "10 %" in table and "not a move" in table


@pytest.mark.parametrize("p, said", [
    (0, "0.00 %"), (5e-5, "< 0.01 %"), (0.0004, "0.04 %"), (0.02, "2.0 %"), (0.5, "50 %")])
def test_percents(p, said):
    assert lists.percent(p) == said


def test_looks_are_arrows_with_their_ply():
    moves = tuple(map(parse_iccs, ("h2e2", "h9g7", "h0g2")))
    arrows = attention.looks(moves, [0.5, 0.1, 0.001, 0.2], "accent")
    assert [(a.move, a.label, a.weight) for a in arrows] == [("h0g2", "3", 1.0), ("h2e2", "1", 0.5)]


def test_steps_stay_in_the_game_and_a_pasted_game_is_shown_at_its_end():
    assert think._step(1, "h2e2", 1) == 1 and think._step(-1, "h2e2", 0) == 0 and think._step(1, "h2e2", 0) == 1
    game, ply = think._read("炮二平五 马8进7")
    assert game == "h2e2h9g7" and (ply["maximum"], ply["value"]) == (2, 2)
    with pytest.raises(ValueError, match="paste a game"):
        think._read(" ")


def test_every_lens_has_a_view_in_both_languages():
    assert tuple(think.VIEWS) == LENSES
    assert all(pick(label, "en") != pick(label, "zh") for label, _ in think.VIEWS.values())


def test_the_verdict_says_only_what_is_known():
    said = recitation.verdict({model: {} for model in MODELS}, 0, [0])
    assert "entropy" not in said and "熵" not in said and f"{openings().games} training games" in said
    heard = dict.fromkeys(MODELS, {1: SAYING, 2: Saying({CANNON: 1.0}, [], {}, 0.0)})
    assert "from 0.92 to <b>0.00</b> bits" in recitation.verdict(heard, 1, [7, 0])


def test_the_game_of_the_board_comes_from_its_table():
    table = Table()
    with pytest.raises(InputError, match="no move on the board"):
        think._of_board(table, "")
    table.do({"do": "new", "who": "both"})
    table.do({"move": "h2e2"})
    assert think._of_board(table, "")[0] == "h2e2"
    table.do({"do": "new", "who": "both", "gift": "w:rooks"})
    table.do({"move": "h2e2"})
    with pytest.raises(InputError, match="usual start"):
        think._of_board(table, "")
