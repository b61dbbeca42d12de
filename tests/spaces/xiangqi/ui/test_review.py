"""The review on the page: partial pictures, a line followed, a branch on the table."""

import json
import threading

import pytest

from shared.experiment import InputError
from spaces.xiangqi import game as games
from spaces.xiangqi import review as reviews
from spaces.xiangqi.board import parse_iccs
from spaces.xiangqi.player import Analysis
from spaces.xiangqi.review import Asked
from spaces.xiangqi.ui import review as page
from spaces.xiangqi.ui.review import Desk
from spaces.xiangqi.ui.table import Table

BETTER = parse_iccs("b9c7")


@pytest.fixture
def table():
    table = Table()
    table.read("h2e2 h9g7 h0g2 i9h9")
    return table


@pytest.fixture
def desk(monkeypatch, table):
    lines = {1: (BETTER, parse_iccs("h0g2")), 2: (parse_iccs("h0g2"),)}
    values = (0.0, 0.5, 0.5, 0.0, 0.0)
    monkeypatch.setattr(reviews, "study", lambda fen, moves, seconds: Analysis(
        {}, value=values[len(moves)], line=lines.get(len(moves), ()), score={0: 0.0}))
    desk = Desk()
    desk.begin(table, 0.3)
    return desk


def test_parts_are_shown_while_it_runs(desk):
    assert "Accuracy" in page.summary(desk)
    steps = list(page._running(desk))
    assert json.loads(steps[0][1])["layers"] and "Done" in steps[-1][-1]
    desk.go(1)
    said, scene = page.summary(desk), json.loads(page.picture(desk))
    assert "75 % → 25 %" in said and "马2进3，马二进三" in said
    assert [a["move"] for a in scene["arrows"]] == ["b9c7", "h9g7"] and scene["legal"] == {}
    assert "−50 points" in page.button(desk.review, 0)["value"] and page.button(desk.review, 2)["visible"] is False


def test_without_a_line_nothing_is_called_the_best(desk):
    list(page._running(desk))
    for at, best in ((0, False), (2, True), (3, False)):
        desk.go(at)
        assert ("the best move" in page.summary(desk)) is best


def test_the_better_line_is_followed_and_played_on_the_table(desk, table):
    list(page._running(desk))
    desk.go(1)
    page.step_line(desk, 1)
    assert json.loads(page.picture(desk))["last"] == "b9c7"
    page.step_line(desk, -5)
    assert desk.ahead == 0
    for _ in page.to_table(table, desk):
        pass
    game = table.game
    assert game.at == 1 and [game.nodes[n].move for n in game.line()][1:] == [BETTER, parse_iccs("h0g2")]
    assert len(game.nodes) == 7 and len(game.siblings(2)) == 1  # the old moves are still there


def test_a_second_line_branches_after_the_first(desk, table):
    list(page._running(desk))
    for at in (1, 2):
        desk.go(at)
        list(page.to_table(table, desk))
        assert table.game.at == desk.nodes[at] and table.seats == ["me", "me"]


def test_a_new_review_waits_for_the_position_under_way(desk, table, monkeypatch):
    thinking, go = threading.Event(), threading.Event()

    def slow(fen, moves, seconds):
        thinking.set()
        assert go.wait(10)
        return Analysis({}, value=0.0, line=(BETTER,), score={0: 0.0})

    monkeypatch.setattr(reviews, "study", slow)
    old = threading.Thread(target=lambda: list(page._running(desk)))
    old.start()
    assert thinking.wait(10)
    table.read("b0c2 h9g7")
    new = threading.Thread(target=desk.begin, args=(table, 0.3))
    new.start()
    new.join(0.2)
    assert new.is_alive()
    go.set()
    old.join(10)
    new.join(10)
    assert desk.review.step == 0 and len(desk.review.moves) == 2


def test_another_game_on_the_table_is_left_alone(desk, table):
    list(page._running(desk))
    desk.go(1)
    table.read("b0c2")
    before = table.keep()
    with pytest.raises(InputError, match="another game"):
        list(page.to_table(table, desk))
    assert table.keep() == before
    desk.go(0)
    with pytest.raises(InputError, match="no line"):
        page.step_line(desk, 1)


def test_without_room_for_the_line_the_table_stays(desk, table, monkeypatch):
    list(page._running(desk))
    desk.go(1)
    monkeypatch.setattr(games, "MOST_NODES", len(table.game.nodes))
    before, turn = table.keep(), table.turn
    with pytest.raises(InputError, match="a game holds at most"):
        list(page.to_table(table, desk))
    assert table.keep() == before and table.turn == turn


@pytest.mark.parametrize("gift", ["", "w:rooks"])
def test_a_link_brings_the_game(gift):
    table, friend = Table(), Table()
    table.do({"do": "new", "who": "both", "gift": gift})
    for word in ("a3a4", "a6a5"):
        table.do({"move": word})
    table.do({"do": "first"})
    fen, moves = page.present(table, "")
    assert (moves, bool(fen)) == ("a3a4 a6a5", bool(gift)) and Asked(1.0, fen, moves)
    page.follow(friend, "", fen, moves)
    assert friend.game.record() == table.game.record() and friend.seats == ["me", "me"]
    before = friend.keep()
    page.follow(friend, "", "", "")  # a link with the seconds alone
    assert friend.keep() == before
    for wrong in ({"seconds": 2}, {"fen": "9 w"}, {"moves": "a0a9"}):
        with pytest.raises(InputError):
            Asked(**wrong)


def test_nothing_to_review():
    with pytest.raises(InputError, match="no move to review"):
        Desk().begin(Table(), 0.3)
