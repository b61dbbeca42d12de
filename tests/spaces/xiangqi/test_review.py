"""The review names what cost most, keeps what is done when stopped, and its accuracy is the formula's."""

import pytest

from shared.experiment import InputError
from spaces.xiangqi import review as reviews
from spaces.xiangqi.board import parse_iccs
from spaces.xiangqi.player import Analysis
from spaces.xiangqi.review import Review, accuracy

MOVES = tuple(map(parse_iccs, ("h2e2", "h9g7", "h0g2", "i9h9", "i0h0")))
VALUES = (0.1, -0.1, 0.2, 0.6, -0.5, 0.1)
"""Of the side to move: red's blunder is its second move, black's its second."""


@pytest.fixture
def review(monkeypatch):
    def study(fen, moves, seconds):
        ply = len(moves)
        best = MOVES[ply] if ply in (0, 1) else parse_iccs("a3a4" if ply % 2 == 0 else "a6a5")
        return Analysis({best: 1.0}, value=VALUES[ply], line=(best,))

    monkeypatch.setattr(reviews, "study", study)
    review = Review()
    review.begin("", MOVES, 0.1)
    return review


def test_costs_are_the_fall_of_the_movers_expectation(review):
    list(review.run())
    assert review.done and review.step == review.goal == 6
    judged = review.judged()
    assert [j.side for j in judged] == [0, 1, 0, 1, 0]
    assert judged[0].cost == judged[1].cost == 0  # the best moves
    assert judged[2].before == pytest.approx(60) and judged[2].after == pytest.approx(20)
    dear = review.costliest()
    assert dear[0].ply == 2 and dear[0].cost == pytest.approx(40) and [j.cost for j in dear] == sorted(
        (j.cost for j in dear), reverse=True)


def test_accuracy_is_the_formula():
    assert accuracy(50, 50) == pytest.approx(100, abs=0.01) and accuracy(50, 60) == accuracy(50, 50)
    assert accuracy(60, 20) == pytest.approx(103.1668 * 2.718281828 ** (-0.04354 * 40) - 3.1669, abs=1e-3)
    assert accuracy(100, 0) == 0


def test_stopped_it_keeps_what_is_done_and_goes_on(review):
    review._advance(3)
    assert review.step == 3 and len(review.judged()) == 2 and not review.done
    both = review.accuracy()
    assert both[0] == pytest.approx(100, abs=0.01) and both[1] == pytest.approx(100, abs=0.01)
    list(review.run())
    assert review.done and review.accuracy()[0] < 80


def test_an_ended_game_needs_no_search(review):
    fen = "4k4/9/9/9/9/9/9/9/R8/1R1K5 w"
    review.begin(fen, tuple(map(parse_iccs, ("a1a8", "e9f9", "b0b9"))), 0.3)
    review._advance(4)
    assert review.seen[-1].value == 1.0 and review.seen[-1].line == ()
    assert review.position(3).legal_moves() == []


def test_only_the_last_position_is_adjudicated(monkeypatch):
    monkeypatch.setattr(reviews, "study", lambda fen, moves, seconds: Analysis({}, value=0.5 - len(moves) % 2))
    around = tuple(map(parse_iccs, ("h2h3 h7h6 h3h2 h6h7 " * 2).split()))
    review = Review()
    for moves, last in ((around, 0.0), ((*around, MOVES[0]), 0.5)):
        review.begin("", moves, 0.1)
        review._advance(review.goal)
        assert review.seen[-1].value == last and review.seen[7].value == 0.5
    assert review.judged()[8].cost == 0 and review.seen[8].value == 0.5  # a third occurrence; the game went on


@pytest.mark.parametrize(("moves", "seconds", "field"), [((), 0.1, "game"), (MOVES, 7, "seconds"),
                                                         (MOVES, "1", "seconds"), ((5,), 0.1, "moves")])
def test_bad_input_changes_nothing(review, moves, seconds, field):
    with pytest.raises(InputError) as caught:
        review.begin("", moves, seconds)
    assert caught.value.field == field and review.moves == MOVES
