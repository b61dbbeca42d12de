"""The split by hash, shares of large sources, packing and reading back, dialogues rewritten as questions."""

import json
import lzma

import numpy as np
import pytest

from spaces.chat import data as module
from spaces.chat.data import Document, chosen, documents, first, load, pack, question_form, starts, stream
from spaces.chat.model import WEIGHTS
from spaces.chat.tasks.facts import IDIOMS, VERSES
from spaces.chat.tokenizer import CpmTokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return CpmTokenizer(WEIGHTS)


def _write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with lzma.open(path, "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def test_identical_and_empty_texts_come_once_or_not_at_all(tmp_path):
    _write(tmp_path / "a.xz", [{"text": "甲", "book": 1}, {"text": "乙"}, {"text": "甲"}, {"text": ""}])
    rows = list(documents("a.xz", tmp_path))
    assert [row.text for row in rows] == ["甲", "乙"] and rows[0].fields == {"book": 1}


def test_the_split_follows_the_text_alone(tmp_path):
    texts = [f"文{i}" for i in range(4000)]
    _write(tmp_path / "a.xz", [{"text": text} for text in texts])
    _write(tmp_path / "b.xz", [{"text": text, "more": 1} for text in reversed(texts)])
    a, b = ({row.text for row in documents(name, tmp_path) if row.held_out} for name in ("a.xz", "b.xz"))
    assert a == b and 60 < len(a) < 140  # 25 of 1,000


def test_a_large_source_gives_its_share_and_all_that_is_held_out(monkeypatch):
    monkeypatch.setattr(module, "TAKEN", {"laws": 100e-6})
    rows = [Document(f"{i * 43 % 1000:08x}", "法" * 10, {}) for i in range(1000)]
    kept = chosen("laws", rows)
    assert sum(not row.held_out for row in kept) == 10 and sum(row.held_out for row in kept) == 25
    assert kept == sorted(kept, key=lambda row: row.key)
    assert len(chosen("poems", rows)) == 1000


def test_validation_stops_at_its_characters(monkeypatch):
    monkeypatch.setattr(module, "VALIDATION", 10)
    assert first(["一二三四"] * 9) == ["一二三四"] * 3


def test_a_stream_is_every_text_after_an_eod(tokenizer):
    ids = stream(tokenizer, ["床前明月光", "疑是地上霜"])
    edges = starts(ids, tokenizer.eod_id)
    assert ids.dtype == np.uint16 and edges[0] == 0 and edges[-1] == len(ids) and len(edges) == 3
    assert tokenizer.decode(ids[1 : edges[1]].tolist()) == "床前明月光"


def test_what_is_packed_is_read_back(tokenizer, tmp_path, monkeypatch):
    rows = [("poems", ["，".join(pair) for pair in VERSES], ["千里共婵娟\n但愿人长久"]), ("wiki", IDIOMS[:9], [])]
    monkeypatch.setattr(module, "texts", lambda data: iter(rows))
    pack(tmp_path, tmp_path / "out", tokenizer)
    meta, train, val = load(tmp_path / "out")
    assert len(val["wiki"]) == 0 and meta["sources"]["poems"]["train"]["documents"] == len(VERSES)
    for name, texts, _ in rows:
        edges = starts(train[name], meta["eod"])
        back = [tokenizer.decode(train[name][a + 1 : b].tolist()) for a, b in zip(edges[:-1], edges[1:], strict=True)]
        assert back == texts
        characters = np.array(meta["token_characters"])[train[name]].sum()
        assert characters == meta["sources"][name]["train"]["characters"]


def test_dialogues_become_questions_at_line_beginnings_only(tokenizer):
    text = "用户：助手在吗\n助手：在，用户：你好"
    streams = {"kdconv": stream(tokenizer, [text]), "smilechat": stream(tokenizer, ["用户：好\n助手：好"])}
    words = ("用户", "助手", "问", "答", "：", "\n")
    meta = {"eod": tokenizer.eod_id, "roles": {word: tokenizer.encode(word)[0] for word in words}}
    before = streams["kdconv"].copy()
    said = tokenizer.decode(question_form(streams, meta).tolist())
    assert said == "问：助手在吗\n答：在，用户：你好" + "问：好\n答：好"
    assert np.array_equal(before, streams["kdconv"])
