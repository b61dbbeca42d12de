"""The race: the same in slices as in one go, changed and cut on the way, clipped by the book, never ended by a NaN."""

from __future__ import annotations

import math
import pickle

import pytest
import torch

from shared.experiment import InputError, from_json, from_query, to_query
from spaces.gradient_flow.race import (
    CUTS,
    RATES,
    Frame,
    Race,
    State,
    advance,
    clip_,
    draw,
    half_life_at,
    start,
)
from spaces.gradient_flow.settings import CELLS

SMALL = Race(cells=CELLS, hidden=8, delay=4, batch_size=4)


def run(settings: Race, steps: int, state: State | None = None) -> tuple[State, dict[str, list[Frame]]]:
    return advance(state or start(settings), settings, steps)


def losses(frames: dict[str, list[Frame]]) -> dict[str, list[float]]:
    return {name: [frame.loss for frame in run] for name, run in frames.items()}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("task", "chess"),
        ("cells", ()),
        ("cells", ("rnn", "rnn")),
        ("delay", 0),
        ("delay", 2.5),
        ("symbols", 11),
        ("hidden", 3),
        ("learning_rate", -1.0),
        ("clip_by", "hand"),
        ("cut", ("rnn.forget",)),
        ("cut", ("lstm.forget", "lstm.forget")),
        ("cut", 3),
        ("gain", math.nan),
    ],
)
def test_bad_settings_are_named(field, value):
    with pytest.raises(InputError) as error:
        Race(**{field: value})
    assert error.value.field == field


@pytest.mark.parametrize("race", [Race(), SMALL.but(cut=("lstm.forget", "transformer.attention"), clip=0.5)])
def test_settings_survive_link_and_json(race):
    query = dict(pair.split("=") for pair in to_query(race).replace("%2C", ",")[1:].split("&") if pair)
    assert from_query(Race, query) == (race, [])
    assert from_json(Race, race.to_json()) == race


def test_every_path_can_be_cut():
    assert Race(cut=CUTS).cut == CUTS and {"rnn.candidate", "gru.carry", "su.reset", "lstm.output"} < set(CUTS)


def test_slices_equal_one_go():
    whole, frames = run(SMALL, 12)
    state, pieces = start(SMALL), {name: [] for name in CELLS}
    for steps in (1, 5, 4, 2):
        state, more = run(SMALL, steps, pickle.loads(pickle.dumps(state)))
        for name in CELLS:
            pieces[name] += more[name]
    assert repr(frames) == repr(pieces)  # repr, for None and inf
    for name in CELLS:
        for key, tensor in whole.weights[name].items():
            assert torch.equal(tensor, state.weights[name][key])


def test_the_old_state_stays_as_it_was():
    state, _ = run(SMALL, 3)
    kept = pickle.dumps(state)
    run(SMALL, 3, state)
    assert pickle.dumps(state) == kept


def test_runs_depend_on_the_seed():
    one, same, other = (losses(run(SMALL.but(seed=seed), 3)[1]) for seed in (0, 0, 1))
    assert one == same and all(one[name] != other[name] for name in CELLS)


def test_a_cell_runs_the_same_alone():
    assert losses(run(SMALL.but(cells=("gru",)), 4)[1])["gru"] == losses(run(SMALL, 4)[1])["gru"]


def test_every_step_has_its_own_batch():
    assert torch.equal(draw(SMALL, 3).x, draw(SMALL.but(cells=("su",), learning_rate=1.0), 3).x)
    assert not torch.equal(draw(SMALL, 3).x, draw(SMALL, 4).x)


def test_frames_hold_what_they_say():
    frames = run(SMALL.but(clip=0.05), 20)[1]
    for name in CELLS:
        assert [f.step for f in frames[name]] == [1, 2, 3, 4, 5, 10, 15, 20]
        for f in frames[name]:
            assert f.relative == pytest.approx(f.loss / math.log(4)) and 0 <= f.accuracy <= 1 and 0 <= f.share <= 1
            assert f.after == pytest.approx(min(f.before, 0.05), rel=1e-5) and f.direction == pytest.approx(1)
            assert (f.half_life is not None) is half_life_at(f.step)


def test_the_first_step_is_that_of_the_optimiser():
    """SGD without momentum yet: θ − rate · gradient."""
    race = Race(cells=("gru",), hidden=8, delay=4, batch_size=4, optimizer="sgd", clip=0.0)
    before = start(race)
    after, frames = run(race, 1, before)
    moved = [(after.weights["gru"][k] - v).flatten() for k, v in before.weights["gru"].items()]
    assert float(torch.cat(moved).norm()) == pytest.approx(RATES["sgd"] * frames["gru"][0].before, rel=1e-4)


def test_changes_on_the_way_take_effect():
    state, _ = run(SMALL, 5)
    plain = losses(run(SMALL, 5, state)[1])
    for changes in ({"delay": 9}, {"symbols": 1}, {"batch_size": 7}, {"optimizer": "sgd"}, {"learning_rate": 0.1}):
        changed = losses(run(SMALL.but(**changes), 5, state)[1])
        assert all(changed[name] != plain[name] for name in CELLS), changes


@pytest.mark.parametrize(
    "changes", [{"task": "adding"}, {"hidden": 9}, {"seed": 1}, {"gain": 1.0}, {"forget_bias": 0.0}, {"cells": ("su",)}]
)
def test_structure_cannot_change_on_the_way(changes):
    with pytest.raises(InputError, match=next(iter(changes))):
        run(SMALL.but(**changes), 1, start(SMALL))


def test_a_path_cut_on_the_way_and_restored():
    state, frames = run(SMALL, 5)
    assert frames["rnn"][-1].share > 0
    state, frames = run(SMALL.but(cut=("rnn.candidate", "transformer.attention")), 5, state)
    assert frames["rnn"][-1].share == frames["transformer"][-1].share == 0 < frames["gru"][-1].share
    assert frames["rnn"][-1].before > 0  # the total is not gone
    assert run(SMALL, 5, state)[1]["rnn"][-1].share > 0


def test_clipping_by_norm_shortens_and_keeps_the_direction():
    g = [torch.tensor([3.0, 0.0]), torch.tensor([[0.0], [4.0]])]
    assert clip_(g, 1.0, "norm") == pytest.approx((5, 1, 1))
    assert torch.allclose(g[0], torch.tensor([0.6, 0.0])) and torch.allclose(g[1], torch.tensor([[0.0], [0.8]]))
    assert clip_(g, 2.0, "norm") == pytest.approx((1, 1, 1))


def test_clipping_by_value_turns_the_gradient():
    g = [torch.tensor([3.0, -4.0]), torch.tensor([0.5])]
    before, after, cosine = clip_(g, 1.0, "value")
    assert g[0].tolist() == [1, -1] and g[1].tolist() == [0.5]
    assert (before, after) == pytest.approx((math.sqrt(25.25), 1.5))
    assert cosine == pytest.approx((3 + 4 + 0.25) / (math.sqrt(25.25) * 1.5))


def test_clipping_at_the_ends():
    g = [torch.tensor([3.0, 4.0])]
    assert clip_(g, 0.0, "norm") == (5, 5, 1) and g[0].tolist() == [3, 4]
    assert math.isnan(clip_([torch.zeros(2)], 1.0, "norm")[2])
    assert clip_([torch.tensor([1e30, 0.0])], 1.0, "norm") == pytest.approx((1e30, 1, 1))
    assert math.isnan(clip_([torch.tensor([math.nan, 0.0])], 1.0, "value")[0])


def test_who_diverges_goes_out_and_the_others_go_on():
    race = Race(cells=("rnn_relu", "lstm"), hidden=16, delay=60, batch_size=4, gain=10.0, clip=0.0)
    state, frames = run(race, 10)
    last = frames["rnn_relu"][-1]
    assert last.diverged and state.diverged == {"rnn_relu": last.step} and last.step < 10
    assert not (math.isfinite(last.loss) and math.isfinite(last.before))
    assert frames["lstm"][-1].step == 10 and not frames["lstm"][-1].diverged
    assert all(tensor.isfinite().all() for tensor in state.weights["rnn_relu"].values())
    state, more = run(race, 5, state)
    assert "rnn_relu" not in more and more["lstm"][-1].step == 15 and set(state.diverged) == {"rnn_relu"}


def test_a_gated_cell_learns_to_copy():
    race = Race(cells=("gru",), hidden=24, delay=4, symbols=1, batch_size=32, forget_bias=1.0, learning_rate=0.02)
    frames = run(race, 80)[1]["gru"]
    assert frames[0].accuracy < 0.6 and frames[0].relative == pytest.approx(1, abs=0.4)
    assert frames[-1].accuracy > 0.95 and frames[-1].relative < 0.2


@pytest.mark.parametrize("task", ["copy", "adding"])
def test_both_tasks_run_with_every_cell(task):
    frames = run(SMALL.but(task=task, cut=("gru.reset",), clip_by="value", clip=0.01), 2)[1]
    assert all(math.isfinite(frame.loss) and frame.direction < 1 for run in frames.values() for frame in run)
