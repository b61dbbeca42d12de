"""A game written out is the game read in."""

import pytest

from shared.experiment import InputError
from spaces.xiangqi.ui.exchange import FORMATS, written
from spaces.xiangqi.ui.table import Table

KINDS = [kind for _, kind in FORMATS if kind != "fen"]


def _table(words: str, **event) -> Table:
    table = Table()
    table.do({"do": "new", "who": "both"} | event)
    for word in words.split():
        table.do({"move": word})
    return table


def _again(table: Table, kind: str) -> tuple:
    again = Table()
    again.read(written(table, kind))
    return again.game.record().fen, again.game.record().moves


@pytest.mark.parametrize("kind", KINDS)
def test_from_the_usual_start(kind):
    table = _table("h2e2 h9g7")
    assert _again(table, kind) == (table.game.fen, table.game.record().moves)


@pytest.mark.parametrize("kind", KINDS)
def test_a_first_position_of_its_own_is_never_lost(kind):
    table = _table("a3a4 a6a5", gift="w:rooks")
    if kind == "moves":
        with pytest.raises(InputError, match="use PGN"):
            written(table, kind)
    else:
        assert _again(table, kind) == (table.game.fen, table.game.record().moves)


def test_the_position_alone():
    table = _table("h2e2")
    assert written(table, "fen") == table.game.position.fen()
