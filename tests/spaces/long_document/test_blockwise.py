"""Block by block equals the usual pass, forwards and backwards, for BERT's relatives."""

from threading import Thread

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import (
    AlbertConfig,
    AlbertForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
    CamembertConfig,
    CamembertForSequenceClassification,
    ElectraConfig,
    ElectraForSequenceClassification,
    MegatronBertConfig,
    MegatronBertForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
    RobertaPreLayerNormConfig,
    RobertaPreLayerNormForSequenceClassification,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
)

from shared.attention import register
from shared.experiment import InputError
from spaces.long_document import blockwise
from spaces.long_document.positions import extend_positions

SMALL = {
    "vocab_size": 50,
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "num_labels": 4,
    "initializer_range": 0.3,
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
    base, caught = model.base_model, []
    owner = getattr(base, "embeddings_project", base.embeddings)  # what enters the first layer, ELECTRA's projected
    if blockwise.trunk_of(model) is None:  # autograd as a whole: from the words, before places and kinds are added
        owner = model.get_input_embeddings()
    handle = owner.register_forward_hook(lambda m, i, out: caught.append(out) or out.retain_grad())
    model(ids).logits[0, among].log_softmax(-1)[label - 1].backward()
    handle.remove()
    gradient, embedded = caught[0].grad[0], caught[0][0].detach()
    first_order = (gradient * (embedded - embedded.mean(0))).sum(-1)
    assert share == 1 and first_order.abs().max() > 1e-4
    torch.testing.assert_close(found, first_order, atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize("backend", ["performer", "taylor"])
def test_linear_attention_takes_the_softmax_place(model, ids, backend):
    if blockwise.trunk_of(model) is None:
        pytest.skip("read in one pass, exactly")
    model.config.performer_features = {"count": 8, "seed": 3}  # the model's own, not the default's 256
    *_, (_, found) = blockwise.read(model, ids, backend)
    register()
    model.set_attn_implementation(backend)
    with torch.no_grad():
        torch.testing.assert_close(found, model(ids).logits[0], atol=1e-4, rtol=1e-3)


def test_what_one_pass_cannot_do_is_refused(ids, monkeypatch):
    monkeypatch.setattr(blockwise, "SQUARE", 32)
    monkeypatch.setattr(blockwise, "AUTOGRAD", 60)
    albert, square = (
        extend_positions(kind(config).eval())
        for kind, config in (
            FAMILIES[-1],
            (MegatronBertForSequenceClassification, MegatronBertConfig(max_position_embeddings=16, **SMALL)),
        )
    )
    for backend in ("performer", "taylor"):  # the exact reading would stand under their name
        with pytest.raises(InputError, match="readings.*AlbertFor"):
            list(blockwise.read(albert, ids, backend))
    with pytest.raises(InputError, match="way.*60 tokens, not 61"):
        list(blockwise.gradients(albert, ids, 0))
    for work in (blockwise.read(square, ids), blockwise.gradients(square, ids, 0)):
        with pytest.raises(InputError, match="model.*n × n.*32 tokens at once, not 61"):
            list(work)
    assert list(blockwise.read(square, ids[:, :32]))[-1][1].shape == (4,)


def test_grad_mode_stays_with_its_step(ids, monkeypatch):
    """Each step of a generator may run in another of the page's threads."""
    monkeypatch.setattr(blockwise, "SMALLEST", 8)
    monkeypatch.setattr(blockwise, "LARGEST", 8)
    kind, config = FAMILIES[0]
    work, modes = blockwise.gradients(extend_positions(kind(config)), ids, 2), []

    def step():
        next(work)
        modes.append(torch.is_grad_enabled())

    step()
    for _ in range(4):
        thread = Thread(target=step)
        thread.start()
        thread.join()
    *_, (_, found) = work
    assert modes == [True] * 5 and not found.requires_grad


class Shapes(TorchDispatchMode):
    """Every tensor that an operation makes."""

    def __init__(self):
        super().__init__()
        self.seen = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        self.seen |= {tuple(x.shape) for x in tree_leaves(out) if isinstance(x, torch.Tensor)}
        return out


@pytest.mark.parametrize("backend", ["auto", "performer", "taylor", "gradients"])
def test_nothing_is_n_by_n(monkeypatch, backend):
    monkeypatch.setattr(blockwise, "SMALLEST", 128)
    monkeypatch.setattr(blockwise, "LARGEST", 128)
    torch.manual_seed(0)
    n, long = 700, extend_positions(BertForSequenceClassification(BertConfig(max_position_embeddings=32, **SMALL)))
    tokens = torch.randint(5, 50, (1, n))
    with Shapes() as watched:
        list(blockwise.gradients(long, tokens, 2) if backend == "gradients" else blockwise.read(long, tokens, backend))
    assert any(n in shape for shape in watched.seen)
    assert not [shape for shape in watched.seen if sum(size >= n for size in shape) > 1]


def test_only_compared_families_are_walked_through():
    walked = {config.model_type for kind, config in FAMILIES if blockwise.trunk_of(kind(config))}
    assert walked == set(blockwise.FAMILIES)


def test_blocks_shrink_as_texts_grow():
    assert blockwise.block_size(512) == 4096
    assert blockwise.block_size(262144) == 2048
