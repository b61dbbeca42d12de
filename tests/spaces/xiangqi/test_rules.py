"""Known values of the rules, and pyffish as the judge of positions from random play."""

import os
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.experiment import InputError
from shared.jsonl import read_rows
from spaces.xiangqi.board import iccs, parse_iccs
from spaces.xiangqi.record import play
from spaces.xiangqi.rules import ALL_MOVES, Position, perft

pyffish = pytest.importorskip("pyffish")


@pytest.mark.parametrize(("depth", "count"), [(1, 44), (2, 1920), (3, 79666)])
def test_perft_from_the_start(depth, count):
    assert perft(Position(), depth) == count


@pytest.mark.slow
def test_perft_four_plies():
    assert perft(Position(), 4) == 3_290_240


@pytest.mark.parametrize(("fen", "count"), [
    ("4k4/9/9/9/4r4/9/9/9/9/R3K4 w - - 0 1", 2),  # a pseudo-legal generator finds 15
    ("3k5/9/9/9/9/9/9/9/9/4K4 w - - 0 1", 2),  # the flying general: it finds 3
])
def test_known_counts(fen, count):
    assert len(Position(fen).legal_moves()) == count


def test_2086_moves_are_possible():
    assert len(ALL_MOVES) == 2086


def _walk(rng: random.Random, plies: int):
    position = Position()
    for _ in range(plies):
        moves = position.legal_moves()
        if not moves:
            return
        yield position, moves
        position.push(rng.choice(moves))


def _judge(positions: int, seed: int) -> None:
    rng, seen = random.Random(seed), 0
    while seen < positions:
        for position, moves in _walk(rng, 150):
            fen = position.fen()
            assert sorted(map(iccs, moves)) == sorted(_ours(m) for m in pyffish.legal_moves("xiangqi", fen, []))
            assert position.in_check() == pyffish.gives_check("xiangqi", fen, [])
            assert Position(fen).fen() == fen
            seen += 1


def _ours(uci: str) -> str:
    """pyffish counts ranks from 1 to 10."""
    cut = 3 if uci[2].isdigit() else 2
    return "".join(part[0] + str(int(part[1:]) - 1) for part in (uci[:cut], uci[cut:]))


def test_random_play_agrees_with_pyffish():
    _judge(300, seed=0)


@pytest.mark.slow
def test_more_random_play_agrees_with_pyffish():
    """XIANGQI_POSITIONS=100000 asks for the whole comparison (several minutes)."""
    _judge(int(os.environ.get("XIANGQI_POSITIONS", "3000")) // 2, seed=1)


@pytest.mark.slow
def test_positions_of_real_games_agree_with_pyffish(data):
    """The other half of XIANGQI_POSITIONS."""
    wanted, seen = int(os.environ.get("XIANGQI_POSITIONS", "3000")) // 2, 0
    for row in read_rows(data / "xiangqi" / "games.jsonl.xz"):
        position = Position()
        for word in row["moves"].split():
            fen = position.fen()
            legal = sorted(map(iccs, position.legal_moves()))
            assert legal == sorted(_ours(m) for m in pyffish.legal_moves("xiangqi", fen, []))
            assert word in legal
            position.push(parse_iccs(word))
            seen += 1
        if seen >= wanted:
            return


def test_pop_restores_the_position():
    rng, position = random.Random(1), Position()
    fens = [position.fen()]
    for _ in range(80):
        moves = position.legal_moves()
        if not moves:
            break
        position.push(rng.choice(moves))
        fens.append(position.fen())
    for fen in reversed(fens[:-1]):
        position.pop()
        assert position.fen() == fen


@pytest.mark.parametrize(("fen", "word"), [
    ("4k4/9/9/9/9/9/9/9/9/4K4 w - - 0 1", "face"),
    ("3k5/9/9/9/9/9/9/9/9/4K4 w junk - 0 1", "third and fourth"),
    ("3k5/9/9/9/9/9/9/9/9/4K4 w - - 0 1 more", "at most six"),
    ("3k5/9/9/9/9/4P4/4P4/9/9/4K4 w - - 0 1", "one soldier a file"),
    ("3k5/9/9/p8/p8/9/9/9/9/4K4 w - - 0 1", "one soldier a file"),
    ("3k5/9/9/9/9/9/9/9/3R5/4K4 w - - 0 1", "check"),
    ("rnbakabnr/9/1c5c1/p1p1p1p1p/9/9/P1P1P1P1P/1C5C1/9/RNBA1ABNR w - - 0 1", "king"),
    ("3k5/9/9/9/9/K8/9/9/9/9 w - - 0 1", "never stand"),
    ("3k5/9/9/9/PPPPPP3/9/9/9/9/4K4 w - - 0 1", "at most 5"),
    ("3k5/9/9/9/9/9/9/9/9/4K3 w - - 0 1", "files"),
    ("3k5/9/9/9/9/9/9/9/4K4 w - - 0 1", "10 ranks"),
    ("3k5/9/9/9/9/9/9/9/9/4X4 w - - 0 1", "unknown piece"),
    ("3k5/9/9/9/9/9/9/9/9/4K4 x - - 0 1", "side to move"),
    ("3k5/9/9/9/9/9/9/9/9/4K4 w - - -1 1", "counters"),
    ("", "line"),
])
def test_impossible_fens_are_refused_in_one_sentence(fen, word):
    with pytest.raises(InputError) as caught:
        Position(fen)
    assert caught.value.field == "fen" and word in caught.value.en


@pytest.mark.parametrize("word", ["", "h2", "h2h2", "z0a1", "h10e2", None, "h2e2 "[::-1]])
def test_malformed_words_are_refused(word):
    with pytest.raises(InputError):
        parse_iccs(word)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="abcdefghi0123456789-HE ij", max_size=8) | st.text(max_size=6) | st.none() | st.integers())
def test_any_word_is_a_move_or_an_input_error(word):
    try:
        move = parse_iccs(word)
    except InputError as error:
        assert error.field == "moves" and "\n" not in error.en
    else:
        assert 0 <= move < 8100 and parse_iccs(iccs(move)) == move


def test_an_illegal_move_is_named():
    with pytest.raises(InputError, match="move 2, a9a5, is not legal"):
        play("", [parse_iccs("H2-E2"), parse_iccs("a9a5")])
    assert play("", [parse_iccs("H2-E2")]).moves == [90 * 25 + 22]
