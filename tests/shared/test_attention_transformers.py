"""transformers' models through the shared attention: what eager gives, and no n × n mask."""

import pytest
import torch
from transformers import (
    AutoModel,
    BertConfig,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
)

import shared.attention
from shared.attention import attention, padding_mask, register
from shared.experiment import InputError
from tests.shared.memory import peak_mb

register()

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
on_devices = pytest.mark.parametrize("device", DEVICES)
SMALL = {"vocab_size": 40, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
         "initializer_range": 0.15, "tie_word_embeddings": False,
         "bos_token_id": 1, "eos_token_id": None, "pad_token_id": 0}
LLAMA = {**SMALL, "intermediate_size": 48, "num_key_value_heads": 2, "max_position_embeddings": 128}


def gpt2(attn: str = "eager", device: str = "cpu", **settings) -> GPT2LMHeadModel:
    config = {"n_positions": 128, "attn_pdrop": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0}
    return build(GPT2LMHeadModel, GPT2Config(**{**SMALL, **config, **settings}), attn, device)


def bert(attn: str = "eager", device: str = "cpu", **settings) -> BertModel:
    config = {"intermediate_size": 48, "max_position_embeddings": 128, "attention_probs_dropout_prob": 0.0,
              "hidden_dropout_prob": 0.0}
    return build(BertModel, BertConfig(**{**SMALL, **config, **settings}), attn, device)


def build(kind: type[PreTrainedModel], config, attn: str, device: str) -> PreTrainedModel:
    """A random model, the same for each attention."""
    torch.manual_seed(0)
    config._attn_implementation = attn
    return kind(config).eval().to(device)


def batch(side: str, length: int = 14, device: str = "cpu") -> dict[str, torch.Tensor]:
    """Three sequences, two of them padded on a side, with positions that begin after the padding."""
    random = torch.Generator().manual_seed(1)
    ids = torch.randint(3, 40, (3, length), generator=random)
    mask = torch.ones_like(ids)
    mask[0, :3], mask[1, :6] = (0, 0) if side != "none" else (1, 1)
    if side == "right":
        mask = mask.flip(1)
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    return {name: x.to(device) for name, x in
            {"input_ids": ids, "attention_mask": mask, "position_ids": positions}.items()}


def real_difference(ours: torch.Tensor, theirs: torch.Tensor, mask: torch.Tensor) -> float:
    return (ours - theirs).detach()[mask.bool()].abs().max().item()


@on_devices
@pytest.mark.parametrize("side", ["none", "left", "right"])
def test_decoder_equals_eager(side, device):
    inputs = batch(side, device=device)
    ours, theirs = (gpt2(attn, device)(**inputs).logits for attn in ("xformers", "eager"))
    assert theirs.std() > 0.1
    assert real_difference(ours, theirs, inputs["attention_mask"]) < 1e-5
    assert ours.isfinite().all()


@on_devices
@pytest.mark.parametrize("side", ["none", "left", "right"])
def test_encoder_equals_eager(side, device):
    inputs = batch(side, device=device)
    ours, theirs = (bert(attn, device)(**inputs).last_hidden_state for attn in ("xformers", "eager"))
    assert real_difference(ours, theirs, torch.ones_like(inputs["attention_mask"])) < 1e-5


@on_devices
@pytest.mark.parametrize("side", ["none", "left"])
def test_grouped_heads_equal_eager(side, device):
    inputs = batch(side, device=device)
    ours, theirs = (build(LlamaForCausalLM, LlamaConfig(**LLAMA), attn, device)(**inputs).logits
                    for attn in ("xformers", "eager"))
    assert real_difference(ours, theirs, inputs["attention_mask"]) < 1e-5


@on_devices
@pytest.mark.parametrize("make", [gpt2, bert])
@pytest.mark.parametrize("side", ["none", "left", "right"])
def test_gradients_of_parameters_equal_eager(make, side, device):
    inputs = batch(side, device=device)
    grads = []
    for attn in ("xformers", "eager"):
        model = make(attn, device).train()
        model(**inputs)[0][inputs["attention_mask"].bool()].square().mean().backward()
        grads.append({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
    assert grads[0].keys() == grads[1].keys() and len(grads[0]) > 20
    for name, theirs in grads[1].items():
        assert torch.allclose(grads[0][name], theirs, atol=1e-5, rtol=1e-4), name


@on_devices
@pytest.mark.parametrize("attn", ["xformers", "performer", "taylor"])
@pytest.mark.parametrize("side", ["none", "left"])
def test_generation_with_a_cache_is_generation_without(attn, side, device):
    inputs = batch(side, device=device)
    model = gpt2(attn, device)
    how = {"input_ids": inputs["input_ids"], "attention_mask": inputs["attention_mask"],
           "max_new_tokens": 12, "do_sample": False}
    cached = model.generate(**how)
    assert torch.equal(cached, model.generate(**how, use_cache=False))
    assert len(set(cached[2, 14:].tolist())) > 1  # not one token again and again
    if attn == "xformers":
        assert torch.equal(cached, gpt2("eager", device).generate(**how))


@on_devices
@pytest.mark.parametrize("attn", ["xformers", "performer", "taylor"])
@pytest.mark.parametrize("side", ["none", "left"])
def test_prefill_in_chunks_is_one_pass(attn, side, device):
    inputs = batch(side, device=device)
    model = gpt2(attn, device)
    whole, cache, parts = model(**inputs).logits, None, []
    for start, stop in ((0, 5), (5, 6), (6, 14)):
        out = model(input_ids=inputs["input_ids"][:, start:stop], past_key_values=cache, use_cache=True,
                    attention_mask=inputs["attention_mask"][:, :stop],
                    position_ids=inputs["position_ids"][:, start:stop])
        cache = out.past_key_values
        parts.append(out.logits)
    assert real_difference(torch.cat(parts, 1), whole, inputs["attention_mask"]) < 1e-5


@on_devices
@pytest.mark.parametrize("attn", ["performer", "taylor"])
@pytest.mark.parametrize("make", [gpt2, bert])
@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_changes_nothing_for_the_linear_ones(make, attn, side, device):
    inputs = batch(side, device=device)
    model = make(attn, device)
    together = model(**inputs)[0]
    for row in range(3):
        kept = inputs["attention_mask"][row].bool()
        alone = model(**{name: x[row:row + 1, kept] for name, x in inputs.items()})[0]
        assert (together[row, kept] - alone[0]).abs().max() < 1e-5
    assert real_difference(together, make("eager", device)(**inputs)[0], inputs["attention_mask"]) > 1e-3


@pytest.mark.parametrize("attn", ["xformers", "performer", "taylor"])
@pytest.mark.parametrize("make, side", [(bert, "right"), (bert, "left"), (bert, "none"), (gpt2, "left"),
                                        (gpt2, "none")])
def test_masks_stay_rows(make, side, attn, monkeypatch):
    """In an encoder and in a decoder, over a whole text and token by token."""
    shapes = []

    def record(q, k, v, *, mask, **how):
        shapes.append((q.shape[2], k.shape[2], None if mask is None else tuple(mask.shape)))
        return attention(q, k, v, mask=mask, **how)

    monkeypatch.setattr(shared.attention, "attention", record)
    inputs = batch(side)
    model = make(attn)
    model(**inputs)
    if make is gpt2:
        inputs.pop("position_ids")
        model.generate(**inputs, max_new_tokens=3, do_sample=False)
    assert len(shapes) >= 2 and {queries for queries, *_ in shapes} == ({14, 1} if make is gpt2 else {14})
    assert all(shape == (None if side == "none" else (3, 1, 1, keys)) for _, keys, shape in shapes)


def test_a_long_padded_encoder_stays_small():
    length = 16_384  # its n × n mask: 268 MB as bool, 1.1 GB as fp32
    model = bert("xformers", num_hidden_layers=1, max_position_embeddings=length, num_attention_heads=2,
                 hidden_size=16, intermediate_size=16)
    ids = torch.full((1, length), 5)
    mask = torch.ones_like(ids)
    mask[:, -7:] = 0
    with torch.inference_mode():
        assert peak_mb(lambda: model(input_ids=ids, attention_mask=mask)) < 100


@pytest.mark.parametrize("attn", ["xformers", "performer", "taylor"])
def test_static_caches_are_right_or_refused(attn):
    inputs = batch("left")
    how = {"input_ids": inputs["input_ids"], "attention_mask": inputs["attention_mask"], "max_new_tokens": 6,
           "do_sample": False}
    if attn == "xformers":
        assert torch.equal(gpt2(attn).generate(**how, cache_implementation="static"), gpt2("eager").generate(**how))
    else:
        with pytest.raises(InputError, match="static cache"):
            gpt2(attn).generate(**how, cache_implementation="static")


@pytest.mark.parametrize("side", ["none", "left"])
def test_sliding_windows_are_right_or_refused(side):
    inputs = batch(side)
    config = {**LLAMA, "sliding_window": 4}
    logits = {attn: build(MistralForCausalLM, MistralConfig(**config), attn, "cpu")(**inputs).logits
              for attn in ("xformers", "eager")}
    assert real_difference(logits["xformers"], logits["eager"], inputs["attention_mask"]) < 1e-5
    with pytest.raises(InputError, match="window"):
        build(MistralForCausalLM, MistralConfig(**config), "taylor", "cpu")(**inputs)


def test_packed_samples_are_right_or_refused():
    """Two texts in one row, told apart by their positions alone."""
    inputs = {"input_ids": batch("none")["input_ids"], "use_cache": False,
              "position_ids": torch.tensor([[*range(6), *range(8)]]).expand(3, -1)}
    ours, theirs = (gpt2(attn)(**inputs).logits for attn in ("xformers", "eager"))
    assert (ours - theirs).abs().max() < 1e-5
    with pytest.raises(InputError, match="packing"):
        gpt2("performer")(**inputs)


def test_a_mask_in_full_says_everything():
    """A prefix of five that sees itself both ways, which causality would forbid."""
    inputs = {"input_ids": batch("none")["input_ids"]}
    keep = torch.ones(14, 14, dtype=torch.bool).tril()
    keep[:5, :5] = True
    ours = gpt2("xformers")(**inputs, attention_mask=keep.expand(3, 1, -1, -1)).logits
    bias = torch.zeros(3, 1, 14, 14).masked_fill(~keep, torch.finfo(torch.float32).min)
    assert (ours - gpt2("eager")(**inputs, attention_mask=bias).logits).abs().max() < 1e-5
    with pytest.raises(InputError, match="mask"):
        gpt2("taylor")(**inputs, attention_mask=keep.expand(3, 1, -1, -1))


def test_cross_attention_is_not_causal():
    """A decoder that reads an encoder of the same length."""
    inputs = batch("none")
    text = torch.randn(3, 14, 32, generator=torch.Generator().manual_seed(2))
    mask = batch("right")["attention_mask"]
    ours, theirs = (gpt2(attn, add_cross_attention=True)(**inputs, encoder_hidden_states=text,
                                                         encoder_attention_mask=mask).logits
                    for attn in ("xformers", "eager"))
    assert (ours - theirs).abs().max() < 1e-5


def test_dropout_is_honoured_or_refused():
    inputs = batch("none")
    torch.manual_seed(0)
    model = gpt2("xformers", attn_pdrop=0.5)
    assert torch.equal(model(**inputs).logits, model(**inputs).logits)
    model.train()
    assert not torch.allclose(model(**inputs).logits, model(**inputs).logits)
    with pytest.raises(InputError, match="dropout"):
        gpt2("taylor", attn_pdrop=0.5).train()(**inputs)


def test_features_come_from_the_config(tmp_path):
    inputs = batch("none")
    small, large = (bert("performer", performer_features={"count": n, "seed": 1}) for n in (8, 4096))
    truth = bert()(**inputs)[0]
    assert (small(**inputs)[0] - truth).abs().max() > 2 * (large(**inputs)[0] - truth).abs().max()
    small.save_pretrained(tmp_path)
    again = AutoModel.from_pretrained(tmp_path, attn_implementation="performer").eval()
    assert torch.equal(again(**inputs)[0], small(**inputs)[0])
    exact = AutoModel.from_pretrained(tmp_path, attn_implementation="xformers").eval()
    assert (exact(**inputs)[0] - truth).abs().max() < 1e-5


def test_what_attention_cannot_do_is_refused():
    with pytest.raises(NotImplementedError, match="softcap"):
        shared.attention._attend(torch.nn.Module(), *(torch.zeros(1, 1, 2, 4) for _ in range(3)), None,
                                 backend="xformers", softcap=30.0)


def test_padding_mask_reads_only_the_window_of_keys():
    """A cache that has dropped its first two keys, and an attention mask that is one key short."""
    seen = torch.tensor([[0, 0, 1, 0, 1]])
    mask = padding_mask(1, 1, 4, q_offset=5, kv_offset=2, attention_mask=seen)
    assert mask.tolist() == [[[[True, False, True, False]]]]
    assert padding_mask(1, 5, 5, attention_mask=torch.ones(1, 5)) is None
