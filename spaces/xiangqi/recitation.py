"""The recitation line: the ply at which a game leaves all openings that the models met, and what changes there.

    python -m spaces.xiangqi.recitation --openings           # counts of opening lines, once for the games
    python -m spaces.xiangqi.recitation --curve --games 300  # entropy around the line, once for the models

A line is met when at least two training games begin with it, or with its mirror image; a line of one game only is that
game itself and is not kept. What ships is no game but one 48-bit hash a line and its count: an unmet line passes for a
met one with a probability of (lines kept) / 2⁴⁸, about 3·10⁻¹⁰. The curve is measured on validation games.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np

from shared.experiment import InputError
from spaces.xiangqi.data import Games, read_games
from spaces.xiangqi.fingerprint import fingerprint
from spaces.xiangqi.replay import MIRROR_MOVE
from spaces.xiangqi.styles import HUMAN
from spaces.xiangqi.voices import MODELS, SLICE, faithful_words, positions, sighted_moves
from spaces.xiangqi.weights import WEIGHTS, load

OPENINGS, CURVE = "openings.npz", "recitation.json"
HASH_BYTES, MET = 6, 2
BEFORE, AFTER, MOST = 12, 24, 60
"""Plies around the line, and the last ply, of the curve."""
FIGURES = ("entropy", "illegal_mass", "top1")
_MIRROR = MIRROR_MOVE.tolist()


def digests(moves: Iterable[int]) -> list[int]:
    """The 48-bit hash of every beginning of a line (1, 2, … plies), the same for its mirror image."""
    line = list(moves)
    line = min(line, [_MIRROR[move] for move in line])
    state, out = hashlib.blake2b(digest_size=HASH_BYTES), []
    for move in line:
        state.update(move.to_bytes(2, "big"))
        out.append(int.from_bytes(state.copy().digest(), "big"))
    return out


class Openings:
    """How many training games began with a line: hashes uint64 (N,), sorted, and counts (N,)."""

    def __init__(self, hashes: np.ndarray, counts: np.ndarray, games: int):
        self.hashes, self.numbers, self.games = hashes, counts, games

    @classmethod
    def of(cls, games: Games) -> Openings:
        """The lines that at least two of the training games begin with; validation games are passed over."""
        starts = np.cumsum(games.lengths) - games.lengths
        lines = [digests(games.moves[start : start + length].tolist())
                 for start, length, unseen in zip(starts, games.lengths, games.validation, strict=True) if not unseen]
        kept, total, ply = {}, len(lines), 0
        while lines:  # only games whose line so far was met go on
            count = Counter(line[ply] for line in lines)
            kept |= {line: n for line, n in count.items() if n >= MET}
            ply += 1
            lines = [line for line in lines if line[ply - 1] in kept and len(line) > ply]
        hashes = np.array(sorted(kept), np.uint64)
        return cls(hashes, np.array([kept[int(h)] for h in hashes], np.uint32), total)

    def save(self, path: Path) -> None:
        """8 bytes a line: 6 of its hash, 2 of its count (65,535 stands for more)."""
        raw = self.hashes.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 8 - HASH_BYTES :]
        np.savez_compressed(path, hashes=raw, counts=self.numbers.clip(max=65535).astype(np.uint16),
                            games=np.int32(self.games))

    @classmethod
    def load(cls, path: Path) -> Openings:
        """What `save` wrote; InputError when it is not there."""
        if not path.exists():
            raise InputError("openings", f"没有开局统计 {path.name}。",
                             f"the openings' counts, {path.name}, are missing.")
        with np.load(path, allow_pickle=False) as file:
            padded = np.pad(file["hashes"], ((0, 0), (8 - HASH_BYTES, 0)))
            return cls(padded.view(">u8")[:, 0].astype(np.uint64), file["counts"], int(file["games"]))

    def counts(self, moves: Iterable[int]) -> list[int]:
        """How many training games began like this line, after 1, 2, … plies; 0 where fewer than two did."""
        asked = np.array(digests(moves), np.uint64)
        at = np.searchsorted(self.hashes, asked).clip(max=max(0, len(self.hashes) - 1))
        if not len(self.hashes):
            return [0] * len(asked)
        found = np.where(self.hashes[at] == asked, self.numbers[at], 0).tolist()
        return [n if all(found[:ply]) else 0 for ply, n in enumerate(found)]

    def left(self, moves: Iterable[int]) -> int:
        """How many plies of a line were met: the next move, if there is one, leaves all lines."""
        return sum(n > 0 for n in self.counts(moves))

    @property
    def mistaken(self) -> float:
        """The probability that an unmet line passes for a met one."""
        return len(self.hashes) / 2 ** (8 * HASH_BYTES)


@lru_cache(maxsize=2)
def openings(path: Path = WEIGHTS / OPENINGS) -> Openings:
    """The shipped counts."""
    return Openings.load(path)


@lru_cache(maxsize=2)
def curve(path: Path = WEIGHTS / CURVE) -> dict | None:
    """The shipped measurement, None where there is none."""
    return json.loads(path.read_text()) if path.exists() else None


# ---- the measurement


def figures(p, legal: list[int], played: int) -> dict[str, float]:
    """Entropy in bits over the legal moves, illegal mass and agreement, of one policy (8100,)."""
    good = p[legal]
    total = float(good.sum())
    shares = good / max(total, 1e-12)
    entropy = float(-(shares * shares.clamp(min=1e-12).log2()).sum())
    return {"entropy": entropy, "illegal_mass": max(0.0, 1 - total), "top1": float(legal[int(good.argmax())] == played)}


def measure(models: dict, moves: tuple[int, ...], last: int) -> dict[str, list[dict[str, float]]]:
    """`figures` of each model before plies 0 … last of a game."""
    out: dict[str, list] = {name: [] for name in models}
    for first in range(0, last + 1, SLICE):
        plies = list(range(first, min(first + SLICE, last + 1)))
        at = positions(moves, plies)
        legal = [position.legal_moves() for position in at]
        for name, model in models.items():
            p = (faithful_words(model, list(moves[: plies[-1]]), plies, legal, followed=1.0)[0] if name == "faithful"
                 else sighted_moves(model, at[-1], plies, HUMAN))
            out[name] += [figures(row, good, moves[ply]) for row, good, ply in zip(p, legal, plies, strict=True)]
    return out


class _Means:
    """Means and standard errors by key."""

    def __init__(self):
        self.values: dict = defaultdict(list)

    def add(self, key: int, found: dict[str, float]) -> None:
        self.values[key].append([found[name] for name in FIGURES])

    def report(self, least: int) -> dict:
        """{"at": keys, "n": …, figure: {"mean": …, "error": …}}, keys with at least `least` values only."""
        keys = [key for key in sorted(self.values) if len(self.values[key]) >= least]
        table = [np.array(self.values[key]) for key in keys]
        rounded = lambda rows, k: [round(float(row[k]), 4) for row in rows]  # noqa: E731
        means = [rows.mean(0) for rows in table]
        errors = [rows.std(0, ddof=1) / math.sqrt(len(rows)) for rows in table]
        return {"at": keys, "n": [len(rows) for rows in table]} | {
            name: {"mean": rounded(means, k), "error": rounded(errors, k)} for k, name in enumerate(FIGURES)}


def measure_all(models: dict, games: Games, known: Openings, most_games: int, least: int = 20) -> dict:
    """The curve around the line, and by ply for games still on met lines and games that have left them."""
    unseen = games.select(games.validation)
    starts = np.cumsum(unseen.lengths) - unseen.lengths
    around, met, gone = ({name: _Means() for name in models} for _ in range(3))
    lefts = []
    for number, (start, length) in enumerate(zip(starts[:most_games], unseen.lengths, strict=False), 1):
        moves = tuple(unseen.moves[start : start + length].tolist())
        left = known.left(moves)
        lefts.append(left)
        for name, found in measure(models, moves, min(left + AFTER, MOST, len(moves) - 1)).items():
            for ply, one in enumerate(found):
                if ply >= left - BEFORE:
                    around[name].add(ply - left, one)
                (met if ply <= left else gone)[name].add(ply, one)
        if number % 10 == 0:
            print(f"{number} games", file=sys.stderr, flush=True)
    return {
        "games": len(lefts), "left": {"mean": round(float(np.mean(lefts)), 2), "quartiles": _quartiles(lefts)},
        "models": {name: fingerprint(model) for name, model in models.items()},
        **{key: {name: means.report(least) for name, means in part.items()}
           for key, part in (("around", around), ("met", met), ("gone", gone))},
    }


def _quartiles(values: list[int]) -> list[float]:
    return [float(q) for q in np.percentile(values, [25, 50, 75])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/xiangqi"))
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="where the models are and the files go")
    parser.add_argument("--openings", action="store_true", help=f"write {OPENINGS}")
    parser.add_argument("--curve", action="store_true", help=f"write {CURVE}")
    parser.add_argument("--games", type=int, default=300, help="validation games of the curve")
    args = parser.parse_args()
    games, said = read_games(args.data / "games.jsonl.xz"), {}
    if args.openings:
        found = Openings.of(games)
        found.save(args.weights / OPENINGS)
        said |= {"lines": len(found.hashes), "bytes": (args.weights / OPENINGS).stat().st_size,
                 "mistaken": found.mistaken, "commonest": int(found.numbers.max())}
    if args.curve:
        models = {name: load(name, args.weights) for name in MODELS}
        result = measure_all(models, games, Openings.load(args.weights / OPENINGS), args.games)
        (args.weights / CURVE).write_text(json.dumps(result))
        said |= {"games": result["games"], "left": result["left"]}
    print(json.dumps(said))


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(str(error))
