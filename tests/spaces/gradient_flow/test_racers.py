"""The racers: answers are the cells' own, half-lives have closed forms, a cut path hands back no gradient."""

from __future__ import annotations

import math

import pytest
import torch

from spaces.gradient_flow.cells import GATES
from spaces.gradient_flow.race import Race, draw
from spaces.gradient_flow.racers import PATHS, Attending, make
from spaces.gradient_flow.settings import CELLS

SMALL = Race(cells=CELLS, hidden=8, delay=5, batch_size=3, gain=1.0, forget_bias=1.0)
BATCH = draw(SMALL, 1)
STEPS = len(BATCH.x)


def gradients(racer, cut=()) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """∂(Σ z²) by parameter, and where the inputs enter."""
    racer.zero_grad()
    z, driven = racer(BATCH.x, len(BATCH.y), cut)
    driven.retain_grad()
    z.square().sum().backward()
    return {n: p.grad for n, p in racer.named_parameters() if p.grad is not None}, driven.grad


@pytest.mark.parametrize("name", list(GATES))
def test_answers_are_read_from_the_last_outputs(name):
    racer = make(name, SMALL)
    z, _ = racer(BATCH.x, 2)
    h = racer.cell.run(BATCH.x[:, 1]).states[-2:, 0]  # the second sequence alone
    assert torch.allclose(z[:, 1], h @ racer.readout.T + racer.bias, atol=1e-5)


def test_the_start_depends_on_the_seed():
    one, same, other = (make("gru", SMALL.but(seed=seed)).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[k], same[k]) for k in one)
    assert not torch.equal(one["U"], other["U"]) and not torch.equal(one["W"], other["W"])


def test_the_forget_bias_opens_the_carry():
    assert (make("lstm", SMALL.but(forget_bias=3.0)).b[1] == 3).all()
    assert (make("gru", SMALL.but(forget_bias=3.0)).b[1] == -3).all()


@pytest.mark.parametrize("gain", [0.5, 2.0])
def test_the_gain_is_the_spread_of_u(gain):
    U = make("lstm", SMALL.but(gain=gain, hidden=64)).U.detach()
    assert float(U.std()) == pytest.approx(gain / 8, rel=0.03)


@pytest.mark.parametrize(("factor", "steps"), [(0.5, 1.0), (0.5**0.25, 4.0), (1.0, math.inf), (1.5, math.inf)])
def test_half_life_of_a_linear_cell_is_that_of_its_powers(factor, steps):
    racer = make("rnn_relu", SMALL)
    with torch.no_grad():
        racer.U.copy_(factor * torch.eye(8))
        racer.W.zero_()
        racer.b.fill_(1)  # every unit is active: ∂s_T/∂s_t = factor^(T−t)
    found = racer.half_life(BATCH.x[:, 0])
    assert found == pytest.approx(steps, rel=1e-5) if steps < math.inf else found > 1e5


def test_half_life_of_cells_without_recurrence_is_their_gates():
    racer = make("su", SMALL)
    with torch.no_grad():
        racer.U.zero_()
        racer.W.zero_()
    kept = 1 / (1 + math.exp(-1))  # forget_bias 1
    assert racer.half_life(BATCH.x[:, 0]) == pytest.approx(math.log(2) / -math.log(kept), rel=1e-4)


def test_half_life_leaves_the_racer_as_it_was():
    for name in CELLS:
        racer = make(name, SMALL)
        before = {k: v.clone() for k, v in racer.state_dict().items()}
        assert racer.half_life(BATCH.x[:, 0]) >= 0
        assert all(torch.equal(v, before[k]) and v.dtype == torch.float32 for k, v in racer.state_dict().items())


@pytest.mark.parametrize("name", CELLS)
def test_values_flow_through_every_cut(name):
    racer = make(name, SMALL)
    whole = racer(BATCH.x, 2)[0]
    for path in PATHS[name]:
        assert torch.allclose(racer(BATCH.x, 2, {path})[0], whole, atol=1e-6)
    assert torch.allclose(racer(BATCH.x, 2, set(PATHS[name]))[0], whole, atol=1e-6)


@pytest.mark.parametrize("name", CELLS)
def test_with_every_path_cut_nothing_reaches_the_past(name):
    racer = make(name, SMALL)
    _, arrived = gradients(racer, set(PATHS[name]))
    asked = len(BATCH.y)
    assert not arrived[: STEPS - asked].any() and arrived[STEPS - asked :].any()
    assert gradients(racer)[1][0].any()


def test_a_cut_gate_is_the_gradient_by_hand():
    racer = make("lstm", SMALL)
    found, _ = gradients(racer, {"forget"})
    W, U, b = (p.detach().clone().requires_grad_() for p in (racer.W, racer.U, racer.b))
    h, c, outputs = torch.zeros(3, 8), torch.zeros(3, 8), []
    for x in BATCH.x:
        i, f, g, o = (x @ W[k].T + (h.detach() if k == 1 else h) @ U[k].T + b[k] for k in range(4))
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        outputs.append(h)
    racer.answer(torch.stack(outputs[-2:])).square().sum().backward()
    for name, p in (("W", W), ("U", U), ("b", b)):
        assert torch.allclose(found[name], p.grad, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(found["U"], gradients(racer)[0]["U"], rtol=1e-2)


def test_only_the_carry_left_is_the_product_of_forget_gates():
    racer = make("lstm", SMALL)
    z, drive = racer(BATCH.x, 1, {"input", "forget", "candidate", "output"})
    found = torch.autograd.grad(z.sum(), drive)[0][0, 0, 2]  # at the first step's candidate, first sequence
    line = racer.cell.run(BATCH.x[:, 0])
    at_c = racer.readout.sum(0) * line.factors["c→h"][-1] * line.factors["carry"][1:].prod(0)
    assert torch.allclose(found, at_c * line.factors["candidate"][0], rtol=1e-3, atol=1e-7)


def test_a_block_without_attention_learns_from_its_last_inputs():
    racer = make("transformer", SMALL)
    assert isinstance(racer, Attending)
    found, arrived = gradients(racer, {"attention"})
    assert not arrived[:-2].any() and "block.qkv.weight" not in found and found["block.out.weight"].any()
    assert gradients(racer)[0]["block.qkv.weight"].any()  # the hook of the cut is gone
