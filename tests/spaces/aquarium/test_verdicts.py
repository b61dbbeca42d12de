import numpy as np
import pytest

from shared.experiment import InputError
from spaces.aquarium import verdicts
from spaces.aquarium.parameters import PARAMETERS, defaults
from spaces.aquarium.settings import Tank
from spaces.aquarium.tank import simulate
from spaces.aquarium.verdicts import REMOVED, Outcome, chance_level, draw, drivers, judge, sensitivity, tanks, vote


def outcome(complete=0.5, pump=0.5, ceramsite=0.5, plants=0.5, nitrate=None) -> Outcome:
    hazard = {"complete": complete, "pump": pump, "ceramsite": ceramsite, "plants": plants}
    return Outcome(defaults(), hazard, nitrate or dict.fromkeys(hazard, 0.5))


def test_a_verdict_follows_from_the_limits():
    grown = {"complete": 0.9, "pump": 0.9, "ceramsite": 0.9, "plants": 1.1}
    assert outcome(ceramsite=1.1).verdict("ceramsite") == "essential_acute"
    assert outcome(nitrate=grown).verdict("plants") == "essential_nitrate"
    assert outcome(nitrate=grown).verdict("pump") == "not_essential"
    fouled = outcome(nitrate=dict.fromkeys(grown, 1.2) | {"plants": 1.3, "pump": 1.1})
    assert [fouled.verdict(name) for name in REMOVED] == ["not_essential", "not_essential", "open_nitrate"]
    assert outcome(complete=1.1, pump=5).verdict("pump") == "undecided"


def test_a_vote_asks_only_tanks_that_are_well():
    polluted = {"complete": 2.0, "pump": 2.0, "ceramsite": 2.0, "plants": 3.0}
    clean = dict.fromkeys(polluted, 0.5) | {"plants": 1.5}
    told = vote([outcome(2, 9, 9, 9), outcome(ceramsite=3, nitrate=polluted), outcome(nitrate=clean)])
    assert (told["ceramsite"].asked, told["ceramsite"].acute) == (2, 1)
    assert (told["plants"].asked_nitrate, told["plants"].nitrate, told["plants"].acute) == (1, 1, 0)
    assert not told["pump"].undecided and vote([outcome(complete=2)])["pump"].undecided


def test_the_four_tanks_differ_in_one_thing():
    later = tanks(Tank(removed="plants"))
    assert [t.removed for t in later.values()] == ["none", "pump", "ceramsite", "plants"]
    never = tanks(Tank(), "never")
    assert not never["pump"].pump and never["ceramsite"].ceramsite_kg == 0 and never["plants"].plants_g == 0
    with pytest.raises(InputError, match="situation"):
        tanks(Tank(), "soon")
    for situation in verdicts.SITUATIONS:  # in both the days after the removal are judged
        with pytest.raises(InputError, match="removal_day"):
            tanks(Tank(days=50), situation)


def test_before_the_removal_all_tanks_are_one():
    runs = judge(Tank()).runs
    early = runs["complete"].day < 60
    for name in REMOVED:
        same = runs[name].day < 60
        assert runs[name].no2[same] == pytest.approx(runs["complete"].no2[early], rel=1e-6)


def test_the_default_tanks_verdict():
    judged = judge(Tank())
    assert judged.outcome.hazard["complete"] < 0.5
    assert (judged.agrees("pump"), judged.agrees("ceramsite"), judged.agrees("plants")) == (True, True, None)
    assert judge(Tank(), {"ration": 0.005}).agrees("plants")
    assert judged.outcome.nitrate["plants"] > 1.15 * judged.outcome.nitrate["complete"]


def test_draws_are_a_seeded_latin_hypercube_of_all_ranges():
    drawn = draw(16, seed=3)
    assert drawn == draw(16, seed=3) != draw(16, seed=4)
    for name, p in PARAMETERS.items():
        values = np.array([d[name] for d in drawn])
        assert (values >= p.low).all() and (values <= p.high).all()
        logarithmic = p.low > 0 and p.high / p.low >= verdicts.LOGARITHMIC
        unit = np.log(values / p.low) / np.log(p.high / p.low) if logarithmic else (values - p.low) / (p.high - p.low)
        assert sorted((unit * 16).astype(int).tolist()) == list(range(16))  # one in each sixteenth


@pytest.mark.parametrize("count", [0, 1025, 1.5, True, "8", None])
def test_bad_counts_are_named(count):
    with pytest.raises(InputError, match="draws"):
        draw(count)


def test_a_few_draws_are_solved_and_agree_with_simulate():
    outcomes = list(sensitivity(Tank(), draws=5, seed=1))
    assert len(outcomes) == 5
    one = outcomes[3]
    run = simulate(Tank(removed="ceramsite"), one.values)
    assert abs(run.imbalance) < 1e-6
    worst = max(run.sustained("nh3", 60) / 0.05, run.sustained("no2", 60) / 0.3)
    assert one.hazard["ceramsite"] == pytest.approx(worst)
    assert sum(o.hazard["ceramsite"] >= o.hazard["complete"] for o in outcomes) >= 4
    assert sum(o.nitrate["plants"] >= o.nitrate["complete"] for o in outcomes) >= 4


def test_drivers_find_the_parameter_that_decides():
    outcomes = []
    for values in draw(32):
        hazard = dict.fromkeys(("complete", *REMOVED), 2 * values["nob_half"])
        outcomes.append(Outcome(values, hazard, hazard))
    (name, rho), *rest = drivers(outcomes, "pump")
    assert name == "nob_half" and rho == pytest.approx(1)
    assert all(abs(other) < 0.75 for _, other in rest)
    assert drivers(outcomes[:5], "pump") == []


def test_chance_level_falls_with_the_draws():
    rng = np.random.default_rng(0)
    level = chance_level(64)
    worst = [
        max(abs(np.corrcoef(rng.permutation(64), rng.permutation(64))[0, 1]) for _ in PARAMETERS) for _ in range(80)
    ]
    assert np.mean(np.array(worst) > level) < 0.1
    assert chance_level(256) == pytest.approx(level * np.sqrt(63 / 255))
