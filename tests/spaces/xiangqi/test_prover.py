"""Proofs agree with brute force, and know stalemate."""

import random

import pytest

from spaces.xiangqi.board import iccs, parse_iccs
from spaces.xiangqi.native import make
from spaces.xiangqi.prover import Prover, Undecided, forced
from spaces.xiangqi.rules import Position
from spaces.xiangqi.studies import sparse


def brute(position: Position, number: int) -> list[int]:
    """The moves that win within `number` moves, by the reference rules alone."""
    out = []
    for move in position.legal_moves():
        position.push(move)
        answers = position.legal_moves()
        if not answers or number > 1 and all(_answered(position, a, number - 1) for a in answers):
            out.append(move)
        position.pop()
    return out


def _answered(position: Position, answer: int, number: int) -> bool:
    position.push(answer)
    won = bool(brute(position, number))
    position.pop()
    return won


def test_random_positions_as_by_brute_force():
    rng, seen = random.Random(3), set()
    for _ in range(60):
        position = sparse(rng)
        if position is None or not position.legal_moves() or len(position.legal_moves()) > 30:
            continue
        for number in (1, 2):
            keys = brute(position, number)
            assert set(Prover(position).keys(position, number)) == set(keys)
            seen.add((number, bool(keys)))
    assert seen == {(1, True), (1, False), (2, True), (2, False)}


@pytest.mark.parametrize(("fen", "number", "keys"), [
    ("5k3/R8/9/9/9/9/9/9/9/1R1K5 w", 1, {"b0b9", "d0e0", "a8e8"}),
    ("4k4/9/9/9/9/9/9/9/R8/1R1K5 w", 2, {"b0b8", "a1a8", "a1e1"}),
    ("1P1k5/2R6/3n5/9/9/9/9/9/9/5K3 w", 2, {"c8e8"}),  # a quiet key that engines prune
])
def test_known_mates(fen, number, keys):
    position = Position(fen)
    prover = Prover(position)
    assert prover.distance(5) == number and {iccs(m) for m in prover.keys(position, number)} == keys


def test_stalemate_wins():
    cornered = Position("3k5/4P4/9/9/9/9/9/9/9/4K4 b")
    assert not cornered.legal_moves() and not cornered.in_check() and Prover(cornered).wins(0)


def test_the_longest_defence():
    position = Position("4k4/9/9/9/9/9/9/9/R8/1R1K5 w")
    position.push(parse_iccs("a1a8"))
    answer, needed = Prover(position).defence(position, 3)
    assert answer in position.legal_moves() and needed == 1
    position = Position("4k4/9/9/9/9/P8/9/9/9/3K5 b")
    assert Prover(position).defence(position, 2)[1] is None


def test_limits_and_signatures():
    prover = Prover(Position(), limit=1_000)
    with pytest.raises(Undecided):
        prover.wins(5)
    assert len(forced.signatures) == 1  # numba issue 6061


def test_a_prover_follows_the_game():
    position = Position("4k4/9/9/9/9/9/9/9/R8/1R1K5 w")
    prover = Prover(position)
    assert make(prover.table, prover.keys(position, 2)[0]) and prover.wins(2)
