"""The recurrent cells of the article (archives/7888), each written once: a step forward, and how a gradient goes back.

`step` is plain torch that autograd differentiates; `Linearised.pull` is the same derivative by hand, one product with
∂s_t/∂s_{t−1} for any number of rows at once. Gates read Wx + Uh + b, h the previous output:

    rnn      h = tanh(a)                                                        state h
    rnn_relu h = relu(a)                                                        state h
    lstm     c = f∘c + i∘ĉ, h = o∘tanh(c)                                       state (h, c)
    gru      h = (1−z)∘h + z∘ĥ, ĥ = tanh(Wx + U(r∘h) + b), the article's        state h
    su       c = (1−z)∘c + z∘ĉ, h = r∘c, ĉ = tanh(Wx + Uh + b), the author's    state c; h = r∘c is read by the gates

Shapes: W (G, H, D), U (G, H, H), b (G, H) for the G gates in the order of GATES.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor

GATES = {
    "rnn": ("candidate",),
    "rnn_relu": ("candidate",),
    "lstm": ("input", "forget", "candidate", "output"),
    "gru": ("reset", "update", "candidate"),
    "su": ("reset", "update", "candidate"),
}
CARRIED = ("lstm", "gru", "su")
"""The cells with a path of their own from state to state, gated but not multiplied by any U: "carry"."""
SLOPES = {
    "tanh": lambda y: 1 - y * y,
    "relu": lambda y: (y > 0).to(y),
    "sigmoid": lambda y: y * (1 - y),
    "linear": torch.ones_like,
}
"""The derivative of each activation as a function of its output."""


@dataclass(frozen=True)
class Cell:
    """A cell with its parameters; `activation` is the candidate's (rnn_relu has its own)."""

    name: str
    W: Tensor
    U: Tensor
    b: Tensor
    activation: str = "tanh"

    @property
    def hidden(self) -> int:
        return self.U.shape[-1]

    @property
    def gates(self) -> tuple[str, ...]:
        return GATES[self.name]

    @property
    def parts(self) -> int:
        """How many vectors of H a step hands on: h, or h and c."""
        return 2 if self.name in ("lstm", "su") else 1

    def squash(self, a: Tensor) -> Tensor:
        """The candidate's activation."""
        activation = "relu" if self.name == "rnn_relu" else self.activation
        return a if activation == "linear" else getattr(torch, activation)(a)

    def slope(self, y: Tensor) -> Tensor:
        """Its derivative where it gave y."""
        return SLOPES["relu" if self.name == "rnn_relu" else self.activation](y)

    def drive(self, x: Tensor) -> Tensor:
        """What the input adds to each gate: (…, D) → (…, G, H)."""
        return torch.einsum("ghd,...d->...gh", self.W, x) + self.b

    def start(self, *batch: int) -> tuple[Tensor, ...]:
        """The zero state: `parts` tensors (*batch, H)."""
        return tuple(self.U.new_zeros(*batch, self.hidden) for _ in range(self.parts))

    def step(
        self, drive: Tensor, state: tuple[Tensor, ...], cut: Collection[str] = ()
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """One step: drive (…, G, H), state of (…, H) → new state, and the gates' values in the order of GATES.

        `cut` names paths (gates, or "carry") that let the values through but no gradient.
        """
        h = state[0]
        if self.name == "gru":
            return self._gru(drive, h, cut)
        a = drive + self._recurrent(h, cut)
        if self.parts == 1:
            h = self.squash(a[..., 0, :])
            return (h,), (h,)
        kept = state[1].detach() if "carry" in cut else state[1]
        g, gates = self.squash(a[..., 2, :]), torch.sigmoid(a).unbind(-2)  # one call for all, the candidate's unused
        if self.name == "lstm":
            i, f, _, o = gates
            c = f * kept + i * g
            return (o * torch.tanh(c), c), (i, f, g, o)
        r, z, _ = gates
        c = torch.lerp(kept, g, z)
        return (r * c, c), (r, z, g)

    def _recurrent(self, h: Tensor, cut: Collection[str]) -> Tensor:
        """U h for every gate, (…, H) → (…, G, H)."""
        if not cut:
            return torch.nn.functional.linear(h, self.U.flatten(0, 1)).unflatten(-1, self.U.shape[:2])
        read = [h.detach() if gate in cut else h for gate in self.gates]
        return torch.stack([r @ u.T for r, u in zip(read, self.U, strict=True)], -2)

    def _gru(self, drive: Tensor, h: Tensor, cut: Collection[str]) -> tuple[tuple[Tensor], tuple[Tensor, ...]]:
        read = [h.detach() if gate in cut else h for gate in self.gates]
        for_r, for_z, for_g = drive.unbind(-2)
        linear = torch.nn.functional.linear
        r = torch.sigmoid(for_r + linear(read[0], self.U[0]))
        z = torch.sigmoid(for_z + linear(read[1], self.U[1]))
        g = self.squash(for_g + linear(r * read[2], self.U[2]))
        return (torch.lerp(h.detach() if "carry" in cut else h, g, z),), (r, z, g)

    @torch.no_grad()
    def run(self, x: Tensor) -> Linearised:
        """A whole sequence from the zero state: x (T, D) → its trajectory, ready to be pulled back."""
        state = self.start()
        states, gates = list(state), []
        for a in self.drive(x):
            state, values = self.step(a, state)
            states += state
            gates += values
        every = (torch.stack(states).unflatten(0, (-1, self.parts)), torch.stack(gates).unflatten(0, (len(x), -1)))
        return Linearised(self, x, *every)


class Linearised:
    """A trajectory and its derivatives: states (T+1, parts, H), from s_0 = 0; gates (T, G, H); t counts from 1 to T.

    Rows (R, parts·H) are gradients of R scalars with respect to the state after step t, h first.
    """

    def __init__(self, cell: Cell, x: Tensor, states: Tensor, gates: Tensor):
        self.cell, self.x, self.states, self.gates = cell, x, states, gates
        self.factors = self._factors()
        self._stacked = cell.U.flatten(0, 1)  # (G·H, H): all gates in one product

    def __len__(self) -> int:
        return len(self.gates)

    def _factors(self) -> dict[str, Tensor]:
        """What multiplies a gradient elementwise, (T, H) each; "a→b" is ∂b/∂a with the rest held fixed."""
        name, slope = self.cell.name, self.cell.slope
        h0, sigma = self.states[:-1, 0], SLOPES["sigmoid"]
        if name == "lstm":
            i, f, g, o = self.gates.unbind(1)
            c0, c = self.states[:-1, 1], torch.tanh(self.states[1:, 1])
            return {
                "c→h": o * (1 - c * c),
                "carry": f,
                "input": g * sigma(i),
                "forget": c0 * sigma(f),
                "candidate": i * slope(g),
                "output": c * sigma(o),
            }
        if name == "rnn" or name == "rnn_relu":
            return {"candidate": slope(self.gates[:, 0])}
        r, z, g = self.gates.unbind(1)
        kept = h0 if name == "gru" else self.states[:-1, 1]
        out = {"carry": 1 - z, "update": (g - kept) * sigma(z), "candidate": z * slope(g)}
        if name == "gru":
            return out | {"reset": h0 * sigma(r), "r": r}
        return out | {"c→h": r, "reset": self.states[1:, 1] * sigma(r)}

    def seed(self) -> Tensor:
        """The rows that ask for the whole state s_T: h; (h, c) for lstm; c for su."""
        eye = torch.eye(self.cell.parts * self.cell.hidden).to(self.x)
        return eye[self.cell.hidden :] if self.cell.name == "su" else eye

    def reduce(self, rows: Tensor, t: int) -> Tensor:
        """Rows over (h, c) as rows over the state s_t: for su c alone, h = r∘c following it."""
        if self.cell.name != "su":
            return rows
        h, c = rows.chunk(2, -1)
        return c + h * self.gates[t - 1, 0] if t else c

    def at_gates(self, rows: Tensor, t: int) -> tuple[Tensor, Tensor | None]:
        """Gradients at the gates' pre-activations of step t (R, G, H), and what the carry hands on (R, H) or None."""
        f, name = {k: v[t - 1] for k, v in self.factors.items()}, self.cell.name
        if name in ("rnn", "rnn_relu"):
            return (rows * f["candidate"]).unsqueeze(1), None
        if name == "gru":
            candidate = rows * f["candidate"]
            reset = (candidate @ self.cell.U[2]) * f["reset"]
            return torch.stack([reset, rows * f["update"], candidate], 1), rows * f["carry"]
        h, c = rows.chunk(2, -1)
        c = c + h * f["c→h"]
        own = {"output": h, "reset": h}  # the gates that act on h, not on c
        return torch.stack([own.get(gate, c) * f[gate] for gate in self.cell.gates], 1), c * f["carry"]

    def pull(self, rows: Tensor, t: int) -> Tensor:
        """rows · ∂s_t/∂s_{t−1}."""
        if self.cell.name == "gru":
            return self._pull_gru(rows, t)
        return self.hand_on(*self.at_gates(rows, t), t)

    def hand_on(self, gates: Tensor, carry: Tensor | None, t: int) -> Tensor:
        """What `at_gates` found, as rows over s_{t−1}: together they are `pull`."""
        if self.cell.name == "gru":
            return carry + self.through(gates[:, :2], (0, 1)) + self.through(gates[:, 2:], (2,), t)
        h = gates.flatten(1) @ self._stacked
        return h if carry is None else torch.cat([h, carry], -1)

    def _pull_gru(self, rows: Tensor, t: int) -> Tensor:
        f, H = {k: v[t - 1] for k, v in self.factors.items()}, self.cell.hidden
        read = (rows * f["candidate"]) @ self.cell.U[2]  # at r∘h
        gates = rows.new_empty(len(rows), 2 * H)  # reset, update
        torch.mul(read, f["reset"], out=gates[:, :H])
        torch.mul(rows, f["update"], out=gates[:, H:])
        return (gates @ self._stacked[: 2 * H]).addcmul_(read, f["r"]).addcmul_(rows, f["carry"])

    def reads(self, start: int, stop: int) -> Tensor:
        """The columns of ∂s_t/∂s_{t−1} that belong to h_{t−1}, for t = start+1 … stop: (n, parts·H, H).

        A third to two thirds of the work of `pull` is saved where the rows are many; c_{t−1} gets `carry`, elementwise.
        """
        f, H = {k: v[start:stop, :, None] for k, v in self.factors.items()}, self.cell.hidden
        if self.cell.name == "gru":
            return self._reads_gru(f)
        if self.cell.parts == 1:
            return f["candidate"] * self.cell.U[0]
        out = self.cell.U.new_empty(stop - start, 2 * H, H)
        through_h, through_c = out[:, :H], out[:, H:]
        own = "output" if self.cell.name == "lstm" else "reset"  # the gate that acts on h, not on c
        U = dict(zip(self.cell.gates, self.cell.U, strict=True))
        torch.mul(f[own], U.pop(own), out=through_h)
        torch.mul(f["candidate"], U.pop("candidate"), out=through_c)
        for gate, u in U.items():
            through_c.addcmul_(f[gate], u)
        through_h.addcmul_(f["c→h"], through_c)
        return out

    def _reads_gru(self, f: dict[str, Tensor]) -> Tensor:
        reset, update, candidate = self.cell.U
        out = f["candidate"] * candidate  # what r∘h is multiplied by
        through_reset = (out * f["reset"].mT).flatten(0, 1) @ reset
        out *= f["r"].mT
        out.addcmul_(f["update"], update).add_(through_reset.view_as(out))
        out.diagonal(dim1=1, dim2=2).add_(f["carry"][..., 0])
        return out

    def through(self, gates: Tensor, which: tuple[int, ...], t: int | None = None) -> Tensor:
        """Gradients at some gates' pre-activations (R, g, H) handed to the h that they read (R, H).

        The gru's candidate reads r∘h: it needs t.
        """
        h = sum(gates[:, i] @ self.cell.U[g] for i, g in enumerate(which))
        return h * self.factors["r"][t - 1] if t is not None and self.cell.name == "gru" else h
