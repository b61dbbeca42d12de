"""Classifiers under every normaliser: the same start and batches, slices that equal one go, and that they learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shared.experiment import InputError
from shared.live import Training
from spaces.attention.classifier import Classifier, advance, data, evaluate, scores, start

QUICK = Classifier(normalisers=("softmax", "taylor2", "sparsemax"), hidden=16, steps=30, runs=2)


def test_slices_equal_one_go():
    whole, frames = advance(start(QUICK), QUICK, 30)
    state, parts = start(QUICK), []
    for steps in (7, 23):
        state, more = advance(state, QUICK, steps)
        parts += more["taylor2"]
    assert all(torch.equal(a, b) for a, b in zip(whole.weights, state.weights, strict=True))
    assert [f.step for f in parts] == [f.step for f in frames["taylor2"]]


def test_every_normaliser_begins_with_the_same_weights_and_runs_differ():
    w = start(QUICK).weights[0].unflatten(0, (3, 2))
    assert torch.equal(w[0], w[1]) and torch.equal(w[0], w[2]) and not torch.equal(w[0, 0], w[0, 1])


def test_a_normaliser_learns_the_same_alone_as_among_others():
    among, _ = advance(start(QUICK), QUICK, 10)
    alone, _ = advance(start(QUICK.but(normalisers=("taylor2",))), QUICK.but(normalisers=("taylor2",)), 10)
    for a, b in zip(among.weights, alone.weights, strict=True):
        assert torch.allclose(a.unflatten(0, (3, 2))[1], b, atol=1e-5)


@pytest.mark.parametrize("hidden", [0, 16])
def test_they_learn(hidden):
    settings = QUICK.but(hidden=hidden, steps=150, rate=0.01)
    _, frames = advance(start(settings), settings, 150)
    for name, found in frames.items():
        assert found[-1].accuracy.mean() > 0.8, name
        assert found[0].accuracy.mean() < 0.4
        assert found[-1].step == 150 and found[-1].accuracy.shape == (2,)


def test_noise_is_in_training_labels_only_and_splits_differ():
    clean, noisy = (data("digits", 0.3, noise, 2, 0) for noise in (0.0, 0.4))
    changed = (clean.train_y != noisy.train_y).float().mean()
    assert 0.3 < changed < 0.42  # a tenth of the random labels is right by chance
    assert torch.equal(clean.test_y, noisy.test_y) and torch.equal(clean.train_x, noisy.train_x)
    assert clean.train_x.shape[1] == 539 and clean.train_x.shape[1] + clean.test_x.shape[1] == 1797
    assert not torch.equal(clean.train_y[0], clean.train_y[1])
    assert clean.train_x.mean((0, 1)).abs().max() < 1e-5


def test_what_a_frame_says_is_what_the_networks_do():
    state, frames = advance(start(QUICK), QUICK, 30)
    frame, found = frames["softmax"][-1], data("digits", 0.3, 0.0, 2, 0)
    z = scores(state.weights, found.test_x, 3)[0]
    p = z.softmax(-1)
    assert frame.accuracy == pytest.approx((p.argmax(-1) == found.test_y).double().mean(1).numpy())
    nll = torch.nn.functional.cross_entropy(z[1], found.test_y[1])
    assert frame.nll[1] == pytest.approx(float(nll), rel=1e-5)
    assert frame.confidence == pytest.approx(p.max(-1).values.mean(1).numpy(), rel=1e-5)
    again = evaluate(state.weights, QUICK, 30)["softmax"]
    assert np.array_equal(again.ece, frame.ece)


def test_a_lesson_goes_to_its_end():
    lesson = Training(start, advance)
    lesson.begin(QUICK)
    for _ in lesson.run():
        pass
    assert lesson.done and lesson.step == 30 and lesson.frames["sparsemax"][-1].step == 30


@pytest.mark.parametrize(
    "field, settings",
    [
        ("task", {"task": "iris"}),
        ("normalisers", {"normalisers": ("taylor3",)}),
        ("runs", {"runs": 1}),
        ("train_share", {"train_share": 1.0}),
        ("noise", {"noise": 0.9}),
        ("rate", {"rate": 0.0}),
    ],
)
def test_bad_settings_are_named(field, settings):
    with pytest.raises(InputError) as error:
        Classifier(**settings)
    assert error.value.field == field
