"""The game as a tree: branches, travel, endings, handicaps, JSON that anybody may have changed."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.experiment import InputError
from spaces.xiangqi.board import BLACK, RED, START_FEN, iccs, parse_iccs
from spaces.xiangqi.game import GIFTS, MOST_NODES, Game, handicap_fen
from spaces.xiangqi.record import Record
from spaces.xiangqi.rules import Position

MATE = "3k5/9/9/9/9/9/9/9/R8/1R2K4 w - - 0 1"  # b0b9 is mate


def played(*words: str, fen: str = START_FEN) -> Game:
    game = Game(fen)
    for word in words:
        game.play(parse_iccs(word))
    return game


def wander(seed: int, steps: int) -> Game:
    """A random game that is often taken back."""
    game, rng = Game(), random.Random(seed)
    for _ in range(steps):
        if game.at and (game.ending or rng.random() < 0.2):
            game.undo(rng.randint(1, 4))
        else:
            game.play(rng.choice(game.legal))
    return game


def test_undo_redo_and_travel_lose_nothing():
    game = played("h2e2", "h9g7", "h0g2")
    game.undo()
    assert game.at == 2 and game.line() == [1, 2, 3] and game.turn == RED
    game.redo()
    assert game.at == 3
    game.travel(0)
    assert game.position.fen() == START_FEN and game.line() == [1, 2, 3]
    with pytest.raises(InputError, match="nothing to take back"):
        game.undo()
    game.redo(99)
    with pytest.raises(InputError, match="no move follows"):
        game.redo()


def test_another_move_branches_and_the_line_follows_it():
    game = played("h2e2", "h9g7")
    game.undo()
    game.play(parse_iccs("b9c7"))
    assert [game.nodes[n].words for n in game.line()] == [("炮二平五", "C2=5"), ("马2进3", "H2+3")]
    assert game.siblings(3) == [2] and game.siblings(1) == []
    game.travel(2)
    assert game.line() == [1, 2]
    game.undo()
    game.play(parse_iccs("b9c7"))  # known already: visited, not made again
    assert len(game.nodes) == 4 and game.at == 3


def test_an_illegal_move_or_node_changes_nothing():
    game = played("h2e2")
    before = game.to_json()
    for wrong in (parse_iccs("h2e2"), parse_iccs("a0a5"), -1, 8100):
        with pytest.raises((InputError, IndexError)):
            game.play(wrong)
    for wrong in (2, -1, 1.0, "1", None, True):
        with pytest.raises(InputError, match="no such move"):
            game.travel(wrong)
    assert game.to_json() == before


def test_mate_ends_the_game_and_undo_opens_it_again():
    game = played("b0b9", fen=MATE)
    assert game.ending is None  # a king on d9 can still step down
    game = played("b0b9", fen=MATE.replace("/R8/1R2", "/9/1R2").replace("3k5/9", "3k5/R8"))
    assert (game.ending.winner, game.ending.en) == (RED, "checkmate")
    assert game.record().result == "1-0"
    with pytest.raises(InputError, match="game is over"):
        game.play(parse_iccs("d9d8"))
    game.undo()
    assert game.ending is None and game.record().result == "*"


def test_a_resignation_is_taken_back_before_the_move():
    game = played("h2e2")
    game.resign(BLACK)
    assert (game.ending.winner, game.ending.zh) == (RED, "黑方认输") and game.record().result == "1-0"
    with pytest.raises(InputError, match="over"):
        game.resign(BLACK)
    again = Game.from_json(json.loads(json.dumps(game.to_json())))
    assert again.ending == game.ending
    game.undo()
    assert game.ending is None and game.at == 1


def test_a_record_goes_in_and_out():
    moves = tuple(map(parse_iccs, ("h2e2", "h9g7", "h0g2")))
    record = Record(moves=moves, result="1/2-1/2", tags={"Red": "甲"})
    assert Game.from_record(record).record() == record
    game = Game.from_record(record)
    game.travel(1)
    assert game.record() == record  # the whole line, wherever it is shown


@pytest.mark.parametrize("gift", GIFTS)
@pytest.mark.parametrize("giver", [RED, BLACK])
def test_handicaps_leave_out_what_they_say(giver, gift):
    position, full = Position(handicap_fen(giver, gift)), Position()
    gone = [s for s in range(90) if position.board[s] != full.board[s]]
    assert {full.board[s] >> 3 for s in gone} == {giver} and len(gone) == len(GIFTS[gift])
    assert position.turn == RED and len(position.legal_moves()) > 30


@pytest.mark.parametrize(("giver", "gift"), [(RED, "king"), (2, "rook"), (-1, "rook")])
def test_unknown_handicaps_are_named(giver, gift):
    with pytest.raises(InputError, match="handicap"):
        handicap_fen(giver, gift)


@pytest.mark.parametrize("seed", range(3))
def test_json_brings_the_tree_back(seed):
    game = wander(seed, 120)
    game.judge(0.25)
    data = json.loads(json.dumps(game.to_json()))
    again = Game.from_json(data)
    assert again.to_json() == game.to_json()
    assert again.position.fen() == game.position.fen() and again.line() == game.line() and again.legal == game.legal
    assert [n.words for n in again.nodes] == [n.words for n in game.nodes]


@pytest.mark.parametrize("change", [
    {"version": 2}, {"fen": "9/9 w"}, {"fen": 7}, {"moves": [["h2h8", 0]]}, {"moves": [["a0a5", 0]]},
    {"moves": [["h2e2", 1]]}, {"moves": [["h2e2", -1]]}, {"moves": [["h2e2", 0], ["h2e2", 0]]}, {"moves": [["h2e2"]]},
    {"moves": None}, {"moves": [["h2e2", 0]] * (MOST_NODES + 1)}, {"at": 9}, {"at": "0"}, {"resigned": [9, 0]},
    {"resigned": [0, 2]}, {"resigned": 1}, {"chosen": {"0": 5}}, {"chosen": {"x": 1}}, {"tags": []}, {"value": "x"},
    {"tags": {"Event": "x" * 300_000}},
])
def test_a_changed_json_is_refused_in_one_sentence(change):
    data = played("h2e2", "h9g7").to_json() | change
    with pytest.raises(InputError) as error:
        Game.from_json(data)
    assert error.value.en.endswith(".") and error.value.zh.endswith("。") and "\n" not in str(error.value)


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
                    max_leaves=8)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from("version fen tags result moves value chosen at resigned ends".split()), JSON)
def test_any_json_is_a_game_or_an_input_error(key, value):
    try:
        game = Game.from_json(played("h2e2", "h9g7").to_json() | {key: value})
    except InputError:
        return
    assert Game.from_json(game.to_json()).to_json() == game.to_json()


def test_a_result_belongs_to_its_own_line():
    game = Game.from_record(Record(moves=(parse_iccs("h2e2"), parse_iccs("h9g7")), result="1-0"))
    assert game.record().result == "1-0"
    game.undo()
    assert Game.from_json(json.loads(json.dumps(game.to_json()))).record().result == "1-0"
    game.play(parse_iccs("b9c7"))
    assert game.record().result == "*"


@pytest.mark.parametrize("change", [{"value": 10**400}, {"chosen": {"0": 1.0}}, {"resigned": [0, 0.0]}, {"ends": "2"}])
def test_numbers_of_another_kind_are_refused(change):
    with pytest.raises(InputError, match="damaged"):
        Game.from_json(played("h2e2", "h9g7").to_json() | change)


def test_a_game_has_a_most(monkeypatch):
    monkeypatch.setattr("spaces.xiangqi.game.MOST_NODES", 2)
    game = played("h2e2", "h9g7")
    with pytest.raises(InputError, match="at most 2 moves"):
        game.play(parse_iccs("h0g2"))
    assert iccs(game.nodes[game.at].move) == "h9g7" and game.turn == RED
