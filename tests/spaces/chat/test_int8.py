"""int8 products against exact ones: rounding of weights within half a step, logits close, the same seam."""

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from spaces.chat.decode import Decoder
from spaces.chat.int8 import Int8Decoder, dense8, quantise
from spaces.chat.voices import Local
from tests.spaces.chat.tiny import tiny

EOD = {"bos_token_id": 0, "eos_token_id": 0}


def test_weights_are_rounded_within_half_a_step():
    weight = torch.randn(40, 30) * torch.logspace(-3, 1, 30)  # outputs of very different size
    rounded = quantise(weight)
    scale = rounded.q_per_channel_scales().float()[:, None]
    assert ((rounded.dequantize() - weight.t()).abs() <= scale * 0.5001).all()
    assert rounded.int_repr().abs().amax(1).eq(127).all()


def test_an_output_without_weights_is_its_bias():
    assert torch.equal(dense8(torch.zeros(16, 8), torch.arange(8.0))(torch.randn(1, 16)), torch.arange(8.0)[None])


def test_a_product_is_within_two_percent():
    torch.manual_seed(0)
    x, weight, bias = torch.randn(4, 256), torch.randn(256, 64), torch.randn(64)
    exact = x @ weight + bias
    assert (dense8(weight, bias)(x) - exact).norm() < 0.02 * exact.norm()


def test_a_decoder_in_int8_is_close_and_steps_in_batches():
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=97, n_positions=32, n_embd=64, n_layer=2, n_head=2, initializer_range=0.2, **EOD)
    model = GPT2LMHeadModel(config).eval()
    exact, rounded = Decoder(model), Int8Decoder(model)
    for engine in (exact, rounded):
        engine.caches = [engine.cache(), engine.cache()]
        for cache, ids in zip(engine.caches, ([1, 2, 3], [9] * 7), strict=True):
            engine.read(ids, cache)
    a, b = (engine.step([4, 5], engine.caches) for engine in (exact, rounded))
    assert (a - b).norm() < 0.05 * a.norm() and not torch.equal(a, b)
    assert (a.softmax(1) - b.softmax(1)).abs().sum(1).max() < 0.1


def test_half_precision_models_are_read_without_changing_them():
    config = GPT2Config(vocab_size=9, n_positions=8, n_embd=16, n_layer=1, n_head=1, **EOD)
    model = GPT2LMHeadModel(config).bfloat16().eval()
    engine = Int8Decoder(model)
    assert engine.read([1, 2], engine.cache()).isfinite().all() and model.dtype == torch.bfloat16


def test_the_model_stays_in_memory_beside_its_rounded_weights(tmp_path):
    name = tiny(tmp_path / "tiny")
    weights = Local(name)._bytes
    assert weights < Local(name, "int8").memory(0)[0] < 1.5 * weights < Local(name).memory(0)[0]
