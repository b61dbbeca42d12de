"""Other ways to the same position are legal and reach it; distances of known distributions."""

import pytest
import torch
from transformers import GPT2LMHeadModel

from shared.experiment import InputError
from spaces.xiangqi import amnesia
from spaces.xiangqi.amnesia import changed, detour, distance, forget, transposed
from spaces.xiangqi.board import parse_iccs
from spaces.xiangqi.faithful import faithful_config
from spaces.xiangqi.model import SightedConfig, SightedModel
from spaces.xiangqi.record import play
from spaces.xiangqi.tasks import SIGHTED_SIZES

OPENING = tuple(map(parse_iccs, "h2e2 h9g7 h0g2 i9h9 i0h0 b9c7 c3c4 g6g5 b0c2 c9e7".split()))


@pytest.mark.parametrize("seed", range(4))
def test_a_transposition_is_legal_and_reaches_the_position(seed):
    other = transposed(OPENING, seed)
    assert play("", other).board == play("", OPENING).board  # play refuses what is illegal
    assert sorted(other[::2]) == sorted(OPENING[::2]) and sorted(other[1::2]) == sorted(OPENING[1::2])
    assert other[-1] == OPENING[-1] and changed(OPENING, other) >= 2


def test_no_transposition_where_there_is_none():
    assert transposed((), 0) is None and transposed(OPENING[:2], 0) is None
    forced = tuple(map(parse_iccs, "h2e2 h9g7 e2e6".split()))  # the cannon moves twice
    assert transposed(forced, 0) is None


@pytest.mark.parametrize("plies, longer", [(16, 16), (7, 4), (4, 4)])
def test_a_detour_returns(plies, longer):
    other = detour(OPENING, plies, 1)
    assert len(other) == len(OPENING) + longer and play("", other).board == play("", OPENING).board
    assert other[:9] == OPENING[:9] and other[-1] == OPENING[-1]
    assert other[9 : 9 + longer] != OPENING[9:]


def test_a_detour_fits_what_faithful_reads():
    assert detour(OPENING, 3, 0) is None and detour((), 8, 0) is not None
    long = detour(OPENING, amnesia.MOST_DETOUR, 0)
    while len(long) + 40 <= 127:
        long = detour(long, 40, 0)
    assert len(detour(long, 40, 0) or long) <= 127


def test_distances_of_known_distributions():
    p, q = torch.tensor([0.5, 0.5, 0.0]), torch.tensor([0.25, 0.25, 0.5])
    assert distance(p, q) == amnesia.Distance(0.5, pytest.approx(1.0))
    assert distance(p, p) == amnesia.Distance(0, 0)


def test_what_does_not_depend_on_the_way_is_at_distance_zero(monkeypatch):
    torch.manual_seed(0)
    faithful = GPT2LMHeadModel(faithful_config(n_embd=32, n_layer=2, n_head=2, initializer_range=0.3)).eval()
    sighted = SightedModel(SightedConfig(**SIGHTED_SIZES["tiny"] | {"n_positions": 1})).eval()  # sees no history
    monkeypatch.setattr(amnesia, "weights", lambda level: faithful if level == "article" else sighted)
    found = forget(OPENING, "human", 8, 0)
    assert list(found.heard) == ["played", "transposed", "detour", "fen"] and found.lines["fen"] is None
    assert 1 < len(found.heard["detour"]["faithful"].distances) <= amnesia.DRAWS
    for way in ("transposed", "detour"):
        assert max(d.tv for d in found.heard[way]["sighted"].distances) < 1e-6
        assert min(d.tv for d in found.heard[way]["faithful"].distances) > 1e-3
    assert found.heard["played"]["faithful"].distances == [amnesia.Distance(0, 0)]
    assert found.heard["fen"]["sighted"].distances[0].tv > 1e-6  # the last move was seen, and is not in a FEN
    assert 0 < found.apart < 1
    for heard in found.heard.values():
        assert set(heard["faithful"].saying.legal) == set(play("", OPENING).legal_moves())
    with pytest.raises(InputError, match="127"):
        forget((OPENING[0],) * 128, "human", 8, 0)
