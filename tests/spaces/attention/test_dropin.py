"""The swap: the same weights under another attention, slices that equal one go, damage and recovery."""

from __future__ import annotations

import pytest
import torch

from shared.experiment import InputError
from shared.live import Training
from spaces.attention.dropin import COUNTS, DAMAGE_SEEDS, Dropin, advance, damage, how, make, score, start
from spaces.attention.small import Small
from spaces.attention.tasks import draw, held_out, vocabulary

QUICK = Dropin(
    pairs=4, pretrain=6, finetune=4, batch_size=4, features=16, variants=("softmax", "taylor", "positive_scratch")
)


def test_slices_equal_one_go_across_the_swap():
    whole, frames = advance(start(QUICK), QUICK, 10)
    state, parts = start(QUICK), {}
    for steps in (4, 2, 3, 1):
        state, more = advance(state, QUICK, steps)
        for name, found in more.items():
            parts.setdefault(name, []).extend(found)
    assert set(whole.weights) == set(QUICK.variants) and parts == frames
    for name, weights in whole.weights.items():
        assert all(torch.equal(w, state.weights[name][key]) for key, w in weights.items())


def test_variants_begin_at_the_swap_and_scratch_begins_untrained():
    state, frames = advance(start(QUICK), QUICK, 7)
    assert frames["taylor"][0].step == frames["positive_scratch"][0].step == QUICK.pretrain
    tested = held_out(QUICK.task, QUICK.pairs, QUICK.seed)
    trained = score(make(QUICK, state.trained), tested, how("taylor", QUICK))
    assert (frames["taylor"][0].loss, frames["taylor"][0].accuracy) == trained
    fresh = score(make(QUICK), tested, how("positive_scratch", QUICK))
    assert (frames["positive_scratch"][0].loss, frames["positive_scratch"][0].accuracy) == fresh


def test_swapping_changes_the_attention_and_nothing_else():
    network = make(QUICK)
    batch = draw("recall", 4, 4, 0, 1)
    exact = network(batch.tokens, 4)
    assert torch.allclose(network(batch.tokens, 4, **how("softmax", QUICK)), exact)
    for variant in ("taylor", "positive", "hyperbolic", "trigonometric"):
        assert not torch.allclose(network(batch.tokens, 4, **how(variant, QUICK)), exact)
    many = QUICK.but(features=1024)
    near = network(batch.tokens, 4, **how("hyperbolic", many))
    assert (near - exact).abs().max() < (network(batch.tokens, 4, **how("hyperbolic", QUICK)) - exact).abs().max()


def test_the_order_of_pairs_does_not_matter_to_a_network_without_positions():
    network, batch = make(QUICK), draw("recall", 2, 4, 0, 1)
    turned = batch.tokens.clone()
    turned[:, :4] = turned[:, :4].flip(1)
    assert torch.allclose(network(batch.tokens, 4), network(turned, 4), atol=1e-5)


def test_queries_and_keys_are_those_of_its_attention():
    network = Small(*vocabulary("recall"))
    q, k = network.queries_and_keys(draw("recall", 3, 4, 0, 1).tokens)
    assert q.shape == k.shape == (8, 8, 16)


@pytest.mark.slow
def test_recall_is_learnt_broken_and_mended():
    settings = Dropin(
        pairs=6, pretrain=150, finetune=40, features=32, variants=("positive", "positive_scratch"), batch_size=24
    )
    state, frames = advance(start(settings), settings, settings.steps)
    before = max(f.accuracy for f in frames["softmax"])
    at, after = frames["positive"][0].accuracy, frames["positive"][-1].accuracy
    assert before > 0.95 and at < before - 0.05 and after > at + 0.04
    assert after > frames["positive_scratch"][-1].accuracy + 0.2
    found = damage(state)
    assert found["softmax"][0][0] > 0.95
    assert len(found["positive"]) == len(COUNTS) and len(found["positive"][0]) == DAMAGE_SEEDS
    assert sum(found["positive"][-1]) > sum(found["positive"][0])


def test_a_training_goes_to_its_end():
    run = Training(start, advance)
    run.begin(QUICK)
    for _ in run.run():
        pass
    assert run.done and run.step == 10 and run.frames["taylor"][-1].step == 10


@pytest.mark.parametrize(
    "field, settings",
    [("task", {"task": "copy"}), ("variants", {"variants": ("softmax_scratch",)}), ("pairs", {"pairs": 65}),
     ("count", {"features": 15}), ("pretrain", {"pretrain": 0}), ("rate", {"rate": 1.0})],
)  # fmt: skip
def test_bad_settings_are_named(field, settings):
    with pytest.raises(InputError) as error:
        Dropin(**settings)
    assert error.value.field == field
