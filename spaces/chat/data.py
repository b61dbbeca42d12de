"""Where the small CPM's text comes from, which of it is held out, and the packed tokens that training reads.

Sources are read from the data folder and never copied into the project. A document is held out for validation by the
hash of its text, so the split is the same on every machine. `python -m spaces.chat.data` cuts the words, encodes, and
packs one stream of 16-bit ids a source, every document after an <eod>; training then needs no word cutter.

Wikipedia passages come in both scripts (DRCD's are traditional). Each training passage is packed once as it is and once
converted to the other script; validation text is never converted.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import lzma
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shared.jsonl import read_rows
from spaces.chat import fewshot, sentences
from spaces.chat.tokenizer import CpmTokenizer

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
WEIGHTS = Path(__file__).parent / "weights"
SOURCES = {
    "smilechat": "lm/smilechat_25k.jsonl.xz",
    "kdconv": "lm/kdconv_crosswoz.jsonl.xz",
    "literature": "lm/modern_lit_pd.jsonl.xz",
    "poems": "lm/poems.jsonl.xz",
    "tech": "lm/tech_docs.jsonl.xz",
    "wiki": "lm/wiki_passages.jsonl.xz",
    "laws": "longdoc_laws/docs.jsonl.xz",
    "classical": "longdoc_classical/docs.jsonl.xz",
}
HELD_OUT = 25  # of 1,000 documents
# Millions of characters taken of a source too large for the pack. Chapters of vernacular novels have a share of their
# own, for they are nearest to modern literature and to the songs among the poems.
TAKEN = {"smilechat": 14.0, "laws": 8.0, "白话小说": 5.5, "classical": 4.5}
MODERN = ("kdconv", "literature", "tech", "wiki")  # whose sentences become extraction prompts, so many of a kind
SENTENCES = {"person": 12_000, "place": 12_000, "other": 6000}
VALIDATION = 120_000  # characters of a source that training is shown its progress on
# Ids of 16 bits compress best when xz is told so: 0.69 bytes a token of technical text, 0.87 with bz2.
XZ = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 0, "lp": 1, "pb": 1, "dict_size": 1 << 26}]


@dataclass(frozen=True)
class Document:
    """One text with the hash that decides its split, and the source's own fields."""

    key: str
    text: str
    fields: dict

    @property
    def held_out(self) -> bool:
        return int(self.key[:8], 16) % 1000 < HELD_OUT


def documents(name: str, data: Path = DATA) -> Iterator[Document]:
    """Documents of one .jsonl.xz file with a `text` field; identical texts once."""
    seen = set()
    for fields in read_rows(data / name, "text"):
        text = fields.pop("text")
        key = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
        if text and key not in seen:
            seen.add(key)
            yield Document(key, text, fields)


def training(rows: Iterable[Document]) -> Iterator[Document]:
    return (row for row in rows if not row.held_out)


def chosen(source: str, rows: Iterable[Document]) -> list[Document]:
    """Documents in the order of their hashes; for training no more than the source's share in TAKEN."""
    left = {name: millions * 1e6 for name, millions in TAKEN.items()}
    kept = []
    for row in sorted(rows, key=lambda row: row.key):
        share = row.fields.get("label") if row.fields.get("label") in left else source
        if row.held_out or left.get(share, 1) > 0:
            if share in left and not row.held_out:
                left[share] -= len(row.text)
            kept.append(row)
    return kept


def first(rows: Iterable[str]) -> list[str]:
    """The first texts, until they have VALIDATION characters."""
    kept, characters = [], 0
    for text in rows:
        if characters < VALIDATION:
            kept.append(text)
            characters += len(text)
    return kept


def other_script(rows: Iterable[Document]) -> Iterator[str]:
    """Wikipedia passages in the script they are not in."""
    from opencc import OpenCC  # training data only

    to_simplified, to_traditional = OpenCC("tw2s"), OpenCC("s2tw")
    for row in rows:
        traditional = "traditional" in row.fields["src"]
        yield (to_simplified if traditional else to_traditional).convert(row.text)


def texts(data: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """(source, training texts, validation texts) for everything that is packed."""
    for source, name in SOURCES.items():
        rows = chosen(source, documents(name, data))
        train = list(training(rows))
        yield source, [row.text for row in train], first(row.text for row in rows if row.held_out)
        if source == "wiki":
            yield "wiki_converted", list(other_script(train)), []
    modern = [row.text for source in MODERN for row in training(documents(SOURCES[source], data))]
    yield "sentences", list(sentences.prompts(modern, 1, SENTENCES)), []
    yield "fewshot", list(fewshot.prompts(seed=1)), list(fewshot.prompts(seed=2, number=1000))


def write_unseen(data: Path, out: Path) -> None:
    """OUT/SOURCE.jsonl with every other held-out document: those that no λ is fitted on (counting.py)."""
    out.mkdir(parents=True, exist_ok=True)
    for source, name in SOURCES.items():
        rows = [row for row in chosen(source, documents(name, data)) if row.held_out][1::2]
        lines = [json.dumps({"text": row.text}, ensure_ascii=False) + "\n" for row in rows]
        (out / f"{source}.jsonl").write_text("".join(lines), encoding="utf-8")
        print(json.dumps({source: {"documents": len(rows), "characters": sum(len(row.text) for row in rows)}}))


def stream(tokenizer: CpmTokenizer, rows: list[str]) -> np.ndarray:
    """One array of ids, each text after an <eod>; (tokens,) uint16."""
    eod = tokenizer.eod_id
    return np.concatenate([np.array([eod, *tokenizer.encode(text)], np.uint16) for text in rows])


def pack(data: Path, out: Path, tokenizer: CpmTokenizer) -> dict:
    """Write OUT/SOURCE.train.xz, OUT/SOURCE.val.xz and OUT/meta.json; returns the latter's contents."""
    out.mkdir(parents=True, exist_ok=True)
    meta = {"vocab_size": tokenizer.size, "eod": tokenizer.eod_id, "sources": {}}
    meta["token_characters"] = [sum(byte & 0xC0 != 0x80 for byte in b) for b in tokenizer.token_bytes]
    meta["roles"] = {word: tokenizer.encode(word)[0] for word in ("用户", "助手", "问", "答", "：", "\n")}
    for source, train, val in texts(data):
        counts = {}
        for split, rows in (("train", train), ("val", val)):
            ids = stream(tokenizer, rows) if rows else np.zeros(0, np.uint16)
            path = out / f"{source}.{split}.xz"
            path.write_bytes(lzma.compress(ids.tobytes(), filters=XZ))
            counts[split] = {"documents": len(rows), "characters": sum(map(len, rows)), "tokens": len(ids)}
            counts[split]["packed_bytes"] = path.stat().st_size
        meta["sources"][source] = counts
        print(json.dumps({source: counts}), flush=True)
    (out / "meta.json").write_text(json.dumps(meta))
    return meta


def load(packed: Path) -> tuple[dict, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """What `pack` wrote: (meta, training streams, validation streams)."""
    meta = json.loads((packed / "meta.json").read_text())

    def read(split: str) -> dict[str, np.ndarray]:
        files = {source: packed / f"{source}.{split}.xz" for source in meta["sources"]}
        return {s: np.frombuffer(lzma.decompress(path.read_bytes()), np.uint16) for s, path in files.items()}

    return meta, read("train"), read("val")


def question_form(streams: dict[str, np.ndarray], meta: dict, most: int = 1_500_000) -> np.ndarray:
    """Dialogues with 问：… 答：… for 用户：… 助手：…, all of kdconv and the first of smilechat; (tokens,) uint16."""
    ids = np.concatenate([streams["kdconv"], streams["smilechat"][:most]])
    role = meta["roles"]
    line_begins = np.isin(np.roll(ids, 1), (meta["eod"], role["\n"]))
    speaks = line_begins & (np.roll(ids, -1) == role["："])
    for name, letter in (("用户", "问"), ("助手", "答")):
        ids[speaks & (ids == role[name])] = role[letter]
    return ids


def starts(ids: np.ndarray, eod: int) -> np.ndarray:
    """Where each document's <eod> stands in a stream, with the stream's length after the last."""
    return np.append(np.flatnonzero(ids == eod), len(ids))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=ROOT / ".carry" / "chat")
    parser.add_argument("--unseen", type=Path, metavar="OUT", help="write texts to evaluate on instead")
    args = parser.parse_args()
    if args.unseen:
        return write_unseen(args.data, args.unseen)
    meta = pack(args.data, args.out, CpmTokenizer(WEIGHTS))
    size = sum(c[split]["packed_bytes"] for c in meta["sources"].values() for split in ("train", "val"))
    print(json.dumps({"megabytes": round(size / 1e6, 1)}))


if __name__ == "__main__":
    main()
