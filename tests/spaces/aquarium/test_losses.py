"""Friction against the laws that it joins: Hagen–Poiseuille, Blasius, Colebrook."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from spaces.aquarium import losses


@pytest.mark.parametrize("re", [1e-6, 0.5, 1.0, 30.0, 500.0, 1500.0])
def test_laminar_is_64_over_re(re):
    assert losses.friction_factor(re, 1e-4) == pytest.approx(64 / re, rel=1e-3 if re > 1000 else 1e-9)


@pytest.mark.parametrize("re", [1e4, 5e4])
def test_smooth_turbulent_is_near_blasius(re):
    assert losses.friction_factor(re, 0) == pytest.approx(0.3164 / re**0.25, rel=0.05)


@pytest.mark.parametrize("re", [1e4, 1e5, 1e6])
@pytest.mark.parametrize("rough", [1e-5, 1e-4, 1e-3, 1e-2])
def test_turbulent_is_near_colebrook(re, rough):
    def colebrook(f):
        return 1 / np.sqrt(f) + 2 * np.log10(rough / 3.7 + 2.51 / (re * np.sqrt(f)))

    assert losses.friction_factor(re, rough) == pytest.approx(brentq(colebrook, 1e-3, 1), rel=0.03)


def test_slow_pipe_is_hagen_poiseuille():
    length, diameter, flow = np.array([0.3]), np.array([0.016]), np.array([1e-7])
    exact = losses.resistance(length, diameter) * flow
    assert losses.pipe_loss(flow, length, diameter, np.zeros(1)) == pytest.approx(exact, rel=1e-9)


@given(st.floats(1e-9, 1e-3), st.floats(1.0001, 3), st.floats(0.004, 0.05), st.floats(0, 3))
def test_loss_is_odd_and_grows_with_the_flow(flow, factor, diameter, k):
    flows = np.array([flow, flow * factor])
    lost = losses.pipe_loss(flows, np.array(0.2), np.array(diameter), np.array(k))
    assert lost[1] > lost[0] > 0
    assert losses.pipe_loss(-flows, np.array(0.2), np.array(diameter), np.array(k)) == pytest.approx(-lost)


def test_no_flow_no_loss():
    assert losses.pipe_loss(np.zeros(1), np.array([0.2]), np.array([0.01]), np.array([1.0])) == 0


def test_reynolds_number_of_a_known_flow():
    area = np.pi * 0.016**2 / 4
    re = losses.DENSITY * 0.5 * 0.016 / losses.VISCOSITY  # 0.5 m/s
    assert losses.reynolds(np.array(0.5 * area), np.array(0.016)) == pytest.approx(re)


def test_bed_resistance_is_a_sink_in_half_space():
    # p(r) = μ q / (2π k r) for a hemispherical sink: integrate Darcy's law outwards from the hole
    grain, hole, flow = 0.01, 0.006, 1e-6
    r = np.geomspace(hole / 2, 1e4, 200_001)
    gradient = losses.VISCOSITY / losses.permeability(grain) * flow / (2 * np.pi * r**2)
    assert losses.bed_resistance(grain, hole) * flow == pytest.approx(np.trapezoid(gradient, r), rel=1e-3)
    assert losses.bed_resistance(0.0, hole) == 0
