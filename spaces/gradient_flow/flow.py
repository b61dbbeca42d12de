"""How far back a gradient reaches: the norms of ∂s_T/∂s_t for every t and every chosen cell.

Claim of the article (archives/7888): the simple RNN's gradient shrinks or grows like a power, 0.9^n or 1.1^n; that of
the LSTM and the GRU is led by the forget gate, and survives. Try spectral radius 0.9, 1.1, then a forget bias of 3.

s is h for rnn, rnn_relu and gru, (h, c) for lstm, c for su (its h = r∘c following it); for the transformer s_t is x_t,
the input that step t + 1 reads, and s_T the block's last output. What overflows in the forward run has exploded: then
no norm exists, and `exploded` names the first step that is not finite.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import lru_cache, partial

import numpy as np
import torch
from torch import Tensor

from spaces.gradient_flow import gradient, half_life
from spaces.gradient_flow.cells import Linearised
from spaces.gradient_flow.draw import draw_block, draw_cell, draw_input, spectral_radii
from spaces.gradient_flow.gradient import Clipping
from spaces.gradient_flow.settings import Flow
from spaces.gradient_flow.sweep import arithmetic, sweep
from spaces.gradient_flow.transformer import CausalBlock, LastOutput

Progress = Callable[[float], None]
SMALL = 96  # units up to which cells at once would only take turns in Python


@dataclass(frozen=True)
class CellFlow:
    """One cell's flow; arrays over t = 0 … T−1."""

    name: str
    size: int
    """Of the state."""
    log10: np.ndarray
    """log10 of the Frobenius norm (T,): −inf for exactly zero, NaN where the run exploded."""
    spectral: np.ndarray | None
    """The same of the spectral norm, if asked."""
    gates: dict[str, np.ndarray]
    """Each gate's mean over the units at step t + 1, (T,); for the transformer the last query's attention."""
    exploded: int | None
    """The first step whose state is not finite."""
    rate: float
    """Decades per step back, as half_life.rate measures it."""
    predicted_rate: float | None
    """The same by the forget bias or the spectral radius."""
    by_the_gates: float | None
    """The half-life by the gates that were met."""
    clipping: Clipping | None

    @property
    def half_life(self) -> float:
        """Measured, in steps; inf where nothing is lost, NaN where it exploded."""
        return half_life.half_life(self.rate)

    @property
    def predicted(self) -> float | None:
        """The half-life by the forget bias or the spectral radius."""
        return None if self.predicted_rate is None else half_life.half_life(self.predicted_rate)

    @property
    def regime(self) -> str:
        """vanish, stable or explode, over the whole length."""
        return half_life.regime(self.rate, len(self.log10))


@dataclass(frozen=True)
class FlowResult:
    """All cells of one setting, in the order asked."""

    settings: Flow
    cells: dict[str, CellFlow]
    seconds: float = field(compare=False)


def flow(settings: Flow, progress: Progress | None = None) -> FlowResult:
    """The flow of every chosen cell; progress is told the share done, from 0 to 1, in the caller's thread."""
    started = time.perf_counter()
    with arithmetic():
        cells = (_in_turn if settings.hidden <= SMALL else _at_once)(settings, progress)
    return FlowResult(settings, cells, time.perf_counter() - started)


def _in_turn(settings: Flow, progress: Progress | None) -> dict[str, CellFlow]:
    cells, of = {}, len(settings.cells)
    for done, name in enumerate(settings.cells):
        cells[name] = one_flow(name, settings, progress and (lambda share, done=done: progress((done + share) / of)))
    return cells


def _at_once(settings: Flow, progress: Progress | None) -> dict[str, CellFlow]:
    """A cell a core: large products leave Python to the others meanwhile."""
    shares = dict.fromkeys(settings.cells, 0.0)
    with ThreadPoolExecutor(os.cpu_count(), initializer=torch.set_num_threads, initargs=(1,)) as pool:
        runs = {n: pool.submit(one_flow, n, settings, partial(shares.__setitem__, n)) for n in settings.cells}
        while wait(runs.values(), timeout=0.1).not_done:
            if progress:
                progress(sum(shares.values()) / len(shares))
        if progress:
            progress(1.0)
    return {name: run.result() for name, run in runs.items()}


def one_flow(name: str, settings: Flow, progress: Progress | None = None) -> CellFlow:
    """The flow of one of CELLS drawn from the settings; progress ends at 1."""
    flow = transformer_flow(settings) if name == "transformer" else cell_flow(name, settings, progress)
    if progress:
        progress(1.0)
    return flow


def trajectory(name: str, settings: Flow) -> Linearised:
    """A recurrent cell's run on the settings' input; the last ones are remembered."""
    return _trajectory(name, settings.but(cells=(name,), clip=0.0, spectral=False))


@lru_cache(maxsize=6)  # at most 40 MB each
def _trajectory(name: str, settings: Flow) -> Linearised:
    return draw_cell(name, settings).run(draw_input(settings))


def exploded(line: Linearised) -> int | None:
    """The first step whose state is not finite."""
    finite = line.states.isfinite().flatten(1).all(1)
    return None if finite.all() else int((~finite).int().argmax())


def cell_flow(name: str, settings: Flow, progress: Progress | None = None) -> CellFlow:
    """The flow of a recurrent cell drawn from the settings."""
    radius = spectral_radii(name, settings)[0].item() if name == "rnn" else 0.0
    rate = half_life.predicted_rate(name, settings.forget_bias, radius)
    return line_flow(trajectory(name, settings), settings, rate, progress)


def line_flow(
    line: Linearised, settings: Flow, predicted_rate: float | None = None, progress: Progress | None = None
) -> CellFlow:
    """The flow along any run of a cell; of the settings only `spectral` and `clip` count."""
    burst = exploded(line)
    nothing = torch.full((len(line),), torch.nan, dtype=torch.float64)
    norms, spectral = (nothing, nothing) if burst else sweep(line, settings.spectral, progress)
    clipping = gradient.clip(*gradient.gradient(line), settings.clip) if settings.clip and not burst else None
    gates = {gate: line.gates[:, g].mean(-1).numpy() for g, gate in enumerate(line.cell.gates)}
    return CellFlow(
        line.cell.name,
        len(line.seed()),
        norms.numpy(),
        spectral.numpy() if settings.spectral else None,
        gates,
        burst,
        half_life.rate(norms.numpy()),
        predicted_rate,
        None if burst else half_life.by_the_gates(line),
        clipping,
    )


def transformer_flow(settings: Flow) -> CellFlow:
    """The flow of the causal block: every input is one product away."""
    block, x = draw_block(settings), settings.input_scale * draw_input(settings)
    last = LastOutput(block, x)
    norms = last.frobenius().log10().numpy()
    return CellFlow(
        "transformer",
        settings.hidden,
        norms,
        last.spectral().log10().numpy() if settings.spectral else None,
        {"attention": last.weights.mean(0).numpy()},
        None,
        half_life.rate(norms),
        None,
        None,
        _block_clipping(block, x, settings.clip) if settings.clip else None,
    )


def _block_clipping(block: CausalBlock, x: Tensor, threshold: float) -> Clipping:
    parameters = list(block.requires_grad_(True).parameters())
    loss = block(x[None])[0, -1] @ gradient.readout(x.shape[1])
    vector = torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters)])
    return gradient.clip(vector, 0.0, threshold)
