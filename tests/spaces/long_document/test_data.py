"""Labels, splits by hash, and the pack there and back."""

import json
import lzma

import numpy as np
import pytest

from spaces.long_document.data import (
    GENRES,
    LABELS,
    PROVINCES,
    TASKS,
    columns,
    label_of,
    main,
    read_pack,
    share,
    split_of,
    task_of,
    training_texts,
)
from spaces.long_document.e5 import build_tokenizer, load_pieces

LAWS = [
    {"label_type": "x", "province": p, "text": f"第{i}条 a" * 9} for i, p in enumerate(["北京", None, "浙江", "海南"])
]
BOOKS = [
    {"label": "史书", "book": f"b{i % 40}", "chapter": "c", "text": f"a条例{i}", "split": "train"} for i in range(400)
]


@pytest.fixture
def data(tmp_path):
    for name, rows in (("longdoc_laws", LAWS), ("longdoc_classical", BOOKS + [BOOKS[0] | {"split": "lm_only"}])):
        (tmp_path / name).mkdir()
        with lzma.open(tmp_path / name / "docs.jsonl.xz", "wt", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (tmp_path / "e5_small_zh").mkdir()
    (tmp_path / "e5_small_zh" / "weights_q4.npz").write_bytes(b"weights")
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", "a", "条", "例", "第", *"0123456789"]
    lines = "".join(f"{p}\t{-1.0 * i}\n" for i, p in enumerate(pieces))
    (tmp_path / "e5_small_zh" / "pieces.tsv").write_text(lines, encoding="utf-8")
    return tmp_path


def test_labels_and_tasks():
    assert [label_of(row, "province") for row in LAWS] == [0, -1, LABELS.index("浙江"), -1]
    assert task_of(LAWS[0]) == "province" and task_of(BOOKS[0]) == "genre" and task_of({"text": ""}) is None
    assert split_of(LAWS[1], "province") == "unlabelled"


def test_held_out_books_are_whole_and_shares_are_even():
    splits = {}
    for row in BOOKS:
        splits.setdefault(row["book"], set()).add(split_of(row, "genre"))
    assert any(found == {"books"} for found in splits.values())
    assert all(found == {"books"} or "books" not in found for found in splits.values())
    assert abs(np.mean([share(str(i)) for i in range(4000)]) - 0.5) < 0.02


def test_no_phrase_is_learnt_from_a_held_out_text():
    rows = [*LAWS, *BOOKS]
    held = [row["text"] for row in rows if split_of(row, task_of(row)) in ("laws", "chapters", "books")]
    learnt = list(training_texts(rows))
    assert held and not set(held) & set(learnt) and len(held) + len(learnt) == len(rows)


def test_pack_there_and_back(data, capsys):
    main(["--pack", str(data / "pack"), "--data", str(data)])
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    pack = read_pack(data / "pack")
    assert len(pack.documents) == len(LAWS) + len(BOOKS) == sum(report["documents"].values())
    assert sum(len(d.tokens) for d in pack.documents) == report["tokens"]
    (law,) = [d for d in pack.documents if d.label == 0]
    read = build_tokenizer(load_pieces(data / "pack")).decode(law.tokens.tolist())
    assert read == LAWS[0]["text"] and law.group == ""
    assert load_pieces(data / "pack", "e5_pieces.tsv") == load_pieces(data / "e5_small_zh")
    assert {d.group for d in pack.of("books")} and not pack.of("train", task="province")[0].group


def test_the_columns_of_the_tasks_are_all_labels_in_their_order():
    assert [LABELS[columns(task)] for task in TASKS] == [PROVINCES, GENRES]
