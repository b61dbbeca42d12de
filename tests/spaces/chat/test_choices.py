"""Forks: data that keeps what was said, probabilities that are the model's, continuations that are."""

import math

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from shared.experiment import InputError
from spaces.chat import choices
from spaces.chat.choices import ROOT, Tree
from spaces.chat.decode import Decoder
from spaces.chat.engines import Speaker
from spaces.chat.sampling import Sampling

GREEDY = Sampling(temperature=0.0, max_new_tokens=6)


class NoEnd:
    eod_id = -1


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=60, n_embd=16, n_layer=2, n_head=2, n_positions=40, bos_token_id=0, eos_token_id=0,
        initializer_range=0.3,
    )  # fmt: skip
    return GPT2LMHeadModel(config).eval()


@pytest.fixture
def speaker(model):
    return Speaker(Decoder(model), NoEnd())


def run(speaker, tree, node):
    return tree.grow(node, speaker.batch.tokens(tree.ids(node), GREEDY, -1))


def test_a_fork_keeps_the_old_branch_and_goes_on_from_the_new(speaker, model):
    tree, end = run(speaker, Tree((5, 6)), ROOT)
    other = tree.nodes[2].token.alternatives[1][0]
    forked, node = tree.fork(2, other)
    assert forked.nodes[: len(tree.nodes)] == tree.nodes and forked.ids(node) == [*tree.ids(1), other]
    longer, new_end = run(speaker, forked, node)
    out = model.generate(
        torch.tensor([forked.ids(node)]), max_new_tokens=6, do_sample=False, eos_token_id=None, pad_token_id=0
    )
    assert longer.ids(new_end) == out[0].tolist()
    assert not longer.children(end) and not longer.children(new_end) and longer.children(1) == [2, node]


def test_probabilities_of_a_path_are_the_models(speaker, model):
    tree, end = run(speaker, Tree((5, 6)), ROOT)
    tree, node = tree.fork(end, tree.nodes[end].token.alternatives[3][0])
    ids = tree.ids(node)
    with torch.no_grad():
        logs = model(torch.tensor([ids])).logits[0].log_softmax(1)
    exact = math.fsum(float(logs[i - 1, ids[i]]) for i in range(2, len(ids)))
    said = math.fsum(tree.nodes[i].token.log_probability for i in tree.path(node))
    assert said == pytest.approx(exact, abs=1e-3)


def test_the_same_fork_twice_is_one(speaker):
    tree, end = run(speaker, Tree((5, 6)), ROOT)
    other = tree.nodes[0].token.alternatives[1][0]
    tree, first = tree.fork(0, other)
    assert tree.fork(0, other) == (tree, first) and tree.fork(0, tree.nodes[0].token.id) == (tree, 0)


def test_what_is_not_there_is_refused(speaker, monkeypatch):
    tree, end = run(speaker, Tree((5, 6)), ROOT)
    for node, token in ((99, 1), ("0", 1), (0, 10**9)):
        with pytest.raises(InputError):
            tree.fork(node, token)
    monkeypatch.setattr(choices, "MOST", 6)
    with pytest.raises(InputError, match="begin anew"):
        tree.grow(end, [tree.nodes[0].token])
