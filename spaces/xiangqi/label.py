"""Games that *sighted* plays against itself, with what fairy-stockfish would have done at every ply.

    python -m spaces.xiangqi.label --games 1500 --out runs/own.jsonl          # goes on after a break
    python -m spaces.xiangqi.data --pack .carry/xiangqi --own runs/own.jsonl

Imitation alone breaks off where nobody ever played; these labels lie where the model itself leads. A game begins with
4 to 16 plies of a human one, then moves are drawn from the policy. Lines are those of `labelled.jsonl.xz`.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import torch

from spaces.xiangqi.board import iccs
from spaces.xiangqi.data import Games, is_validation, unpack
from spaces.xiangqi.engine import Engine
from spaces.xiangqi.outcome import outcome
from spaces.xiangqi.rules import Position
from spaces.xiangqi.sight import Sight
from spaces.xiangqi.styles import WINNER
from spaces.xiangqi.weights import WEIGHTS, load

BEGINNING = (4, 16)  # plies of a human game
MOST_PLIES = 100


def beginnings(human: Games, rng: random.Random) -> Iterator[list[int]]:
    """Without end: how training games begin."""
    starts = human.lengths.cumsum() - human.lengths
    while True:
        game = rng.randrange(len(human.lengths))
        plies = rng.randint(*BEGINNING)
        if not human.validation[game] and human.lengths[game] > plies:
            yield human.moves[starts[game] : starts[game] + plies].tolist()


def own_game(sight: Sight, beginning: list[int], rng: random.Random) -> Position:
    """The beginning played on by the model, every move drawn from its policy over the legal ones."""
    position = Position()
    for move in beginning:
        position.push(move)
    while len(position.moves) < MOST_PLIES and outcome(position) is None:
        policy = sight.look(position).policy
        position.push(rng.choices([*policy], [*policy.values()])[0])
    return position


def labelled(moves: list[int], first: int, engine: Engine, depth: int) -> dict:
    """The line of a game: the engine's move and score for every position from ply `first` on."""
    engine.new_game()
    found = [engine.label(Position().fen(), moves[:ply], depth) for ply in range(first, len(moves))]
    return {"moves": " ".join(map(iccs, moves)), "from": first, "best": " ".join(iccs(best) for best, _ in found),
            "cp": [score for _, score in found]}


def main(argv: list[str] | None = None) -> None:
    """Play and label until so many games are there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packed", type=Path, default=Path(".carry/xiangqi"))
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--games", type=int, default=1500)
    parser.add_argument("--depth", type=int, default=6)
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    done = len(args.out.read_text().splitlines()) if args.out.exists() else 0
    rng, sight = random.Random(7877 + done), Sight(load("sighted", args.weights), WINNER)
    begins = beginnings(unpack(args.packed)[0], rng)
    with closing(Engine({"Hash": 16})) as engine, args.out.open("a") as file:
        while done < args.games:
            beginning = next(begins)
            moves = own_game(sight, beginning, rng).moves
            if is_validation([*map(iccs, moves)]) or len(moves) == len(beginning):
                continue
            file.write(json.dumps(labelled(moves, len(beginning), engine, args.depth)) + "\n")
            file.flush()
            done += 1


if __name__ == "__main__":
    main()
