"""Games and engine labels: read, split by opening, pack small, unpack anywhere.

`python -m spaces.xiangqi.data --pack DIR` writes the training files as one compact archive, so that a machine
without the data folder trains from that file alone. The split is by a hash of the first 30 plies: 2 % of the
openings, with every game and labelled line that shares them, are for validation.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import lzma
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shared.jsonl import read_rows
from spaces.xiangqi.board import iccs, parse_iccs

RESULTS = {"1-0": 1, "1/2-1/2": 0, "0-1": -1}
NO_LABEL, NO_RESULT = -1, 2
ARCHIVE = "games.npz.xz"


@dataclass
class Games:
    """G games of P plies in all, one after another.

    moves, best: int16 (P,), absolute 90·from + to; best is the engine's move or NO_LABEL.
    cp: int16 (P,), the engine's score in centipawns for the side to move. lengths: int32 (G,).
    result: int8 (G,), 1 red won, 0 draw, −1 black won, or NO_RESULT. validation: bool (G,).
    """

    moves: np.ndarray
    best: np.ndarray
    cp: np.ndarray
    lengths: np.ndarray
    result: np.ndarray
    validation: np.ndarray

    def joined(self, other: Games) -> Games:
        """These games, then the others."""
        return Games(*(np.concatenate([getattr(self, f), getattr(other, f)]) for f in vars(self)))

    def select(self, games: np.ndarray) -> Games:
        """The games of a boolean mask (G,)."""
        plies = np.repeat(games, self.lengths)
        return Games(self.moves[plies], self.best[plies], self.cp[plies],
                     self.lengths[games], self.result[games], self.validation[games])


def is_validation(words: list[str], percent: float = 2.0) -> bool:
    """Whether the opening (the first 30 plies) falls into the validation part."""
    digest = hashlib.sha256(" ".join(words[:30]).encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32 < percent / 100


def read_games(path: Path) -> Games:
    """A file of human games or of labelled lines (`games.jsonl.xz`, `labelled.jsonl.xz`)."""
    code = {iccs(90 * f + t): 90 * f + t for f in range(90) for t in range(90)}
    moves, best, cp, lengths, result, validation = [], [], [], [], [], []
    for row in read_rows(path):
        words = row["moves"].split()
        first, labels = row.get("from", len(words)), row.get("best", "").split()
        rest = len(words) - first - len(labels)
        moves += [code[w] if w in code else parse_iccs(w) for w in words]
        best += [NO_LABEL] * first + [code[w] for w in labels] + [NO_LABEL] * rest
        cp += [0] * first + row.get("cp", []) + [0] * rest
        lengths.append(len(words))
        result.append(RESULTS.get(row.get("result"), NO_RESULT))
        validation.append(is_validation(words))
    return Games(np.array(moves, np.int16), np.array(best, np.int16), np.array(cp, np.int16),
                 np.array(lengths, np.int32), np.array(result, np.int8), np.array(validation, bool))


def pack(human: Games, labelled: Games, folder: Path) -> Path:
    """Write both as one archive (raw npz inside xz) and return its path."""
    arrays = {f"{name}.{key}": value for name, games in (("human", human), ("labelled", labelled))
              for key, value in vars(games).items()}
    raw = io.BytesIO()
    np.savez(raw, **arrays)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ARCHIVE
    path.write_bytes(lzma.compress(raw.getvalue(), preset=9))
    return path


def unpack(folder: Path) -> tuple[Games, Games]:
    """The human games and the labelled lines of an archive."""
    with np.load(io.BytesIO(lzma.decompress((folder / ARCHIVE).read_bytes())), allow_pickle=False) as arrays:
        human, labelled = ({key.split(".")[1]: arrays[key] for key in arrays if key.startswith(name)}
                           for name in ("human.", "labelled."))
    return Games(**human), Games(**labelled)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/xiangqi"), help="of both files")
    parser.add_argument("--own", type=Path, help="labelled games of a model (spaces.xiangqi.label), to join the labels")
    parser.add_argument("--pack", type=Path, required=True, help="the folder to write the archive to")
    args = parser.parse_args()
    human, labelled = (read_games(args.data / f"{name}.jsonl.xz") for name in ("games", "labelled"))
    if args.own:
        labelled = labelled.joined(read_games(args.own))
    path = pack(human, labelled, args.pack)
    print(json.dumps({"archive": str(path), "bytes": path.stat().st_size, "human_plies": len(human.moves),
                      "labelled_plies": len(labelled.moves), "labels": int((labelled.best >= 0).sum()),
                      "validation_games": int(human.validation.sum())}))


if __name__ == "__main__":
    main()
