"""The decomposition against its closed form, and every family of encoders with tiny random weights."""

import pytest
import torch
import transformers
from transformers import AutoModel

from shared.experiment import InputError
from spaces.long_document.positions import (
    WAYS,
    HierarchicalEmbedding,
    continue_positions,
    extend_positions,
    find_positions,
    hierarchical,
    position_capacity,
)

N, LONG, D = 8, 21, 16
SMALL = {
    "vocab_size": 40,
    "hidden_size": D,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
}
NARROW = SMALL | {"embedding_size": D}
DISTIL = {"vocab_size": 40, "dim": D, "n_layers": 2, "n_heads": 2, "hidden_dim": 24}
# family → (settings, rows the table keeps before position 0)
FAMILIES = {
    "Bert": (SMALL, 0),
    "Electra": (NARROW, 0),
    "Albert": (NARROW, 0),
    "DistilBert": (DISTIL, 0),
    "Ernie": (SMALL, 0),
    "MegatronBert": (SMALL, 0),
    "ConvBert": (NARROW, 0),
    "RemBert": (SMALL | {"input_embedding_size": D}, 0),
    "Deberta": (SMALL, 0),
    "Roberta": (SMALL, 2),
    "XLMRoberta": (SMALL, 2),
    "Camembert": (SMALL, 2),
    "MPNet": (SMALL, 2),
    "RobertaPreLayerNorm": (SMALL, 2),
    "Data2VecText": (SMALL, 2),
    "Nystromformer": (SMALL | {"segment_means_seq_len": 1, "num_landmarks": 1, "conv_kernel_size": 3}, 2),
}


def tiny(family, classification=False):
    settings, offset = FAMILIES[family]
    rows = N if family == "Nystromformer" else N + offset
    torch.manual_seed(0)
    config = getattr(transformers, f"{family}Config")(
        **settings, max_position_embeddings=rows, pad_token_id=1, bos_token_id=0, eos_token_id=2
    )
    kind = "ForSequenceClassification" if classification else "Model"
    model = getattr(transformers, family + kind)(config).eval()
    torch.nn.init.normal_(find_positions(model)[1].weight)  # 0.02 would hide a wrong row
    return model


def tokens(length, batch=2):
    return torch.randint(3, 40, (batch, length), generator=torch.Generator().manual_seed(length))


def last(model, ids):
    with torch.no_grad():
        return model(ids).last_hidden_state


@pytest.mark.parametrize("alpha", [0.1, 0.4, 0.9])
def test_closed_form(alpha):
    p = torch.randn(5, 3, dtype=torch.float64)
    q = hierarchical(p.float(), 25, alpha)
    u = (p - alpha * p[0]) / (1 - alpha)
    expected = (alpha * u[:, None] + (1 - alpha) * u[None]).reshape(25, 3)
    torch.testing.assert_close(q, expected.float(), rtol=1e-5, atol=1e-5)
    assert torch.equal(q[:5], p.float())


def test_half_would_repeat_positions():
    p = torch.randn(4, 6)
    q = hierarchical(p, 16, 0.5 + 1e-4).reshape(4, 4, 6)
    assert (q - q.transpose(0, 1)).abs().max() < 5e-3
    assert torch.pdist(hierarchical(p, 16)).min() > 0.1


@pytest.mark.parametrize("alpha", [0, 1, -0.2, 1.5, 0.5, float("nan")])
def test_alpha_is_refused(alpha):
    with pytest.raises(InputError) as refused:
        extend_positions(tiny("Bert"), alpha, LONG)
    assert refused.value.field == "alpha"
    assert alpha != 0.5 or "(j, i)" in refused.value.en


@pytest.mark.parametrize("length", [N - 1, N * N + 1])
def test_length_is_refused(length):
    with pytest.raises(InputError, match="n²"):
        extend_positions(tiny("Roberta"), length=length)


@pytest.mark.parametrize("family", FAMILIES)
def test_family_keeps_short_texts_and_reads_long_ones(family, tmp_path):
    model = tiny(family)
    ids, longer = tokens(N), tokens(LONG)
    before = last(model, ids)
    assert position_capacity(model) == N
    extend_positions(model, length=LONG)
    assert position_capacity(model) == LONG
    assert torch.equal(last(model, ids), before)
    after = last(model, longer)
    assert after.shape[:2] == (2, LONG) and after.isfinite().all()
    model.save_pretrained(tmp_path)
    again, report = AutoModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not report["missing_keys"] and not report["mismatched_keys"]
    torch.testing.assert_close(last(again.eval(), longer), after)


@pytest.mark.parametrize("family", FAMILIES)
def test_on_the_fly_equals_written_out(family, tmp_path):
    lazy, written = extend_positions(tiny(family)), extend_positions(tiny(family), length=N * N)
    assert position_capacity(lazy) == N * N
    ids = tokens(N * N)
    torch.testing.assert_close(last(lazy, ids), last(written, ids))
    lazy.save_pretrained(tmp_path)  # what is saved is the checkpoint of n positions
    again = AutoModel.from_pretrained(tmp_path).eval()
    assert torch.equal(last(again, tokens(N)), last(tiny(family), tokens(N)))


def test_padding_rows_stay(family="Roberta"):
    model, ids = extend_positions(tiny(family), length=LONG), tokens(LONG, 1)
    padded = torch.cat([ids[:, :12], torch.ones(1, 9, dtype=torch.long)], dim=1)
    with torch.no_grad():
        short = model(ids[:, :12]).last_hidden_state
        masked = model(padded, attention_mask=(padded != 1).long()).last_hidden_state[:, :12]
    torch.testing.assert_close(masked, short, rtol=1e-4, atol=1e-5)


def test_head_is_kept():
    model = extend_positions(tiny("Bert", classification=True), length=LONG)
    assert model(tokens(LONG)).logits.shape == (2, 2)


def test_gradient_reaches_the_trained_rows():
    table = HierarchicalEmbedding(torch.nn.Parameter(torch.randn(4, 3)))
    table(torch.tensor([[6]])).sum().backward()  # i = 2, j = 3: p_3 + 2/3 (p_2 − p_1)
    expected = torch.tensor([-2 / 3, 2 / 3, 1.0, 0.0])[:, None].expand(4, 3)
    torch.testing.assert_close(table.weight.grad, expected)


def test_naive_ways():
    p = torch.arange(1.0, 5).reshape(4, 1)
    rows = {way: continue_positions(p, 7, way)[:, 0] for way in WAYS}
    assert all(torch.equal(q[:4], p[:, 0]) for q in rows.values())
    assert rows["tile"][4:].tolist() == [1, 2, 3]
    assert rows["clamp"][4:].tolist() == [4, 4, 4]
    assert rows["zero"][4:].tolist() == [0, 0, 0]
    assert torch.equal(rows["random"], continue_positions(p, 7, "random")[:, 0])
    with pytest.raises(InputError, match="way"):
        continue_positions(p, 7, "mirror")


@pytest.mark.parametrize("family", ["RoFormer", "ModernBert", "T5"])
def test_other_positions_are_refused(family):
    settings = {"d_model": D, "d_kv": 8, "d_ff": 8, "num_layers": 1, "num_heads": 2} if family == "T5" else SMALL
    config = getattr(transformers, f"{family}Config")(
        **settings | {"vocab_size": 40},
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        cls_token_id=1,
        sep_token_id=2,
    )
    with pytest.raises(InputError, match="learned absolute positions"):
        extend_positions(getattr(transformers, f"{family}Model")(config))
