"""Games as text: what people paste is read, what is wrong is named, nothing crashes."""

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.experiment import InputError
from spaces.xiangqi.board import START_FEN, parse_iccs
from spaces.xiangqi.record import MOST_CHARACTERS, NOTATIONS, Record, play, read_game, spelled, write_pgn
from spaces.xiangqi.rules import Position

OPENING = tuple(map(parse_iccs, ("h2e2", "h9g7", "h0g2", "i9h9")))
ENDGAME = "3k5/9/9/9/9/9/9/9/R8/5K3 b - - 3 40"


@pytest.mark.parametrize("text", [
    "h2e2 h9g7 h0g2 i9h9", "h2e2h9g7h0g2i9h9", "H2-E2 H9-G7 H0-G2 I9-H9", "1. H2-E2 H9-G7 2. H0-G2 I9-H9 *",
    "1. 炮二平五 马8进7\n2. 马二进三 车9平8", "1.炮二平五 馬8進7 2.馬二進三 車9平8", "炮二平五马８进７马二进三车９平８",
    "C2=5 h8+7 H2+3 r9=8",
    '[Game "Xiangqi"]\n[Result "*"]\n\n1. h2e2 {good; (so)} h9g7 (1... b9c7 2. (x) b0c2) $1\n2. h0g2 ; rest\ni9h9',
    "\ufeff1. h2e2 h9g7\r\n2. h0g2 i9h9\r\n",
])
def test_the_same_game_in_many_clothes(text):
    record = read_game(text)
    assert record.moves == OPENING and record.fen == START_FEN and record.result == "*"


def test_fen_alone_and_in_a_tag():
    assert read_game(ENDGAME) == Record(fen=ENDGAME)
    assert read_game(ENDGAME.split(" - ")[0]).fen == ENDGAME.replace("3 40", "0 1")
    record = read_game(f'[FEN "{ENDGAME}"]\n[Result "1-0"]\n\n40... d9e9')
    assert record.fen == ENDGAME and record.moves == (parse_iccs("d9e9"),) and record.result == "1-0"


@pytest.mark.parametrize(("text", "field", "word"), [
    ("h2e2 h9g7 a0a5", "moves", "move 3"), ("1. h2e2 foo", "moves", "move 2"), ("炮二平五 炮三平五", "moves", "move 2"),
    ("a" * (MOST_CHARACTERS + 1), "game", str(MOST_CHARACTERS)), (None, "game", "text"),
    ('[FEN "9/9 w"]', "fen", "10 ranks"), ("9/9/9/9/9/9/9/9/9/9 w", "fen", "king"),
    ("a0a1 a9a8 a1a0 a8a9 " * 300, "moves", "at most"),
    (START_FEN.replace("/9", "", 1), "fen", "10 ranks"), (START_FEN.replace("0 1", "-1 1"), "fen", "counters"),
    (START_FEN.replace("- -", "KQ -"), "fen", "six fields"), (f"{START_FEN} h2e2", "fen", "six fields"),
])
def test_what_is_wrong_is_named(text, field, word):
    with pytest.raises(InputError) as caught:
        read_game(text)
    assert caught.value.field == field and word in caught.value.en


def _random_record(seed: int, fen: str = START_FEN) -> Record:
    rng, position = random.Random(seed), Position(fen)
    for _ in range(60):
        if not (moves := position.legal_moves()):
            break
        position.push(rng.choice(moves))
    return Record(position.start_fen, tuple(position.moves), "*", {"Red": 'A "b"', "Black": "乙"})


@pytest.mark.parametrize("notation", NOTATIONS)
@pytest.mark.parametrize("fen", [START_FEN, ENDGAME])
def test_written_and_read_again(notation, fen):
    record = _random_record(1, fen)
    again = read_game(write_pgn(record, notation))
    assert (again.fen, again.moves) == (record.fen, record.moves)
    assert again.tags["Black"] == "乙" and again.tags["Format"] == notation and '"' not in again.tags["Red"]


def test_result_is_adjudicated_where_none_is_given():
    fen = "4k4/9/9/9/9/9/9/9/R8/1R1K5 w - - 0 1"
    mate = Record(fen, tuple(map(parse_iccs, ("a1a8", "e9f9", "b0b9"))))
    assert read_game(write_pgn(mate)).result == "1-0"
    with pytest.raises(InputError):
        spelled(mate, "Morse")


def test_empty_lines_cost_little():
    """A tag was looked for from each of them to the end of them all: a minute at the limit."""
    began = time.process_time()
    for text in ("a" + "\n" * 90_000 + "b", "a" + "\n" * 45_000 + "[" + "\n" * 45_000 + "b"):
        with pytest.raises(InputError):
            read_game(text)
    assert time.process_time() - began < 2


def test_tags_are_bounded():
    tags = "\n".join(f'[T{i} "x"]' for i in range(41))
    with pytest.raises(InputError, match="40 tags"):
        read_game(tags + "\n\nh2e2")
    assert len(read_game(tags.split("\n", 1)[1] + "\n\nh2e2").tags) == 40


def test_play_names_the_illegal_move():
    with pytest.raises(InputError) as caught:
        play("", [*OPENING, parse_iccs("a0a9")])
    assert "move 5" in caught.value.en


_PIECES = st.sampled_from(["h2e2", "h9g7", "1.", "12...", "炮二平五", "马8进7", "{", "}", "(", ")", ";", "\n", "1-0",
                           '[FEN "', '"]', "C2=5", START_FEN, "9", "/", "w", "$3", "…", "Ｈ", '[Result "x"]'])


@settings(max_examples=300, deadline=None)
@given(st.lists(_PIECES, max_size=12).map(" ".join) | st.lists(_PIECES, max_size=8).map("".join) | st.text(max_size=60))
def test_any_text_is_a_game_or_an_input_error(text):
    try:
        record = read_game(text)
    except InputError:
        return
    assert record.position().moves == list(record.moves)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="rnbakcpRNBAKCP123456789/ wb-01", max_size=90)
       | st.lists(st.sampled_from(START_FEN.split("/")), min_size=9, max_size=11).map("/".join))
def test_any_fen_is_a_position_or_an_input_error(text):
    try:
        position = Position(text)
    except InputError as error:
        assert error.field == "fen"
    else:
        assert Position(position.fen()).fen() == position.fen()
