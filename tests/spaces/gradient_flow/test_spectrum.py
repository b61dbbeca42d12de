"""The largest singular value against the SVD, alone and in a batch, with close and with equal values."""

from __future__ import annotations

import pytest
import torch

from spaces.gradient_flow.spectrum import largest_singular_values


def search(M: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    start = torch.randn(len(M), M.shape[2], generator=torch.Generator().manual_seed(1), dtype=M.dtype)
    return largest_singular_values(
        lambda x: torch.einsum("bmn,bn->bm", M, x), lambda y: torch.einsum("bmn,bm->bn", M, y), start
    )


@pytest.mark.parametrize("shape", [(3, 60, 60), (2, 7, 30), (4, 1, 5), (2, 5, 1)])
def test_random_matrices(shape):
    M = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    values, vectors = search(M)
    torch.testing.assert_close(values, torch.linalg.matrix_norm(M, 2), rtol=1e-9, atol=0)
    lengths = torch.linalg.vector_norm(M @ vectors[..., None], dim=(1, 2))
    torch.testing.assert_close(lengths, values, rtol=1e-9, atol=0)


def test_equal_values_zero_and_wide_spectra():
    spread = torch.diag(10.0 ** -torch.arange(20, dtype=torch.float64))
    M = torch.stack([torch.eye(20, dtype=torch.float64), torch.zeros(20, 20, dtype=torch.float64), spread])
    torch.testing.assert_close(search(M)[0], torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64), rtol=1e-9, atol=0)
