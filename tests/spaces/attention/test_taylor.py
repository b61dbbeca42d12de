"""The even Taylor polynomials of exp: positive, with the minima that another library finds, monotone once clamped."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
import torch

from shared.experiment import InputError
from spaces.attention.taylor import ORDERS, Even, clamped, minimum, taylor, weights, zero

MINIMA = {  # n: x_n, f_n(x_n), from mpmath with 40 digits
    2: ("-1", "0.5"),
    4: ("-1.59607163798332152311280541440", "0.270394765205184607962459613383"),
    6: ("-2.18060712403512590449783592699", "0.149324841731051193141512429094"),
    8: ("-2.75900270996227185658254092307", "0.0832715201640688785797079"),
    10: ("-3.33355148526904880329427391633", "0.0466991135902762314562047533234"),
    12: ("-3.90545175761691044055555951332", "0.0262856285315718690020523811958"),
    14: ("-4.47541195467675672000878724882", "0.0148338503930551255413583526551"),
    16: ("-5.04388707261345721140810191267", "0.00838737537017857773130545005237"),
    18: ("-5.61118734014093522647703053398", "0.00474946636245683197877433300899"),
    20: ("-6.17753407828588123148956129345", "0.00269264054095442566301988491683"),
}


@pytest.mark.parametrize("n", ORDERS)
def test_minima_are_known_to_many_digits(n):
    x, value = (Decimal(text) for text in MINIMA[n])
    found = minimum(n)
    assert abs(found.x - x) < Decimal("1e-24") and abs(found.value - value) < Decimal("1e-24")


@pytest.mark.parametrize("n", ORDERS)
def test_even_ones_are_positive_and_smallest_where_it_says(n):
    x = np.linspace(-12, 4, 4001)
    values = taylor(x, n)
    low = minimum(n)
    assert values.min() >= float(low.value) * (1 - 1e-9) and values.min() < 1.001 * float(low.value)
    assert x[values.argmin()] == pytest.approx(float(low.x), abs=0.005)


@pytest.mark.parametrize("n", [1, 3, 9, 19])
def test_odd_ones_turn_negative_left_of_their_zero(n):
    root = zero(n)
    assert taylor(root - 0.01, n) < 0 < taylor(root + 0.01, n)
    assert zero(n + 1) is None


@pytest.mark.parametrize("n", ORDERS)
def test_clamped_never_falls_and_equals_f_right_of_the_minimum(n):
    x = np.linspace(-15, 4, 2001)
    held = clamped(x, n)
    assert (np.diff(held) >= 0).all() and held[0] == pytest.approx(float(minimum(n).value), rel=1e-9)
    right = x > float(minimum(n).x)
    assert np.array_equal(held[right], taylor(x[right], n))


def test_the_derivative_is_the_polynomial_below():
    x = torch.linspace(-3, 3, 7, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(taylor(x, 6).sum(), x)
    assert torch.allclose(slope, taylor(x.detach(), 5))


def test_minima_shrink_and_move_left_by_the_zero_of_szegos_curve():
    found = [minimum(n) for n in ORDERS]
    assert all(b.x < a.x and b.value < a.value for a, b in pairwise(found))
    # roots of the sections of exp divided by n tend to −W(1/e) = −0.27846 on the real line (Szegő 1924)
    step = float(found[-1].x - found[-2].x) / 2
    assert step == pytest.approx(-0.27846, abs=0.006)


def test_a_score_of_minus_ten_beats_one_of_zero_unless_clamped():
    found = weights(np.array([-10.0, 0.0]), 2)
    assert found["taylor"][0] == pytest.approx(41 / 42)
    assert found["clamped"][0] == pytest.approx(0.5 / 1.5)
    assert found["softmax"][0] < 1e-4
    assert all(share.sum() == pytest.approx(1) for share in found.values())


def test_softmax_alone_does_not_notice_a_shift():
    plain, shifted = (weights(Even(scores="1, 2, 3", shift=s).values(), 2) for s in (0.0, -5.0))
    assert np.allclose(plain["softmax"], shifted["softmax"])
    assert plain["taylor"].argmax() == 2 and shifted["taylor"].argmax() == 0


@pytest.mark.parametrize(
    "field, settings",
    [
        ("order", {"order": 0}),
        ("order", {"order": 2.5}),
        ("left", {"left": 1.0}),
        ("scores", {"scores": "1"}),
        ("scores", {"scores": "1, x"}),
        ("scores", {"scores": "1, nan"}),
        ("scores", {"scores": "1, 1e9"}),
        ("shift", {"shift": 99}),
    ],
)
def test_bad_settings_are_named(field, settings):
    with pytest.raises(InputError) as error:
        Even(**settings)
    assert error.value.field == field


def test_only_even_orders_have_a_minimum():
    for n in (0, 3):
        with pytest.raises(InputError):
            minimum(n)
