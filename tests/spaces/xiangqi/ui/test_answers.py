"""What the page is shown after a step."""

import json

from spaces.xiangqi.board import parse_iccs
from spaces.xiangqi.ui.answers import view
from spaces.xiangqi.ui.table import Table


def test_the_bar_shows_a_value_that_is_at_most_a_move_old():
    table, bar = Table(), lambda: json.loads(view(table)[0])["bar"]
    assert bar() is None
    table.game.judge(0.5)
    seen = []
    for word in ("h2e2", "h9g7"):
        table.game.play(parse_iccs(word))
        seen.append(bar())
    assert seen == [0.5, None]
