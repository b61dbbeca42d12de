"""The sweep against torch.func.jacrev; dropped rows cost nothing; the sentinel notices; zeros and huge exponents."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.func import jacrev

from spaces.gradient_flow.cells import GATES, Cell, Linearised
from spaces.gradient_flow.draw import draw_cell, draw_input
from spaces.gradient_flow.settings import Flow
from spaces.gradient_flow.sweep import Rows, sweep


def run(name: str, settings: Flow) -> Linearised:
    return draw_cell(name, settings).run(draw_input(settings))


def truth(line: Linearised, t: int) -> torch.Tensor:
    """∂s_T/∂s_t by torch.func.jacrev of the loop of steps."""
    cell, drives = line.cell, line.cell.drive(line.x)

    def end(state: torch.Tensor) -> torch.Tensor:
        if cell.name == "su":  # c; h = r∘c follows it
            r = line.gates[t - 1, 0] if t else torch.zeros_like(state)
            state = torch.cat([r * state, state])
        state = state.chunk(cell.parts)
        for a in drives[t:]:
            state, _ = cell.step(a, state)
        return state[1] if cell.name == "su" else torch.cat(state)

    start = line.states[t, 1] if cell.name == "su" else line.states[t].flatten()
    return jacrev(end)(start)


@pytest.mark.parametrize("name", tuple(GATES))
def test_norms_are_those_of_jacrev(name):
    line = run(name, Flow(spectral_radius=0.0, hidden=6, length=25, gain=1.2))
    norms, spectral = sweep(line, spectral=True)
    for t in (0, 1, 12, 24):
        J = truth(line, t)
        assert norms[t].item() == pytest.approx(torch.linalg.matrix_norm(J).log10().item(), abs=1e-10)
        assert spectral[t].item() == pytest.approx(torch.linalg.matrix_norm(J, 2).log10().item(), abs=1e-7)


@pytest.mark.parametrize(
    "changes",
    [{}, {"gain": 3.0}, {"forget_bias": 4.0}, {"input": "constant"}, {"offset": 2.0}, {"input_scale": 100.0},
     {"gain": 0.0}, {"gain": 1e-6, "input_scale": 100.0}],
)  # fmt: skip
@pytest.mark.parametrize("name", tuple(GATES))
def test_dropped_rows_change_no_norm(name, changes):
    line = run(name, Flow(hidden=24, length=150, spectral_radius=0.0, forget_bias=1.0).but(**changes))
    with torch.no_grad():
        whole, _ = Rows(line, compress=False).norms(False, None)
    np.testing.assert_allclose(sweep(line)[0].numpy(), whole.numpy(), rtol=0, atol=1e-9)


def diagonal(rates: torch.Tensor) -> Linearised:
    """An RNN of units that do not read one another, rates (T, H) being what each keeps at each step."""
    steps, hidden = rates.shape
    eye, nothing = torch.eye(hidden).to(rates)[None], torch.zeros(steps + 1, 1, hidden).to(rates)
    line = Linearised(Cell("rnn", eye, eye, nothing[0], "linear"), nothing[1:, 0], nothing, nothing[1:])
    line.factors = {"candidate": rates}
    return line


def test_a_dropped_unit_that_comes_back_is_noticed():
    rates = torch.ones(60, 12, dtype=torch.float64)
    rates[30:, 6:] = 0.1  # going back, half of the units sink to 10^−30 …
    rates[:30, :6] = 0.01  # … and then the others sink below them
    norms, _ = sweep(diagonal(rates))
    exact = rates.log10().flip(0).cumsum(0).flip(0)
    expected = (2 * exact * np.log(10)).logsumexp(1) / (2 * np.log(10))
    torch.testing.assert_close(norms, expected, rtol=0, atol=1e-9)


def test_exact_zeros_and_norms_far_outside_of_float64():
    rates = torch.full((1000, 8), 1e-3, dtype=torch.float64)
    assert sweep(diagonal(rates))[0][0].item() == pytest.approx(-3000 + np.log10(8) / 2, abs=1e-6)
    assert sweep(diagonal(1 / rates))[0][0].item() == pytest.approx(3000 + np.log10(8) / 2, abs=1e-6)
    rates[500] = 0
    norms, spectral = sweep(diagonal(rates), spectral=True)
    assert torch.isneginf(norms[:501]).all() and norms[501:].isfinite().all()
    assert torch.isneginf(spectral[:501]).all() and spectral[501:].isfinite().all()
    rates[500] = 1e-250
    assert sweep(diagonal(rates))[0][0].item() == pytest.approx(-3247 + np.log10(8) / 2, abs=1e-6)
    rates[500] = torch.inf
    norms, _ = sweep(diagonal(rates))
    assert norms[:501].isnan().all() and norms[501:].isfinite().all()


def test_progress_grows_to_nearly_one():
    told = []
    sweep(run("lstm", Flow(hidden=4, length=50)), progress=told.append)
    assert told == sorted(told) and 0 < told[0] and told[-1] == 1
