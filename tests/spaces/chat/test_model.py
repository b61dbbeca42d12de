"""The layout and size of the small CPM, its states against transformers'."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from transformers import GPT2LMHeadModel

from shared.experiment import InputError
from spaces.chat.model import WEIGHTS, configuration, hidden_states, load
from spaces.chat.tokenizer import CpmTokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return CpmTokenizer(WEIGHTS)


@pytest.fixture(scope="module")
def tiny(tokenizer):
    torch.manual_seed(0)
    return GPT2LMHeadModel(configuration(tokenizer.size, tokenizer.eod_id, "tiny")).eval()


@pytest.mark.parametrize(("size", "parameters"), [("small", 7_049_216), ("medium", 29_840_384)])
def test_sizes_and_both_fit_60_mb(size, parameters):
    with torch.device("meta"):
        model = GPT2LMHeadModel(configuration(8000, 6, size))
    count = sum(p.numel() for p in model.parameters())
    assert count == parameters and 2 * count < 60e6
    assert model.lm_head.weight is model.transformer.wte.weight


def test_what_ships_is_at_most_60_mb_in_files_below_50():
    sizes = [file.stat().st_size for file in WEIGHTS.iterdir()]
    assert sum(sizes) <= 60e6 and max(sizes) < 50e6


def test_cpm_has_2_597_073_920_parameters_in_this_layout():
    config = configuration(30_000, 7)
    config.update({"n_embd": 2560, "n_layer": 32, "n_head": 32})
    with torch.device("meta"):
        assert sum(p.numel() for p in GPT2LMHeadModel(config).parameters()) == 2_597_073_920


def test_states_are_those_of_transformers_and_causal(tiny):
    ids = torch.randint(0, 8000, (3, 50))
    with torch.no_grad():
        states = hidden_states(tiny, ids)
        torch.testing.assert_close(states, tiny.transformer(ids).last_hidden_state)
        ids[:, 30:] = 7
        torch.testing.assert_close(hidden_states(tiny, ids)[:, :30], states[:, :30])
        eager = copy.deepcopy(tiny)
        eager.set_attn_implementation("eager")
        torch.testing.assert_close(hidden_states(eager, ids)[:, :30], states[:, :30])


def test_loss_at_the_beginning_is_ln_v(tiny):
    ids = torch.randint(0, 8000, (8, 65))
    with torch.no_grad():
        logits = tiny.lm_head(hidden_states(tiny, ids[:, :-1]))
    assert float(F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())) == pytest.approx(math.log(8000), rel=0.02)


def test_saved_weights_are_loaded_with_our_vocabulary(tiny, tokenizer, tmp_path):
    tiny.save_pretrained(tmp_path)
    model, its = load(tmp_path)
    assert its.encode("床前明月光") == tokenizer.encode("床前明月光")
    ids = torch.randint(0, 8000, (2, 20))
    with torch.no_grad():
        torch.testing.assert_close(model(ids).logits, tiny(ids).logits, atol=1e-4, rtol=1e-4)


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(InputError, match="config.json"):
        load(tmp_path)
