"""The compiled rules are the rules."""

import random

import numpy as np
import pytest

from spaces.xiangqi import native, worth
from spaces.xiangqi.board import START_FEN
from spaces.xiangqi.rules import Position

FENS = [START_FEN, "r1bakab1r/9/1cn2cn2/p1p1p1p1p/9/2P6/P3P1P1P/1C2C1N2/9/RNBAKAB1R b",
        "3k5/4P4/4P4/9/9/9/9/4p4/4p4/5K3 w", "2bak4/4a4/4b4/9/4c4/4R4/9/4B4/4A4/2BAK4 w"]


def _legal(desk) -> set[int]:
    moves, out = np.empty(native.MOST_MOVES, np.int32), set()
    for move in moves[: native.generate(desk.board, desk.state[native.TURN], moves, False)].tolist():
        if native.make(desk, move):
            native.unmake(desk, move)
            out.add(move)
    return out


@pytest.mark.parametrize(("depth", "count"), [(1, 44), (2, 1_920), (3, 79_666), (4, 3_290_240)])
def test_perft(depth, count):
    assert native.perft(native.desk(Position()), depth) == count


@pytest.mark.parametrize("fen", FENS)
def test_moves_checks_and_sums_as_the_reference(fen):
    """After every move of a random game, made here or set up anew, everything agrees."""
    rng, position = random.Random(1), Position(fen)
    desk = native.desk(position)
    for _ in range(60):
        legal = position.legal_moves()
        assert _legal(desk) == set(legal) and desk.board[:90].tolist() == position.board
        assert bool(desk.checks[desk.state[native.PLY]]) == position.in_check()
        fresh = native.desk(Position(position.fen()))
        for name in (native.TURN, native.RED_KING, native.BLACK_KING, native.EARLY, native.LATE, native.PHASE,
                     native.HASH):
            assert desk.state[name] == fresh.state[name]
        if not legal:
            break
        position.push(move := rng.choice(legal))
        assert native.make(desk, move)
    assert desk.state[native.QUIET] == position.clock


def test_captures_are_the_moves_that_take():
    for fen in FENS:
        desk, moves = native.desk(Position(fen)), np.empty(native.MOST_MOVES, np.int32)
        every = moves[: native.generate(desk.board, desk.state[0], moves, False)].tolist()
        some = moves[: native.generate(desk.board, desk.state[0], moves, True)].tolist()
        assert some == [m for m in every if desk.board[m % 90]]


def test_unmaking_restores_everything():
    position, rng = Position(), random.Random(2)
    desk = native.desk(position)
    before = [part.copy() for part in (desk.board, desk.state)]
    made = []
    for _ in range(80):
        made.append(rng.choice(sorted(_legal(desk))))
        native.make(desk, made[-1])
    for move in made[::-1]:
        native.unmake(desk, move)
    assert (desk.board == before[0]).all() and (desk.state == before[1]).all()


def test_worth_is_fair():
    """The start is level, and the tables are symmetric between left and right, red and black."""
    early, late, share = worth.tables()
    desk = native.desk(Position())
    assert desk.state[native.EARLY] == desk.state[native.LATE] == 0 and desk.state[native.PHASE] == worth.FULL
    assert sum(share) == 2 * sum(worth.SHARE)
    for table in (early, late):
        assert (table[1:8] == -table[9:16, ::-1]).all()
        squares = table.reshape(16, 10, 9)
        assert (squares == squares[:, :, ::-1]).all()
        rook, cannon, horse = (table[kind].mean() for kind in (5, 6, 4))
        assert rook > 1.5 * max(cannon, horse)
