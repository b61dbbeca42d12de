"""Every study that ships is what it claims to be."""

import random

import pytest

from shared.experiment import InputError
from spaces.xiangqi.board import RED, iccs
from spaces.xiangqi.prover import Prover
from spaces.xiangqi.record import play
from spaces.xiangqi.rules import Position
from spaces.xiangqi.studies import MOST_MOVES, answer, by_number, compose, idle, key, material, moves_of, studies


def test_there_are_many_of_every_length():
    assert len(studies()) >= 50 and {s.mate for s in studies()} == set(range(1, MOST_MOVES + 1))
    assert len({s.fen for s in studies()}) == len(studies()) and {s.level for s in studies()} == {1, 2, 3}
    assert len({s.material.split("-")[0] for s in studies()}) >= 8


@pytest.mark.parametrize("study", [s for s in studies() if s.mate <= 3], ids=lambda s: s.fen.split()[0])
def test_one_key_and_nobody_idle(study):
    position, line = Position(study.fen), moves_of(study)
    prover = Prover(position)
    assert position.turn == RED and material(position.board) == study.material
    assert prover.distance(study.mate) == study.mate and prover.keys(position, study.mate) == [line[0]]
    assert not idle(position, study.mate, 10**7)
    end = play(study.fen, line)
    assert len(line) == 2 * study.mate - 1 and not end.legal_moves()
    assert study.engine_mate == study.mate


@pytest.mark.parametrize("study", [s for s in studies() if s.mate > 3][::6], ids=lambda s: s.fen.split()[0])
def test_the_long_ones_are_won_and_no_faster(study):
    prover = Prover(Position(study.fen), 10**8)
    assert prover.wins(2 * study.mate - 1) and not prover.wins(2 * study.mate - 3)
    assert not play(study.fen, moves_of(study)).legal_moves()


def test_a_study_is_won_against_the_longest_defence():
    study = next(s for s in studies() if s.mate == 3)
    position = Position(study.fen)
    for left in (3, 2, 1):
        move = key(position, left)
        position.push(move)
        reply, needed = answer(position, left - 1)
        assert needed == left - 1
        if reply is not None:
            position.push(reply)
    assert not position.legal_moves() and reply is None


def test_too_slow_is_seen():
    study = next(s for s in studies() if s.mate == 2)
    position = Position(study.fen)
    for move in position.legal_moves():
        if iccs(move) != study.line.split()[0]:
            position.push(move)
            if position.legal_moves():
                assert answer(position, 1)[1] is None
            position.pop()


def test_composing_asks_all_that_is_claimed():
    study = next(s for s in studies() if s.mate == 2)
    made = compose(Position(study.fen), 10**7, {2})
    assert made is not None and made[0] == 2 and made[1][0] == moves_of(study)[0]
    assert compose(Position("4k4/9/9/9/9/9/9/9/R8/1R1K5 w"), 10**7, {2}) is None  # three keys
    assert compose(Position(), 10**6, {1, 2, 3}) is None
    assert compose(Position(study.fen), 10**7, {3}) is None


def test_sparse_positions_differ():
    from spaces.xiangqi.studies import sparse

    rng = random.Random(0)
    found = [p for p in (sparse(rng) for _ in range(80)) if p]
    assert len({p.fen() for p in found}) == len(found) > 20 and all(p.turn == RED for p in found)


@pytest.mark.parametrize("number", [0, -1, 10_000, "1", None, True, 1.0])
def test_numbers_are_checked(number):
    with pytest.raises(InputError, match="number of a study"):
        by_number(number)
