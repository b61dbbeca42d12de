from datetime import date

import pytest

from shared.experiment import InputError, from_query
from shared.i18n import pick
from spaces.aquarium.plan import Entry, Plan
from spaces.aquarium.readings import read
from spaces.aquarium.settings import Tank
from spaces.aquarium.tank import simulate
from spaces.aquarium.ui import mine, pipes, verdict
from spaces.aquarium.ui.example import made_up
from spaces.aquarium.ui.keeping import Mine, Question
from spaces.aquarium.verdicts import Outcome, Vote, judge


def test_each_layout_has_its_own_clogged_inlets():
    floors, errors = from_query(pipes.Floors, {"levels": "2", "blocked": "3", "blocked_comb": "0,1"})
    assert not errors
    assert floors.pipes("h_tree").blocked == ("3",) and floors.pipes("comb").blocked == ("0", "1")
    with pytest.raises(InputError, match="blocked_comb"):
        pipes.Floors(levels=1, blocked_comb=("0", "1"))


def test_fewer_levels_drop_the_inlets_that_are_gone():
    assert pipes.shrink(2, ["1", "5"], ["4"]) == [["1"], []]
    assert pipes.shrink(None, ["1", "5"], []) == [["1", "5"], []]


def test_the_verdict_says_where_the_model_agrees_and_what_cannot_be_asked():
    said = verdict.told(judge(Question().tank()))
    assert "水草：问不全" in said and "ceramsite: the model agrees" in said
    assert "nitrate cannot be asked" in said  # the complete tank is above the limit itself
    assert "nitrate cannot be asked" not in verdict.told(judge(Question().tank(), {"ration": 0.005}))
    stagnant = {"stirring": 0.03, "convection_kelvin": 0.0}
    assert "pump: the model refutes it" in verdict.told(judge(Question().tank(), stagnant))


def test_a_vote_is_counted_in_words():
    def outcome(bad: float) -> Outcome:
        names = ("complete", "pump", "ceramsite", "plants")
        return Outcome({}, dict(zip(names, (0.5, bad, 2.0, 0.5), strict=True)), dict.fromkeys(names, 0.5))

    said = pick(verdict.counted([outcome(2.0), outcome(0.1), outcome(0.1)]), "en")
    assert "Vote of 3 draws" in said
    assert "pump</b> (the author: not essential): 1 of 3" in said
    assert "ceramsite</b> (the author: essential): 3 of 3" in said


def test_dates_of_the_readings_are_day_zero():
    dated = "date" + made_up().removeprefix("day")
    lines = [dated.splitlines()[0]]
    for row in made_up().splitlines()[1:]:
        day, _, rest = row.partition(",")
        lines.append(f"2026-03-{1 + int(day):02d},{rest}")
    reports: list[float] = []
    found = mine.work(Mine(start="2020-12-01", days=60, free=("ration",)), read("\n".join(lines)), reports.append)
    assert found.start == date(2026, 3, 1) and reports == sorted(reports) and len(reports) > 20
    assert 0 < reports[0] < 0.1 and 0.9 < reports[-1] <= 1
    assert found.plan.entries[0].when.year == 2026
    assert found.plan.entries[0].when.isoformat() in mine.saved(found.plan)


def test_a_plan_that_nobody_waits_for_ends_at_the_next_simulation():
    def leave(share: float) -> None:
        raise InterruptedError

    for readings in (None, read(made_up())):
        with pytest.raises(InterruptedError):
            mine.work(Mine(), readings, leave)


def test_a_date_for_fish_that_few_draws_reach_is_given_with_a_warning():
    water = Entry("water", None, None, None, None, 0.0)
    for share, warned in ((0.5, True), (0.8, False)):
        entry = Entry("fish", 30, date(2020, 12, 31), date(2020, 12, 20), None, share)
        said = mine.verdict(mine.Answer(Mine(), date(2020, 12, 1), Plan((entry, water), simulate(Tank(days=40)), None)))
        assert ("Within 40 days it comes in 50% of the draws only" in said) is warned
        assert ("只有 50% 的参数组在 40 天内等到这一天" in said) is warned


@pytest.mark.parametrize(
    ("votes", "essential", "side"),
    [
        (Vote(0, 0, 0, 0), True, None),
        (Vote(10, 6, 2, 0), True, True),
        (Vote(10, 6, 2, 0), False, False),
        (Vote(10, 1, 2, 0), True, None),  # two draws say nothing about nitrate
        (Vote(10, 1, 2, 0), False, True),
        (Vote(10, 1, 9, 8), True, True),
        (Vote(10, 1, 9, 1), True, False),
    ],
)
def test_a_side_is_taken_only_where_enough_were_asked(votes, essential, side):
    assert verdict.sides(votes, essential) is side
