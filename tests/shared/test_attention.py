"""The shared attention: every exact backend is softmax attention, and says what it refuses."""

import logging
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

import shared.attention
from shared.attention import AUTO, BACKENDS, attention, choose
from shared.experiment import InputError
from shared.linear_attention import performer, taylor
from shared.random_features import Features
from tests.shared.memory import peak_mb

ON_GPU = [("cuda", "xformers"), ("cuda", "sdpa"), ("cuda", "auto")] if torch.cuda.is_available() else []
EXACT = [("cpu", "sdpa"), ("cpu", "xformers"), ("cpu", "auto"), *ON_GPU]
exact = pytest.mark.parametrize("device, backend", EXACT)


def inputs(queries: int = 24, keys: int = 24, dim: int = 16, heads: int = 4, key_heads: int = 4,
           value_dim: int = 0, device: str = "cpu", dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    """q, k, v with logits of a few units, so that the softmax is far from uniform."""
    random = torch.Generator().manual_seed(0)
    shapes = ((3, heads, queries, dim), (3, key_heads, keys, dim), (3, key_heads, keys, value_dim or dim))
    return [(1.5 * torch.randn(s, generator=random)).to(device, dtype) for s in shapes]


def padding(side: str, keys: int = 24, device: str = "cpu") -> torch.Tensor | None:
    """(3, 1, 1, keys): padding in the first two sequences, none in the third."""
    if side == "none":
        return None
    mask = torch.ones(3, keys, dtype=torch.bool)
    mask[0, :5], mask[1, :9] = False, False
    if side == "right":
        mask = mask.flip(1)
    if side == "holes":
        mask[:, 12:15] = False
    return mask[:, None, None].to(device)


def eager(q, k, v, mask=None, is_causal=False, scale=None) -> torch.Tensor:
    """Attention as it is written, in float64."""
    q, k, v = (x.double() for x in (q, k, v))
    k, v = (x.repeat_interleave(q.shape[1] // x.shape[1], 1) for x in (k, v))
    scores = q @ k.mT * (q.shape[-1] ** -0.5 if scale is None else scale)
    keep = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool, device=q.device)
    if is_causal:
        keep = keep.tril(k.shape[2] - q.shape[2])
    if mask is not None:
        keep = keep & mask
    return scores.masked_fill(~keep, torch.finfo(torch.float64).min).softmax(-1) @ v


def real(mask: torch.Tensor | None, queries: int, is_causal: bool) -> torch.Tensor | slice:
    """The rows (B, Lq) that mean something: in a causal model, those that are no padding."""
    return mask[:, 0, 0, -queries:] if mask is not None and is_causal else slice(None)


def difference(out: torch.Tensor, truth: torch.Tensor, rows: torch.Tensor | slice = slice(None)) -> float:
    return (out - truth).detach().transpose(1, 2)[rows].abs().max().item()


@exact
@pytest.mark.parametrize("side", ["none", "left", "right", "holes"])
@pytest.mark.parametrize("queries, is_causal", [(24, False), (24, True), (7, True), (7, False), (1, True)])
def test_equals_softmax_attention(queries, is_causal, side, device, backend):
    q, k, v = inputs(queries, device=device)
    mask = padding(side, device=device)
    out = attention(q, k, v, mask=mask, is_causal=is_causal, backend=backend)
    truth = eager(q, k, v, mask, is_causal)
    assert out.isfinite().all() and out.dtype == torch.float32
    assert difference(out, truth, real(mask, queries, is_causal)) < 1e-5


@exact
@pytest.mark.parametrize("shape", [{"dim": 8}, {"dim": 32}, {"dim": 80}, {"dim": 128}, {"dim": 20}, {"value_dim": 24},
                                   {"key_heads": 2}, {"key_heads": 1}])
def test_shapes_of_heads(shape, device, backend):
    q, k, v = inputs(**shape, device=device)
    for is_causal in (False, True):
        out = attention(q, k, v, is_causal=is_causal, scale=0.1, backend=backend)
        assert difference(out, eager(q, k, v, is_causal=is_causal, scale=0.1)) < 1e-5


@exact
@pytest.mark.parametrize("is_causal", [False, True])
def test_full_masks_join_causality(is_causal, device, backend):
    q, k, v = inputs(10, device=device)
    mask = torch.rand(3, 1, 10, 24, generator=torch.Generator().manual_seed(1)) > 0.5
    mask[..., 0] = True
    mask = mask.to(device)
    out = attention(q, k, v, mask=mask, is_causal=is_causal, backend=backend)
    assert difference(out, eager(q, k, v, mask, is_causal)) < 1e-5


@pytest.mark.parametrize("device, backend", [*EXACT, ("cpu", "performer"), ("cpu", "taylor")])
@pytest.mark.parametrize("is_causal", [False, True])
def test_sequences_of_padding_alone_stay_finite(is_causal, device, backend):
    q, k, v = (x.requires_grad_() for x in inputs(device=device))
    mask = padding("left", device=device)
    mask[2] = False
    out = attention(q, k, v, mask=mask, is_causal=is_causal, backend=backend)
    assert out.isfinite().all()
    assert all(grad.isfinite().all() for grad in torch.autograd.grad(out.sum(), (q, k, v)))


@exact
@pytest.mark.parametrize("side, is_causal", [("none", False), ("none", True), ("left", True), ("right", False)])
def test_gradients_equal(side, is_causal, device, backend):
    tensors = [x.requires_grad_() for x in inputs(device=device)]
    mask = padding(side, device=device)
    rows = real(mask, 24, is_causal)
    ours = attention(*tensors, mask=mask, is_causal=is_causal, backend=backend)
    loss = [x.transpose(1, 2)[rows].double().square().mean() for x in (ours, eager(*tensors, mask, is_causal))]
    for a, b in zip(*(torch.autograd.grad(x, tensors) for x in loss), strict=True):
        assert torch.allclose(a, b, atol=1e-6, rtol=1e-4)


@exact
@pytest.mark.parametrize("dtype, tolerance", [(torch.bfloat16, 0.05), (torch.float16, 0.006)])
@pytest.mark.parametrize("side, is_causal", [("none", False), ("none", True), ("left", True), ("right", False)])
def test_half_precision(side, is_causal, dtype, tolerance, device, backend):
    q, k, v = inputs(device=device, dtype=dtype, dim=32)
    mask = padding(side, device=device)
    out = attention(q, k, v, mask=mask, is_causal=is_causal, backend=backend)
    assert out.dtype == dtype and out.isfinite().all()
    assert difference(out, eager(q, k, v, mask, is_causal), real(mask, 24, is_causal)) < tolerance


def test_masks_in_chunks_are_the_whole_mask(monkeypatch):
    q, k, v = inputs(19)
    mask = padding("left")
    whole = attention(q, k, v, mask=mask, is_causal=True)
    for elements in (1, 3 * 24 * 5, 3 * 24 * 18):
        monkeypatch.setattr(shared.attention, "MASK_ELEMENTS", elements)
        assert difference(attention(q, k, v, mask=mask, is_causal=True), whole) < 1e-5


@pytest.mark.parametrize("is_causal", [False, True])
def test_padding_never_becomes_a_square(is_causal):
    q, k, v = (torch.randn(1, 1, 20_000, 8) for _ in range(3))  # 400 MB as bool, 1.6 GB as fp32
    mask = torch.ones(1, 1, 1, 20_000, dtype=torch.bool)
    mask[..., -9:] = False
    attention(q[:, :, :99], k[:, :, :99], v[:, :, :99])
    assert peak_mb(lambda: attention(q, k, v, mask=mask, is_causal=is_causal)) < (200 if is_causal else 50)


def test_packing_lays_real_tokens_end_to_end():
    """xformers' path without xformers: its two biases, materialised."""
    class Blocks:
        def __init__(self, queries, keys, causal=False):
            self.pairs, self.causal = list(zip(queries, keys, strict=True)), causal

        @classmethod
        def from_seqlens(cls, queries, keys, *, device):
            return cls(queries, keys)

        def make_causal_from_bottomright(self):
            return Blocks(*zip(*self.pairs, strict=True), causal=True)

        def matrix(self):
            blocks = [torch.ones(n, m).tril(m - n if self.causal else m) for n, m in self.pairs]
            return torch.block_diag(*blocks).bool()

    def run(q, k, v, attn_bias):
        q, k, v = (x.transpose(1, 2) for x in (q, k, v))
        return F.scaled_dot_product_attention(q, k, v, attn_mask=attn_bias.matrix()).transpose(1, 2)

    for side in ("left", "right", "holes"):
        for queries, is_causal in ((24, False), (24, True), (7, True), (1, False)):
            q, k, v = inputs(queries)
            mask = padding(side)
            out = shared.attention._packed(run, SimpleNamespace(BlockDiagonalMask=Blocks), q.transpose(1, 2),
                                           k.transpose(1, 2), v.transpose(1, 2), mask[:, 0, 0], is_causal)
            rows = real(mask, queries, is_causal)
            assert difference(out.transpose(1, 2), eager(q, k, v, mask, is_causal), rows) < 1e-5


def test_the_linear_backends_are_what_they_say():
    q, k, v = inputs(7)
    mask = padding("left")
    how = {"mask": mask, "is_causal": True}
    features = Features(kind="hyperbolic", count=64, seed=3)
    assert torch.equal(attention(q, k, v, **how, backend="performer", features=features),
                       performer(q, k, v, features, **how, scale=0.25))
    assert torch.equal(attention(q, k, v, **how, backend="taylor"), taylor(q, k, v, **how, scale=0.25))


def test_performer_comes_close_with_many_features():
    q, k, v = (0.3 * x for x in inputs())
    truth = eager(q, k, v)
    errors = [difference(attention(q, k, v, backend="performer", features=Features(count=count)), truth)
              for count in (16, 256, 16_384)]
    assert errors[0] > errors[1] > errors[2] and errors[2] < 0.02


def test_dropout_drops_and_keeps_the_mean():
    q, k, _ = inputs()
    v = torch.ones_like(k)
    torch.manual_seed(0)
    out = attention(q, k, v, dropout=0.3, backend="sdpa")
    assert out.std() > 0.05 and abs(float(out.mean()) - 1) < 0.05


def test_auto_follows_the_table(monkeypatch):
    assert choose("cpu") == choose("cpu", padded=True, causal=True) == choose("mps") == "sdpa"
    names = {"plain", "causal", "padded", "padded causal"}
    assert all(set(row) == names and set(row.values()) <= {"xformers", "sdpa"} for row in AUTO.values())
    q, k, v = inputs()
    monkeypatch.setitem(AUTO, "cpu", {"padded causal": "taylor"})
    how = {"mask": padding("left"), "is_causal": True}
    assert torch.equal(attention(q, k, v, **how), attention(q, k, v, **how, backend="taylor"))
    assert difference(attention(q, k, v), eager(q, k, v)) < 1e-5


def test_xformers_is_not_imported_for_the_cpu(monkeypatch):
    def refuse():
        raise AssertionError("xformers was asked for")

    monkeypatch.setattr(shared.attention, "_fmha", refuse)
    q, k, v = inputs()
    assert torch.equal(attention(q, k, v, backend="xformers"), attention(q, k, v, backend="sdpa"))


@pytest.mark.skipif(not ON_GPU, reason="no CUDA device")
def test_xformers_itself_runs_on_the_gpu(monkeypatch):
    """Else the comparisons above would compare sdpa with eager."""
    def refuse(*_args):
        raise AssertionError("xformers gave way to sdpa")

    monkeypatch.setattr(shared.attention, "_sdpa", refuse)
    for dtype in (torch.float32, torch.bfloat16):
        for side in ("none", "left"):
            q, k, v = inputs(device="cuda", dtype=dtype)
            for is_causal in (False, True):
                attention(q, k, v, mask=padding(side, device="cuda"), is_causal=is_causal, backend="xformers")


@pytest.mark.skipif(not ON_GPU, reason="no CUDA device")
def test_a_gpu_without_xformers_takes_sdpa(monkeypatch, caplog):
    monkeypatch.setattr(shared.attention, "_fmha", lambda: None)
    q, k, v = inputs(device="cuda")
    with caplog.at_level(logging.WARNING):
        assert difference(attention(q, k, v, backend="xformers"), eager(q, k, v)) < 1e-5


BOOL = torch.ones(3, 1, 24, 24, dtype=torch.bool)


@pytest.mark.parametrize("field, how", [
    ("backend", {"backend": "flash"}),
    ("mask", {"mask": torch.ones(3, 1, 1, 24)}),
    ("mask", {"mask": torch.ones(3, 24, dtype=torch.bool)}),
    ("mask", {"mask": BOOL[..., :23]}),
    ("mask", {"mask": BOOL[:2]}),
    ("mask", {"mask": BOOL, "backend": "performer"}),
    ("mask", {"mask": BOOL, "backend": "taylor"}),
    ("dropout", {"dropout": 0.1, "backend": "taylor"}),
    ("scale", {"scale": -1.0, "backend": "performer"}),
])
def test_what_is_refused_is_named(field, how):
    with pytest.raises(InputError) as error:
        attention(*inputs(), **how)
    assert error.value.field == field


def test_shapes_that_do_not_fit_are_named():
    q, k, v = inputs()
    for field, tensors in (("q, k, v", (q, k[:, :, :-1], v)), ("q, k, v", (q[..., :8], k, v)),
                           ("k", (q, k[:, :3], v[:, :3]))):
        with pytest.raises(InputError) as error:
            attention(*tensors)
        assert error.value.field == field
    with pytest.raises(InputError) as error:
        attention(q, k[:, :, :9], v[:, :, :9], is_causal=True)
    assert error.value.field == "q"
    assert set(BACKENDS) == {"xformers", "sdpa", "performer", "taylor"}
