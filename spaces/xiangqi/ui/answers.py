"""How the page is answered: every step and every refusal shows the table as it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from shared.experiment import InputError
from shared.page import complain
from spaces.xiangqi.game import Game
from spaces.xiangqi.ui.board import SIDES, scene
from spaces.xiangqi.ui.opponents import ME
from spaces.xiangqi.ui.panel import contents, names
from spaces.xiangqi.ui.table import Table

QUIET = {"show_progress": "hidden", "api_visibility": "private"}
RUN = QUIET | {"concurrency_limit": 40, "trigger_mode": "multiple"}  # a click during a model's thought counts


def view(table: Table, refused: bool = False) -> list[Any]:
    """What the page shows and keeps: values of the board, the panel, the browser's memory."""
    with table.lock:
        game = table.game
        bar, ended = _value(game), ""
        if (end := game.ending) is not None:
            bar = 0.0 if end.winner is None else 1.0 - 2.0 * end.winner
            ended = "draw" if end.winner is None else SIDES[end.winner]
        mine = end is None and table.seat() == ME
        picture = scene(game.position, table.look, legal=game.legal if mine else (), arrows=table.arrows,
                        names=names(table), bar=bar, busy=table.busy, ended=ended, refused=refused)
        return [picture, contents(table), table.keep()]


def _value(game: Game) -> float | None:
    """Red's expected result as it was last known, at most a move ago: not every player says one."""
    here = game.nodes[game.at]
    return game.nodes[here.parent].value if here.value is None and here.parent >= 0 else here.value


def answered(function: Callable[..., Iterator[None]]) -> Callable[..., Iterator[list[Any]]]:
    """A handler of (table, kept, …) whose every step, and every refusal, shows the table as it stands."""

    def handler(table: Table, kept: Any, *rest: Any) -> Iterator[list[Any]]:
        try:
            table.recall(kept)
            for _ in function(table, *rest):
                yield view(table)
        except InputError as error:
            complain(error)
            yield view(table, refused=True)

    return handler
