"""In place of softmax: probabilities, their losses, and the cases where they differ from it."""

from __future__ import annotations

import pytest
import torch

from spaces.attention.normalisers import NORMALISERS, loss, probabilities, threshold


def scores(seed: int = 0) -> torch.Tensor:
    return 2 * torch.randn(6, 4, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("name", NORMALISERS)
def test_probabilities_are_not_negative_and_sum_to_one(name):
    p = probabilities(name, scores())
    assert (p >= 0).all() and torch.allclose(p.sum(-1), torch.ones_like(p[..., 0]))


@pytest.mark.parametrize("name", [n for n in NORMALISERS if n != "sparsemax"])
def test_the_loss_is_minus_the_logarithm_of_the_labels_probability(name):
    z, labels = scores(), torch.randint(5, (6, 4), generator=torch.Generator().manual_seed(1))
    expected = -probabilities(name, z).gather(-1, labels[..., None])[..., 0].log()
    assert torch.allclose(loss(name, z, labels), expected)


def test_sparsemaxs_loss_has_its_gradient_and_its_zero():
    z, labels = scores().requires_grad_(), torch.randint(5, (6, 4), generator=torch.Generator().manual_seed(1))
    (slope,) = torch.autograd.grad(loss("sparsemax", z, labels).sum(), z)
    expected = probabilities("sparsemax", z.detach()) - torch.nn.functional.one_hot(labels, 5)
    assert torch.allclose(slope, expected)
    sure = torch.tensor([[3.0, 0.0, 0.0]])
    assert loss("sparsemax", sure, torch.tensor([0])) == 0


def test_sparsemax_of_known_scores():
    assert torch.allclose(probabilities("sparsemax", torch.tensor([0.5, 0.1, -2.0])), torch.tensor([0.7, 0.3, 0.0]))
    assert threshold(torch.tensor([2.0, 0.0])).item() == pytest.approx(1)


def test_even_polynomials_prefer_a_very_negative_score_and_clamped_ones_do_not():
    z = torch.tensor([-10.0, 0.0, 2.0])
    for n in (2, 4, 6):
        assert probabilities(f"taylor{n}", z).argmax() == 0
        assert probabilities(f"clamped{n}", z).argmax() == 2


def test_higher_orders_come_closer_to_softmax():
    z = scores().clamp(-1, 1)
    apart = [(probabilities(f"taylor{n}", z) - z.softmax(-1)).abs().max() for n in (2, 4, 6)]
    assert apart[0] > 10 * apart[1] > 100 * apart[2]
