"""WXF and Chinese, both ways: textbook words, pyffish's WXF, and every legal move back from its own name."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.experiment import InputError
from spaces.xiangqi.board import iccs, parse_iccs
from spaces.xiangqi.notation import chinese, parse_notation, wxf
from spaces.xiangqi.rules import Position

THREE = "3k5/4P4/4P4/2P6/4P4/9/9/9/9/4K4 w"
PAIRS = "3k5/4P4/4P1P2/9/6P2/9/9/9/9/4K4 w"
FOUR = "3k5/4P4/4P4/4P4/4P4/9/9/9/9/4K4 w"
HORSES = "3k5/9/9/9/9/9/9/2N6/9/2N1K4 w"
BLACK_SOLDIERS = "3k5/9/9/9/9/4p4/9/4p4/9/5K3 b"


@pytest.mark.parametrize(("fen", "word", "wxf_word", "chinese_word"), [
    ("", "h2e2", "C2=5", "炮二平五"),
    ("", "b0c2", "H8+7", "马八进七"),
    ("", "a3a4", "P9+1", "兵九进一"),
    (THREE, "e8f8", "15=4", "前兵平四"),
    (THREE, "e7d7", "25=6", "中兵平六"),
    (THREE, "e5e6", "35+1", "后兵进一"),
    (THREE, "c6c7", "P7+1", "兵七进一"),
    (PAIRS, "g7g8", "13+1", "一兵进一"),
    (PAIRS, "e7d7", "25=6", "四兵平六"),
    (FOUR, "e7d7", "25=6", "二兵平六"),
    (FOUR, "e5e6", None, None),
    (HORSES, "c2e3", "H++5", "前马进五"),
    (HORSES, "c0a1", "H-+9", "后马进九"),
    (BLACK_SOLDIERS, "e2d2", "P+=4", "前卒平4"),
    (BLACK_SOLDIERS, "e4e3", "P-+1", "后卒进1"),
    ("3k5/9/9/9/9/9/9/3A5/9/3AK4 w", "d0e1", "A6+5", "仕六进五"),
])
def test_textbook_words(fen, word, wxf_word, chinese_word):
    position, move = Position(fen) if fen else Position(), parse_iccs(word)
    if wxf_word is None:
        assert move not in position.legal_moves()
        return
    assert (wxf(position, move), chinese(position, move)) == (wxf_word, chinese_word)
    assert parse_notation(position, wxf_word) == parse_notation(position, chinese_word) == move


@pytest.mark.parametrize(("fen", "word", "text"), [
    ("", "h2e2", "砲二平五"), ("", "h2e2", "炮2平5"), ("", "h2e2", "炮２平５"), ("", "h2e2", "c2.5"),
    ("", "h2e2", " Ｃ２＝５ "), ("", "c0e2", "B7+5"),
    ("", "b0c2", "馬八進七"), ("", "b0c2", "傌八進七"), ("", "b0c2", "N8+7"), ("", "a0a1", "俥九進一"),
    (HORSES, "c0a1", "後馬進九"), (HORSES, "c0a1", "-H+9"), (FOUR, "e8e9", "一兵进一"), (FOUR, "e5d5", "后兵平六"),
    (FOUR, "e5d5", "四兵平六"), (BLACK_SOLDIERS, "e2d2", "前卒平４"), (BLACK_SOLDIERS, "e2d2", "1卒平四"),
])
def test_other_spellings_are_read(fen, word, text):
    assert iccs(parse_notation(Position(fen) if fen else Position(), text)) == word


@pytest.mark.parametrize(("fen", "text", "word"), [
    ("", "炮二平二", "no legal"), ("", "", "no legal"), ("", "炮二平五六", "no legal"),
    (PAIRS, "前兵进一", "ambiguous"), ("", None, "no legal"), ("", "炮" * 10_000, "no legal"),
])
def test_what_names_no_single_move_is_refused(fen, text, word):
    with pytest.raises(InputError) as caught:
        parse_notation(Position(fen) if fen else Position(), text)
    assert word in caught.value.en and len(caught.value.en) < 120


def _walk(seed: int, plies: int):
    """Random play that pushes soldiers, so that they double."""
    rng, position = random.Random(seed), Position()
    for _ in range(plies):
        moves = position.legal_moves()
        if not moves:
            return
        yield position, moves, rng
        soldiers = [m for m in moves if position.board[m // 90] & 7 == 7]
        position.push(rng.choice(soldiers if soldiers and rng.random() < 0.4 else moves))


def test_every_move_comes_back_from_its_name():
    for seed in range(3):
        for position, moves, rng in _walk(seed, 120):
            words = {wxf(position, m) for m in moves} | {chinese(position, m) for m in moves}
            assert len(words) == 2 * len(moves)
            move = rng.choice(moves)
            for word in (wxf(position, move), chinese(position, move)):
                assert parse_notation(position, word) == move


def test_wxf_agrees_with_pyffish():
    """Where pyffish names the file though two stand on it (only one can go there), its word is read all the same."""
    pyffish, same, count = pytest.importorskip("pyffish"), 0, 0
    for seed in range(4):
        for position, moves, rng in _walk(seed, 120):
            move = rng.choice(moves)
            uci = "".join(s[0] + str(int(s[1]) + 1) for s in (iccs(move)[:2], iccs(move)[2:]))
            theirs = pyffish.get_san("xiangqi", position.fen(), uci, False, pyffish.NOTATION_XIANGQI_WXF)
            assert parse_notation(position, theirs) == move
            same, count = same + (theirs == wxf(position, move)), count + 1
    assert same / count > 0.98


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="炮马兵车前后中进退平一二三五九CHPR+-=.125９ ", max_size=6) | st.text(max_size=8))
def test_any_text_is_a_legal_move_or_an_input_error(text):
    position = Position(THREE)
    try:
        assert parse_notation(position, text) in position.legal_moves()
    except InputError as error:
        assert error.field == "moves"
