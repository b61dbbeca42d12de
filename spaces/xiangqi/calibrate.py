"""How far *thinking* should trust the model's value: a regression on the engine's labels.

    python -m spaces.xiangqi.calibrate --positions 600

For random labelled validation positions: the engine's score, what alpha–beta makes of them at some depths, and what the
model's value says in centipawns. `share` is the model's weight beside that depth, least squares on scores within
±600 centipawns: `search.VALUE_SHARE` follows it, and grows with the model.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

import numpy as np

from shared.jsonl import read_rows
from spaces.xiangqi import api
from spaces.xiangqi.alphabeta import BY_RULE, MOST, memory, search
from spaces.xiangqi.board import parse_iccs
from spaces.xiangqi.data import is_validation
from spaces.xiangqi.native import LIMIT, desk
from spaces.xiangqi.player import Leaf
from spaces.xiangqi.record import play
from spaces.xiangqi.search import cp_of

DEPTHS, LARGEST = (1, 3, 6), 600


def samples(data: Path, count: int, seed: int = 0) -> tuple[np.ndarray, float]:
    """Rows (engine's centipawns, model's, alpha–beta's at DEPTHS), and how often the policy's favourite is the
    engine's move."""
    rng, sight, rows, agreed = random.Random(seed), api.sight_of("thinking", api.weights("thinking")), [], 0
    games = (row for row in read_rows(data) if is_validation(row["moves"].split()))
    for row in games:
        at = rng.randrange(len(row["cp"]))
        position = play("", [parse_iccs(word) for word in row["moves"].split()[: row["from"] + at]])
        leaf = Leaf(list(position.board), position.turn, position.moves[-1:])
        view = sight.glance([(leaf, position.legal_moves())])[0]
        agreed += parse_iccs(row["best"].split()[at]) == max(view.policy, key=view.policy.__getitem__)
        rows.append([row["cp"][at], cp_of(view.value), *(_score(position, depth) for depth in DEPTHS)])
        if len(rows) == count:
            break
    return np.array(rows, float), agreed / len(rows)


def _score(position, depth: int) -> int:
    table, mind = desk(position), memory()
    table.state[LIMIT] = 10**9
    return search(table, mind, depth, -MOST, MOST, 0, 1)


def share(rows: np.ndarray, column: int) -> float:
    """The model's weight beside a column of alpha–beta's scores."""
    calm = rows[(np.abs(rows[:, [0, column]]) < (LARGEST, BY_RULE // 2)).all(1)]
    design = np.c_[calm[:, column], calm[:, 1], np.ones(len(calm))]
    return float(np.linalg.lstsq(design, calm[:, 0], rcond=None)[0][1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/xiangqi/labelled.jsonl.xz"))
    parser.add_argument("--positions", type=int, default=600)
    args = parser.parse_args()
    rows, agreed = samples(args.data, args.positions)
    print(json.dumps({"positions": len(rows), "top1": round(agreed, 3),
                      "share": {depth: round(share(rows, 2 + i), 3) for i, depth in enumerate(DEPTHS)}}))


if __name__ == "__main__":
    main()
