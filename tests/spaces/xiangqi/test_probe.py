"""Boards as the probe's targets, a probe that learns what a state holds, and the file that ships."""

import random

import numpy as np
import pytest
import torch
from transformers import GPT2LMHeadModel

from shared.experiment import InputError
from spaces.xiangqi import probe
from spaces.xiangqi.data import Games
from spaces.xiangqi.faithful import characters, faithful_config
from spaces.xiangqi.fingerprint import fingerprint
from spaces.xiangqi.rules import Position


def _lines(count: int, plies: int) -> list[Position]:
    rng, out = random.Random(1), []
    for _ in range(count):
        position = Position()
        for _ in range(plies):
            position.push(rng.choice(position.legal_moves()))
        out.append(position)
    return out


@pytest.fixture(scope="module")
def played():
    return _lines(30, 6)


@pytest.fixture(scope="module")
def games(played):
    moves = np.array(sum((p.moves for p in played), []), np.int16)
    none = np.zeros(len(moves), np.int16)
    return Games(moves, none - 1, none, np.full(30, 6, np.int32), np.zeros(30, np.int8), np.arange(30) % 10 == 0)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return GPT2LMHeadModel(faithful_config(n_embd=32, n_layer=2, n_head=2, initializer_range=0.3)).eval()


def test_boards_after_each_ply(played, games):
    truth = probe.boards(games)
    for number, position in enumerate(played):
        assert truth[6 * number + 5].tolist() == probe.cells(position.board)
        position.pop()
        assert truth[6 * number + 4].tolist() == probe.cells(position.board)
        position.push(games.moves[6 * number + 5])


def test_hidden_states_are_those_of_the_last_characters(model, played):
    moves = torch.tensor([p.moves for p in played[:2]])
    states = probe.hidden(model, moves)
    assert states.shape == (2, 6, 3, 32)
    ids = torch.cat([torch.zeros(1, dtype=torch.long), characters(moves[1, :4]).flatten()])[None]
    with torch.no_grad():
        last = model.transformer(ids).last_hidden_state[0, -1]
    assert torch.allclose(states[1, 3, -1], last, atol=1e-4)


def test_the_commonest_piece_of_a_square_at_a_ply(games):
    usual = probe.common(games)
    truth = probe.boards(games).view(30, 6, 90)
    for ply, square in [(0, 0), (5, 22), (3, 67)]:
        seen = truth[:, ply, square]
        assert int((seen == usual[ply, square]).sum()) == int(torch.bincount(seen.long()).max())


def test_a_probe_learns_what_a_state_holds(monkeypatch):
    monkeypatch.setattr(probe, "RATE", 0.05)
    torch.manual_seed(0)
    truth = torch.randint(0, probe.CLASSES, (250, 90)).to(torch.uint8)
    truth[:, 3:] = 0
    state = torch.nn.functional.one_hot(truth[:, :3].long(), probe.CLASSES).flatten(1).bfloat16()
    seen = probe.States(torch.stack([torch.randn_like(state), 3 + 2 * state], 1), truth, torch.zeros(250).long())
    weight, bias = probe.fit(seen, epochs=60)
    assert (probe.guesses(weight, bias, seen, 1) == truth).all()
    assert not (probe.guesses(weight, bias, seen, 0) == truth).all()


def test_accuracies_by_ply(monkeypatch):
    monkeypatch.setattr(probe, "LEAST", 2)
    truth = torch.zeros(5, 90, dtype=torch.uint8)
    seen = probe.States(torch.empty(5, 1, 1), truth, torch.tensor([0, 0, 1, 1, 2]))
    said, usual = truth.clone(), truth.clone()
    said[0, :9] = 1  # a tenth of the first board wrong
    usual[2, :2] = 1
    said[2, 0] = 1  # one of the two squares that the usual board has wrong
    found = probe.by_ply(said, usual, seen)
    assert found["accuracy"] == [0.95, pytest.approx(1 - 1 / 180, abs=1e-4)] and found["unusual"] == [None, 0.5]
    assert found["boards"] == [0.5, 0.5]


def test_a_trained_probe_ships_and_knows_its_model(model, games, tmp_path, monkeypatch):
    monkeypatch.setattr(probe, "LEAST", 1)
    trained = probe.train(model, games, 20, 1)
    path = tmp_path / probe.FILE
    trained.save(path)
    assert path.stat().st_size < 2 * 2**20
    again = probe.Probe.load(path)
    assert again.model == fingerprint(model) and again.layer == trained.layer
    assert again.report == trained.report and len(again.report["probe"]["by_ply"]["accuracy"]) == 6
    assert again.weight.tolist() == trained.weight.bfloat16().float().tolist()
    said = again.believe(torch.randn(4, 32))
    assert said.shape == (4, 90, 15) and torch.allclose(said.sum(-1), torch.ones(4, 90), atol=1e-5)
    assert probe._shipped(path, model).layer == trained.layer
    other = GPT2LMHeadModel(model.config)
    with pytest.raises(InputError, match="other weights"):
        probe._shipped(path, other)
    with pytest.raises(InputError, match="missing"):
        probe.Probe.load(tmp_path / "none.safetensors")
