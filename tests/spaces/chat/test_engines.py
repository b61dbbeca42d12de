"""Which engine a model gets; any other causal model behind the same seam as our own loop."""

from types import SimpleNamespace

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, MambaConfig, MambaForCausalLM

from shared import models
from shared.experiment import InputError
from spaces.chat.decode import Decoder
from spaces.chat.engines import Foreign, HubTokenizer, Speaker, load
from spaces.chat.int8 import Int8Decoder
from spaces.chat.model import WEIGHTS
from spaces.chat.sampling import Sampling
from spaces.chat.tokenizer import CpmTokenizer
from tests.spaces.chat.tiny import tiny

TINY = {"vocab_size": 60, "bos_token_id": 0, "eos_token_id": 0}


@pytest.fixture(scope="module")
def llama():
    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        max_position_embeddings=64, initializer_range=0.3, **TINY,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


@pytest.fixture
def gpt2():
    return GPT2LMHeadModel(GPT2Config(n_embd=16, n_layer=1, n_head=2, n_positions=32, **TINY)).eval()


def expected(model, ids):
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0]


def test_another_model_reads_steps_and_goes_back(llama):
    engine = Foreign(llama)
    cache, ids = engine.cache(), [5, 6, 7, 8, 9, 10]
    close = dict(atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(engine.read(ids, cache, 3), expected(llama, ids)[-3:], **close)
    torch.testing.assert_close(engine.step([3], [cache])[0], expected(llama, [*ids, 3])[-1], **close)
    other = [5, 6, 7, 20]
    torch.testing.assert_close(engine.read(other, cache)[0], expected(llama, other)[-1], **close)
    assert cache.ids == other
    torch.testing.assert_close(engine.read([9, 9], cache)[0], expected(llama, [9, 9])[-1], **close)


def test_another_model_in_a_batch_is_generate(llama):
    speaker = Speaker(Foreign(llama), None)
    said = [t.id for t in speaker.batch.tokens([5, 6, 7], Sampling(temperature=0.0, max_new_tokens=12), -1)]
    prompt = torch.tensor([[5, 6, 7]])
    out = llama.generate(prompt, max_new_tokens=12, do_sample=False, eos_token_id=None, pad_token_id=0)
    assert said == out[0, 3:].tolist()


def test_bytes_of_a_cache_with_fewer_key_heads(llama):
    assert Foreign(llama).cache_bytes == 2 * 2 * (2 * 8) * 64 * 4


def test_our_loop_for_gpt2_another_for_the_rest_made_once(gpt2, llama, tmp_path):
    CpmTokenizer(WEIGHTS).save(tmp_path)
    loaded = SimpleNamespace(model=gpt2, tokenizer=None, folder=tmp_path)
    speaker = Speaker.of(loaded)
    assert type(speaker.engine) is Decoder and isinstance(speaker.tokenizer, CpmTokenizer)
    assert speaker.start == (speaker.tokenizer.eod_id,) and Speaker.of(loaded) is speaker
    hub = SimpleNamespace(model=llama, tokenizer=Letters(), folder=tmp_path)
    assert type(Speaker.of(hub).engine) is Foreign and isinstance(Speaker.of(hub).tokenizer, HubTokenizer)


def test_what_does_not_fit_is_offered_in_int8_or_spread(tmp_path, monkeypatch):
    name = tiny(tmp_path, layers=6)
    full = load(name)
    monkeypatch.setenv("MODELS_MEMORY", str(0.6 * full.bytes))
    monkeypatch.setattr(models, "load", lambda *args, **how: models.Shelf().load(*args, **how))
    with pytest.raises(InputError, match="too big.*int8.*spread") as caught:
        load(name)
    assert caught.value.field == "model" and "摊开" in caught.value.zh
    monkeypatch.setenv("MODELS_MEMORY", str(2.5 * full.bytes))  # of so small a model the float32 tables are the most
    assert type(Speaker.of(load(name, "int8")).engine) is Int8Decoder
    monkeypatch.setenv("MODELS_MEMORY", str(0.6 * full.bytes))
    with pytest.raises(InputError, match="too big.*precision.*spread"):
        load(name, "int8")
    spread = load(name, "spread")
    assert "disk" in spread.model.hf_device_map.values() and spread.bytes <= 0.6 * full.bytes
    one, other = Speaker.of(spread), Speaker.of(full)
    assert type(one.engine) is Foreign and type(other.engine) is Decoder
    ids = [*other.start, 90, 91, 92, 93]
    a, b = (speaker.engine.read(ids, speaker.engine.cache(), 3) for speaker in (one, other))
    torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


def test_a_model_without_heads_is_refused():
    config = MambaConfig(vocab_size=60, hidden_size=16, num_hidden_layers=1)
    with pytest.raises(InputError, match="heads"):
        Foreign(MambaForCausalLM(config))


def test_what_cannot_be_is_refused(gpt2, llama, tmp_path):
    llama.save_pretrained(tmp_path)
    with pytest.raises(InputError, match="GPT-2's layout") as caught:
        load(str(tmp_path), "int8")
    assert caught.value.field == "precision" and "int8" in caught.value.zh
    with pytest.raises(InputError, match="precision: "):
        load("", "int3")
    gpt2.save_pretrained(tmp_path / "mute")
    with pytest.raises(InputError, match="no tokeniser"):
        Speaker.of(load(str(tmp_path / "mute")))


def test_a_folder_in_cpms_form_needs_no_tokeniser_that_transformers_can_read(tmp_path):
    name = tiny(tmp_path)
    (tmp_path / "tokenizer_config.json").unlink()
    (tmp_path / "vocab.json").write_text('{"a": 0, "b": 1}')  # CPM's repository has one, and no merges beside it
    assert isinstance(Speaker.of(load(name)).tokenizer, CpmTokenizer)
    with pytest.raises(InputError, match="AutoTokenizer"):
        _ = load(name).tokenizer


class Letters:
    """What the chat uses of a tokeniser of transformers."""

    eos_token_id = 3

    def __call__(self, text):
        return {"input_ids": [1, *self.encode(text)]}

    def encode(self, text, add_special_tokens=False):
        return list(text.encode())

    def decode(self, ids, **_):
        return bytes(i for i in ids if i > 3).decode("utf-8", "replace")


def test_a_hub_tokeniser_begins_texts_as_it_wants_to():
    tokenizer = HubTokenizer(Letters())
    assert (tokenizer.start, tokenizer.eod_id, tokenizer.decode(tokenizer.encode("好"))) == ((1,), 3, "好")
    with pytest.raises(InputError, match="Unicode"):
        tokenizer.encode("\ud800")
