"""Slices, determinism, changes on the way and the collapse itself, on real digits."""

import json
import pickle
from dataclasses import fields

import numpy as np
import pytest
import torch

from shared.experiment import InputError
from spaces.simsiam import live
from spaces.simsiam.data import Images
from spaces.simsiam.live import advance, measure, start, train
from spaces.simsiam.settings import Settings

SMALL = dict(batch_size=32, dim=16)


def run(settings, steps, slices=1, every=None):
    state, frames = start(settings), []
    for _ in range(slices):
        state, more = advance(pickle.loads(pickle.dumps(state)), settings, steps // slices, every)
        frames += more
    return state, frames


def assert_same(one, two):
    for field in fields(one):
        a, b = getattr(one, field.name), getattr(two, field.name)
        assert a is b is None or np.array_equal(a, b, equal_nan=True), field.name


SLICED = [
    {},
    {"optimizer": "adam"},
    {"optimizer": "lbfgs"},
    {"optimizer": "random_search"},
    {"target": "ema"},
    {"target": "mean", "predictor": "least_squares"},
]


@pytest.mark.parametrize("changes", SLICED)
def test_slices_equal_one_run(changes):
    settings = Settings(**SMALL, **changes)
    (whole, frames), (sliced, others) = run(settings, 12), run(settings, 12, slices=4)
    assert [frame.step for frame in frames] == [*range(11)] == [frame.step for frame in others]
    for one, two in zip(frames, others, strict=True):
        assert_same(one, two)
    assert all(torch.equal(whole.weights[name], sliced.weights[name]) for name in whole.weights)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "lbfgs"])
def test_advance_leaves_the_old_state_alone(optimizer):
    settings = Settings(**SMALL, optimizer=optimizer, target="ema")
    state, _ = advance(start(settings), settings, 3)
    before = pickle.dumps(state)
    first, second = advance(state, settings, 3), advance(state, settings, 3)
    assert pickle.dumps(state) == before
    assert_same(first[1][-1], second[1][-1])


def test_two_runs_share_start_and_first_batch():
    (_, one), (_, two) = (run(Settings(**SMALL, stop_gradient=on), 1) for on in (True, False))
    assert_same(one[0], two[0])
    assert one[1].loss == two[1].loss  # the same batch by the same weights
    assert not np.array_equal(one[1].embedding, two[1].embedding)


def test_seeds_differ():
    (_, one), (_, two) = (run(Settings(**SMALL, seed=seed), 1) for seed in (0, 1))
    assert one[0].loss != two[0].loss


def test_frames_have_the_promised_shapes():
    _, frames = run(Settings(dim=16), 2)
    frame = frames[1]
    assert frame.embedding.shape == (200, 2) and frame.labels.shape == (200,) and frame.spectrum.shape == (16,)
    assert frames[0].speed is None and frame.speed > 0 and frames[0].knn > 0.5 and frame.knn is None
    assert 1 <= frame.effective_rank <= 16


CHANGES = [
    {"stop_gradient": False},
    {"predictor": "none"},
    {"predictor": "least_squares"},
    {"predictor": "fixed"},
    {"learning_rate": 0.01, "predictor_rate": 10},
    {"optimizer": "adam"},
    {"target": "ema"},
    {"target": "mean"},
    {"augmentations": ("identity",)},
    {"distance": "squared", "learning_rate": 0.01},
]


@pytest.mark.parametrize("changes", CHANGES)
def test_settings_change_on_the_way(changes):
    settings = Settings(**SMALL)
    state, _ = advance(start(settings), settings, 3)
    changed, frames = advance(state, settings.but(**changes), 3)
    back, more = advance(changed, settings, 3)
    assert [f.step for f in frames + more] == [4, 5, 6, 7, 8, 9]
    assert all(np.isfinite([f.loss, f.std, f.effective_rank, f.lag]).all() for f in frames + more)
    assert back.settings == settings


def test_structure_cannot_change():
    settings = Settings(**SMALL)
    for name, value in dict(dim=8, seed=1, encoder="vit", batch_norm="none").items():
        with pytest.raises(InputError, match=name):
            advance(start(settings), settings.but(**{name: value}), 1)


def test_average_is_the_average():
    settings = Settings(**SMALL, target="ema", ema_rate=0.9)
    state = start(settings)
    after, _ = advance(state, settings, 1)
    name = "encoder.0.weight"
    expected = 0.9 * state.weights[name] + 0.1 * after.weights[name]
    assert torch.allclose(after.teacher[name], expected, atol=1e-6)


def test_predictor_rate_moves_the_predictor_only():
    state = start(Settings(**SMALL, weight_decay=0))
    slow, fast = (advance(state, state.settings.but(predictor_rate=rate), 1)[0] for rate in (1, 3))
    assert torch.equal(slow.weights["encoder.0.weight"], fast.weights["encoder.0.weight"])
    name = "predictor.3.weight"
    one, three = (after.weights[name] - state.weights[name] for after in (slow, fast))
    assert torch.allclose(three, 3 * one, atol=1e-5)


def test_least_squares_predictor_is_never_late():
    (_, exact), (_, learnt) = (run(Settings(batch_size=128, predictor=kind), 2) for kind in ("least_squares", "mlp"))
    assert abs(exact[-1].lag) < 1e-3 < learnt[-1].lag


def test_random_search_never_accepts_a_worse_batch():
    settings = Settings(**SMALL, optimizer="random_search", stop_gradient=False, learning_rate=0.5)
    runner = live._Run(start(settings), settings)
    for _ in range(5):
        batch = runner._batch()
        with torch.no_grad():
            before = float(runner._evaluate(*batch, None))
            runner.step()
            assert float(runner._evaluate(*batch, None)) <= before


def test_own_images_without_labels():
    pixels = torch.randint(0, 256, (60, 3, 32, 32), dtype=torch.uint8)
    images = Images("images", pixels[:40], pixels[40:], None, None, ())
    settings = Settings(**SMALL, dataset="images")
    state, frames = advance(start(settings, images), settings, 1)
    assert frames[0].knn is None and frames[0].labels is None and frames[0].embedding.shape == (20, 2)
    assert pickle.loads(pickle.dumps(state)).images.train.shape == (40, 3, 32, 32)


def test_train_returns_equal_lists_of_plain_numbers():
    result = train(Settings(**SMALL, steps=25))
    assert result["steps"] == [*range(26)]
    assert {len(values) for values in result.values()} == {26}
    assert json.loads(json.dumps(result)) == result and all(0 <= k <= 1 for k in result["knn"])


def test_every_counts_within_the_slice_and_at_its_end():
    settings = Settings(**SMALL)
    state, frames = advance(start(settings), settings, 7, every=3)
    assert [f.step for f in frames] == [0, 3, 6, 7]
    assert [f.step for f in advance(state, settings, 2, every=3)[1]] == [9]


@pytest.mark.parametrize("steps, last", [(1, [0, 1]), (41, [40, 41])])
def test_train_ends_at_the_last_step(steps, last):
    assert train(Settings(**SMALL, steps=steps))["steps"][-2:] == last


def test_api_names_the_field():
    assert live.simsiam_train('{"steps": 2, "batch_size": 16, "dim": 8}')["steps"] == [0, 1, 2]
    for text, field in {'{"steps": 0}': "steps", '{"size": 1}': "size", "nonsense": "settings"}.items():
        with pytest.raises(InputError) as error:
            live.simsiam_train(text)
        assert error.value.field == field


def test_endless_runs_are_refused(monkeypatch):
    monkeypatch.setattr(live, "LONGEST", 1e-3)
    with pytest.raises(InputError, match="steps"):
        train(Settings(**SMALL, steps=40))


def test_collapse_and_its_absence_are_beyond_doubt():
    (_, with_it), (state, without) = (run(Settings(stop_gradient=on), 40, every=40) for on in (True, False))
    assert with_it[-1].std > 0.5 and with_it[-1].effective_rank > 3
    assert without[-1].std < 0.1 and without[-1].effective_rank < 1.1
    assert measure(state).knn > 0.5  # the encoder's features outlive the output's collapse for a while


def test_views_are_pictures():
    shown = live.views(Settings(), count=4)
    assert shown.shape == (4, 3, 8, 8, 1) and shown.dtype == np.uint8
    same = live.views(Settings(augmentations=("identity",)), count=4)
    assert (same[:, 0] == same[:, 1]).all() and not (shown[:, 0] == shown[:, 1]).all()


def test_without_bf16_the_same_story(monkeypatch):
    monkeypatch.setattr(live.accelerator, "autocast_dtype", lambda: None)
    _, frames = run(Settings(stop_gradient=False), 40, every=40)
    assert frames[-1].std < 0.1
