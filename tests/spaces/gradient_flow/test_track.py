"""A race in hand: paused, taken up, changed with a note of what changed, over when all have diverged."""

from __future__ import annotations

import math

import pytest

from shared.experiment import InputError
from shared.i18n import pick
from spaces.gradient_flow.race import Race
from spaces.gradient_flow.track import RECENT, Track, accuracy, difference, half_life

SMALL = Race(cells=("rnn", "lstm"), hidden=8, delay=4, batch_size=4, steps=12)


def test_a_pause_ends_the_run_and_a_second_run_goes_on():
    track = Track()
    track.begin(SMALL)
    for _ in track.run():
        track.pause()
    assert 0 < track.step < 12 and not track.done
    for _ in track.run():
        pass
    assert track.step == 12 and track.done and track.rate > 0
    assert [f.step for f in track.frames["lstm"]] == [1, 2, 3, 4, 5, 10]


def test_changes_take_effect_and_are_noted():
    track = Track()
    track.begin(SMALL)
    track.change(SMALL.but(delay=5))  # nothing has run yet: no note
    track.advance(5)
    track.change(SMALL.but(delay=5, cut=("lstm.carry",)))
    track.advance(5)
    track.change(SMALL.but(delay=9))
    assert [step for step, _ in track.changes] == [5, 10]
    assert [pick(said, "en") for _, said in track.changes] == ["cut lstm.carry", "delay 5 → 9; restored lstm.carry"]
    assert [pick(said, "zh") for _, said in track.changes] == ["切断 lstm.carry", "delay 5→9；接通 lstm.carry"]


def test_structure_waits_for_the_next_start():
    track = Track()
    track.begin(SMALL)
    track.advance(1)
    track.change(SMALL.but(seed=3, hidden=16, clip=0.5))
    track.advance(1)
    assert (track.settings.seed, track.settings.hidden, track.settings.clip) == (0, 8, 0.5)
    assert difference(SMALL, SMALL.but(steps=99)) == ""


def test_a_failed_start_leaves_the_race_as_it_was():
    track = Track()
    track.begin(SMALL)
    track.advance(2)
    with pytest.raises(InputError, match="hidden"):
        track.begin(SMALL.but(hidden=2))
    assert track.step == 2


def test_a_race_in_which_all_diverged_is_over():
    track = Track()
    race = Race(cells=("rnn_relu",), hidden=16, delay=60, batch_size=4, gain=10.0, clip=0.0)
    track.begin(race)
    for _ in track.run():
        pass
    assert track.done and track.step < race.steps and math.isnan(accuracy(track.frames["rnn_relu"]))


def test_now_is_the_mean_of_the_last_frames():
    track = Track()
    track.begin(SMALL.but(steps=40))
    track.advance(40)
    frames = track.frames["lstm"]
    assert accuracy(frames) == pytest.approx(sum(f.accuracy for f in frames[-RECENT:]) / RECENT)
    assert half_life(frames) == frames[-1].half_life is not None and half_life(frames[:-1]) == frames[7].half_life
    assert math.isnan(accuracy([])) and half_life([]) is None
