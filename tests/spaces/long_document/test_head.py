"""A head that learns what the features hold, folded back into a checkpoint that plain transformers reads."""

import json
import zipfile

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from shared.experiment import InputError
from spaces.long_document.head import check_labelled, feature, features, fit, save_head
from spaces.long_document.many import Named
from tests.spaces.long_document import tiny


@pytest.fixture(scope="module")
def reader():
    return tiny.reader()


def texts(count: int = 24) -> list[Named]:
    kinds = [("甲", "a"), ("乙", "b"), ("丙", "c")]
    return [Named(str(i), kinds[i % 3][0] * (20 + i) + "丁戊", label=kinds[i % 3][1]) for i in range(count)]


def test_a_separable_set_is_learnt_and_judged_unseen(reader):
    documents = texts()
    shares, found = zip(*features(reader, documents, 64), strict=True)
    share, rows = shares[-1], found[-1]
    assert len(shares) > 1.5 * len(documents) and list(shares) == sorted(shares)  # a text is left on the way
    head = fit(rows, [d.label for d in documents])
    assert share == 1 and rows.shape == (24, 16)
    assert head.accuracy == 1 and head.macro_f1 == 1 and head.guessing == pytest.approx(1 / 3)
    assert head.confusion.sum() == 24 and np.trace(head.confusion) == 24 and head.folds == 5
    shuffled = list(np.random.default_rng(0).permutation([d.label for d in documents]))
    assert fit(rows, shuffled).accuracy < 0.8


@pytest.mark.parametrize("kinds", [2, 3])
def test_the_saved_checkpoint_is_plain_and_says_the_same(reader, tmp_path, kinds):
    documents = [d for d in texts(30) if d.label in "abc"[:kinds]]
    *_, (_, rows) = features(reader, documents, 64)
    head = fit(rows, [d.label for d in documents])
    file = save_head(reader, head, 100, tmp_path / "head.zip")
    with zipfile.ZipFile(file) as archive:
        archive.extractall(tmp_path / "out")
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "out", dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert model.config.max_position_embeddings == 100 == tokenizer.model_max_length
    assert reader.tokenizer.model_max_length == 256 and reader.capacity == 256  # nothing of the reader has changed
    for row, document in zip(rows, documents, strict=True):
        ids = tokenizer(document.text, truncation=True, max_length=64, return_tensors="pt").input_ids
        given = model(ids).logits[0].detach()
        wanted = torch.from_numpy(head.weight @ row + head.bias).float()
        assert model.config.id2label[int(given.argmax())] == document.label
        torch.testing.assert_close(given, wanted, atol=0.3, rtol=0.1)  # the checkpoint is bf16


@pytest.mark.parametrize("length, reads", [(8, 16), (100, 100), (512, 256)])
def test_every_length_that_is_offered_can_be_saved(reader, tmp_path, length, reads):
    """Texts were read before: a length below the trained 16 or beyond 256 must not be refused then."""
    head = fit(np.random.default_rng(0).normal(size=(24, 16)), [d.label for d in texts()])
    with zipfile.ZipFile(save_head(reader, head, length, tmp_path / "head.zip")) as archive:
        assert json.loads(archive.read("config.json"))["max_position_embeddings"] == reads


def test_a_feature_is_what_the_linear_layer_sees(reader):
    ids = reader.encode("甲乙丙" * 9)
    linear = reader.model.classifier
    logits = torch.from_numpy(list(feature(reader, ids))[-1][1]) @ linear.weight.T + linear.bias
    torch.testing.assert_close(logits[2:].detach(), tiny.logits(reader, ids, "genre"), atol=1e-4, rtol=1e-3)
    assert not linear._forward_hooks


@pytest.mark.parametrize(
    "documents, said",
    [
        (texts(19), "has 19 rows"),
        ([Named(str(i), "甲乙", label="a") for i in range(30)], "two labels or more"),
        ([*texts(30), Named("x", "甲乙", label="alone")], "alone"),
        ([Named(str(i), "甲乙") for i in range(30)], "has 0 rows"),
        (texts(2001), "has 2001 rows"),
        ([Named(str(i), "甲乙", label=str(i // 2)) for i in range(600)], "too many"),
    ],
)
def test_what_cannot_be_learnt_from_is_named(documents, said):
    with pytest.raises(InputError, match=said):
        check_labelled(documents)
