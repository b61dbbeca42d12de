"""What a pipe costs: pressure lost to friction (laminar, transitional, turbulent), to tees and holes, and in the bed.

Friction is Darcy–Weisbach with Churchill's factor (1977), one formula for every Reynolds number, which is 64/Re below
about 2,000 and Colebrook's above about 4,000. Tees and holes take K ρ v²/2 with handbook values of K for turbulent
flow, whatever part of it joins there; at small Reynolds numbers the true K is larger.
"""

from __future__ import annotations

import numpy as np

DENSITY = 997.0
"""kg/m³, water at 25 °C."""
VISCOSITY = 8.9e-4
"""Pa s, water at 25 °C."""
ROUGHNESS = 1.5e-6
"""m, drawn plastic pipe."""
POROSITY = 0.45
"""Of a bed of loose, roughly round grains."""
K_BRANCH = 1.0
"""Tee, flow through the branch, on the branch's velocity (handbooks: 1.0 flanged, 2.0 threaded)."""
K_RUN = 0.2
"""Tee, flow straight on (handbooks: 0.2 flanged, 0.9 threaded)."""
K_HOLE = 2.7
"""A sharp-edged hole: 1/C_d² with a discharge coefficient of 0.61."""


def reynolds(flow: np.ndarray, diameter: np.ndarray) -> np.ndarray:
    """Re = 4 ρ |Q| / (π D μ) for Q in m³/s and D in m."""
    return 4 * DENSITY * np.abs(flow) / (np.pi * diameter * VISCOSITY)


def friction_factor(re: np.ndarray, relative_roughness: np.ndarray | float) -> np.ndarray:
    """Churchill's Darcy friction factor for Re > 0 (Chemical Engineering 84, 1977, 91–92)."""
    re = np.maximum(np.asarray(re, float), 1e-12)
    safe = np.maximum(re, 1.0)  # below Re = 1 the second term is zero, and its powers would overflow
    a = (-2.457 * np.log((7 / safe) ** 0.9 + 0.27 * relative_roughness)) ** 16
    b = (37530 / safe) ** 16
    return 8 / re * (8.0**12 + re**12 * (a + b) ** -1.5) ** (1 / 12)


def resistance(length: np.ndarray, diameter: np.ndarray) -> np.ndarray:
    """Hagen–Poiseuille's 128 μ L / (π D⁴), Pa per m³/s."""
    return 128 * VISCOSITY * length / (np.pi * diameter**4)


def pipe_loss(flow: np.ndarray, length: np.ndarray, diameter: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Pressure lost in pipes of some length and diameter with fittings of K, Pa; odd in the flow (m³/s)."""
    factor = friction_factor(reynolds(flow, diameter), ROUGHNESS / diameter)
    velocity = flow / (np.pi * diameter**2 / 4)
    return (factor * length / diameter + k) * DENSITY * velocity * np.abs(velocity) / 2


def permeability(grain: float) -> float:
    """Kozeny–Carman's d² ε³ / (180 (1 − ε)²) of a bed of grains, m²."""
    return grain**2 * POROSITY**3 / (180 * (1 - POROSITY) ** 2)


def bed_resistance(grain: float, hole: float) -> float:
    """Pa per m³/s of water that converges through a bed, from all of the half-space above, on a hole: μ/(2π k r)."""
    return VISCOSITY / (2 * np.pi * permeability(grain) * hole / 2) if grain else 0.0
