"""Queries and keys: samples, and files that visitors bring."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shared.experiment import InputError
from spaces.attention.samples import DIM, KEYS, MOST_KEYS, SAMPLES, norms, pair, read_npy, sample


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_have_their_shape_and_their_seed(name):
    q, k = sample(name)
    assert q.shape == k.shape == (KEYS, DIM) and q.isfinite().all()
    assert torch.equal(q, sample(name)[0]) and not torch.equal(q, sample(name, seed=1)[0])


def test_samples_attend_as_their_names_say():
    weights = {name: (sample(name)[0] @ sample(name)[1].T * DIM**-0.5).softmax(1) for name in SAMPLES}
    assert weights["retrieval"].max(1).values.mean() > 0.8 > 0.2 > weights["gaussian"].max(1).values.mean()
    near = sum(weights["local"].diagonal(offset).sum() for offset in range(-4, 5)) / KEYS
    assert near > 3 * 9 / KEYS
    blocks = weights["topics"].view(KEYS, KEYS)
    topic = torch.arange(KEYS) * 6 // KEYS
    assert blocks[topic[:, None] == topic].sum() / KEYS > 0.6


def test_heads_and_batches_are_unpacked(tmp_path):
    values = np.random.default_rng(0).standard_normal((2, 3, 5, 4))
    for shown, head, expected in [
        (values[0, 0], 0, values[0, 0]),
        (values[0], 2, values[0, 2]),
        (values, 1, values[0, 1]),
    ]:
        np.save(tmp_path / "q.npy", shown)
        assert np.allclose(read_npy(tmp_path / "q.npy", "q", head).numpy(), expected)


@pytest.mark.parametrize(
    "values, words",
    [
        (np.zeros((5,)), "must be a .npy file"),
        (np.zeros((1, 4)), "must have n = 2"),
        (np.zeros((MOST_KEYS + 1, 2)), "must have n = 2"),
        (np.zeros((4, 300)), "d = 1"),
        (np.array([[np.nan, 1], [1, 1]]), "NaN"),
        (np.array([["a", "b"], ["c", "d"]]), "must be a .npy file"),
        (np.zeros((2, 2), complex), "must be a .npy file"),
    ],
)
def test_bad_files_are_refused_in_one_sentence(tmp_path, values, words):
    np.save(tmp_path / "q.npy", values)
    with pytest.raises(InputError, match=words) as error:
        read_npy(tmp_path / "q.npy", "q")
    assert error.value.field == "q" and "\n" not in error.value.en


def test_nothing_in_a_file_is_executed(tmp_path):
    np.save(tmp_path / "q.npy", np.array([{"a": print}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError):
        read_npy(tmp_path / "q.npy", "q")
    (tmp_path / "k.npy").write_bytes(b"\x93NUMPY not really")
    with pytest.raises(InputError):
        read_npy(tmp_path / "k.npy", "k")
    np.savez(tmp_path / "z.npy.npz", a=np.zeros((3, 3)))
    with pytest.raises(InputError):
        read_npy(tmp_path / "z.npy.npz", "k")


def test_a_missing_head_and_unequal_dimensions_are_named(tmp_path):
    np.save(tmp_path / "q.npy", np.zeros((2, 5, 4)))
    with pytest.raises(InputError) as error:
        read_npy(tmp_path / "q.npy", "q", head=2)
    assert error.value.field == "head"
    with pytest.raises(InputError) as error:
        pair(torch.zeros(3, 4), torch.zeros(3, 5))
    assert error.value.field == "k"


def test_norms_are_those_that_the_features_see():
    q = torch.tensor([[3.0, 4.0], [0.0, 5.0]])
    assert norms(q, 2 * q, 0.25) == pytest.approx((2.5, 5.0))
