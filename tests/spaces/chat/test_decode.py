"""The decoding loop against transformers: logits, greedy tokens, caches read again, several sequences in one step."""

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from spaces.chat.decode import Decoder, readable, shared_prefix


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=97, n_positions=64, n_embd=48, n_layer=3, n_head=4, layer_norm_epsilon=1e-3, bos_token_id=0,
        eos_token_id=0, initializer_range=0.3,
    )  # fmt: skip
    model = GPT2LMHeadModel(config).eval()
    for parameter in model.parameters():  # biases and norms that say something
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, 0.5, 0.5)
    return model


@pytest.fixture(scope="module")
def decoder(model):
    return Decoder(model)


def prompt(length: int, seed: int = 1) -> list[int]:
    return torch.randint(1, 97, (length,), generator=torch.Generator().manual_seed(seed)).tolist()


def expected(model, ids):
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0]


def test_logits_of_a_prompt_are_transformers(model, decoder):
    ids = prompt(30)
    torch.testing.assert_close(decoder.read(ids, decoder.cache(), 30), expected(model, ids), atol=1e-4, rtol=1e-4)


def test_greedy_tokens_are_those_of_generate(model, decoder):
    for seed in range(5):
        ids, cache = prompt(9, seed), decoder.cache()
        out = model.generate(
            torch.tensor([ids]), max_new_tokens=50, min_new_tokens=50, do_sample=False, pad_token_id=0,
            eos_token_id=None,
        )  # fmt: skip
        logits, mine = decoder.read(ids, cache), []
        for _ in range(50):
            mine.append(int(logits[0].argmax()))
            logits = decoder.step(mine[-1:], [cache])
        assert mine == out[0, 9:].tolist()


def test_a_prompt_in_parts_and_changed_in_the_middle(model, decoder):
    ids, cache = prompt(40), decoder.cache()
    decoder.read(ids[:13], cache)
    torch.testing.assert_close(decoder.read(ids, cache, 2), expected(model, ids)[-2:], atol=1e-4, rtol=1e-4)
    changed = ids[:20] + prompt(11, 2)
    torch.testing.assert_close(decoder.read(changed, cache), expected(model, changed)[-1:], atol=1e-4, rtol=1e-4)
    assert cache.ids == changed
    shorter = decoder.read(ids[:7], cache)  # wholly known but for its own last logits
    torch.testing.assert_close(shorter, expected(model, ids[:7])[-1:], atol=1e-4, rtol=1e-4)
    assert cache.ids == ids[:7]


def test_what_is_known_is_not_computed_again(decoder, monkeypatch):
    cache, seen = decoder.cache(), []
    whole = Decoder._blocks
    monkeypatch.setattr(Decoder, "_blocks", lambda self, x, attend: (seen.append(len(x)), whole(self, x, attend))[1])
    decoder.read(prompt(30), cache)
    decoder.read(prompt(30) + [5, 6], cache)
    assert seen == [30, 2]


def test_sequences_of_different_lengths_in_one_step(model, decoder):
    prompts = [prompt(length, length) for length in (3, 17, 40)]
    caches = [decoder.cache() for _ in prompts]
    for ids, cache in zip(prompts, caches, strict=True):
        decoder.read(ids, cache)
    logits = decoder.step([11, 12, 13], caches)
    for row, ids, token in zip(logits, prompts, (11, 12, 13), strict=True):
        torch.testing.assert_close(row, expected(model, [*ids, token])[-1], atol=1e-4, rtol=1e-4)


def test_the_last_position_of_the_context(model, decoder):
    ids, cache = prompt(64), decoder.cache()
    decoder.read(ids[:-1], cache)
    torch.testing.assert_close(decoder.step(ids[-1:], [cache]), expected(model, ids)[-1:], atol=1e-4, rtol=1e-4)


def test_half_precision_of_the_model_is_kept(model):
    half = GPT2LMHeadModel(model.config).to(torch.bfloat16).eval()
    decoder = Decoder(half)
    cache = decoder.cache()
    assert cache.layers[0].dtype == torch.bfloat16 and decoder.read([1, 2], cache).dtype == torch.float32
    assert decoder.cache_bytes == 2 * 3 * 64 * 48 * 2 == sum(x.numel() * 2 for x in cache.layers)


def test_models_that_the_loop_would_get_wrong_are_told_apart(model):
    assert readable(model)
    tiny = {"n_embd": 8, "n_layer": 1, "n_head": 1, "vocab_size": 9, "bos_token_id": 0, "eos_token_id": 0}
    config = GPT2Config(**tiny, scale_attn_by_inverse_layer_idx=True)
    assert not readable(GPT2LMHeadModel(config)) and not readable(model.transformer)


@pytest.mark.parametrize("a, b, n", [([], [1], 0), ([1, 2, 3], [1, 2], 2), ([1, 2, 3], [1, 9, 3], 1)])
def test_shared_prefix(a, b, n):
    assert shared_prefix(a, b) == n
