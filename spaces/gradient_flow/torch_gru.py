"""torch's GRU, which is not the article's: it resets after the product, and its z keeps where the article's z renews.

    n = tanh(W_n x + b_in + r∘(U_n h + b_hn)),  h' = (1−z)∘n + z∘h

Everything else about it is a `cells.Cell` named gru, so that the same sweep takes it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from spaces.gradient_flow.cells import SLOPES, Cell, Linearised


@dataclass(frozen=True)
class TorchGru(Cell):
    """Gates reset, update, candidate, as torch orders them; b holds b_ih + b_hh but for the candidate b_in alone."""

    inner: Tensor | None = None
    """b_hn (H,)."""

    def _gru(self, drive: Tensor, h: Tensor, cut: Collection[str] = ()) -> tuple[tuple[Tensor], tuple[Tensor, ...]]:
        for_r, for_z, for_n = drive.unbind(-2)
        read = self._recurrent(h, ())
        r, z = torch.sigmoid(for_r + read[..., 0, :]), torch.sigmoid(for_z + read[..., 1, :])
        n = torch.tanh(for_n + r * (read[..., 2, :] + self.inner))
        return (torch.lerp(n, h, z),), (r, z, n)

    def run(self, x: Tensor) -> TorchGruLine:
        line = super().run(x)
        return TorchGruLine(self, x, line.states, line.gates)


class TorchGruLine(Linearised):
    """Its derivatives; here z is what the carry keeps."""

    def _factors(self) -> dict[str, Tensor]:
        (r, z, n), h0, sigma = self.gates.unbind(1), self.states[:-1, 0], SLOPES["sigmoid"]
        inner = h0 @ self.cell.U[2].T + self.cell.inner  # what r multiplies (T, H)
        candidate = (1 - z) * (1 - n * n)
        return {"carry": z, "update": (h0 - n) * sigma(z), "candidate": candidate, "reset": inner * sigma(r), "r": r}

    def at_gates(self, rows: Tensor, t: int) -> tuple[Tensor, Tensor]:
        f = {k: v[t - 1] for k, v in self.factors.items()}
        candidate = rows * f["candidate"]
        return torch.stack([candidate * f["reset"], rows * f["update"], candidate], 1), rows * f["carry"]

    def hand_on(self, gates: Tensor, carry: Tensor, t: int) -> Tensor:
        reset, update, candidate = gates.unbind(1)
        return carry + torch.cat([reset, update, candidate * self.factors["r"][t - 1]], 1) @ self._stacked

    def pull(self, rows: Tensor, t: int) -> Tensor:
        return self.hand_on(*self.at_gates(rows, t), t)

    def reads(self, start: int, stop: int) -> Tensor:
        """∂h_t/∂h_{t−1} for t = start+1 … stop: (n, H, H); r acts after the product, so each gate scales its own U."""
        f = {k: v[start:stop, :, None] for k, v in self.factors.items()}
        reset, update, candidate = self.cell.U
        out = f["candidate"] * f["reset"] * reset
        out.addcmul_(f["update"], update).addcmul_(f["candidate"] * f["r"], candidate)
        out.diagonal(dim1=1, dim2=2).add_(f["carry"][..., 0])
        return out
