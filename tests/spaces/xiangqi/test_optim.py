"""Muon: steps with equal singular values, fused matrices in three parts."""

import torch

from spaces.xiangqi.optim import Muon, optimizers, orthogonalise
from spaces.xiangqi.tasks import SightedTask


def test_singular_values_become_one():
    torch.manual_seed(0)
    for shape in ((2, 16, 48), (2, 48, 16)):
        values = torch.linalg.svdvals(orthogonalise(torch.randn(shape)).float())
        assert values.min() > 0.6 and values.max() < 1.3


def test_first_step_has_the_size_of_the_rate():
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.zeros(96, 32))
    weight.grad = torch.randn(96, 32) * 1000
    Muon([weight], lr=0.01, weight_decay=0.0, parts={weight: 3}).step()
    for part in weight.detach().chunk(3):
        assert 0.6 * 0.01 * 0.2 * 32**0.5 < torch.linalg.svdvals(part).mean() < 1.3 * 0.01 * 0.2 * 32**0.5


def test_every_parameter_has_one_optimizer():
    model = SightedTask.build(None, "tiny", "sdpa")
    muon, adam = optimizers(model, 1e-3)
    ours = [p for optim in (muon, adam) for group in optim.param_groups for p in group["params"]]
    assert len(ours) == len({id(p) for p in ours}) == len(list(model.parameters()))
    names = {id(p): name for name, p in model.named_parameters()}
    matrices = {names[id(p)] for p in muon.param_groups[0]["params"]}
    assert "trunk.h.0.attn.c_attn.weight" in matrices and "encoder.blocks.0.mixing.qkv.weight" in matrices
    assert not any("wte" in name or "place" in name or "ln" in name for name in matrices)
