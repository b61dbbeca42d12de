"""What a flow costs, side by side with the usual ways: `python -m benchmarks.gradient_flow [--threads 2] [--quick]`.

All give the norms of ∂s_T/∂s_t for every t in float64, from the same cell, input and step function:

    sweep      this project: one backward sweep, numerical rank followed down, exponents kept
    jacrev     torch.func.jacrev with respect to one perturbation of every state, in one call
    autograd   a loop of torch.autograd.grad, one backward pass for each entry of s_T

The sweep keeps to one thread, the others take --threads. Below the table: the whole way from settings to the figure's
JSON for three cells, at the two sizes that the tab promises (hidden 64, length 200 under 0.1 s; hidden 256, length
1,000 under 3 s, a cell a core). About a minute on two cores.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from spaces.gradient_flow.cells import Cell
from spaces.gradient_flow.draw import draw_cell, draw_input
from spaces.gradient_flow.figures import flow_figure
from spaces.gradient_flow.flow import _trajectory, flow
from spaces.gradient_flow.settings import Flow
from spaces.gradient_flow.sweep import arithmetic, sweep

NAMES = ("rnn", "lstm", "gru")
SIZES = ((16, 100), (64, 200), (128, 50))  # hidden, length: what the slow ways still manage
PROMISES = ((64, 200, 0.1), (256, 1000, 3.0))
ENTRIES = 2**27  # of jacrev's result: 1 GiB


def states(cell: Cell, drives: Tensor, nudges: Tensor) -> list[Tensor]:
    """The states s_0 … s_T (N,), each s_t nudged before it is used: nudges (T, N)."""
    state, out = torch.zeros_like(nudges[0]), []
    for drive, nudge in zip(drives, nudges, strict=True):
        out.append(state + nudge)
        state = torch.cat(cell.step(drive, out[-1].chunk(cell.parts))[0])
    return [*out, state]


def by_sweep(cell: Cell, x: Tensor) -> Tensor:
    with arithmetic():
        return sweep(cell.run(x))[0]


def by_jacrev(cell: Cell, x: Tensor) -> Tensor:
    drives, nudges = cell.drive(x), x.new_zeros(len(x), cell.parts * cell.hidden)
    jacobians = torch.func.jacrev(lambda n: states(cell, drives, n)[-1])(nudges)  # (N, T, N)
    return torch.linalg.matrix_norm(jacobians.transpose(0, 1)).log10()


def by_autograd(cell: Cell, x: Tensor) -> Tensor:
    nudges = x.new_zeros(len(x), cell.parts * cell.hidden, requires_grad=True)
    last = states(cell, cell.drive(x), nudges)[-1]
    square = torch.zeros(len(x), dtype=x.dtype)
    for entry in last:
        square += torch.autograd.grad(entry, nudges, retain_graph=True)[0].square().sum(1)
    return square.sqrt().log10()


def timed(work: Callable[[], Tensor], seconds: float = 1.0) -> tuple[float, Tensor]:
    """Median seconds after one run to warm up, and what it gave."""
    started, times = time.perf_counter(), []
    result = work()
    if time.perf_counter() - started > 5 * seconds:
        return time.perf_counter() - started, result
    while sum(times) < seconds and len(times) < 20:
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times), result


def compare(name: str, hidden: int, length: int) -> str:
    """One row: milliseconds, ratios, and the largest difference of the log10 norms."""
    settings = Flow(hidden=hidden, length=length)
    cell, x = draw_cell(name, settings), draw_input(settings)
    ours, norms = timed(lambda: by_sweep(cell, x))
    row = f"{name:5} {hidden:6} {length:6} {ours * 1e3:9.1f} ms"
    for way in (by_jacrev, by_autograd):
        if way is by_jacrev and length * (cell.parts * hidden) ** 2 > ENTRIES:
            row += f"{'too large':>29}"
            continue
        theirs, truth = timed(lambda way=way: way(cell, x))
        row += f" {theirs * 1e3:9.0f} ms {theirs / ours:5.0f} ×  {(norms - truth).abs().max():.0e}"
    return row


def promise(hidden: int, length: int, limit: float) -> str:
    """Settings to the figure's JSON, three cells, nothing remembered but the drawn matrices."""

    def once() -> Tensor:
        _trajectory.cache_clear()
        return torch.tensor(len(flow_figure(flow(Flow(cells=NAMES, hidden=hidden, length=length), lambda share: None))))

    seconds, size = timed(once, seconds=2 * limit)
    return f"{', '.join(NAMES)}, hidden {hidden}, length {length}: {seconds:.3f} s (promised {limit} s), JSON {size}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--quick", action="store_true", help="the smallest size and the first promise only")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {options.threads} threads, float64; ratio to sweep, largest difference of log10")
    print(f"{'cell':5} {'hidden':>6} {'length':>6} {'sweep':>12} {'jacrev':>28} {'autograd':>28}")
    for hidden, length in SIZES[:1] if options.quick else SIZES:
        for name in NAMES:
            print(compare(name, hidden, length), flush=True)
    for hidden, length, limit in PROMISES[:1] if options.quick else PROMISES:
        print(promise(hidden, length, limit), flush=True)


if __name__ == "__main__":
    main()
