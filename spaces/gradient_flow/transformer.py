"""One causal Transformer block, and how much of its last output depends on each of its inputs, for comparison.

Recurrent cells reach step t through T − t products; attention reaches it in one, whatever the distance. With a = the
last query's attention weights and o its output, per head,

    ∂o/∂n_t = a_t · (W_v + (v_t − o) ⊗ (scale · W_kᵀ q)),    n_t = LayerNorm(x_t + p_t),

so the norm of every ∂out_{T−1}/∂x_t follows from a few products with (T, d) matrices: nothing of size T × T is
made, and nothing is differentiated T times. Try the length at 1,000: the line stays flat where the cells' lines fall.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from shared.attention import attention
from shared.experiment import InputError
from spaces.gradient_flow.spectrum import largest_singular_values


class CausalBlock(nn.Module):
    """Learned positions, then pre-LN causal attention and (if `feed_forward`) a pre-LN MLP, each with a residual."""

    def __init__(self, d: int, heads: int = 4, positions: int = 1024, feed_forward: bool = True):
        super().__init__()
        if d % heads:
            raise InputError("heads", f"须整除宽度 {d}。", f"must divide the width {d}.")
        self.heads = heads
        self.position = nn.Parameter(0.02 * torch.randn(positions, d))
        self.norm = nn.LayerNorm(d)
        self.qkv = nn.Linear(d, 3 * d)
        self.out = nn.Linear(d, d)
        self.mlp = _feed_forward(d) if feed_forward else None

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, d) → (B, T, d), T at most `positions`."""
        x = x + self.position[: x.shape[1]]
        q, k, v = (self._split(y) for y in self.qkv(self.norm(x)).chunk(3, -1))
        x = x + self.out(attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))
        return x if self.mlp is None else x + self.mlp(x)

    def _split(self, y: Tensor) -> Tensor:
        """(B, T, d) → (B, heads, T, d/heads)."""
        return y.unflatten(-1, (self.heads, -1)).transpose(1, 2)


def _feed_forward(d: int) -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(d), nn.Linear(d, 4 * d), nn.GELU(), nn.Linear(4 * d, d))


class LastOutput:
    """The last output of a block as a function of each input x_t: its Jacobians N_t · P_t (d, d), never built.

    N_t = Σ_heads a_t (B + w_t ⊗ u) collects the block, P_t = (I − 11ᵀ/d − n̂_t n̂_tᵀ/d)/σ_t is its LayerNorm's slope at
    x_t. The last input, which is also the query and the residual, has a matrix of its own, `own`.
    """

    @torch.no_grad()
    def __init__(self, block: CausalBlock, x: Tensor):
        """x (T, d), of the block's precision."""
        h = x + block.position[: len(x)]
        self.hat, self.deviation = _standard(h, block.norm.eps)
        q, k, v = (block._split(y[None])[0] for y in block.qkv(block.norm(h)).chunk(3, -1))  # (heads, T, d/heads)
        scale, last = q.shape[-1] ** -0.5, q[:, -1:]
        self.weights = torch.softmax(scale * (last @ k.mT), -1)[:, 0]  # (heads, T)
        o = attention(last[None], k[None], v[None], is_causal=True)[0]  # (heads, 1, d/heads)
        after = _mlp_slope(block, h[-1] + block.out(o.flatten()))
        heads_out = (after @ block.out.weight).unflatten(1, (block.heads, -1)).transpose(0, 1)  # (heads, d, d/heads)
        wq, wk, wv = (w.unflatten(0, (block.heads, -1)) * block.norm.weight for w in block.qkv.weight.chunk(3))
        self.B = heads_out @ wv  # (heads, d, d)
        self.w = (v - o) @ heads_out.mT  # (heads, T, d)
        self.u = scale * (last @ wk)[:, 0]  # (heads, d)
        seen = scale * ((self.weights[..., None] * (v - o)).mT @ k)  # ∂o/∂q (heads, d/heads, d/heads)
        self.own = after + self._layer_norm((heads_out @ seen @ wq).sum(0), -1)

    def _layer_norm(self, rows: Tensor, t: int) -> Tensor:
        """Rows (R, d) times P_t, for one t."""
        hat = self.hat[t]
        return (rows - rows.mean(-1, keepdim=True) - (rows @ hat)[:, None] * hat / len(hat)) / self.deviation[t]

    def jacobian(self, t: int) -> Tensor:
        """∂out_{T−1}/∂x_t (d, d), for one t."""
        a = self.weights[:, t, None, None]
        rows = (a * (self.B + self.w[:, t, :, None] * self.u[:, None])).sum(0)
        own = t in (-1, len(self.hat) - 1)
        return self._layer_norm(rows, t) + (self.own if own else 0)

    def frobenius(self) -> Tensor:
        """‖∂out_{T−1}/∂x_t‖ for every t, (T,): ‖N P‖² = (‖N‖² − ‖N1‖²/d − (2 − ‖n̂‖²/d)‖Nn̂‖²/d)/σ²."""
        d, hat = self.hat.shape[-1], self.hat
        along = self._apply(hat).square().sum(-1) * (2 - hat.square().sum(-1) / d) / d
        flat = self._apply(torch.ones_like(hat)).square().sum(-1) / d
        norms = ((self._square() - flat - along).clamp(min=0)).sqrt() / self.deviation
        norms[-1] = torch.linalg.matrix_norm(self.jacobian(-1))
        return norms

    def _square(self) -> Tensor:
        """‖N_t‖² for every t, from the heads' inner products, (T,)."""
        a, aw = self.weights, self.weights[..., None] * self.w
        both = torch.einsum("ht,gt,hij,gij->t", a, a, self.B, self.B)
        crossed = torch.einsum("ht,hgi,gti->t", a, torch.einsum("hij,gj->hgi", self.B, self.u), aw)
        return both + 2 * crossed + torch.einsum("hti,gti,hg->t", aw, aw, self.u @ self.u.T)

    def _apply(self, x: Tensor) -> Tensor:
        """N_t x_t for every t: (T, d) → (T, d)."""
        a = self.weights[..., None]
        return (a * (x @ self.B.mT + (x @ self.u.T).T[..., None] * self.w)).sum(0)

    def _apply_transposed(self, y: Tensor) -> Tensor:
        """N_tᵀ y_t for every t: (T, d) → (T, d)."""
        a = self.weights[..., None]
        return (a * (y @ self.B + (self.w * y).sum(-1, keepdim=True) * self.u[:, None])).sum(0)

    def _project(self, x: Tensor) -> Tensor:
        """P_t x_t for every t: (T, d) → (T, d); P is symmetric."""
        along = (x * self.hat).mean(-1, keepdim=True) * self.hat
        return (x - x.mean(-1, keepdim=True) - along) / self.deviation[:, None]

    def spectral(self) -> Tensor:
        """The largest singular value of ∂out_{T−1}/∂x_t for every t, (T,)."""
        own = torch.zeros(len(self.hat), 1).to(self.hat)
        own[-1] = 1
        return largest_singular_values(
            lambda x: self._apply(self._project(x)) + own * (x @ self.own.T),
            lambda y: self._project(self._apply_transposed(y)) + own * (y @ self.own),
            torch.randn(self.hat.shape, generator=torch.Generator().manual_seed(0), dtype=self.hat.dtype),
        )[0]


def _standard(h: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """LayerNorm before its affine part, and the deviation it divides by: (T, d) → (T, d), (T,)."""
    deviation = (h.var(-1, unbiased=False) + eps).sqrt()
    return (h - h.mean(-1, keepdim=True)) / deviation[:, None], deviation


def _mlp_slope(block: CausalBlock, y: Tensor) -> Tensor:
    """∂(y + MLP(y))/∂y (d, d) at one y (d,)."""
    eye = torch.eye(len(y)).to(y)
    if block.mlp is None:
        return eye
    with torch.enable_grad():
        return eye + torch.autograd.functional.jacobian(block.mlp, y, vectorize=True)


def log10_norms(block: CausalBlock, x: Tensor, spectral: bool = False) -> tuple[Tensor, Tensor | None]:
    """log10 of the norms of ∂out_{T−1}/∂x_t, t = 0 … T−1, for x (T, d): Frobenius, and the spectral ones if asked."""
    last = LastOutput(block, x)
    return last.frobenius().log10(), last.spectral().log10() if spectral else None
