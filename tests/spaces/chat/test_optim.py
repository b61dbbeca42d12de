"""Muon's orthogonal updates, and which parameter goes to which optimiser."""

import torch
from transformers import GPT2LMHeadModel

from spaces.chat.model import configuration
from spaces.chat.optim import Muon, optimisers, orthogonalise


def test_singular_values_end_near_one():
    torch.manual_seed(0)
    for shape in ((4, 64, 64), (2, 64, 256), (2, 256, 64)):
        values = torch.linalg.svdvals(orthogonalise(torch.randn(shape)))
        assert 0.5 < values.quantile(0.02) and values.max() < 1.3 and values.shape[1] == 64


def test_first_update_is_the_orthogonalised_gradient():
    torch.manual_seed(0)
    p = torch.nn.Parameter(torch.randn(32, 64))
    before, p.grad = p.detach().clone(), torch.randn(32, 64)
    Muon([p], lr=0.1, weight_decay=0.5).step()
    move = before * (1 - 0.1 * 0.5) - p.detach()
    expected = 0.1 * 0.2 * 64**0.5 * orthogonalise(p.grad[None])[0]
    assert (move - expected).norm() < 0.1 * expected.norm()  # bfloat16 inside


def test_query_key_and_value_are_turned_apart():
    torch.manual_seed(0)
    p = torch.nn.Parameter(torch.zeros(32, 96))
    p.grad = torch.randn(32, 96) * torch.tensor([1.0, 100.0, 1e4]).repeat_interleave(32)
    Muon([p], lr=1.0, weight_decay=0.0).step()
    sizes = torch.stack([part.norm() for part in p.detach().chunk(3, 1)])
    assert sizes.max() / sizes.min() < 1.2


def test_every_parameter_has_one_optimiser_and_only_matrices_decay():
    model = GPT2LMHeadModel(configuration(500, 6, "tiny"))
    muon, adam = optimisers(model, lr=0.01)
    groups = muon.param_groups + adam.param_groups
    owned = [id(p) for group in groups for p in group["params"]]
    assert sorted(owned) == sorted(id(p) for p in model.parameters())
    assert len(muon.param_groups[0]["params"]) == 4 * 2 and [g["peak"] for g in groups] == [0.01, 0.005, 0.005]
    assert [g["weight_decay"] for g in groups] == [0.1, 0.1, 0.0]
