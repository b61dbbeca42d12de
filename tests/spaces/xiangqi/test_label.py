"""The model's own games: legal, resumable, labelled ply by ply, and read back as they were written."""

import json
import random

import numpy as np
import pytest
import torch

from spaces.xiangqi import label
from spaces.xiangqi.board import iccs, parse_iccs
from spaces.xiangqi.data import Games, pack, read_games, unpack
from spaces.xiangqi.model import SightedConfig, SightedModel
from spaces.xiangqi.rules import Position
from spaces.xiangqi.tasks import SIGHTED_SIZES

PLIES = 30


class Clerk:
    """An engine that likes the first legal move and counts plies."""

    def __init__(self, *_):
        self.closed = False

    def close(self):
        self.closed = True

    def new_game(self):
        pass

    def label(self, fen, moves, depth):
        position = Position(fen)
        for move in moves:
            position.push(move)
        return position.legal_moves()[0], len(moves)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    rng, position = random.Random(1), Position()
    for _ in range(PLIES):
        position.push(rng.choice(position.legal_moves()))
    one = np.array([PLIES], np.int32)
    none = np.zeros(PLIES, np.int16)
    human = Games(np.array(position.moves, np.int16), none - 1, none, one, np.array([1], np.int8), np.array([False]))
    pack(human, human, tmp_path)
    torch.manual_seed(0)
    SightedModel(SightedConfig(**SIGHTED_SIZES["tiny"])).save_pretrained(tmp_path / "sighted")
    monkeypatch.setattr(label, "Engine", Clerk)
    monkeypatch.setattr(label, "MOST_PLIES", 24)
    return tmp_path


def run(folder, games: int) -> list[dict]:
    out = folder / "own.jsonl"
    label.main(["--packed", str(folder), "--weights", str(folder), "--out", str(out), "--games", str(games)])
    return [json.loads(line) for line in out.read_text().splitlines()]


def test_own_games_are_legal_and_labelled_ply_by_ply(folder):
    rows = run(folder, 3)
    for row in rows:
        moves, position = [*map(parse_iccs, row["moves"].split())], Position()
        assert len(row["cp"]) == len(row["best"].split()) == len(moves) - row["from"]
        assert row["cp"] == [*range(row["from"], len(moves))]
        for ply, move in enumerate(moves):
            if ply >= row["from"]:
                assert row["best"].split()[ply - row["from"]] == iccs(position.legal_moves()[0])
            assert move in position.legal_moves()
            position.push(move)
    assert [row["moves"] for row in run(folder, 4)][:3] == [row["moves"] for row in rows]


def test_they_join_the_labels_of_a_pack(folder):
    rows = run(folder, 2)
    own, (human, _) = read_games(folder / "own.jsonl"), unpack(folder)
    both = human.joined(own)
    assert len(both.lengths) == 3 and (both.moves[: len(human.moves)] == human.moves).all()
    assert both.cp[-1] == rows[-1]["cp"][-1]
