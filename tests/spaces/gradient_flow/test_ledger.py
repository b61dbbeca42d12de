"""The ledger's parts add up, each is what its definition says, and the article's formula stands beside the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from shared.experiment import InputError
from spaces.gradient_flow.cells import CARRIED, GATES
from spaces.gradient_flow.flow import cell_flow, trajectory
from spaces.gradient_flow.ledger import back, ledger, line_ledger, one_path_jacobian, terms
from spaces.gradient_flow.settings import Flow

SETTINGS = Flow(spectral_radius=0.0, hidden=5, length=15, gain=1.3)


def split(name: str) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """∂s_T/∂s_0 and its parts (N, N), summed path by path as the docstring of ledger.py writes them; su over (h, c)."""
    line = trajectory(name, SETTINGS)
    eye, carried = torch.eye(line.cell.parts * 5, dtype=torch.float64), []
    for t in range(1, 16):
        gates, kept = line.at_gates(eye, t)
        carried.append(kept if name == "gru" else torch.cat([torch.zeros_like(kept), kept], -1))

    def product(matrices: list[torch.Tensor]) -> torch.Tensor:
        return torch.linalg.multi_dot([eye, eye, *matrices[::-1]])

    whole = [line.pull(eye, t) for t in range(1, 16)]
    parts = {"carry": product(carried)}
    for g, gate in enumerate(GATES[name]):
        parts[gate] = torch.zeros_like(eye)
        for s in range(15):
            at = line.at_gates(eye, s + 1)[0][:, g] @ line.cell.U[g]
            if name == "gru" and gate == "candidate":
                at = at * line.gates[s, 0]
            through = at if name == "gru" else torch.cat([at, torch.zeros_like(at)], -1)
            parts[gate] += product(whole[s + 1 :]) @ through @ product(carried[:s])
    return product(whole), parts


@pytest.mark.parametrize("name", CARRIED)
def test_parts_are_the_sums_over_paths(name):
    whole, parts = split(name)
    line, book = trajectory(name, SETTINGS), ledger(name, SETTINGS)
    torch.testing.assert_close(sum(parts.values()), whole, rtol=1e-11, atol=1e-13)
    rows = slice(5, None) if name == "su" else slice(None)
    J = line.reduce(whole[rows], 0)
    assert book.total[0] == pytest.approx(J.norm().log10().item(), abs=1e-10)
    for part, matrix in parts.items():
        P = line.reduce(matrix[rows], 0)
        assert book.parts[part][0] == pytest.approx(P.norm().log10().item(), abs=1e-10)
        assert book.shares[part][0] == pytest.approx(((P * J).sum() / J.norm() ** 2).item(), abs=1e-10)


@pytest.mark.parametrize("changes", [{}, {"spectral_radius": 3.0}, {"forget_bias": 5.0}, {"length": 300}])
@pytest.mark.parametrize("name", CARRIED)
def test_shares_add_up_to_one_and_the_total_is_the_flows(name, changes):
    settings = Flow(hidden=10, length=80).but(**changes)
    book = ledger(name, settings)
    np.testing.assert_allclose(sum(book.shares.values()), 1, rtol=0, atol=1e-6)
    np.testing.assert_allclose(book.total, cell_flow(name, settings).log10, rtol=0, atol=1e-9)
    kept = trajectory(name, settings).factors["carry"].prod(0)
    if kept.min() > 1e-250:
        assert book.product[0] == pytest.approx(kept.norm().log10().item(), abs=1e-9)


def test_the_matrices_add_up_at_every_step():
    line = trajectory("lstm", SETTINGS)
    whole, gated = line.seed(), torch.zeros(4, 10, 10, dtype=torch.float64)
    carried = line.seed()
    for t in range(15, 0, -1):
        plain = line.pull(whole, t)
        kept = torch.addcmul(carried[:, 5:], carried[:, :5], line.factors["c→h"][t - 1]) * line.factors["carry"][t - 1]
        carried = torch.cat([torch.zeros_like(kept), kept], -1)
        whole, gated = back(line, whole, gated, t)
        torch.testing.assert_close(whole, plain, rtol=1e-12, atol=1e-14)
        torch.testing.assert_close(gated.sum(0) + carried, whole, rtol=1e-11, atol=1e-14)


def test_the_articles_path_follows_the_truth_where_the_forget_gates_alone_do_not():
    settings = Flow(spectral_radius=0.9, forget_bias=5.0)
    book = ledger("lstm", settings)
    assert abs(book.one_path[0] - book.one_path_truth[0]) < 0.3
    assert book.one_path_truth[0] - book.product[0] > 2.5  # decades
    gru = ledger("gru", settings)
    assert abs(gru.total[0] - gru.product[0]) < 0.1 and gru.one_path is None


def test_the_one_path_product_is_the_product_of_the_formula():
    line, book = trajectory("lstm", SETTINGS), ledger("lstm", SETTINGS)
    product = torch.linalg.multi_dot([one_path_jacobian(line, t) for t in range(15, 3, -1)])
    assert book.one_path[3] == pytest.approx(product.norm().log10().item(), abs=1e-10)


@pytest.mark.parametrize("name", tuple(GATES))
def test_terms_of_one_step_add_up(name):
    line = trajectory(name, SETTINGS)
    found = terms(line, 7)
    assert list(found) == ["total", *(["carry"] if name in CARRIED else []), *GATES[name]]
    J = line.reduce(line.pull(line.seed(), 7), 6)
    assert found["total"] == pytest.approx(J.norm().item())
    assert found["total"] <= sum(v for k, v in found.items() if k != "total") + 1e-12
    if name == "gru":
        assert found["carry"] == pytest.approx(line.factors["carry"][6].norm().item())


def test_an_exploded_run_has_no_ledger_and_an_rnn_neither():
    settings = Flow(spectral_radius=0.0, hidden=16, length=1000, gain=10.0, activation="linear", forget_bias=-3.0)
    book = line_ledger(trajectory("gru", settings))
    assert book.exploded > 100 and np.isnan(book.total).all()
    assert all(np.isnan(a).all() for a in (*book.parts.values(), *book.shares.values()))
    with pytest.raises(InputError, match="cell"):
        ledger("rnn", SETTINGS)


def test_a_carry_far_below_float64_keeps_its_logarithm():
    book = ledger("gru", Flow(spectral_radius=0.0, hidden=4, length=1000, forget_bias=-5.0, gain=1.0, input_scale=0.0))
    z = 1 / (1 + math.exp(-5))
    assert book.product[0] == pytest.approx(1000 * math.log10(1 - z) + math.log10(2), rel=1e-6)
    assert book.product[0] < -2000
