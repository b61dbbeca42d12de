"""The pass that shows its attention is transformers' own; shares add up; what the model has not is refused."""

from dataclasses import astuple

import pytest
import torch
from transformers import GPT2LMHeadModel

from shared.experiment import InputError
from spaces.chat.inside import MOST, Looking, cosines, layer_of, layouts, look
from spaces.chat.ui import inside as ui
from tests.spaces.chat.tiny import tiny


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny(tmp_path_factory.mktemp("inside") / "tiny")


@pytest.mark.parametrize("layer", [1, 2])
def test_weights_and_states_are_transformers(model, layer):
    eager = GPT2LMHeadModel.from_pretrained(model, attn_implementation="eager").eval()
    ids = [5, 80, 900, 7, 80]
    with torch.no_grad():
        out = eager.transformer(torch.tensor([ids]), output_attentions=True, output_hidden_states=True)
    weights, states = layer_of(eager, ids, layer)
    torch.testing.assert_close(weights, out.attentions[layer - 1][0])
    if layer == 1:  # transformers normalises the last one
        torch.testing.assert_close(states, out.hidden_states[layer][0])


def test_rows_are_shares_of_what_came_before(model):
    seen = look(Looking(model=model))
    assert seen.attention.sum(1) == pytest.approx(1, abs=1e-5) and seen.pieces[0] == ""
    assert (seen.attention[~torch.tril(torch.ones(*seen.attention.shape)).bool().numpy()] == 0).all()
    assert seen.similarity.diagonal() == pytest.approx(1, abs=1e-4)
    one = look(Looking(model=model, head=1)).attention
    assert abs(one - seen.attention).max() > 1e-6


def test_equal_states_are_alike_and_opposite_ones_are_not():
    states = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-2.0, 0.0]])
    assert cosines(states)[0, 1] == pytest.approx(1) and cosines(states)[0, 2] == pytest.approx(-1)


def test_a_long_text_is_shown_from_its_end(model):
    seen = look(Looking(text="天地玄黄，宇宙洪荒。" * 40, model=model))
    assert len(seen.pieces) == MOST and seen.cut > 0


def test_three_layouts_of_the_same_weights_differ(model):
    readings = layouts(Looking(model=model))
    assert [r.layout for r in readings] == ["gpt2", "gpt2_ml", "no_final_norm"]
    assert len({round(r.bits_per_character, 6) for r in readings}) == 3


@pytest.mark.parametrize("wrong", [{"layer": 3}, {"head": 9}, {"model": "server"}, {"text": " "}])
def test_what_is_not_there_is_refused(model, wrong):
    with pytest.raises(InputError) as caught:
        look(Looking(**{"model": model} | wrong))
    assert caught.value.field in (*wrong, "prompt")


def test_a_bar_is_taken_away_before_a_refusal(model):
    frames = ui.read(*astuple(Looking(model="/no/such/folder")))
    assert next(frames)[-1]  # the bar
    assert next(frames)[-1] == ""
    with pytest.raises(InputError):
        next(frames)
