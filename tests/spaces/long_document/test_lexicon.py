"""The lexicon: its evidence is the classifier's answer, token by token, and embeddings can be told it."""

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel

from spaces.long_document.data import Document
from spaces.long_document.lexicon import COPIES, Lexicon, inscribe, lexicons
from spaces.long_document.trainer import evidence_of

MARKS = {0: 50, 1: 51, 2: 52}
VOCABULARY = 160


def document(label: int, seed: int, task: str = "province") -> Document:
    tokens = np.random.default_rng(seed).permutation(np.arange(100, 140)).astype(np.uint16)
    tokens[5] = MARKS[label]
    return Document(tokens, task, label + 7 * (task == "genre"), "train", "")


@pytest.fixture(scope="module")
def texts():
    return [document(seed % 3, seed) for seed in range(60)]


def test_evidence_adds_up_to_the_classifiers_answer(texts):
    lexicon = Lexicon(texts, "province", VOCABULARY)
    tokens = np.concatenate([document(1, 99).tokens, document(2, 98).tokens[:20]])  # some pieces twice
    row = lexicon.row(tokens)
    answer = (row @ (lexicon.table / np.maximum(lexicon.rarity, 1e-9)[:, None]))[0]
    summed = lexicon.evidence(tokens).sum(0)
    np.testing.assert_allclose(summed / np.linalg.norm(summed), answer / np.linalg.norm(answer), atol=1e-5)
    assert row.power(2).sum() == pytest.approx(1, rel=1e-5)


def test_copies_share_what_their_piece_says(texts):
    lexicon = Lexicon(texts, "province", VOCABULARY)
    once, thrice = lexicon.evidence(np.array([50, 101])), lexicon.evidence(np.array([50, 101, 50, 50]))
    np.testing.assert_allclose(thrice[0], once[0] * 3**COPIES / 3, rtol=1e-5)
    np.testing.assert_allclose(thrice[[2, 3]], thrice[[0, 0]])
    np.testing.assert_allclose(thrice[1], once[1])


def test_the_word_that_tells_stands_out(texts):
    lexicon = Lexicon(texts, "province", VOCABULARY)
    for label in MARKS:
        evidence = lexicon.evidence(document(label, 77 + label).tokens)
        assert evidence.shape == (40, 7) and evidence[:, label].argmax() == 5
        assert (evidence[:, 3:] == 0).all()  # labels nobody showed
    assert (lexicon.evidence(np.array([9, 10], dtype=np.uint16)) == 0).all()


def test_two_labels_are_enough(texts):
    lexicon = Lexicon([d for d in texts if d.label < 2], "province", VOCABULARY)
    assert lexicon.evidence(document(0, 5).tokens)[5, 0] > 0 > lexicon.evidence(document(0, 5).tokens)[5, 1]


def test_each_task_fills_its_own_columns(texts):
    known = lexicons([*texts, *(document(seed % 3, seed, "genre") for seed in range(30))], VOCABULARY)
    ids = torch.stack([torch.tensor([0, *document(1, 3).tokens.tolist(), 2])] * 2)
    evidence, has = evidence_of(ids, ["province", "genre"], known)
    assert evidence.shape == (2, 42, 19) and has.sum(1).tolist() == [7, 12]
    assert evidence[0, 6, 1] > 0 and evidence[1, 6, 8] > 0  # the mark, one further on behind <s>
    assert not evidence[0, :, 7:].any() and not evidence[1, :, :7].any() and not evidence[:, [0, -1]].any()


def test_embeddings_are_told_and_a_linear_map_reads_it(texts):
    torch.manual_seed(0)
    config = BertConfig(vocab_size=VOCABULARY, hidden_size=48, num_hidden_layers=1, num_attention_heads=2)
    encoder = BertModel(config, add_pooling_layer=False)
    lexicon = Lexicon(texts, "province", VOCABULARY)
    before = encoder.get_input_embeddings().weight.detach().clone()
    inscribe(encoder, {"province": lexicon}, 0.5)
    added = encoder.get_input_embeddings().weight.detach() - before
    assert added.norm() == pytest.approx(0.5 * before.norm().item(), rel=1e-4)
    seen = torch.from_numpy(lexicon.table).abs().sum(1) > 0
    assert not added[~seen].any()
    read = torch.linalg.lstsq(added, torch.from_numpy(lexicon.table)).solution
    assert torch.allclose(added @ read, torch.from_numpy(lexicon.table), atol=1e-3)
