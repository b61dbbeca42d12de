"""Block by block equals the usual pass, forwards and backwards, for BERT's relatives."""

import pytest
import torch
from transformers import (
    AlbertConfig,
    AlbertForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
    CamembertConfig,
    CamembertForSequenceClassification,
    ElectraConfig,
    ElectraForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
    RobertaPreLayerNormConfig,
    RobertaPreLayerNormForSequenceClassification,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
)

from spaces.long_document import blockwise
from spaces.long_document.positions import extend_positions

SMALL = {
    "vocab_size": 50,
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "num_labels": 4,
}
FROM_TWO = {"max_position_embeddings": 18, "pad_token_id": 1} | SMALL
FAMILIES = [
    (BertForSequenceClassification, BertConfig(max_position_embeddings=16, **SMALL)),
    (RobertaForSequenceClassification, RobertaConfig(**FROM_TWO)),
    (XLMRobertaForSequenceClassification, XLMRobertaConfig(**FROM_TWO)),
    (CamembertForSequenceClassification, CamembertConfig(**FROM_TWO)),
    (RobertaPreLayerNormForSequenceClassification, RobertaPreLayerNormConfig(**FROM_TWO)),
    (ElectraForSequenceClassification, ElectraConfig(max_position_embeddings=16, embedding_size=8, **SMALL)),
    (AlbertForSequenceClassification, AlbertConfig(max_position_embeddings=16, embedding_size=8, **SMALL)),
]


@pytest.fixture(params=FAMILIES, ids=lambda pair: pair[0].__name__)
def model(request, monkeypatch):
    monkeypatch.setattr(blockwise, "SMALLEST", 8)
    monkeypatch.setattr(blockwise, "LARGEST", 8)
    torch.manual_seed(0)
    kind, config = request.param
    return extend_positions(kind(config).eval())


@pytest.fixture
def ids():
    return torch.randint(5, 50, (1, 61), generator=torch.Generator().manual_seed(1))


def test_reading_in_blocks_is_exact(model, ids):
    with torch.no_grad():
        usual = model(ids).logits[0]
    shares, answers = zip(*blockwise.read(model, ids), strict=True)
    torch.testing.assert_close(answers[-1], usual, atol=1e-5, rtol=1e-4)
    assert list(shares) == sorted(shares) and shares[-1] == 1 and all(a is None for a in answers[:-1])


def test_gradients_in_blocks_are_exact(model, ids):
    among, label = slice(1, 4), 2
    *_, (share, found) = blockwise.gradients(model, ids, label, among)
    assert share == 1 and found.shape == (61, 2)
    caught = []
    owner = model.base_model.embeddings
    handle = owner.register_forward_hook(lambda m, i, out: caught.append(out) or out.retain_grad())
    model(ids).logits[0, among].log_softmax(-1)[label - 1].backward()
    handle.remove()
    if blockwise.trunk_of(model) is None:  # autograd as a whole: from the words, not their sum
        assert found[:, 1].gt(0).all()
        return
    gradient, embedded = caught[0].grad[0], caught[0][0].detach()
    if hasattr(model.base_model, "embeddings_project"):
        with torch.no_grad():
            embedded = model.base_model.embeddings_project(embedded)
        weight = model.base_model.embeddings_project.weight
        torch.testing.assert_close((found[:, 1] > 0).float(), (gradient.norm(dim=-1) > 0).float())
        assert embedded.shape[-1] == len(weight)
        return
    torch.testing.assert_close(found[:, 1], gradient.norm(dim=-1), atol=1e-6, rtol=1e-3)
    first_order = (gradient * (embedded - embedded.mean(0))).sum(-1)
    torch.testing.assert_close(found[:, 0], first_order, atol=1e-6, rtol=1e-3)


@pytest.mark.parametrize("backend", ["performer", "taylor"])
def test_linear_attention_takes_the_softmax_place(model, ids, backend):
    if blockwise.trunk_of(model) is None:
        pytest.skip("read in one pass, exactly")
    model.config.performer_features = None
    *_, (_, found) = blockwise.read(model, ids, backend)
    from shared.attention import register

    register()
    model.set_attn_implementation(backend)
    with torch.no_grad():
        torch.testing.assert_close(found, model(ids).logits[0], atol=1e-4, rtol=1e-3)


def test_only_compared_families_are_walked_through():
    walked = {config.model_type for kind, config in FAMILIES if blockwise.trunk_of(kind(config))}
    assert walked == set(blockwise.FAMILIES)


def test_blocks_shrink_as_texts_grow():
    assert blockwise.block_size(512) == 4096
    assert blockwise.block_size(262144) == 2048
