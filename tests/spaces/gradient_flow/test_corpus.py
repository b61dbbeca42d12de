"""The corpus: shares, splits by hash, and nothing share-alike among the technical documents."""

from __future__ import annotations

import json
import lzma

import numpy as np
import pytest

from spaces.gradient_flow import corpus
from spaces.gradient_flow.characters import END, UNKNOWN


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two small sources."""
    monkeypatch.setattr(corpus, "SOURCES", {"tech": ("tech.jsonl.xz", 1.0), "poems": ("poems.jsonl.xz", 0.0001)})
    licences = ["Apache-2.0", "CC BY-SA 4.0 + SATA", "CC BY 4.0"]
    tech = [{"text": f"第{i}篇文档", "lic": licences[i % 3]} for i in range(300)]
    poems = [{"text": f"诗{i:04d}歌。。。。。"} for i in range(100)]
    for name, rows in (("tech", tech), ("poems", poems)):
        with lzma.open(tmp_path / f"{name}.jsonl.xz", "wt") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
    return tmp_path


def test_share_alike_documents_stay_out(folder):
    found = [text for text, _ in corpus.texts("tech", folder)]
    assert len(found) == 200 and not any(int(text[1:-3]) % 3 == 1 for text in found)


def test_a_source_gives_its_share_and_always_the_same(folder):
    found = list(corpus.texts("poems", folder))
    assert len(found) == 10  # of 11 characters each: nine leave one of the hundred
    assert found == list(corpus.texts("poems", folder))


def test_split_is_by_document(folder, monkeypatch):
    monkeypatch.setattr(corpus, "HELD_OUT", 300)
    whole = corpus.corpus(folder)
    held_out = sum(flag for source in corpus.SOURCES for _, flag in corpus.texts(source, folder))
    assert (whole.validation == END).sum() == held_out > 20
    assert (whole.train == END).sum() == 210 - held_out
    assert whole.train[0] == END and whole.train.dtype == np.int16


def test_vocabulary_is_the_most_frequent_of_the_training_text(folder, monkeypatch):
    monkeypatch.setattr(corpus, "MOST", 3)
    whole = corpus.corpus(folder)
    assert len(whole.vocabulary) == 5 and set(whole.vocabulary.characters) < set("第篇文档")
    assert (whole.train == UNKNOWN).any()
    again = corpus.corpus(folder, whole.vocabulary)
    assert np.array_equal(again.train, whole.train)


def test_traditional_characters_are_simplified():
    pytest.importorskip("opencc")
    assert corpus._simplified("漢語") == "汉语"
