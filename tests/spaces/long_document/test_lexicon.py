"""The lexicon: its evidence is the classifier's answer, token by token."""

import numpy as np
import pytest
import torch

from spaces.long_document.data import Document
from spaces.long_document.lexicon import Lexicon, codes_of, lexicons
from spaces.long_document.trainer import evidence_of

MARKS = {0: 50, 1: 51, 2: 52}


def document(label: int, seed: int, task: str = "province") -> Document:
    tokens = np.random.default_rng(seed).permutation(np.arange(100, 140)).astype(np.uint16)
    tokens[5] = MARKS[label]
    return Document(tokens, task, label + 7 * (task == "genre"), "train", "")


@pytest.fixture(scope="module")
def texts():
    return [document(seed % 3, seed) for seed in range(60)]


def test_a_pair_ends_with_its_token():
    assert codes_of(np.array([3, 7], dtype=np.uint16)).tolist() == [[3, 7], [-1, 4 * 65536 + 7]]
    tall = codes_of(np.array([65535, 65535], dtype=np.uint16))
    assert tall[1, 1] == 2**32 + 65535


def test_evidence_adds_up_to_the_classifiers_answer(texts):
    lexicon = Lexicon(texts, "province")
    fresh = document(1, 99)  # every gram once: no logarithm of a count
    row = lexicon.row(*np.unique(codes_of(fresh.tokens), return_counts=True))
    answer = np.asarray(row @ lexicon.weights)[0]
    summed = lexicon.evidence(fresh.tokens).sum(0)
    np.testing.assert_allclose(summed / np.linalg.norm(summed), answer / np.linalg.norm(answer), rtol=1e-4)
    assert row.power(2).sum() == pytest.approx(1, rel=1e-5)


def test_the_word_that_tells_stands_out(texts):
    lexicon = Lexicon(texts, "province")
    for label in MARKS:
        evidence = lexicon.evidence(document(label, 77 + label).tokens)
        assert evidence.shape == (40, 7) and evidence[:, label].argmax() == 5
        assert (evidence[:, 3:] == 0).all()  # labels nobody showed
    assert (lexicon.evidence(np.array([9, 10], dtype=np.uint16)) == 0).all()


def test_two_labels_are_enough(texts):
    lexicon = Lexicon([d for d in texts if d.label < 2], "province")
    assert lexicon.evidence(document(0, 5).tokens)[5, 0] > 0 > lexicon.evidence(document(0, 5).tokens)[5, 1]


def test_each_task_fills_its_own_columns(texts):
    known = lexicons([*texts, *(document(seed % 3, seed, "genre") for seed in range(30))])
    ids = torch.stack([torch.tensor([0, *document(1, 3).tokens.tolist(), 2])] * 2)
    evidence, has = evidence_of(ids, ["province", "genre"], known)
    assert evidence.shape == (2, 42, 19) and has.sum(1).tolist() == [7, 12]
    assert evidence[0, 6, 1] > 0 and evidence[1, 6, 8] > 0  # the mark, one further on behind <s>
    assert not evidence[0, :, 7:].any() and not evidence[1, :, :7].any() and not evidence[:, [0, -1]].any()
