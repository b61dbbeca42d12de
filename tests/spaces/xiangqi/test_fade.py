"""Attention by ply: a distribution, from the last character, of the models as they are."""

import pytest
import torch
from transformers import GPT2LMHeadModel

from spaces.xiangqi.board import SQUARES, parse_iccs
from spaces.xiangqi.fade import Attention, faithful_attention, opacities, sighted_attention, travellers
from spaces.xiangqi.faithful import characters, faithful_config
from spaces.xiangqi.model import SightedConfig, SightedModel
from spaces.xiangqi.record import play
from spaces.xiangqi.styles import HUMAN
from spaces.xiangqi.tasks import SIGHTED_SIZES

LINE = tuple(map(parse_iccs, "h2e2 h9g7 h0g2 i9h9 g2e1 h9h8".split()))


@pytest.fixture(scope="module")
def faithful():
    torch.manual_seed(0)
    config = faithful_config(n_embd=32, n_layer=3, n_head=2, initializer_range=0.3, attn_implementation="eager")
    return GPT2LMHeadModel(config).eval()


def test_a_plys_four_characters_are_summed(faithful):
    hooks = [len(block.attn._forward_hooks) for block in faithful.transformer.h]
    seen = faithful_attention(faithful, list(LINE))
    assert [len(block.attn._forward_hooks) for block in faithful.transformer.h] == hooks
    assert seen.shares.shape == (3, 2, 7) and seen.rows == 6
    assert torch.allclose(seen.shares.sum(-1), torch.ones(3, 2), atol=1e-5)
    ids = torch.cat([torch.zeros(1, dtype=torch.long), characters(torch.tensor(LINE)).flatten()])[None]
    with torch.no_grad():
        plain = faithful.transformer(ids, output_attentions=True).attentions[1][0, 1, -1]
    assert seen.head(4)[2] == pytest.approx(float(plain[5:9].sum()), abs=1e-5) and seen.name(4) == "2.2"
    assert seen.head(0) == pytest.approx(seen.shares.mean((0, 1)))


def test_before_the_first_move_there_is_only_the_beginning(faithful):
    assert faithful_attention(faithful, []).head(0).tolist() == pytest.approx([1.0])


def test_sighted_sees_its_window(monkeypatch):
    torch.manual_seed(0)
    config = SightedConfig(**SIGHTED_SIZES["tiny"] | {"n_positions": 4})
    config._attn_implementation = "eager"
    model = SightedModel(config).eval()
    seen = sighted_attention(model, play("", LINE), HUMAN)
    assert seen.shares.shape == (2, 2, 7) and seen.first == 3 and not seen.shares[..., :3].any()
    assert torch.allclose(seen.shares.sum(-1), torch.ones(2, 2), atol=1e-5)
    assert sighted_attention(model, play("", ()), HUMAN).shares.flatten().tolist() == pytest.approx([1.0] * 4)


def test_half_of_the_attention_to_moves():
    shares = torch.tensor([0.5, 0.2, 0.0, 0.1, 0.2]).view(1, 1, 5)
    assert Attention(shares, 0).half(0) == 2 and Attention(shares[..., :1], 0).half(1) == 0


def test_pieces_are_as_opaque_as_their_moves_are_looked_at():
    assert travellers(LINE) == {SQUARES[name]: plies for name, plies in
                                {"e2": [1], "g7": [2], "e1": [3, 5], "h8": [4, 6]}.items()}
    shares = torch.tensor([0.4, 0.0, 0.1, 0.1, 0.1, 0.3, 0.0])
    shown = opacities(LINE, shares, least=0.2)
    assert shown[SQUARES["e1"]] == 1 and shown[SQUARES["e2"]] == pytest.approx(0.2)
    assert shown[SQUARES["g7"]] == pytest.approx(0.2 + 0.8 / 4) and shown[SQUARES["a0"]] == 0.2 and len(shown) == 32
    assert set(opacities((), torch.ones(1)).values()) == {0.22}
