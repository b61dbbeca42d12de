"""The block against autograd, its Jacobians against torch.autograd.functional.jacobian, causality, and sizes."""

from __future__ import annotations

import pytest
import torch

from shared.experiment import InputError
from spaces.gradient_flow.transformer import CausalBlock, LastOutput, log10_norms


def block_and_input(d: int, heads: int, length: int, feed_forward: bool) -> tuple[CausalBlock, torch.Tensor]:
    torch.manual_seed(d + heads)
    block = CausalBlock(d, heads, positions=length + 3, feed_forward=feed_forward).double()
    with torch.no_grad():
        for p in block.parameters():
            p.add_(0.3 * torch.randn_like(p))
    return block, torch.randn(length, d, dtype=torch.float64)


@pytest.mark.parametrize(
    "d, heads, length, feed_forward", [(8, 4, 7, True), (6, 1, 5, False), (12, 2, 9, True), (2, 2, 2, True)]
)
def test_every_jacobian_and_norm_is_autograds(d, heads, length, feed_forward):
    block, x = block_and_input(d, heads, length, feed_forward)
    full = torch.autograd.functional.jacobian(lambda x: block(x[None])[0, -1], x).transpose(0, 1)  # (T, d, d)
    last = LastOutput(block, x)
    mine = torch.stack([last.jacobian(t) for t in range(length)])
    torch.testing.assert_close(mine, full, rtol=1e-9, atol=1e-11)
    frobenius, spectral = log10_norms(block, x, spectral=True)
    torch.testing.assert_close(frobenius, torch.linalg.matrix_norm(full).log10(), rtol=0, atol=1e-7)
    torch.testing.assert_close(spectral, torch.linalg.matrix_norm(full, 2).log10(), rtol=0, atol=1e-6)


def test_an_output_sees_nothing_that_comes_later():
    block, x = block_and_input(8, 4, 10, True)
    changed = x.clone()
    changed[6:] += 1
    out, other = block(torch.stack([x, changed]))
    torch.testing.assert_close(out[:6], other[:6])
    assert not torch.allclose(out[6], other[6])


def test_far_inputs_count_as_much_as_near_ones():
    block, _ = block_and_input(16, 4, 500, False)
    with torch.no_grad():
        block.position.zero_()
    norms, _ = log10_norms(block, torch.randn(500, 16, dtype=torch.float64))
    assert abs(norms[:100].mean() - norms[300:400].mean()) < 0.3  # decades


def test_the_heads_must_divide_the_width():
    with pytest.raises(InputError, match="heads"):
        CausalBlock(10, heads=4)
