"""The game under study: read, cut, refused, and the lines offered."""

import pytest

from shared.experiment import InputError, from_query, to_query
from spaces.xiangqi import study
from spaces.xiangqi.faithful import PLIES
from spaces.xiangqi.record import play
from spaces.xiangqi.study import Study


def test_a_study_survives_its_link():
    first = Study(game="炮二平五 马8进7 马二进三", ply=2, lens="belief", style="engine")
    assert first.game == "h2e2h9g7h0g2" and len(first.moves) == 2 and len(first.line) == 3
    query = dict(part.split("=") for part in to_query(first)[1:].split("&"))
    again, errors = from_query(Study, query)
    assert again == first and not errors


def test_a_ply_beyond_the_end_is_the_end():
    assert Study(game="h2e2", ply=9).at == 1 and Study(game="", ply=3).moves == ()


@pytest.mark.parametrize("wrong, name", [
    ({"lens": "x-ray"}, "lens"), ({"ply": PLIES + 1}, "ply"), ({"detour": 3}, "detour"), ({"style": "me"}, "style"),
    ({"game": "h2e2 h2e2"}, "moves"), ({"game": "4k4/9/9/9/9/9/9/9/9/3K5 w"}, "game"),
    ({"game": "h2h3 h7h6 h3h2 h6h7 " * 32}, "game"), ({"game": "x" * 200_000}, "game"), ({"game": None}, "game"),
])
def test_bad_settings_name_their_field(wrong, name):
    with pytest.raises(InputError) as error:
        Study(**wrong)
    assert error.value.field == name


def test_a_long_game_is_cut():
    text, was_cut = study.cut("h2h3 h7h6 h3h2 h6h7 " * 32)
    assert was_cut and len(Study(game=text).line) == PLIES
    assert study.cut("h2e2") == ("h2e2", False)
    with pytest.raises(InputError, match="usual start"):
        study.cut("4k4/9/9/9/9/9/9/9/9/3K5 w")


def test_examples_are_legal_and_the_orders_meet():
    offered = study.examples()
    for game, ply in offered.values():
        assert 0 < ply <= len(Study(game=game).line)
    opening, order, detour = (study.unpacked(offered[name][0]) for name in ("opening", "order", "detour"))
    board = play("", opening[:12]).board
    assert play("", order[:12]).board == board == play("", detour[:52]).board and opening[:12] != order[:12]
    assert play("", order).board == play("", opening).board
