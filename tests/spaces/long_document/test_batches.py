"""Batches: one length, real pieces of the texts, the right words hidden."""

import numpy as np
import pytest
import torch

from spaces.long_document.batches import BOS, EOS, MASK, WHOLE, Mix, Sampler, cut, hide, whole_length
from spaces.long_document.data import Document

LONG = Document(np.arange(10, 5010, dtype=np.uint16), "genre", 8, "train", "a")
SHORT = Document(np.arange(10, 400, dtype=np.uint16), "province", 2, "train", "")


def test_cut_is_a_piece_between_its_special_tokens():
    random = np.random.default_rng(0)
    pieces = [cut(LONG, 100, random) for _ in range(60)]
    for ids in pieces:
        assert ids[0] == BOS and ids[-1] == EOS and len(ids) == 100
        assert (np.diff(ids[1:-1]) == 1).all()
    starts = [ids[1] for ids in pieces]
    assert starts.count(10) > 8 and starts.count(5010 - 98) > 3 and len(set(starts)) > 15


def test_whole_lengths():
    assert whole_length(SHORT, 16384) == 384 and whole_length(LONG, 16384) == 4096 and whole_length(LONG, 1024) == 1024
    assert list(WHOLE) == sorted(set(WHOLE)) and WHOLE[0] == 256 and WHOLE[-1] == 16384


@pytest.mark.parametrize("mix", [Mix((0.5, 0.5, 0, 0), 0.0, 4096), Mix((0, 0, 0, 0), 1.0, 4096)])
def test_batches_have_one_length_and_both_tasks(mix):
    documents = [SHORT, LONG, Document(LONG.tokens[:700], "province", 1, "train", "")] * 9
    sampler = Sampler(documents, mix)
    seen = set()
    for _ in range(30):
        ids, labels, tasks = sampler.next()
        assert ids.numel() <= 2 * mix.tokens and len(ids) == len(labels)
        assert [label < 7 for label in labels.tolist()] == [task == "province" for task in tasks]
        assert (ids[:, 0] == BOS).all() and (ids[:, -1] == EOS).all() and (ids[:, 1:-1] >= 10).all()
        seen |= set(labels.tolist())
    assert seen >= {1, 8}


def test_hidden_words():
    ids = torch.randint(10, 25000, (4, 502))
    ids[:, 0], ids[:, -1] = BOS, EOS
    damaged, places, truth = hide(ids, 0.2, 25605, torch.Generator().manual_seed(0))
    assert len(places) == 400 == len(places.unique())
    assert torch.equal(ids.flatten()[places], truth)
    changed = (damaged != ids).flatten()
    assert set(changed.nonzero()[:, 0].tolist()) <= set(places.tolist())
    assert (damaged[:, 0] == BOS).all() and (damaged[:, -1] == EOS).all()
    assert 0.74 < (damaged.flatten()[places] == MASK).float().mean() < 0.86
    assert 0.84 < changed.float().sum() / 400 < 0.96
