"""What the models say, against plain scoring, Sight and the rules."""

import math
import random

import pytest
import torch
from transformers import GPT2LMHeadModel

from shared.experiment import InputError
from spaces.xiangqi import voices
from spaces.xiangqi.board import iccs, parse_iccs
from spaces.xiangqi.breaks import breach
from spaces.xiangqi.faithful import faithful_config, spell_moves
from spaces.xiangqi.model import SightedConfig, SightedModel
from spaces.xiangqi.rules import Position
from spaces.xiangqi.sight import Sight
from spaces.xiangqi.styles import HUMAN
from spaces.xiangqi.tasks import SIGHTED_SIZES


@pytest.fixture(scope="module")
def faithful():
    torch.manual_seed(0)
    return GPT2LMHeadModel(faithful_config(n_embd=32, n_layer=2, n_head=2, initializer_range=0.3)).eval()


@pytest.fixture(scope="module")
def sighted():
    torch.manual_seed(0)
    model = SightedModel(SightedConfig(**SIGHTED_SIZES["tiny"] | {"n_positions": 5})).eval()
    return torch.nn.init.normal_(model.decoder.static) is not None and model


def _game(plies: int, seed: int = 3) -> Position:
    rng, position = random.Random(seed), Position()
    for _ in range(plies):
        position.push(rng.choice(position.legal_moves()))
    return position


@pytest.mark.parametrize("followed", [0, 2e-4, 0.02])
def test_words_are_those_of_plain_spelling(faithful, followed):
    moves, plies = _game(7).moves, [0, 4, 5, 6, 7]
    legal = [p.legal_moves() for p in voices.positions(tuple(moves), plies)]
    words, malformed = voices.faithful_words(faithful, moves, plies, legal, followed)
    for row, stray, ply, good in zip(words, malformed, plies, legal, strict=True):
        spelled = spell_moves(faithful, moves[:ply], [good], ply)[0].log_p
        assert row[good].tolist() == pytest.approx([math.exp(spelled[m]) for m in good], rel=1e-3)
        total = float(row.sum() + stray)
        assert total <= 1 + 1e-4
        if followed == 0:
            assert total == pytest.approx(1, abs=1e-4)
            every = list(range(8100))
            plain = spell_moves(faithful, moves[:ply], [every], ply)[0].log_p
            assert row.tolist() == pytest.approx([math.exp(plain[m]) for m in every], rel=1e-2, abs=1e-7)


@pytest.mark.parametrize("start", ["", "4k4/9/9/9/9/9/9/9/4R4/4K4 b"])
def test_scored_moves_are_what_sight_sees(sighted, monkeypatch, start):
    monkeypatch.setattr("spaces.xiangqi.sight._autocast_dtype", lambda: None)
    game = _game(9) if not start else Position(start)
    plies = [0, 3, 8, 9] if not start else [0]
    p = voices.sighted_moves(sighted, game, plies, HUMAN)
    for row, ply in zip(p, plies, strict=True):
        position = Position(start) if start else Position()
        for move in game.moves[:ply]:
            position.push(move)
        for move, share in Sight(sighted).look(position, HUMAN).policy.items():
            assert float(row[move]) == pytest.approx(share, abs=1e-5)
        assert float(row.sum()) == pytest.approx(1, abs=1e-4)


def test_a_saying_files_every_probability_once():
    position = _game(12)
    legal = position.legal_moves()
    p = torch.zeros(8100)
    p[legal[0]], p[legal[1]] = 0.5, 0.25
    wrong = [m for m in range(8100) if breach(position, m) == "empty"][:2]
    p[wrong[0]], p[wrong[1]] = 0.125, 5e-6
    said = voices.sort(position, p, malformed=0.1)
    assert said.illegal_mass == pytest.approx(0.25) and said.broken == {"word": pytest.approx(0.1), "empty": 0.125}
    assert said.rest == pytest.approx(0.025, abs=1e-4) and said.illegal == [(iccs(wrong[0]), 0.125, "empty")]
    assert said.top(1) == [(legal[0], 0.5)] and said.rank(legal[1]) == 2 and said.rank(legal[5]) == 3
    thirds = -(2 / 3 * math.log2(2 / 3) + 1 / 3 * math.log2(1 / 3))
    assert said.entropy == pytest.approx(thirds, abs=1e-4)


def test_the_present_position_is_asked_first_and_all_are():
    for count, at in ((0, 0), (5, 5), (6, 2), (127, 60)):
        first, *slices = voices.shares(count, at)
        assert first == [at] and at in slices[0]
        assert sorted(ply for plies in slices for ply in plies) == list(range(count + 1))
    with pytest.raises(InputError, match="127"):
        voices.check_line((parse_iccs("a0a1"),) * 128)


def test_what_was_said_is_not_asked_again(faithful, sighted, monkeypatch):
    calls, hear = [], voices._hear
    monkeypatch.setattr(voices, "weights", {"article": faithful, "sighted": sighted}.get)
    monkeypatch.setattr(voices, "_hear", lambda moves, plies, style: calls.append(plies) or hear(moves, plies, style))
    moves = tuple(_game(8).moves)
    whole = voices.hear(moves, [3, 4, 5], "human")
    again = voices.hear(moves[:6], [2, 3, 5, 6], "human")
    assert calls == [[3, 4, 5], [2, 6]]
    for model in voices.MODELS:
        assert [whole[model][0], whole[model][2]] == again[model][1:3]
    voices.hear(moves, [3], "engine")
    assert calls[2:] == [[3]]
