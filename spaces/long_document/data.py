"""Two tasks that profit from reading on: the province of a regulation, the genre of a classical chapter.

`python -m spaces.long_document.data --pack .carry/long` turns longdoc_laws, longdoc_classical and e5_small_zh
(data folder: --data, ../shared/data) into a folder of at most 52 MiB that trains anywhere: a vocabulary of the training
texts' phrases, tokens as uint16, labels, the validation split (ours, by hash: laws, whole books, chapters of known
books) and the Q4_0 encoder.

Try first: `read_pack(".carry/long").documents[0]`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import lzma
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from shared.experiment import InputError
from shared.jsonl import read_rows

DATA = Path("../shared/data")
LIMIT_MIB = 52
PHRASES = 36_000  # with 384 numbers each, in bf16, 28 MB
PROVINCES = ("北京", "上海", "重庆", "广东", "山东", "河南", "浙江")
GENRES = (
    "史书", "白话小说", "经子儒学", "志怪笔记", "医药养生", "类书政书",
    "兵法军事", "诗文评论", "戏曲", "术数命理", "地理游记", "佛道",
)  # fmt: skip
# task → the field of a row that holds its label, and the labels; the classifier's outputs stand in this order
TASKS = {"province": ("province", PROVINCES), "genre": ("label", GENRES)}
LABELS = PROVINCES + GENRES
SPLITS = ("train", "unlabelled", "laws", "chapters", "books")  # the last three are for validation


@dataclass(frozen=True)
class Document:
    """One text as tokens (n,) uint16 without <s> and </s>; label indexes LABELS, −1 where it has none."""

    tokens: np.ndarray
    task: str
    label: int
    split: str
    group: str


@dataclass(frozen=True)
class Pack:
    """What training needs, from one folder."""

    folder: Path
    documents: list[Document]

    def of(self, *splits: str, task: str | None = None) -> list[Document]:
        """The documents of some splits, of one task or of both."""
        return [d for d in self.documents if d.split in splits and task in (None, d.task)]


def columns(task: str) -> slice:
    """Where the task's labels stand in LABELS, and in the classifier's outputs."""
    names = TASKS[task][1]
    first = LABELS.index(names[0])
    return slice(first, first + len(names))


def share(text: str) -> float:
    """A number in [0, 1) that depends on the text alone: fixed samples and splits."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big") / 2**64


def task_of(row: dict) -> str | None:
    """The task that a row belongs to by its fields: province before label; None where it has neither."""
    return next((task for task, (field, _) in TASKS.items() if field in row), None)


def label_of(row: dict, task: str) -> int:
    """The label's place in LABELS, −1 where the row has none of the task's labels."""
    field, labels = TASKS[task]
    return LABELS.index(row[field]) if row.get(field) in labels else -1


def split_of(row: dict, task: str) -> str:
    """Ours, by hash: 12 % of the laws, 9 % of the books whole and 5 % of the other books' chapters."""
    if label_of(row, task) < 0:
        return "unlabelled"
    if task == "province":
        return "laws" if share(row["text"]) < 0.12 else "train"
    if share("book " + row["book"]) < 0.09:
        return "books"
    return "chapters" if share(row["text"]) < 0.05 else "train"


def tokenise(rows: list[dict], pieces: list[tuple[str, float]]) -> Iterator[Document]:
    """Documents from rows, in batches of 64 for the tokenizer's own threads."""
    from spaces.long_document.e5 import build_tokenizer  # building the page loads no model code

    backend = build_tokenizer(pieces).backend_tokenizer
    for start in range(0, len(rows), 64):
        batch = rows[start : start + 64]
        encodings = backend.encode_batch_fast([row["text"] for row in batch], add_special_tokens=False)
        for row, encoding in zip(batch, encodings, strict=True):
            task = task_of(row)
            ids = np.array(encoding.ids, dtype=np.uint16)
            yield Document(ids, task, label_of(row, task), split_of(row, task), row.get("book", ""))


def training_texts(rows: list[dict]) -> Iterator[str]:
    """What may be learnt from: no text of a validation split."""
    return (row["text"] for row in rows if split_of(row, task_of(row)) in SPLITS[:2])


def write_pack(data: Path, out: Path, rows_each: int | None = None, phrases: int = PHRASES) -> dict:
    """Learn `phrases` pieces, tokenise both sets, save them with the encoder's files; returns counts and sizes."""
    from spaces.long_document.e5 import load_pieces, save_pieces  # building the page loads no model code
    from spaces.long_document.phrases import learn_phrases

    rows = []
    for name in ("longdoc_laws", "longdoc_classical"):
        every = [r for r in read_rows(data / name / "docs.jsonl.xz", "text") if r.get("split") != "lm_only"]
        rows += sorted(every, key=lambda r: share("sample " + r["text"]))[:rows_each]
    known = load_pieces(data / "e5_small_zh")
    pieces = learn_phrases(training_texts(rows), phrases, known)
    documents = list(tokenise(rows, pieces))
    out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(data / "e5_small_zh" / "weights_q4.npz", out / "weights_q4.npz")
    shutil.copyfile(data / "e5_small_zh" / "pieces.tsv", out / "e5_pieces.tsv")
    save_pieces(pieces, out / "pieces.tsv")
    save_documents(documents, out)
    size = sum(f.stat().st_size for f in out.iterdir()) / 2**20
    if size > LIMIT_MIB:
        zh, en = f"{size:.1f} MiB，最多 {LIMIT_MIB} MiB", f"{size:.1f} MiB, at most {LIMIT_MIB} MiB"
        raise InputError("pack", zh, en)
    counts = Counter(f"{d.task}/{d.split}" for d in documents)
    return {"mib": round(size, 2), "tokens": sum(len(d.tokens) for d in documents), "documents": counts}


def save_documents(documents: list[Document], out: Path) -> None:
    """tokens.xz: every token in two bytes, one text after the other; documents.json: everything else."""
    tokens = np.concatenate([d.tokens for d in documents])
    (out / "tokens.xz").write_bytes(lzma.compress(tokens.tobytes(), preset=9))
    meta = [replace(d, tokens=len(d.tokens)).__dict__ for d in documents]
    (out / "documents.json").write_text(json.dumps(meta, ensure_ascii=False), encoding="utf-8")


def read_pack(folder: str | Path) -> Pack:
    """The pack that write_pack saved."""
    folder = Path(folder)
    tokens = np.frombuffer(lzma.decompress((folder / "tokens.xz").read_bytes()), dtype=np.uint16)
    meta = json.loads((folder / "documents.json").read_text(encoding="utf-8"))
    ends = np.cumsum([m["tokens"] for m in meta])
    pieces = np.split(tokens, ends[:-1])
    return Pack(folder, [Document(**m | {"tokens": t}) for m, t in zip(meta, pieces, strict=True)])


def main(argv: list[str] | None = None) -> None:
    """Write the pack and print what is in it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pack", type=Path, required=True, help="the folder to write (ignored by git)")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the two sets and of e5_small_zh")
    parser.add_argument("--rows", type=int, help="only so many documents of each set, by hash")
    parser.add_argument("--phrases", type=int, default=PHRASES, help="pieces to learn from the training texts")
    arguments = parser.parse_args(argv)
    print(json.dumps(write_pack(arguments.data, arguments.pack, arguments.rows, arguments.phrases), ensure_ascii=False))


if __name__ == "__main__":
    main()
