"""The sighted model: causal, cacheable in parts, unmasked, and the same after saving."""

import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F
from transformers import DynamicCache

from spaces.xiangqi.model import SightedConfig, SightedModel
from spaces.xiangqi.replay import NO_MOVE, START_BOARD
from spaces.xiangqi.rules import ALL_MOVES
from spaces.xiangqi.tasks import SIGHTED_SIZES, save
from spaces.xiangqi.weights import load

T = 6


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return SightedModel(SightedConfig(**SIGHTED_SIZES["tiny"], n_positions=T)).eval()


@pytest.fixture
def window():
    torch.manual_seed(1)
    return torch.randint(0, 15, (2, T, 90)), torch.randint(0, NO_MOVE, (2, T)), torch.zeros(2, T, dtype=torch.long)


def test_every_possible_move_competes_and_starts_equal(model):
    policy = model(torch.tensor([[START_BOARD]]), torch.tensor([[NO_MOVE]]), torch.tensor([[0]])).policy[0, 0]
    assert policy.isfinite().nonzero().flatten().tolist() == list(ALL_MOVES)
    loss = F.cross_entropy(policy[None], torch.tensor([ALL_MOVES[0]]))
    assert loss.item() == pytest.approx(math.log(2086), abs=0.1)


def test_later_plies_change_nothing_before(model, window):
    board, last, style = window
    before = model(board, last, style).policy[:, :3, list(ALL_MOVES)]
    board[:, 3:], last[:, 3:] = 0, 5
    after = model(board, last, style).policy[:, :3, list(ALL_MOVES)]
    assert torch.allclose(before, after, atol=1e-5)


def test_a_window_alone_is_many_first_plies(model, window):
    board, last, style = window
    mixed = model(board, last, style, alone=1)
    single = model(board[1][:, None], last[1][:, None], style[1][:, None])
    assert torch.allclose(mixed.wdl[1], single.wdl[:, 0], atol=1e-5)
    assert torch.allclose(mixed.wdl[0], model(board, last, style).wdl[0], atol=1e-5)


def test_history_style_and_last_move_matter(model, window):
    board, last, style = window
    whole = model(board, last, style).wdl[:, -1]
    assert not torch.allclose(whole, model(board[:, -1:], last[:, -1:], style[:, -1:]).wdl[:, -1], atol=1e-4)
    assert not torch.allclose(whole, model(board, last, style + 2).wdl[:, -1], atol=1e-4)


def test_cache_gives_the_same_memory(model, window):
    board, last, style = window
    _, seen = model.encode(board.flatten(0, 1), last.flatten())
    seen, cache = seen.view(2, T, -1), DynamicCache(config=model.config)
    whole = model.remember(seen, last, style)
    steps = [model.remember(seen[:, t : t + 1], last[:, t : t + 1], style[:, t : t + 1], cache) for t in range(T)]
    assert torch.allclose(whole, torch.cat(steps, 1), atol=1e-5)


def test_no_logit_is_told_which_moves_are_pseudo_legal(model, window):
    board, last, _ = window
    scene, seen = model.encode(board.flatten(0, 1), last.flatten())
    turned = replace(scene, pseudo=~scene.pseudo)
    assert torch.equal(model.decide(scene, seen).moves, model.decide(turned, seen).moves)


def test_rows_of_a_scene_decide_as_the_whole(model, window):
    board, last, _ = window
    scene, seen = model.encode(board.flatten(0, 1), last.flatten())
    whole, rows = model.decide(scene, seen), torch.tensor([7, 2])
    for part in (slice(-1, None), rows):
        assert torch.allclose(model.decide(scene[part], seen[part]).moves, whole.moves[part], atol=1e-5)


def test_empty_slots_change_nothing(model):
    board = torch.tensor([START_BOARD])
    board[0, 9:45] = 0
    none = torch.tensor([NO_MOVE])
    scene, seen = model.encode(board, none)
    empty = scene.square == 90
    assert empty.sum() == 7
    noise = torch.randn_like(scene.x) * empty[..., None]
    first, second = (model.decide(replace(scene, x=x), seen) for x in (scene.x, scene.x + noise))
    assert torch.allclose(first.moves, second.moves, atol=1e-5) and torch.allclose(first.wdl, second.wdl, atol=1e-5)


def test_saved_in_bf16_and_loaded_again(model, window, tmp_path):
    save(model, str(tmp_path / "sighted"), shard_mb=0.3)
    names = {path.name for path in (tmp_path / "sighted").iterdir()}
    assert "config.json" in names and not any(name.endswith((".bin", ".pt")) for name in names)
    again = load("sighted", tmp_path)
    assert again.config._attn_implementation == "xformers"
    assert torch.allclose(again(*window).wdl, model(*window).wdl, atol=2e-2)
    for key, value in model.state_dict().items():
        expected = value.bfloat16().float() if value.is_floating_point() else value
        assert torch.equal(again.state_dict()[key], expected), key
