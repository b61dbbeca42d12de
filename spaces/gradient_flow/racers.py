"""Who runs the race: a recurrent cell or the Transformer block, with a read-out, trained by autograd.

    racer = make("lstm", settings)
    z, driven = racer(x, answers=2, cut={"forget"})   # driven: where the inputs enter, to ask how far gradients reach
    racer.half_life(x)                                # in steps, measured on the Jacobians of the state, at present

A cut path lets values through and no gradient: `Cell.step` knows the cells' paths; of the block it is "attention",
which leaves the last step its own input only.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Collection
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from spaces.gradient_flow.cells import CARRIED, GATES, Cell
from spaces.gradient_flow.draw import draw_block, draw_cell
from spaces.gradient_flow.half_life import half_life, rate
from spaces.gradient_flow.settings import Flow
from spaces.gradient_flow.sweep import sweep
from spaces.gradient_flow.tasks import LONGEST, task
from spaces.gradient_flow.transformer import log10_norms

if TYPE_CHECKING:
    from spaces.gradient_flow.race import Race

PATHS = {name: (*(("carry",) if name in CARRIED else ()), *gates) for name, gates in GATES.items()}
PATHS["transformer"] = ("attention",)
"""The paths of each racer that can be cut."""


class Racer(nn.Module):
    """What every racer has: a linear read-out; `forward` and `half_life` are its own."""

    def __init__(self, hidden: int, outputs: int, random: torch.Generator):
        super().__init__()
        self.readout = nn.Parameter(torch.randn(outputs, hidden, generator=random) / math.sqrt(hidden))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def answer(self, h: Tensor) -> Tensor:
        """(A, B, H) → (A, B, outputs)."""
        return h @ self.readout.T + self.bias


class Recurrent(Racer):
    """A cell of GATES: U and the biases as in the Flow view, entries of W normal, for one-hot symbols are few."""

    def __init__(self, name: str, settings: Race, inputs: int, outputs: int, random: torch.Generator):
        super().__init__(settings.hidden, outputs, random)
        drawn = draw_cell(name, _flow(settings))
        self.name = name
        self.W = nn.Parameter(torch.randn(*drawn.b.shape, inputs, generator=random))
        self.U, self.b = nn.Parameter(drawn.U.float()), nn.Parameter(drawn.b.float())

    @property
    def cell(self) -> Cell:
        return Cell(self.name, self.W, self.U, self.b)

    def forward(self, x: Tensor, answers: int, cut: Collection[str] = ()) -> tuple[Tensor, Tensor]:
        """x (T, B, D) → answers (A, B, outputs) at the last A steps, and the drive (T, B, G, H)."""
        cell, outputs = self.cell, []
        drive, state = cell.drive(x), cell.start(x.shape[1])
        for a in drive.unbind():
            state, _ = cell.step(a, state, cut)
            outputs.append(state[0])
        return self.answer(torch.stack(outputs[-answers:])), drive

    @torch.no_grad()
    def half_life(self, x: Tensor) -> float:
        """Steps in which ‖∂s_T/∂s_t‖ halves on one sequence x (T, D): as in the Flow view, at present, in float64."""
        cell = Cell(self.name, *(p.detach().cpu().double() for p in (self.W, self.U, self.b)))
        return half_life(rate(sweep(cell.run(x.cpu().double()))[0].numpy()))


class Attending(Racer):
    """The block on a linear embedding of the inputs; its state s_t is the embedded input."""

    def __init__(self, name: str, settings: Race, inputs: int, outputs: int, random: torch.Generator):
        super().__init__(settings.hidden, outputs, random)
        self.embedding = nn.Parameter(torch.randn(settings.hidden, inputs, generator=random))
        self.block = draw_block(_flow(settings)).float().requires_grad_(True)

    def forward(self, x: Tensor, answers: int, cut: Collection[str] = ()) -> tuple[Tensor, Tensor]:
        """x (T, B, D) → answers (A, B, outputs) at the last A steps, and the embedded inputs (T, B, H)."""
        embedded = x @ self.embedding.T
        cutting = self.block.out.register_forward_pre_hook(_detached) if "attention" in cut else None
        try:
            return self.answer(self.block(embedded.transpose(0, 1))[:, -answers:].transpose(0, 1)), embedded
        finally:
            if cutting:
                cutting.remove()

    @torch.no_grad()
    def half_life(self, x: Tensor) -> float:
        """Steps in which ‖∂out_T/∂x_t‖ halves on one sequence x (T, D)."""
        block = copy.deepcopy(self.block).cpu().double()
        return half_life(rate(log10_norms(block, (x @ self.embedding.T).cpu().double())[0].numpy()))


def make(name: str, settings: Race) -> Racer:
    """The racer `name` of CELLS, drawn from the settings' seed."""
    shape = task(settings.task, settings.symbols)
    random = torch.Generator().manual_seed(settings.seed)
    return (Attending if name == "transformer" else Recurrent)(name, settings, shape.inputs, shape.outputs, random)


def _flow(settings: Race) -> Flow:
    names = ("hidden", "gain", "forget_bias", "seed")
    return Flow(**{name: getattr(settings, name) for name in names}, length=LONGEST, spectral_radius=0.0)


def _detached(module: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
    return (inputs[0].detach(),)
