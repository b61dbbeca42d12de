"""What is drawn has the asked statistics, is the same again, and leaves no trace in torch's generator."""

from __future__ import annotations

import math

import pytest
import torch

from spaces.gradient_flow.draw import draw_block, draw_cell, draw_input, spectral_radii
from spaces.gradient_flow.settings import Flow


def test_the_same_settings_draw_the_same_numbers_and_another_seed_others():
    for draw in (draw_input, lambda s: draw_cell("gru", s).U, lambda s: draw_block(s).qkv.weight):
        a, b, c = draw(Flow(hidden=8)), draw(Flow(hidden=8)), draw(Flow(hidden=8, seed=1))
        assert torch.equal(a, b) and not torch.allclose(a, c) and a.dtype == torch.float64


def test_drawing_leaves_torchs_own_generator_alone():
    state = torch.get_rng_state()
    draw_input(Flow()), draw_cell("lstm", Flow()), draw_block(Flow(hidden=8))
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("name", ["rnn", "lstm", "su"])
def test_every_gates_U_has_the_asked_spectral_radius(name):
    settings = Flow(hidden=20, spectral_radius=1.7, gain=0.2)
    radii = torch.linalg.eigvals(draw_cell(name, settings).U).abs().amax(-1)
    torch.testing.assert_close(radii, torch.full_like(radii, 1.7))
    torch.testing.assert_close(spectral_radii(name, settings), radii)


def test_gain_and_input_scale_are_standard_deviations():
    settings = Flow(spectral_radius=0.0, hidden=200, length=400, gain=1.5, input_scale=0.5)
    cell, x = draw_cell("gru", settings), draw_input(settings)
    assert cell.U.std().item() == pytest.approx(1.5 / math.sqrt(200), rel=0.02)
    drives = torch.einsum("ghd,td->tgh", cell.W, x)
    assert drives.std(0).mean().item() == pytest.approx(0.5, rel=0.03)


def test_biases_go_to_the_gates_that_keep_and_the_offset_to_the_candidate():
    settings = Flow(hidden=3, forget_bias=2.5, offset=0.7)
    assert draw_cell("lstm", settings).b[:, 0].tolist() == [0, 2.5, 0.7, 0]
    assert draw_cell("gru", settings).b[:, 0].tolist() == [0, -2.5, 0.7]
    assert draw_cell("su", settings).b[:, 0].tolist() == [0, -2.5, 0.7]
    assert draw_cell("rnn", settings).b[:, 0].tolist() == [0.7]


def test_a_character_is_one_vector_and_the_text_comes_round():
    x = draw_input(Flow(input="text", text="葵朝葵", length=7, hidden=6))
    assert torch.equal(x[0], x[2]) and torch.equal(x[0], x[3]) and torch.equal(x[1], x[4])
    assert not torch.allclose(x[0], x[1])
    constant = draw_input(Flow(input="constant", length=4))
    assert torch.equal(constant[0], constant[3])


def test_a_width_that_four_does_not_divide_has_fewer_heads():
    assert [draw_block(Flow(hidden=h)).heads for h in (1, 6, 8)] == [1, 2, 4]
