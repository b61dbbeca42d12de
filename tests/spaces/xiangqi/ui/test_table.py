"""One visitor's table: what the page may ask for, what a reload brings back, models that are overtaken."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.experiment import InputError
from spaces.xiangqi import game as games
from spaces.xiangqi.board import START_FEN, iccs, parse_iccs
from spaces.xiangqi.player import Analysis
from spaces.xiangqi.ui import table as tables
from spaces.xiangqi.ui.panel import names, status
from spaces.xiangqi.ui.table import VERBS, Opening, Table

SOON = parse_iccs("h9g7")


@pytest.fixture
def table(monkeypatch):
    """Red by the visitor, black by a player who likes h9g7 and thinks that it is winning."""
    monkeypatch.setattr(tables, "analyse", lambda name, fen, moves: Analysis({SOON: 0.75, SOON + 1: 0.25}, value=0.5))
    table = Table()
    table.seats = ["me", "greedy"]
    return table


def test_a_move_its_answer_and_their_undoing(table):
    moves = table.do({"move": "h2e2"})
    busy = [table.busy for _ in table.replies(*moves)]
    assert busy == ["b", ""] and [iccs(m) for m in table.game.position.moves] == ["h2e2", "h9g7"]
    assert table.game.nodes[1].value == table.game.nodes[2].value == -0.5  # for red
    table.do({"do": "undo"})
    assert table.game.at == 0  # back to where the visitor is to move
    table.do({"do": "redo"})
    assert table.game.at == 2


def test_who_is_overtaken_while_thinking_plays_nothing(table):
    replies = table.replies(*table.do({"move": "h2e2"}))
    next(replies)
    table.do({"do": "look", "name": "flip"})  # does not interrupt
    assert table.look.flip and table.busy == "b"
    table.do({"do": "undo"})
    assert list(replies) == [None] and table.game.at == 0 and table.busy == ""


def test_models_play_each_other_until_paused(table):
    table.seats = ["random", "greedy"]
    assert table.do({"do": "step"})[0] == 1
    moves = table.do({"do": "new", "who": "none"})
    assert moves[0] > 100 and table.seats == ["random", "greedy"]
    replies = table.replies(*moves)
    next(replies)
    assert table.running
    table.do({"do": "pause"})
    assert not table.running and list(replies) == [None] and table.game.at == 0


def test_an_action_before_the_thought_began_is_obeyed(table):
    table.seats = ["random", "greedy"]
    moves = table.do({"do": "new", "who": "none"})
    table.do({"do": "pause"})  # before anybody asked for the replies
    list(table.replies(*moves))
    list(table.hint(moves[1]))
    assert table.game.at == 0 and not table.running and not table.arrows


def test_a_full_game_leaves_nobody_thinking(table, monkeypatch):
    monkeypatch.setattr(games, "MOST_NODES", 1)
    with pytest.raises(InputError, match="at most 1 moves"):
        list(table.replies(*table.do({"move": "h2e2"})))
    assert not table.busy and not table.running


@pytest.mark.parametrize("act", [
    lambda table: table.replies(*table.do({"do": "new", "who": "none"})),
    lambda table: table.hint(table.do({"do": "hint"})[1]),
])
def test_a_page_that_leaves_leaves_nobody_thinking(table, act):
    table.seats = ["random", "greedy"]
    under_way = act(table)
    next(under_way)
    assert table.busy
    under_way.close()
    assert not table.busy and not table.running


def test_a_resignation_elsewhere_does_not_count(table):
    table.do({"move": "h2e2"})
    table.do({"do": "resign"})
    table.do({"do": "travel", "node": 0})
    for _ in table.replies(*table.do({"move": "h2d2"})):
        pass
    table.do({"do": "undo"})
    assert table.game.at == 0


@pytest.mark.parametrize("text", ["", " \n", "{only a comment", "*", "{either/or/and/so on}"])
def test_nothing_to_read_leaves_the_table(table, text):
    table.do({"move": "h2e2"})
    with pytest.raises(InputError, match="no move, position or tag"):
        table.read(text)
    assert len(table.game.nodes) == 2 and table.seats == ["me", "greedy"]


def test_the_usual_start_is_read(table):
    table.do({"move": "h2e2"})
    table.read(f"\ufeff {START_FEN}\n")
    assert len(table.game.nodes) == 1 and table.game.fen == START_FEN and len(table.shelf) == 1


def test_a_hint_is_arrows_and_a_value(table):
    table.game.travel(0)
    for _ in table.hint(table.turn):
        pass
    assert [(a.move, a.label, a.color) for a in table.arrows] == [
        ("h9g7", "75%", "accent"), (iccs(SOON + 1), "25%", "counter")]
    assert table.game.nodes[0].value == 0.5


def test_new_games_seat_and_flip(table):
    assert table.do({"do": "new", "who": "black", "gift": "b:rooks"})[0] == 1
    assert table.seats == ["greedy", "me"] and table.look.flip
    assert table.game.fen.startswith("1nbakabn1/")
    table.do({"do": "new", "who": "both"})
    assert table.seats == ["me", "me"] and not table.look.flip


def test_a_new_game_loses_nothing(table):
    table.do({"do": "seat", "side": "b", "player": "me"})
    table.do({"move": "h2e2"})
    table.read("1. 炮二平五 马8进7")
    table.do({"do": "new", "who": "both"})
    table.do({"do": "new", "who": "both"})  # nothing was played: nothing to keep
    assert [len(one["game"]["moves"]) for one in table.shelf] == [2, 1]
    again = Table()
    again.recall(table.keep())
    again.do({"do": "fetch", "index": 1})
    assert [iccs(m) for m in again.game.position.moves] == ["h2e2"] and len(again.shelf) == 1
    again.do({"do": "fetch", "index": 0})
    assert len(again.game.position.moves) == 2 and len(again.shelf) == 1
    for wrong in (1, -1, "0", None, True):
        with pytest.raises(InputError, match="no such earlier game"):
            again.do({"do": "fetch", "index": wrong})
    for shelf in ([1], [{}], [{"game": {"moves": 3}, "seats": ["me", "me"]}], {"a": 1}):
        kept = json.loads(table.keep()) | {"shelf": shelf}
        with pytest.raises(InputError, match="damaged"):
            Table().recall(json.dumps(kept))


def test_a_long_game_is_kept_too_and_older_ones_make_room(monkeypatch):
    around, tags = "h2h3 h7h6 h3h2 h6h7 " * 250, "".join(f'[T{i} "{"棋" * 400}"]\n' for i in range(40))
    table = Table()
    for text in ("b2e2", "h2e2", f"{tags}\n{around}"):
        table.read(text)
    table.do({"do": "new", "who": "both"})
    assert [len(one["game"]["moves"]) for one in table.shelf] == [1000, 1, 1]
    again = Table()
    again.recall(table.keep())
    again.do({"do": "fetch", "index": 0})
    assert len(again.game.position.moves) == 1000
    monkeypatch.setattr(tables, "SHELF_CHARACTERS", 1_000)
    table.read("h2e2")
    table.read(around)
    assert [len(one["game"]["moves"]) for one in table.shelf] == [1]


def test_keep_and_recall(table):
    for _ in table.replies(*table.do({"move": "h2e2"})):
        pass
    table.do({"do": "look", "name": "western"})
    again = Table()
    again.recall(table.keep())
    assert again.keep() == table.keep()
    again.recall(Table().keep())  # a table in use is not overwritten
    assert again.keep() == table.keep()


@pytest.mark.parametrize("kept", ["{", "[]", "7", '{"version": 1}', {"a": 1}, "x" * 400_000])
def test_a_damaged_memory_is_refused_once(kept):
    table = Table()
    with pytest.raises(InputError, match="saved game"):
        table.recall(kept)
    table.recall(kept)
    assert table.game.at == 0


def test_a_missing_player_who_was_kept_is_replaced():
    data = json.loads(Table().keep()) | {"seats": ["me", "nobody"]}
    table = Table()
    table.recall(json.dumps(data))
    assert table.seats == ["me", tables.default_opponent()]


@pytest.mark.parametrize("event", [
    None, [], {"do": "open"}, {"do": "keep"}, {"do": 3}, {}, {"move": "a0a1a2"}, {"move": "a0a4"}, {"move": None},
    {"do": "undo"}, {"do": "redo"}, {"do": "travel"}, {"do": "run"}, {"do": "step"}, {"do": "look", "name": "x"},
    {"do": "seat", "side": "x", "player": "me"}, {"do": "seat", "side": "w", "player": {}}, {"do": "new", "who": "us"},
    {"do": "new", "who": [1]},
    {"do": "seat", "side": []}, {"do": "look", "name": []}, {"do": "new", "gift": "w:queen"},
    {"do": "new", "gift": "rook"}, {"do": "seat", "side": "w", "player": "stockfish"},
])
def test_what_cannot_be_done_changes_nothing(table, event):
    before, turn = table.keep(), table.turn
    with pytest.raises(InputError):
        table.do(event)
    assert table.keep() == before and table.turn == turn


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(["do", "move", "node", "side", "player", "who", "gift", "name"]),
                       st.sampled_from(VERBS) | st.none() | st.integers(-3, 5) | st.text(max_size=6)
                       | st.lists(st.integers(), max_size=2) | st.sampled_from(["w", "me", "red", "w:rook", "flip"])))
def test_any_event_is_done_or_an_input_error(event):
    table = Table()
    try:
        table.do(event)
    except InputError:
        pass
    assert len(table.seats) == 2 and table.game.position.board.count(1) == 1


def test_a_link_brings_the_table(table):
    table.do({"move": "h2e2"})
    opening = table.opening()
    assert (opening.red, opening.moves, opening.fen) == ("me", "h2e2", "")
    again = Table()
    again.open(opening)
    assert again.game.position.fen() == table.game.position.fen() and again.seats == table.seats
    for wrong in ({"red": "nobody"}, {"moves": "h2h3h4"}, {"moves": "a0a9"}, {"fen": "9 w"}):
        with pytest.raises(InputError):
            Opening(**wrong)


def test_the_shelf_counts_the_line_and_not_its_branches(table):
    table.seats = ["me", "me"]
    table.do({"move": "h2e2"})
    table.do({"move": "h9g7"})
    table.do({"do": "undo"})
    table.do({"move": "b9c7"})  # a branch
    kept = Table()
    table.do({"do": "new"})
    kept.recall(table.keep())
    assert [one["plies"] for one in (*table.shelf, *kept.shelf)] == [2, 2]
    data = json.loads(table.keep())
    del data["shelf"][0]["plies"]  # an earlier version's memory
    older = Table()
    older.recall(json.dumps(data))
    assert older.shelf[0]["plies"] == 3


def test_a_record_names_its_players_and_its_result(table):
    table.read('[Red "甲"]\n[Black "?"]\n[Result "1-0"]\n\n1. 炮二平五 马8进7 1-0')
    assert "红方 · 甲" in names(table)["w"] and "甲" not in names(table)["b"]
    assert "红胜" in status(table)
    table.do({"do": "undo"})
    assert "红胜" not in status(table)


def test_a_hint_says_what_its_arrows_mean(table):
    moves, mine = table.do({"do": "hint"})
    for _ in table.hint(mine):
        pass
    assert len(table.arrows) == 2 and "Per cent" in status(table)
    table.do({"move": "h2e2"})
    assert "Per cent" not in status(table)
