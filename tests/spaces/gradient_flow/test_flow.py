"""The flow of every cell against autograd, what exploded and what is zero, clipping, progress."""

from __future__ import annotations

import math
import threading

import numpy as np
import pytest
import torch

from spaces.gradient_flow.draw import draw_block, draw_cell, draw_input
from spaces.gradient_flow.flow import cell_flow, flow, trajectory
from spaces.gradient_flow.settings import CELLS, Flow

SMALL = Flow(spectral_radius=0.0, cells=CELLS, hidden=6, length=20, gain=1.2, spectral=True)


def jacobian(name: str, settings: Flow, t: int) -> torch.Tensor:
    """∂s_T/∂s_t by autograd: for the lstm over (h, c), for the transformer over x_t."""
    x = draw_input(settings)
    if name == "transformer":
        block = draw_block(settings)
        return torch.autograd.functional.jacobian(lambda x: block(x[None])[0, -1], x)[:, t]
    cell, line = draw_cell(name, settings), trajectory(name, settings)

    def end(state: torch.Tensor) -> torch.Tensor:
        parts = state.chunk(cell.parts)
        for drive in cell.drive(x)[t:]:
            parts, _ = cell.step(drive, parts)
        return torch.cat(parts)

    return torch.autograd.functional.jacobian(end, line.states[t].flatten())


@pytest.mark.parametrize("name", [n for n in CELLS if n != "su"])  # su's state c: test_sweep.py
def test_log10_norms_are_those_of_autograd(name):
    cell = flow(SMALL.but(cells=(name,))).cells[name]
    assert cell.log10.shape == cell.spectral.shape == (20,)
    for t in (0, 9, 19):
        J = jacobian(name, SMALL, t)
        assert cell.log10[t] == pytest.approx(torch.linalg.matrix_norm(J).log10().item(), abs=1e-9)
        assert cell.spectral[t] == pytest.approx(torch.linalg.matrix_norm(J, 2).log10().item(), abs=1e-6)


def test_cells_come_in_the_order_asked_with_their_gates_and_the_time():
    result = flow(SMALL.but(cells=("gru", "transformer", "rnn")))
    assert list(result.cells) == ["gru", "transformer", "rnn"] and result.seconds > 0
    assert list(result.cells["gru"].gates) == ["reset", "update", "candidate"]
    assert result.cells["transformer"].gates["attention"].sum() == pytest.approx(1)
    assert result.cells["rnn"].gates["candidate"].shape == (20,)
    assert flow(SMALL.but(spectral=False)).cells["gru"].spectral is None


def test_a_run_that_overflows_has_exploded_and_no_norm():
    settings = Flow(cells=("rnn_relu", "lstm"), spectral_radius=0.0, gain=10.0, hidden=8, length=600, clip=1.0)
    result = flow(settings).cells
    line = trajectory("rnn_relu", settings)
    step = result["rnn_relu"].exploded
    assert line.states[:step].isfinite().all() and not line.states[step].isfinite().all()
    assert np.isnan(result["rnn_relu"].log10).all() and result["rnn_relu"].regime == "explode"
    assert result["rnn_relu"].clipping is None and math.isnan(result["rnn_relu"].half_life)
    assert result["lstm"].exploded is None and np.isfinite(result["lstm"].log10).all()


def test_without_U_the_rnn_forgets_at_once_and_the_lstm_keeps_its_forget_gates():
    result = flow(Flow(spectral_radius=0.0, gain=0.0, input_scale=0.0, hidden=9, length=50, forget_bias=2.0)).cells
    assert np.isneginf(result["rnn"].log10).all() and result["rnn"].half_life == 0
    kept = math.log10(1 / (1 + math.exp(-2)))
    # (h, c) is reached from c alone: each step back costs one σ(2)
    np.testing.assert_allclose(np.diff(result["lstm"].log10), -kept, atol=1e-9)
    assert result["gru"].log10[0] == pytest.approx(50 * kept + math.log10(3), abs=1e-9)
    assert result["lstm"].half_life == pytest.approx(result["lstm"].predicted)
    assert result["lstm"].by_the_gates == pytest.approx(result["lstm"].predicted)


def test_the_rnns_prediction_is_the_power_of_its_spectral_radius():
    result = flow(Flow(cells=("rnn",), spectral_radius=0.9, activation="linear", hidden=16, length=300)).cells["rnn"]
    assert 10**result.predicted_rate == pytest.approx(0.9)
    assert 10**result.rate == pytest.approx(0.9, rel=1e-2) and result.regime == "vanish"


def test_the_transformer_reaches_the_first_input_as_well_as_the_middle():
    norms = flow(Flow(cells=("transformer", "rnn"), hidden=16, length=400, spectral_radius=0.9)).cells
    assert abs(norms["transformer"].log10[0] - norms["transformer"].log10[200]) < 2
    assert norms["rnn"].log10[0] < -20 and norms["transformer"].regime == "stable"


def test_clipping_leaves_the_threshold_for_every_cell():
    result = flow(Flow(cells=CELLS, hidden=8, length=30, clip=1e-3)).cells
    for cell in result.values():
        assert cell.clipping.after == pytest.approx(-3) and cell.clipping.before > -3 and cell.clipping.turned > 1


@pytest.mark.parametrize("hidden", [6, 100])
def test_progress_ends_at_one_and_comes_in_the_callers_thread(hidden):
    told, threads = [], set()
    flow(SMALL.but(hidden=hidden), lambda share: (told.append(share), threads.add(threading.get_ident())))
    assert told == sorted(told) and told[-1] == 1 and threads == {threading.get_ident()}


def test_cells_at_once_are_the_cells_in_turn():
    settings = Flow(cells=("lstm", "gru", "rnn"), hidden=100, length=12)
    result, before = flow(settings), torch.get_num_threads()
    assert list(result.cells) == ["lstm", "gru", "rnn"]
    for name in settings.cells:
        np.testing.assert_array_equal(result.cells[name].log10, cell_flow(name, settings).log10)
    assert torch.get_num_threads() == before


def test_a_run_is_remembered_whatever_is_asked_of_it():
    assert trajectory("gru", SMALL) is trajectory("gru", SMALL.but(clip=2.0, spectral=False, cells=("gru",)))
