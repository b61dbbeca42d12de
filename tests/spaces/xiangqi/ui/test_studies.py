"""A visitor at a study: solved, too slow, helped; what the browser kept is not believed."""

from dataclasses import asdict
from functools import partial

import pytest

from shared.experiment import InputError
from spaces.xiangqi.board import iccs
from spaces.xiangqi.studies import studies
from spaces.xiangqi.ui import studies as page
from spaces.xiangqi.ui.studies import Attempt, known, listed

NUMBER = next(n for n, s in enumerate(studies(), 1) if s.mate == 2)


@pytest.fixture
def attempt():
    attempt = Attempt()
    attempt.open(NUMBER)
    return attempt


def test_solved_by_the_key_and_on(attempt):
    line = attempt.study.line.split()
    assert attempt.move(line[0]) is False and len(attempt.moves) == 2 and "Good!" in attempt.said
    attempt.hint()
    helped = iccs_of(attempt)
    attempt.helped = False
    assert attempt.move(helped) is True and attempt.over and "red wins" in attempt.said
    with pytest.raises(InputError):
        attempt.move(line[0])


def iccs_of(attempt) -> str:
    return attempt.arrows[0].move


def test_a_slow_move_is_explained_and_not_made(attempt):
    key = attempt.study.line.split()[0]
    slow = next(m for m in attempt.position().legal_moves() if iccs(m) != key)
    assert attempt.move(iccs(slow)) is False and attempt.moves == [] and "too slow" in attempt.said
    assert len(attempt.arrows) == 2


def test_with_help_there_is_no_tick(attempt):
    attempt.hint()
    assert iccs_of(attempt) == attempt.study.line.split()[0]
    attempt.move(iccs_of(attempt))
    attempt.hint()
    assert attempt.move(iccs_of(attempt)) is False and attempt.over
    attempt.restart()
    assert attempt.moves == [] and not attempt.helped
    attempt.solve()
    assert attempt.over and len(attempt.moves) == 3 and "solution" in attempt.said


@pytest.mark.parametrize("word", ["a0a9", "", None, "<b>", 7, "h2e2"])
def test_a_forged_move_changes_nothing(attempt, word):
    with pytest.raises(InputError):
        attempt.move(word)
    assert attempt.moves == []


@pytest.mark.parametrize("change", [lambda attempt: attempt.open(1), lambda attempt: attempt.restart(),
                                    lambda attempt: attempt.solve()])
@pytest.mark.parametrize("act", [lambda attempt: attempt.move(attempt.study.line.split()[0]),
                                 lambda attempt: attempt.hint()])
def test_what_comes_in_while_black_thinks_stands(attempt, monkeypatch, change, act):
    expected = Attempt()
    expected.open(NUMBER)
    change(expected)
    for name in ("answer", "key"):
        def think(*asked, really):
            change(attempt)
            return really(*asked)
        monkeypatch.setattr(page, name, partial(think, really=getattr(page, name)))
    assert not act(attempt) and attempt == expected
    page.show(attempt, [], "all", False)


@pytest.mark.parametrize("number", [None, "1", 1.5, 0, [1]])
def test_a_forged_number_opens_nothing(attempt, number):
    with pytest.raises(InputError, match="number of a study"):
        page.follow(attempt, [], "all", False, number)
    assert attempt.number == NUMBER


def test_an_attempt_can_be_a_first_value(attempt):
    assert asdict(attempt)["number"] == NUMBER


def test_memory_is_cleaned_and_listed():
    fen = studies()[0].fen
    assert known([fen, fen, "x", 3, None]) == [fen] and known("x") == known(None) == known({"a": 1}) == []
    shown = listed(Attempt(), [fen], "all", False)
    assert shown.count("data-n=") == len(studies()) and shown.count('class="done"') == 1
    assert listed(Attempt(), [s.fen for s in studies()], "all", True).count("data-n=") == 1  # the one on the board
    assert listed(Attempt(), [], 3, False).count("data-n=") == sum(s.level == 3 for s in studies())
