"""How well each model agrees with people: `python -m spaces.xiangqi.evaluate GAMES.jsonl.xz`.

The last line is one JSON object: for `sighted` and `faithful` the top-1 and top-5 agreement with the moves played
(legal moves only), the probability put on illegal moves, how often the raw favourite is legal, and how many plies
were asked, in all and by phase of the game. Labelled lines hold no people's moves and are passed over.

The faithful model spells out every legal move at every ply, which is slow: it reads the first --faithful-games
games only. Sighted reads every ply with at least half of its window as history, or the game's beginning.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import torch

from shared.experiment import InputError
from shared.jsonl import read_rows
from spaces.xiangqi.board import iccs, parse_iccs
from spaces.xiangqi.faithful import PLIES, spell_moves
from spaces.xiangqi.metrics import Tally, agreement, phase
from spaces.xiangqi.model import SightedModel
from spaces.xiangqi.replay import MOVE_TOKEN, NO_MOVE, legal_in_view, mover_move, replay
from spaces.xiangqi.styles import HUMAN
from spaces.xiangqi.weights import WEIGHTS, load


class Game:
    """One human game as both models need it."""

    def __init__(self, moves: list[int], number: int):
        self.moves = moves
        self.boards, self.seen = replay(torch.tensor(moves, dtype=torch.int16), torch.tensor([len(moves)]))
        self.legal = [legal_in_view(board) for board in self.boards.tolist()]
        for ply, (move, legal) in enumerate(zip(self.seen.tolist(), self.legal, strict=True)):
            if move not in legal:
                raise InputError("games", f"第 {number} 局第 {ply + 1} 着 {iccs(moves[ply])} 不合规则。",
                                 f"game {number}, move {ply + 1}, {iccs(moves[ply])}, is not legal.")
        self.phases = [phase(ply, board) for ply, board in enumerate(self.boards.tolist())]

    def last(self) -> torch.Tensor:
        """Tokens (P,) of the move before each ply, as the side to move sees it."""
        return torch.cat([torch.tensor([NO_MOVE]), MOVE_TOKEN[8099 - self.seen[:-1].long()]])


def human_games(path: Path, limit: int | None) -> Iterator[Game]:
    """The games of a file that hold people's moves, at most `limit` of them."""
    human = (row for row in read_rows(path) if "best" not in row and row.get("moves", "").strip())
    for number, row in enumerate(islice(human, limit), 1):
        yield Game([parse_iccs(word) for word in row["moves"].split()], number)


@torch.inference_mode()
def sighted_policy(model: SightedModel, game: Game, style: int = HUMAN) -> torch.Tensor:
    """Logits (P, 8100) before every ply of a game, in the mover's view, from overlapping windows."""
    size, device = model.config.n_positions, model.device
    last = game.last().to(device)
    squares, seen = model.encode(game.boards.to(device), last)
    memory = torch.empty_like(seen)
    for first in range(0, max(1, len(last) - size // 2), size // 2):
        part = slice(first, first + size)
        tokens = last[None, part]
        fresh = 0 if first == 0 else size // 2
        memory[first + fresh : first + size] = model.remember(
            seen[None, part], tokens, torch.full_like(tokens, style))[0, fresh:]
    return model.decide(squares, memory).policy


def add_sighted(tally: Tally, model: SightedModel, game: Game) -> None:
    policy = sighted_policy(model, game)
    legal = torch.zeros(policy.shape, dtype=torch.bool)
    for row, moves in zip(legal, game.legal, strict=True):
        row[moves] = True
    figures = agreement(policy, legal.to(policy.device), game.seen.long().to(policy.device))
    columns = {key: value.tolist() for key, value in figures.items()}
    for ply, where in enumerate(game.phases):
        tally.add(where, {key: column[ply] for key, column in columns.items()})


def add_faithful(tally: Tally, model, game: Game) -> None:
    """Windows of 127 plies; from the second on, only plies with at least 64 plies of history are asked."""
    legal = [[mover_move(m, ply % 2) for m in moves] for ply, moves in enumerate(game.legal)]
    for first in range(0, max(1, len(game.moves) - PLIES // 2), PLIES // 2 + 1):
        fresh = 0 if first == 0 else PLIES // 2
        history = game.moves[first : first + PLIES]
        asked = legal[first + fresh : first + PLIES]
        for i, spelled in enumerate(spell_moves(model, history, asked, fresh), first + fresh):
            tally.add(game.phases[i], spelled.agreement(game.moves[i]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("games", type=Path)
    parser.add_argument("--limit", type=int, help="read at most so many human games")
    parser.add_argument("--faithful-games", type=int, default=100, help="games for the faithful model")
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    args = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    models = {name: load(name, args.weights, device) for name in ("sighted", "faithful")}
    tallies = {name: Tally() for name in models}
    for number, game in enumerate(human_games(args.games, args.limit), 1):
        add_sighted(tallies["sighted"], models["sighted"], game)
        if number <= args.faithful_games:
            add_faithful(tallies["faithful"], models["faithful"], game)
        if number % 20 == 0:
            print(f"{number} games, {tallies['sighted'].counts['all']} plies", file=sys.stderr, flush=True)
    print(json.dumps({name: tally.report() for name, tally in tallies.items()}))


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(str(error))
