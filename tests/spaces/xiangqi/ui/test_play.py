"""The telling cases of the Play view: each seats whom it names and begins a game."""

import pytest

from spaces.xiangqi.ui import play, table
from spaces.xiangqi.ui.table import Table


@pytest.mark.parametrize(("number", "seats", "missing", "due"), [
    (0, ["article", "sighted"], 0, 10_000), (1, ["thinking", "article"], 2, 10_000), (2, ["me", "thinking"], 2, 0),
])
def test_a_telling_case_is_a_game_of_its_own(monkeypatch, number, seats, missing, due):
    monkeypatch.setattr(table, "seated", lambda name: name)
    asked, mine = [], Table()
    monkeypatch.setattr(mine, "replies", lambda moves, turn: asked.append(moves) or ())
    mine.do({"move": "h2e2"})
    list(play._try(mine, play.TRY[number][1]))
    assert mine.seats == seats and len(mine.game.nodes) == 1 and len(mine.shelf) == 1
    assert sum(piece != 0 for piece in mine.game.position.board) == 32 - missing
    assert asked == ([due] if due else [])
