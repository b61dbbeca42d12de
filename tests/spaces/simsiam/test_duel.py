"""Two runs side by side: the same seed, changed on the way, paused and taken over."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from shared.experiment import InputError, from_query, to_query
from spaces.simsiam.duel import OWN, Duel, Match
from spaces.simsiam.settings import Settings

QUICK = dict(steps=6, batch_size=16, dim=8)


def run(match: Match) -> None:
    for _ in match.run():
        pass


def test_the_second_run_differs_in_its_own_fields_alone():
    first, second = Duel(other_predictor="none", other_target="ema").runs()
    differing = {name for name in asdict(first) if getattr(first, name) != getattr(second, name)}
    assert differing == {"stop_gradient", "predictor", "target"} <= set(OWN)


def test_equal_settings_give_equal_runs():
    match = Match()
    match.begin(Duel(other_stop_gradient=True, **QUICK))
    run(match)
    assert [f.loss for f in match.frames[0]] == [f.loss for f in match.frames[1]]
    assert match.done and match.step == 6


def test_a_change_on_the_way_takes_effect_and_is_marked():
    changed, plain = Match(), Match()
    for match in (changed, plain):
        match.begin(Duel(**QUICK))
        match.advance(3)
    changed.change(Duel(stop_gradient=False, **QUICK))
    for match in (changed, plain):
        match.advance(3)
    assert changed.changes == [(3, "stop_gradient")] and not plain.changes
    assert changed.frames[0][3].loss == plain.frames[0][3].loss
    assert changed.frames[0][-1].loss != plain.frames[0][-1].loss


def test_structure_waits_for_the_next_start():
    match = Match()
    match.begin(Duel(**QUICK))
    match.advance(1)
    match.change(Duel(seed=7, other_batch_norm="none", **QUICK | {"dim": 16}))
    match.advance(1)
    assert match.duel.seed == 0 and match.duel.dim == 8 and match.step == 2


def test_a_pause_ends_the_run_and_a_second_run_goes_on():
    match = Match()
    match.begin(Duel(**QUICK))
    for _ in match.run():
        match.pause()
    assert 0 < match.step < 6
    run(match)
    assert match.step == 6


def test_a_failed_start_leaves_the_match_as_it_was():
    match = Match()
    match.begin(Duel(**QUICK))
    match.advance(2)
    with pytest.raises(InputError, match="dataset"):
        match.begin(Duel(dataset="images", **QUICK))
    assert match.step == 2 and match.duel.dataset == "digits"


def test_both_runs_are_checked():
    with pytest.raises(InputError, match="predictor"):
        Duel(other_predictor="clairvoyant")


def test_a_duel_travels_in_a_link():
    duel = Duel(other_target="mean", augmentations=("crop", "noise"), seed=3)
    from urllib.parse import parse_qsl

    assert from_query(Duel, dict(parse_qsl(to_query(duel, tab="simsiam").lstrip("?")))) == (duel, [])
    assert asdict(Settings()).keys() < asdict(duel).keys()
