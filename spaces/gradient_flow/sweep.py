"""The norms of ∂s_T/∂s_t for every t in one backward sweep: products from the left, one for each step.

Three things make it exact and quick. The matrix is scaled whenever it leaves [10^−30, 10^30] and its exponent kept, for
norms reach 10^−264 and further. A norm does not see an orthogonal factor on the left: M = QR has the norms of R, whose
last rows sink below rounding as t goes back (the numerical rank of a long product falls), so rows that together weigh
less than 10^−15 of the matrix are dropped, and the products get smaller. What was dropped is watched: one random
combination of it, the sentinel, is carried along; if it is found above 10^−10 of the rest (units that do not read one
another can do that), the sweep is made again with all rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from spaces.gradient_flow.cells import Linearised
from spaces.gradient_flow.spectrum import largest_singular_values

Progress = Callable[[float], None]
NEGLIGIBLE = 1e-15  # of the norm: what may be dropped at once
SUSPICIOUS = 1e-10  # of the norm: what was dropped has become too large
FEWEST, MOST = 8, 64  # steps between two looks at the rank
READ = 2**16  # entries of the matrices that are prepared at a time


@torch.no_grad()
def sweep(line: Linearised, spectral: bool = False, progress: Progress | None = None) -> tuple[Tensor, Tensor | None]:
    """log10 of ‖∂s_T/∂s_t‖ for t = 0 … T−1: Frobenius (T,), and the spectral norm (T,) if asked.

    −inf where the matrix is exactly zero, NaN where it cannot be represented. progress is told the share that is done.
    """
    with arithmetic():
        rows = Rows(line)
        norms, spectra = rows.norms(spectral, progress)
        if rows.suspicious:
            norms, spectra = Rows(line, compress=False).norms(spectral, progress)
    return norms, spectra


@contextmanager
def flushed() -> Iterator[None]:
    """Denormal numbers as zero in this thread: they cost thirty times as much."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


@contextmanager
def arithmetic() -> Iterator[None]:
    """`flushed`, and one thread: products this small, one after another, wait for one another's halves at each step.

    Alone on two cores a second thread brings little, and where others compute too it made a sweep 25 times slower.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with flushed():
            yield
    finally:
        torch.set_num_threads(threads)


class Rows:
    """M = Q ∂s_T/∂s_t up to an orthogonal Q and a factor 10^exponent, going back one step at a time.

    The last row of `matrix` is the sentinel.
    """

    def __init__(self, line: Linearised, compress: bool = True):
        seed = line.seed()
        self.line, self.compress = line, compress
        self.matrix = torch.cat([seed, torch.zeros_like(seed[:1])])
        self.exponent, self.suspicious = 0.0, False
        self.interval = self.patience = FEWEST
        self.chunk, self.chunk_start = None, len(line)
        self.random = torch.Generator().manual_seed(0)
        width = self.state(len(line)).shape[1]
        self.right = torch.randn(1, width, generator=self.random, dtype=seed.dtype)  # the first guess of `largest`

    def norms(self, spectral: bool, progress: Progress | None) -> tuple[Tensor, Tensor | None]:
        """See `sweep`; stops early where the sentinel grew."""
        steps = len(self.line)
        norms, spectra = torch.full((2, steps), torch.nan, dtype=torch.float64)
        for t in range(steps, 0, -1):
            self.back(t)
            size = self.size(t - 1)
            norms[t - 1] = self._log10(size)
            if size == 0:
                norms[: t - 1] = spectra[:t] = -torch.inf
            if size == 0 or not math.isfinite(size):
                break
            if spectral:
                spectra[t - 1] = self._log10(self.largest(t - 1))
            self._rescale(size)
            self._count(last=t == 1)
            if self.suspicious:
                break
            if progress and t % 16 == 1:
                progress(1 - (t - 1) / steps)
        return norms, spectra if spectral else None

    def back(self, t: int) -> None:
        """From ∂s_T/∂s_t to ∂s_T/∂s_{t−1}."""
        H = self.line.cell.hidden
        if self.line.cell.name == "gru" and len(self.matrix) < H / 2:  # the gru's matrices cost a product themselves
            self.matrix = self.line.pull(self.matrix, t)
            return
        read = self._read(t)
        if self.line.cell.parts == 1:
            self.matrix = self.matrix @ read
            return
        M, out = self.matrix, torch.empty_like(self.matrix)
        torch.mm(M, read, out=out[:, :H])
        kept = torch.addcmul(M[:, H:], M[:, :H], self.line.factors["c→h"][t - 1])
        torch.mul(kept, self.line.factors["carry"][t - 1], out=out[:, H:])
        self.matrix = out

    def _read(self, t: int) -> Tensor:
        """`reads` of one step, prepared for some steps at a time."""
        if t <= self.chunk_start or self.chunk is None:
            H, parts = self.line.cell.hidden, self.line.cell.parts
            self.chunk_start = max(0, t - max(1, READ // (parts * H * H)))
            self.chunk = self.line.reads(self.chunk_start, t)
        return self.chunk[t - 1 - self.chunk_start]

    def state(self, t: int) -> Tensor:
        """The rows over the state s_t, without the sentinel."""
        return self.line.reduce(self.matrix, t)[:-1]

    def size(self, t: int) -> float:
        """The Frobenius norm of the rows, whatever their magnitude; NaN where they overflowed."""
        rows = self.state(t)
        size = torch.linalg.vector_norm(rows).item()
        if 1e-140 < size < 1e140:
            return size
        largest = rows.abs().max().item()
        if largest == 0 or not math.isfinite(largest):
            return largest * math.nan if largest else 0.0
        self.matrix = self.matrix / largest
        self.exponent += math.log10(largest)
        return torch.linalg.vector_norm(self.state(t)).item()

    def largest(self, t: int) -> float:
        """The spectral norm of the rows, by power iteration from what it found one step before."""
        rows = self.state(t)
        value, self.right = largest_singular_values(lambda x: x @ rows.T, lambda y: y @ rows, self.right)
        return value.item()

    def _log10(self, size: float) -> float:
        return math.log10(size) + self.exponent if size else -math.inf

    def _rescale(self, size: float) -> None:
        if not 1e-30 < size < 1e30:
            self.matrix = self.matrix / size
            self.exponent += math.log10(size)

    def _count(self, last: bool) -> None:
        self.patience -= 1
        if not self.compress or (self.patience and not last):
            return
        whole, sentinel = (torch.linalg.vector_norm(m) for m in (self.matrix[:-1], self.matrix[-1]))
        self.suspicious = bool(sentinel > SUSPICIOUS * whole)
        before = len(self.matrix)
        self._drop()
        self.interval = FEWEST if len(self.matrix) < 0.9 * before else min(MOST, 2 * self.interval)
        self.patience = self.interval

    def _drop(self) -> None:
        """The rows of R in M = QR that count; the rest joins the sentinel."""
        R, sentinel = torch.linalg.qr(self.matrix[:-1], mode="r").R, self.matrix[-1:]
        below = R.square().sum(1).flip(0).cumsum(0).flip(0).sqrt()  # what each row and all after it weigh
        kept = max(1, int((below > NEGLIGIBLE * below[0]).sum()))
        weights = torch.randn(1, len(R) - kept, generator=self.random, dtype=R.dtype)
        sentinel = sentinel + weights @ R[kept:]
        self.matrix = torch.cat([R[:kept], torch.where(sentinel.abs() > 1e-200 * below[0], sentinel, 0)])
