"""fairy-stockfish in our words."""

from contextlib import closing

import pytest

from spaces.xiangqi import engine as engines
from spaces.xiangqi.board import parse_iccs
from spaces.xiangqi.engine import Engine, from_uci, to_uci
from spaces.xiangqi.rules import ALL_MOVES, Position


def test_uci_counts_ranks_from_one():
    assert to_uci(parse_iccs("h2e2")) == "h3e3" and from_uci("a10a9") == parse_iccs("a9a8")
    assert [from_uci(to_uci(move)) for move in ALL_MOVES] == list(ALL_MOVES)


@pytest.mark.skipif(not engines.installed(), reason="fairy-stockfish is not installed")
def test_the_engine_sees_mates_and_ends():
    engine, mate = Engine(), "4k4/9/9/9/9/9/9/9/R8/1R1K5 w - - 0 1"
    line = tuple(map(parse_iccs, ("a1a8", "e9f9", "b0b9")))
    engine.new_game()
    assert engine.think(mate, (), 6)[1] == 2 and engine.think(mate, line[:2], 6)[1] == 1
    assert engine.think(mate, line[:1], 6)[1] == -1 and engine.think(mate, line, 6) == (None, 0)
    engine.close()
    assert engine.process.poll() is not None


@pytest.mark.skipif(not engines.installed(), reason="fairy-stockfish is not installed")
def test_labels_count_mates_as_centipawns():
    with closing(Engine()) as engine:
        mate = "4k4/9/9/9/9/9/9/9/R8/1R1K5 w - - 0 1"
        assert engine.label(mate, (), 6)[1] == engines.MATE - 2
        assert engine.label(mate, (parse_iccs("a1a8"),), 6)[1] == 1 - engines.MATE
        best, score = engine.label(Position().fen(), (), 4)
        assert best in Position().legal_moves() and abs(score) < 200
