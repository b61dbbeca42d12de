"""Counts against transformers' own modules, CPM's number, bytes by dtype, the verdict."""

from urllib.parse import parse_qsl

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from shared.experiment import InputError, from_query, to_query
from spaces.chat.calculator import Fitting, Shape, fits, verdict
from spaces.chat.decode import Decoder
from spaces.chat.int8 import Int8Decoder
from spaces.chat.ui.calculator import read


def test_cpm_has_2_597_073_920_parameters():
    cpm = Shape()
    assert cpm.total == 2_597_073_920
    assert cpm.weights("float32") == 4 * cpm.total and cpm.weights("float16") == 5_194_147_840
    assert cpm.cache("float16") == 327_680 and cpm.cache("float16", 1024) == 335_544_320


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("layers, width, heads, vocabulary, positions", [(12, 768, 12, 50257, 1024), (2, 24, 3, 11, 7)])
def test_counts_are_those_of_the_modules(layers, width, heads, vocabulary, positions, tied):
    config = GPT2Config(
        n_layer=layers, n_embd=width, n_head=heads, vocab_size=vocabulary, n_positions=positions,
        tie_word_embeddings=tied, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    with torch.device("meta"):
        model = GPT2LMHeadModel(config)
    model.tie_weights()
    assert Shape.of(config).total == sum(p.numel() for p in model.parameters())


def test_cache_and_int8_are_what_the_engines_allocate():
    config = GPT2Config(
        n_layer=2, n_embd=32, n_head=2, vocab_size=50, n_positions=40, bos_token_id=0, eos_token_id=0
    )
    model, shape = GPT2LMHeadModel(config).eval(), Shape.of(config)
    assert Decoder(model).cache_bytes == shape.cache("float32", 40)
    assert Int8Decoder(model).cache_bytes == shape.cache("int8", 40)


def test_small_cpm_in_int8_is_a_quarter_and_the_tables():
    small = Shape(8, 512, 8, 8000, 1024)
    assert small.total == 29_840_384
    assert 0.25 * small.weights("float32") < small.weights("int8") < 0.5 * small.weights("float32")


def test_what_fits_in_a_laptop_and_on_a_card():
    by_dtype = {fit.dtype: fit.fits for fit in fits(Shape(), 8 * 10**9)}
    assert by_dtype == {"float32": False, "bfloat16": True, "float16": True, "int8": True}
    for gpu, memory, way in (
        (False, 16, "loads it in float32"), (False, 8, "choose int8"), (False, 1, "device_map"),
        (True, 8, "loads it in bfloat16"), (True, 4, "device_map"),
    ):  # fmt: skip
        zh, en = verdict(Shape(), memory * 10**9, "float16", gpu=gpu)
        assert way in en and ("装不下" in zh) == (memory < 8) == ("does not fit" in en)
    assert "device_map" in verdict(Shape(), 8 * 10**9, "float16", 100)[1]


@pytest.mark.parametrize(
    "field, value", [("layers", 0), ("width", 2.5), ("vocabulary", "many"), ("tied", 1), ("heads", 7)]
)
def test_impossible_shapes_are_refused_by_name(field, value):
    with pytest.raises(InputError) as caught:
        Shape(**{field: value})
    assert caught.value.field == field


def test_a_link_carries_the_dtype_and_the_contexts():
    asked = Fitting(12, 768, 12, 50_257, 1024, dtype="int8", sequences=8)
    query = dict(parse_qsl(to_query(asked)[1:]))
    assert query["dtype"] == "int8" and from_query(Fitting, query) == (asked, [])


@pytest.mark.parametrize("field, value", [("dtype", "int4"), ("dtype", ["int8"]), ("sequences", 0), ("sequences", 1.5)])
def test_what_nobody_can_want_is_refused(field, value):
    with pytest.raises(InputError) as caught:
        Fitting(**{field: value})
    assert caught.value.field == field


def test_a_config_with_another_mlp_is_refused(tmp_path):
    config = GPT2Config(n_layer=2, n_embd=32, n_head=2, vocab_size=50, n_positions=40, n_inner=128)
    config.save_pretrained(tmp_path)
    assert read(str(tmp_path))[:2] == [2, 32]
    config.n_inner = 64
    config.save_pretrained(tmp_path)
    with pytest.raises(InputError, match="four times"):
        read(str(tmp_path))
