"""The three layouts against modules written out one by one, over the same weights."""

import math

import pytest
import torch
from torch.nn.functional import layer_norm
from transformers import GPT2LMHeadModel

from shared.experiment import InputError
from spaces.chat.layout import LAYOUTS, compare, speakers
from spaces.chat.model import WEIGHTS, configuration
from spaces.chat.tokenizer import CpmTokenizer

TOKENIZER = CpmTokenizer(WEIGHTS)
TEXT = "美国 华盛顿\n法国 巴黎\n日本 东京"


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = GPT2LMHeadModel(configuration(TOKENIZER.size, TOKENIZER.eod_id, "tiny")).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0.0 if parameter.ndim > 1 else 0.5, 0.2)
    return model


@torch.no_grad()
def logits_by_modules(model, ids, layout):
    """GPT2_ML as its author's description has it: embedding LN; Att → Add → (LN → FFN) → Add → LN."""
    body, eps = model.transformer, model.config.layer_norm_epsilon
    x = body.wte(ids) + body.wpe.weight[: ids.shape[1]]
    if layout != "gpt2_ml":
        for block in body.h:
            x = x + block.attn(block.ln_1(x))[0]
            x = x + block.mlp(block.ln_2(x))
        return model.lm_head(body.ln_f(x) if layout == "gpt2" else x)
    closing = [block.ln_1 for block in body.h[1:]] + [body.ln_f]
    x = body.h[0].ln_1(x)
    for block, norm in zip(body.h, closing, strict=True):
        x = x + block.attn(x)[0]
        x = layer_norm(x + block.mlp(block.ln_2(x)), x.shape[-1:], norm.weight, norm.bias, eps)
    return model.lm_head(x)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_is_its_modules(model, layout):
    ids = [TOKENIZER.eod_id, *TOKENIZER.encode(TEXT)]
    engine = speakers(model, TOKENIZER)[layout].engine
    mine = engine.read(ids, engine.cache(), len(ids))
    torch.testing.assert_close(mine, logits_by_modules(model, torch.tensor([ids]), layout)[0], atol=1e-3, rtol=1e-3)


def test_bits_are_those_of_the_logits_and_the_layouts_differ(model):
    ids = [TOKENIZER.eod_id, *TOKENIZER.encode(TEXT)]
    readings = compare(speakers(model, TOKENIZER, (TOKENIZER.eod_id,)), TEXT, new_tokens=5)
    assert [reading.layout for reading in readings] == list(LAYOUTS)
    for reading in readings:
        logs = logits_by_modules(model, torch.tensor([ids]), reading.layout)[0].log_softmax(1)
        nats = -sum(float(logs[i - 1, ids[i]]) for i in range(1, len(ids)))
        assert reading.bits_per_character == pytest.approx(nats / math.log(2) / len(TEXT), rel=1e-3)
    assert len({round(reading.bits_per_character, 3) for reading in readings}) == 3


def test_texts_without_a_prediction_are_refused(model):
    with pytest.raises(InputError):
        compare(speakers(model, TOKENIZER), "")
