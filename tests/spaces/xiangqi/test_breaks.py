"""Each rule on a position made for it, and legality against the rules on every pair of squares."""

import random

import pytest

from spaces.xiangqi.board import SQUARES
from spaces.xiangqi.breaks import RULES, breach
from spaces.xiangqi.rules import Position

START = "rnbakabnr/9/1c5c1/p1p1p1p1p/9/9/P1P1P1P1P/1C5C1/9/RNBAKABNR w"
OPEN = START.replace("1c5c1", "1c7")
BLACK = START.replace(" w", " b")
CASES = [
    (START, "e4e5", "empty"),
    (START, "a4a4", "empty"),
    (START, "h9g7", "theirs"),
    (BLACK, "h0g2", "theirs"),
    (START, "a0b2", "shape"),  # a rook as a horse
    (START, "a0a0", "shape"),  # a piece must move
    (START, "e3d3", "shape"),  # a soldier sideways before the river
    (START, "e3e2", "shape"),  # and backwards
    (START, "e3e5", "shape"),  # and two steps
    (BLACK, "e6e7", "shape"),
    (START, "d0e0", "shape"),  # an advisor straight on, though its own king stands there
    ("3k5/9/4P4/9/9/9/9/9/9/4K4 w", "e7d7", None),  # a soldier across the river goes sideways
    ("3k5/9/4P4/9/9/9/9/9/9/4K4 w", "e7e6", "shape"),
    (START, "d0c1", "area"),  # an advisor out of the palace
    ("4k4/9/9/9/9/9/9/3K5/9/9 w", "d2c2", "area"),
    ("3k5/9/9/9/9/2B6/9/9/9/4K4 w", "c4e6", "area"),  # an elephant across the river
    (START, "a0a3", "own"),
    (START, "h0f1", "blocked"),  # the horse's leg, held by the elephant on g0
    (START, "c0e2", None),
    ("3k5/9/9/9/9/9/9/9/3N5/2B1K4 w", "c0e2", "blocked"),  # the elephant's eye
    (START, "a0a4", "blocked"),  # a rook through its own soldier
    (START, "b2b8", "blocked"),  # a cannon's quiet move over a piece
    (START, "b2b9", None),  # over exactly one
    (OPEN, "h2h9", "screen"),  # a capture without a screen
    ("3k5/9/4r4/9/4p4/9/4P4/4C4/9/4K4 w", "e2e7", "screen"),  # over two
    ("3k5/9/9/9/9/9/9/9/9/4K4 w", "e0d0", "facing"),
    ("4k4/9/9/9/4P4/9/9/9/9/4K4 w", "e5d5", "facing"),
    ("4k4/9/9/9/4r4/9/9/9/4R4/4K4 w", "e1d1", "check"),  # the screen of a rook leaves
    ("3k5/9/9/9/9/9/9/9/r8/4K4 w", "e0e1", "check"),
    ("3k5/9/9/9/9/9/4c4/9/4N4/R3K4 w", "a0a1", "check"),  # a check not answered
    ("3k5/9/9/9/9/9/4c4/9/4N4/R3K4 w", "e0f0", None),
]


@pytest.mark.parametrize("fen, word, rule", CASES)
def test_the_rule_of_a_move(fen, word, rule):
    move = 90 * SQUARES[word[:2]] + SQUARES[word[2:]]
    position = Position(fen)
    assert breach(position, move) == rule
    assert (move in position.legal_moves()) == (rule is None)


def test_every_rule_has_a_case_and_both_names():
    assert {rule for *_, rule in CASES if rule} | {"word"} == set(RULES)
    assert all(zh and en for zh, en in RULES.values())


def test_legal_are_exactly_the_moves_that_break_nothing():
    rng = random.Random(0)
    for _ in range(4):
        position = Position()
        for ply in range(90):
            legal = position.legal_moves()
            if not legal:
                break
            if ply % 15 == 0:
                board = list(position.board)
                assert [m for m in range(8100) if breach(position, m) is None] == sorted(legal)
                assert position.board == board
            position.push(rng.choice(legal))
