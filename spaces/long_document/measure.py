"""What the continued positions are worth on the default, measured: α, and the ways people continue without it.

    python -m spaces.long_document.measure [--documents 60] [--out spaces/long_document/measured.json]

Two figures of the tab come from it. *By place*: the first 512 tokens of a document, read as if they stood 512, 1,024 …
tokens into a text; a good continuation loses nothing. *By length*: reading on to 1,024, 2,048, 4,096 tokens. Ways:
hierarchical with each α, and tile, clamp, random, zero (positions.py). Documents are our own validation split, which no
training has seen: laws (province) and chapters of unseen books (genre), half each.

Only numbers are written. The weights stay as they are, so the hierarchical α they were trained with has an advantage.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import torch
from torch import Tensor, nn

from spaces.long_document.batches import BOS, EOS
from spaces.long_document.blockwise import read
from spaces.long_document.data import TASKS, Document, read_pack
from spaces.long_document.positions import compose, continue_positions, find_positions
from spaces.long_document.reader import Reader, load_named

OUT = Path(__file__).parent / "measured.json"
PLACES = (0, 256, 512, 1024, 2048, 8192, 32_768, 131_072, 261_632)
LENGTHS = (512, 1024, 2048, 4096)
ALPHAS = (0.1, 0.2, 0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.8)
NAIVE = ("tile", "clamp", "random", "zero")


@dataclass(frozen=True)
class Way:
    """A continuation of the positions: a name, and α where it is hierarchical."""

    name: str
    alpha: float = 0.0

    @property
    def key(self) -> str:
        return f"α = {self.alpha:g}" if self.name == "hierarchical" else self.name


class Anywhere(nn.Embedding):
    """Positions of one way, beginning at a place: what a text reads as if it stood there."""

    def __init__(self, rows: Tensor, way: Way, offset: int, begin: int = 0):
        super().__init__(*rows.shape, _weight=rows)
        self.way, self.offset, self.begin = way, offset, begin

    def forward(self, position: Tensor) -> Tensor:
        """position (…) → (…, d)."""
        index = position - self.offset + self.begin
        if self.way.name == "hierarchical":
            return compose(index, self.weight, self.way.alpha)
        if self.way.name in ("tile", "clamp"):
            last = len(self.weight) - 1
            return self.weight[index % len(self.weight) if self.way.name == "tile" else index.clamp(max=last)]
        return continue_positions(self.weight, max(len(self.weight), int(index.max()) + 1), self.way.name)[index]


def ways() -> list[Way]:
    """Hierarchical with each α, then the naive ones."""
    return [*(Way("hierarchical", a) for a in ALPHAS), *(Way(name) for name in NAIVE)]


def ids_of(document: Document, limit: int) -> Tensor:
    """(1, ≤ limit), special tokens included."""
    body = torch.from_numpy(document.tokens[: limit - 2].astype("int64"))
    return torch.cat([torch.tensor([BOS]), body, torch.tensor([EOS])])[None]


def accuracy(reader: Reader, documents: list[Document], limit: int) -> float:
    """Share of documents whose label is right among its task's."""
    right = 0
    for document in documents:
        *_, (_, logits) = read(reader.model, ids_of(document, limit))
        labels, places = reader.tasks[document.task]
        truth = document.label - (0 if document.task == "province" else len(TASKS["province"][1]))
        right += int(logits[places].argmax()) == truth
    return right / len(documents)


def measure(reader: Reader, documents: list[Document], places=PLACES, lengths=LENGTHS) -> dict:
    """{"by_place": {way: [accuracy]}, "by_length": {way: [accuracy]}}; the model's own positions come back."""
    owner, table, offset = find_positions(reader.model)
    rows = table.weight.detach()[offset:]
    result: dict = {"by_place": {}, "by_length": {}}
    began = time.perf_counter()
    try:
        for way in ways():
            owner.position_embeddings = anywhere = Anywhere(rows, way, offset)
            result["by_length"][way.key] = [round(accuracy(reader, documents, n), 4) for n in lengths]
            by_place = []
            for anywhere.begin in places:
                by_place.append(round(accuracy(reader, documents, 512), 4))
            result["by_place"][way.key] = by_place
            print(f"{time.perf_counter() - began:.0f} s {way.key}", file=sys.stderr, flush=True)
    finally:
        owner.position_embeddings = table
    return result


def main(argv: list[str] | None = None) -> None:
    """Measure and write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--documents", type=int, default=60, help="half of them laws, half chapters of unseen books")
    parser.add_argument("--packed", default=".carry/long", help="what spaces.long_document.data wrote")
    parser.add_argument("--model", default="", help="a folder or a hub name; empty: the embedded default")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args(argv)
    reader, pack = load_named(arguments.model), read_pack(arguments.packed)
    half = arguments.documents // 2
    splits = [[d for d in pack.of(split) if len(d.tokens) >= 1500][:half] for split in ("laws", "books")]
    documents = splits[0] + splits[1]
    found = measure(reader, documents)
    about = {"date": date.today().isoformat(), "documents": len(documents), "places": PLACES, "lengths": LENGTHS}
    arguments.out.write_text(json.dumps(about | found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({"out": str(arguments.out), "documents": len(documents)}))


if __name__ == "__main__":
    main()
