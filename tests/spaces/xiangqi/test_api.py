"""`xiangqi_move` keeps the promised interface, with tiny random weights, and refuses what is wrong in one sentence."""

import json

import pytest
import torch

from shared.experiment import InputError
from shared.models import Shelf
from spaces.xiangqi import api
from spaces.xiangqi.board import parse_iccs
from spaces.xiangqi.model import SightedConfig, SightedModel
from spaces.xiangqi.rules import Position
from spaces.xiangqi.styles import STYLES
from spaces.xiangqi.tasks import SIGHTED_SIZES, FaithfulTask, save


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("weights")
    save(SightedModel(SightedConfig(**SIGHTED_SIZES["tiny"])), str(folder / "sighted"), 1000)
    save(FaithfulTask.build(None, "tiny", "sdpa"), str(folder / "faithful"), 1000)
    return folder


@pytest.fixture(autouse=True)
def shelf(folder, monkeypatch):
    monkeypatch.setattr(api, "WEIGHTS", folder)
    monkeypatch.setattr(api, "THINKING_SECONDS", 0.2)
    monkeypatch.setattr(api.models, "load", Shelf().load)


@pytest.mark.parametrize("level", api.LEVELS)
def test_the_promised_interface(level):
    answer = api.xiangqi_move("", "h2e2 h9g7", level)
    position = Position()
    for word in ("h2e2", "h9g7"):
        position.push(parse_iccs(word))
    assert set(answer) == {"move", "fen", "legal", "policy", "illegal_mass"}
    assert answer["move"] in answer["legal"] and set(answer["policy"]) <= set(answer["legal"])
    position.push(parse_iccs(answer["move"]))
    assert answer["fen"] == position.fen() and json.loads(json.dumps(answer)) == answer
    assert 0 < answer["illegal_mass"] <= 1


def test_a_level_plays_as_whoever_plays_best_and_as_another_if_asked():
    model = api.weights("sighted")
    assert api.player("sighted", model).sight.style == STYLES.index("winner")
    assert api.player("sighted_value", model).sight.style == STYLES.index("engine")
    assert api.player("sighted", model, STYLES.index("human")).sight.style == STYLES.index("human")


def test_a_list_of_words_and_a_fen_with_black_to_move():
    fen = "3k5/9/9/9/9/9/9/9/R8/5K3 b - - 3 40"
    answer = api.xiangqi_move(fen, ["d9e9"], "sighted")
    assert answer["fen"].split()[1] == "b" and answer == api.xiangqi_move(fen, "d9e9", "sighted")


@pytest.mark.parametrize(("fen", "moves", "level", "field", "word"), [
    ("", "", "grandmaster", "level", "thinking"), ("", "h2e3", "sighted", "moves", "not legal"),
    ("", "h2", "sighted", "moves", "ICCS"), ("9/9 w", "", "sighted", "fen", "10 ranks"),
    ("", "a0a1 " * 2000, "sighted", "moves", "at most"), ("", [None], "sighted", "moves", "ICCS"),
    ("4k4/9/9/9/9/9/9/9/R8/1R1K5 w", "a1a8 e9f9 b0b9", "sighted", "moves", "checkmate"),
    ("", 7, "sighted", "moves", "ICCS"),
])
def test_bad_input_is_named(fen, moves, level, field, word):
    with pytest.raises(InputError) as caught:
        api.xiangqi_move(fen, moves, level)
    assert caught.value.field == field and word in caught.value.en


def test_missing_weights_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(api, "WEIGHTS", tmp_path)
    with pytest.raises(InputError):
        api.xiangqi_move("", "", "sighted")
