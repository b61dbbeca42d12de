"""What the sighted model sees is what training showed it, cached or not."""

import random

import pytest
import torch

from spaces.xiangqi.batches import Corpus
from spaces.xiangqi.data import Games
from spaces.xiangqi.model import SightedConfig, SightedModel
from spaces.xiangqi.player import Leaf
from spaces.xiangqi.replay import mover_move
from spaces.xiangqi.rules import Position
from spaces.xiangqi.sight import Sight
from spaces.xiangqi.styles import ENGINE, HUMAN
from spaces.xiangqi.tasks import SIGHTED_SIZES

T = 6


@pytest.fixture(autouse=True)
def in_fp32(monkeypatch):
    monkeypatch.setattr("spaces.xiangqi.sight._autocast_dtype", lambda: None)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = SightedModel(SightedConfig(**SIGHTED_SIZES["tiny"] | {"n_positions": T})).eval()
    torch.nn.init.normal_(model.decoder.static)
    return model


def _game(plies: int) -> Position:
    rng, position = random.Random(3), Position()
    for _ in range(plies):
        position.push(rng.choice(position.legal_moves()))
    return position


@pytest.mark.parametrize("plies", [0, 3, 11, 12])
def test_a_view_is_the_training_window_at_its_last_ply(model, plies):
    position, sight = _game(plies), Sight(model)
    moves = torch.tensor(position.moves + position.legal_moves()[:1], dtype=torch.int16).numpy()
    none = torch.zeros(len(moves), dtype=torch.int16).numpy()
    games = Games(moves, none - 1, none, torch.tensor([len(moves)]).numpy(), none[:1].astype("int8"), none[:1] > 0)
    first = torch.tensor([max(0, plies + 1 - T)])
    batch = Corpus(games, "cpu").batch(torch.tensor([0]), first, min(T, plies + 1), torch.tensor([HUMAN]))
    decision = model(batch.board, batch.last, batch.style)
    expected, view = decision.policy[0, -1].softmax(-1), sight.look(position, HUMAN)
    for move, p in view.policy.items():
        assert p == pytest.approx(expected[mover_move(move, position.turn)].item(), abs=1e-5)
    assert view.wdl == pytest.approx(decision.wdl[0, -1].softmax(-1).tolist(), abs=1e-5)
    assert 0 < view.illegal_mass < 1 and view.illegal_mass == pytest.approx(1 - sum(view.policy.values()))


def test_a_cached_game_looks_the_same_and_encodes_one_board(model, monkeypatch):
    sight, position, counts = Sight(model), _game(9), []
    encode = model.encode
    monkeypatch.setattr(model, "encode", lambda board, last: counts.append(len(board)) or encode(board, last))
    first = sight.look(position)
    assert sight.look(position).wdl == pytest.approx(first.wdl, abs=1e-5) and counts == [T, 1]
    position.push(position.legal_moves()[0])
    cached = sight.look(position)
    assert counts[2:] == [1]
    fresh = Sight(model).look(position)
    assert cached.wdl == pytest.approx(fresh.wdl, abs=1e-5)


def test_a_glance_reads_each_leaf_as_a_first_ply(model):
    sight, positions = Sight(model), [_game(5), _game(8)]
    views = sight.glance([(Leaf(p.board, p.turn, p.moves[-1:]), p.legal_moves()) for p in positions])
    alone = Sight(model)
    alone.plies = 1
    for position, view in zip(positions, views, strict=True):
        assert view.wdl == pytest.approx(alone.look(position, ENGINE).wdl, abs=1e-5)
        assert list(view.policy) == position.legal_moves()
    assert sight.glance([]) == []


def test_a_sight_imitates_whom_it_was_made_for(model):
    position = _game(7)
    for style in (HUMAN, ENGINE):
        given, asked = Sight(model, style).look(position).policy, Sight(model).look(position, style).policy
        assert given == pytest.approx(asked, rel=1e-4)
    assert Sight(model, HUMAN).look(position).policy != pytest.approx(given, rel=1e-4)
