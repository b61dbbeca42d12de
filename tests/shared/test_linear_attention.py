"""Linear attention: the explicit kernel matrix, whatever the chunks, in flat memory."""

import pytest
import torch

from shared.linear_attention import performer, taylor, taylor_features
from shared.random_features import KINDS, Features, feature_map
from tests.shared.memory import peak_mb

NAMES = (*KINDS, "taylor")
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
SCALE = 0.3


def inputs(queries: int = 37, keys: int = 37, dim: int = 8, dtype: torch.dtype = torch.float32,
           device: str = "cpu", size: float = 1.0) -> list[torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    shapes = ((2, 3, queries, dim), (2, 3, keys, dim), (2, 3, keys, 5))
    return [(size * torch.randn(s, generator=random)).to(device, dtype) for s in shapes]


def run(name: str, q, k, v, **how) -> torch.Tensor:
    if name == "taylor":
        return taylor(q, k, v, scale=SCALE, **how)
    return performer(q, k, v, Features(kind=name, count=32), scale=SCALE, **how)


def explicit(name: str, q, k, v, mask=None, is_causal=False) -> torch.Tensor:
    """The same with its n × n matrix, in float64."""
    q, k, v = (x.double() for x in (q, k, v))
    if name == "taylor":
        s = SCALE * q @ k.mT
        weights = 1 + s + s.square() / 2
    else:
        omega = Features(kind=name, count=32).omega(q.shape[-1], q.device).double()
        weights = feature_map(SCALE**0.5 * q, omega, name) @ feature_map(SCALE**0.5 * k, omega, name).mT
    if is_causal:
        weights = weights.tril(k.shape[2] - q.shape[2])
    if mask is not None:
        weights = weights * mask
    return weights @ v / weights.sum(-1, keepdim=True)


def close(name: str, out: torch.Tensor, truth: torch.Tensor) -> bool:
    """Within 1e-5; trigonometric normalisers near zero magnify rounding, so there for nineteen rows in twenty."""
    error = (out.double() - truth).abs() / truth.abs().clamp(min=1)
    return bool((error.quantile(0.95) if name == "trigonometric" else error.max()) < 1e-5)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_equals_the_kernel_matrix(name, is_causal, device):
    q, k, v = inputs(device=device)
    truth = explicit(name, q, k, v, is_causal=is_causal)
    for chunk in (1, 8, 37, 100, None):
        assert close(name, run(name, q, k, v, is_causal=is_causal, chunk=chunk), truth), chunk


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("queries, is_causal", [(37, False), (37, True), (9, True), (9, False), (1, False)])
@pytest.mark.parametrize("name", NAMES)
def test_padding_weighs_nothing(name, queries, is_causal, device):
    q, k, v = inputs(queries, device=device)
    mask = torch.ones(2, 1, 1, 37, dtype=torch.bool, device=device)
    mask[0, ..., 20:28] = False
    out = run(name, q, k, v, mask=mask, is_causal=is_causal, chunk=8)
    assert close(name, out, explicit(name, q, k, v, mask, is_causal))
    k[0, :, 20:28], v[0, :, 20:28] = 50, 1e6  # not even what would be the largest key
    assert close(name, run(name, q, k, v, mask=mask, is_causal=is_causal, chunk=8), out.double())


@pytest.mark.parametrize("name", NAMES)
def test_rows_that_see_no_key_are_zero_and_harmless(name):
    q, k, v = (x.requires_grad_() for x in inputs())
    mask = torch.ones(2, 1, 1, 37, dtype=torch.bool)
    mask[0, ..., :11] = False  # left padding
    mask[1] = False
    out = run(name, q, k, v, mask=mask, is_causal=True, chunk=8)
    assert (out[0, :, :11] == 0).all() and (out[1] == 0).all() and out.isfinite().all()
    for grad in torch.autograd.grad(out.square().sum(), (q, k, v)):
        assert grad.isfinite().all() and (grad[1] == 0).all()


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("name", ["positive", "hyperbolic", "taylor"])
def test_gradients_are_the_matrix_ones(name, is_causal):
    tensors = [x.requires_grad_() for x in inputs()]
    loss = [f(name, *tensors, is_causal=is_causal).double().square().sum() for f in (run, explicit)]
    for ours, theirs in zip(*(torch.autograd.grad(x, tensors) for x in loss), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("is_causal, chunk", [(False, 8), (True, 1)])
@pytest.mark.parametrize("name", ["positive", "hyperbolic"])
def test_large_exponents_neither_overflow_nor_vanish(name, is_causal, chunk):
    q, k, v = inputs(size=8)  # exponents beyond ±150: fp32 overflows at 88
    out = run(name, q, k, v, is_causal=is_causal, chunk=chunk)
    truth = explicit(name, q, k, v, is_causal=is_causal)
    assert float((out - truth).abs().max() / truth.abs().max()) < 1e-4
    assert run(name, q, k, v, is_causal=is_causal, chunk=8).isfinite().all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["positive", "taylor"])
def test_half_precision_is_summed_in_single(name, dtype):
    q, k, v = inputs(dtype=dtype)
    out = run(name, q, k, v)
    assert out.dtype == dtype
    assert torch.equal(out, run(name, q.float(), k.float(), v.float()).to(dtype))
    with torch.autocast("cpu", torch.bfloat16):  # would round the features' products
        assert torch.equal(run(name, q, k, v), out)


def test_taylor_features_make_the_kernel():
    x, y = (torch.randn(50, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(i)) for i in (1, 2))
    log, phi = taylor_features(x)
    assert phi.shape == (50, 1 + 6 + 6 * 7 // 2) and (log == 0).all()
    s = x @ y.T
    kernel = phi @ taylor_features(y)[1].T
    assert torch.allclose(kernel, 1 + s + s.square() / 2)
    assert kernel.min() >= 0.5 and s.min() < -1  # the even polynomial's minimum, at s = −1


@pytest.mark.parametrize("name", ["performer", "taylor"])
def test_memory_is_flat_at_262144_tokens(name):
    q, k, v = (torch.randn(1, 1, 262_144, 16) for _ in range(3))  # 17 MB each; the features 268 and 160 MB

    def call():
        performer(q, k, v, Features()) if name == "performer" else taylor(q, k, v)

    performer(*(x[:, :, :99] for x in (q, k, v)), Features())  # starts the threads
    assert peak_mb(call) < 100


def test_training_keeps_no_features():
    """What autograd holds between the passes: the chunks' states, not the features (189 MB with those)."""
    held = []
    q, k, v = (torch.randn(1, 4, 4096, 16, requires_grad=True) for _ in range(3))
    with torch.autograd.graph.saved_tensors_hooks(lambda x: held.append(x.nbytes) or x, lambda x: x):
        for is_causal in (False, True):
            performer(q, k, v, Features(), is_causal=is_causal)
    assert sum(held) < 20e6
