"""Rates of straight lines, robustness to a bent beginning and to outliers, regimes and predictions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from spaces.gradient_flow import half_life
from spaces.gradient_flow.draw import draw_cell, draw_input
from spaces.gradient_flow.settings import Flow


def powers(base: float, steps: int) -> np.ndarray:
    """log10 of base^(T − t)."""
    return math.log10(base) * np.arange(steps, 0, -1)


def test_a_power_has_the_half_life_of_its_base():
    assert half_life.half_life(half_life.rate(powers(0.9, 50))) == pytest.approx(math.log(2) / -math.log(0.9))
    assert half_life.rate(powers(1.1, 7)) == pytest.approx(math.log10(1.1))
    assert half_life.half_life(half_life.rate(powers(1.1, 50))) == math.inf
    assert half_life.rate(powers(0.5, 2)) == pytest.approx(math.log10(0.5))


def test_neither_a_bent_beginning_nor_single_steps_move_the_rate():
    norms = powers(0.9, 200)
    norms[-20:] += np.linspace(0, 3, 20)
    norms[[50, 80, 81]] -= 40
    assert half_life.rate(norms) == pytest.approx(math.log10(0.9), rel=0.02)


def test_zeros_are_lost_at_once_and_nan_stays():
    norms = powers(0.9, 40)
    norms[:30] = -np.inf
    assert half_life.half_life(half_life.rate(norms)) == 0
    assert math.isnan(half_life.half_life(half_life.rate(np.full(10, np.nan))))
    norms = powers(0.9, 40)
    norms[:5] = -np.inf  # a few zeros far back: the rest has a half-life
    assert half_life.half_life(half_life.rate(norms)) == pytest.approx(math.log(2) / -math.log(0.9), rel=0.1)


def test_regimes_count_a_decade_over_the_length():
    assert half_life.regime(-0.011, 100) == "vanish"
    assert half_life.regime(-0.009, 100) == half_life.regime(0.009, 100) == "stable"
    assert half_life.regime(0.011, 100) == half_life.regime(math.nan, 100) == "explode"


def test_the_forget_bias_predicts_the_powers_of_its_sigmoid():
    rate = half_life.predicted_rate("lstm", 2.0, 0.0)
    assert 10**rate == pytest.approx(1 / (1 + math.exp(-2)))
    assert half_life.predicted_rate("rnn", 2.0, 0.9) == pytest.approx(math.log10(0.9))
    assert half_life.predicted_rate("rnn", 0.0, 0.0) == -math.inf
    assert half_life.predicted_rate("transformer", 0.0, 0.0) is None


def test_gates_that_never_move_give_the_half_life_of_the_bias():
    settings = Flow(spectral_radius=0.0, hidden=4, length=20, gain=0.0, input_scale=0.0, forget_bias=1.5)
    for name in ("lstm", "gru", "su"):
        line = draw_cell(name, settings).run(draw_input(settings))
        predicted = half_life.half_life(half_life.predicted_rate(name, 1.5, 0.0))
        assert half_life.by_the_gates(line) == pytest.approx(predicted)
    assert half_life.by_the_gates(draw_cell("rnn", settings).run(draw_input(settings))) is None
