"""int8 products against exact ones: rounding of weights within half a step, logits close, the same seam."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import GPT2Config, GPT2LMHeadModel

from shared.experiment import InputError
from spaces.chat.calculator import Shape
from spaces.chat.decode import Decoder
from spaces.chat.engines import load
from spaces.chat.int8 import Int8Decoder, Int8GPT2, dense8, quantise
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


@pytest.mark.parametrize("dtype, shard", [(torch.float32, "5GB"), (torch.float16, "60kB")])
def test_from_files_it_is_what_it_is_from_memory(tmp_path, dtype, shard):
    name = tiny(tmp_path)
    model = GPT2LMHeadModel.from_pretrained(name, dtype=dtype).eval()
    (tmp_path / "model.safetensors").unlink()
    model.save_pretrained(name, max_shard_size=shard)
    engine, ids = load(name, "int8").model.decoder, [7, 12, 99, 300]
    expected = Int8Decoder(model)
    assert torch.equal(engine.read(ids, engine.cache(), 2), expected.read(ids, expected.cache(), 2))


def test_tensors_without_the_prefix_are_read_and_missing_ones_named(tmp_path):
    name = tiny(tmp_path)
    expected = Int8Decoder(GPT2LMHeadModel.from_pretrained(name).eval())
    file = tmp_path / "model.safetensors"
    weights = {key.removeprefix("transformer."): tensor for key, tensor in load_file(file).items()}
    save_file(weights, file, {"format": "pt"})
    engine = Int8GPT2.from_pretrained(tmp_path)[0].decoder
    assert torch.equal(engine.read([7, 12], engine.cache()), expected.read([7, 12], expected.cache()))
    del weights["h.1.mlp.c_fc.weight"]
    save_file(weights, file, {"format": "pt"})
    with pytest.raises(InputError, match=r"lacks 1 tensors \(h.1.mlp.c_fc.weight"):
        load(name, "int8")


def test_only_the_rounded_weights_are_in_memory(tmp_path):
    name = tiny(tmp_path)
    full, rounded = Local(name), Local(name, "int8")
    assert full.label.endswith("float32") and rounded.label.endswith("int8")
    assert rounded.label.split(" · ")[1] == full.label.split(" · ")[1]  # parameters
    config = GPT2LMHeadModel.from_pretrained(name).config
    assert rounded.memory(0)[0] == pytest.approx(Shape.of(config).weights("int8"), rel=0.05)
    assert rounded.memory(0)[0] < full.memory(0)[0]
