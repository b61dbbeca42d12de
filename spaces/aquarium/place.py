"""What of a tank stands still between two events: volumes, surfaces, the exchange of water, and what is fed."""

from __future__ import annotations

from dataclasses import dataclass

from spaces.aquarium.losses import POROSITY, permeability
from spaces.aquarium.parameters import Values
from spaces.aquarium.settings import FLOOR, Tank

AREA = FLOOR[0] * FLOOR[1]
"""m²"""
EXPANSION, THERMAL_DIFFUSIVITY, KINEMATIC_VISCOSITY = 2.3e-4, 2e-7, 9e-7
"""Water's at 24 °C, 1/K and m²/s; the diffusivity is that of a wet bed."""
DIFFUSION = 1.0e-4
"""m²/d, of ions and oxygen in a wet bed: about 0.6 of the free 1.7e-4."""
HANDFUL = 0.1
"""L of ceramsite below which there is no bed to speak of."""
ONSET = 39.5
"""Rayleigh number at which a porous layer heated from below begins to convect: 4π²."""


@dataclass(frozen=True)
class Place:
    """Volumes in L, surfaces in m² (glass and leaves already weighed against ceramsite), exchange in L/d."""

    open: float
    bed: float
    bed_surface: float
    glass_surface: float
    exchange: float


def place(tank: Tank, v: Values) -> Place:
    """Volumes, surfaces and exchange of a tank as it is now; the bed takes at most four fifths of the depth."""
    gross = 1000 * AREA * tank.depth_cm / 100
    heap = min(1000 * tank.ceramsite_kg / v["bulk_density"], 0.8 * gross)  # L, grains and pores
    heap = heap if heap >= HANDFUL else 0.0
    surface = 6 * (1 - POROSITY) / (tank.grain_mm / 1000) * heap / 1000
    walls = 2 * (FLOOR[0] + FLOOR[1]) * tank.depth_cm / 100 + (0 if heap else AREA)
    glass = v["glass_share"] * (walls + v["leaf_area"] * tank.plants_g)
    return Place(gross - heap, POROSITY * heap, surface, glass, exchange(tank, v, heap) if heap else 0.0)


def exchange(tank: Tank, v: Values, heap: float) -> float:
    """Water that open tank and bed swap, L/d: the pump's; without it diffusion, digging and buoyant convection."""
    if tank.pump:
        return 24 * tank.pump_flow * v["through"]
    height = heap / 1000 / AREA
    return 1000 * AREA * (DIFFUSION / (height / 2) + v["stirring"] + convection(tank, v, height))


def rayleigh(tank: Tank, v: Values, height: float) -> float:
    """Rayleigh number of the bed, whose top is colder than its floor: k g β ΔT H / (ν κ)."""
    return _buoyant(tank, v) * height / THERMAL_DIFFUSIVITY


def convection(tank: Tank, v: Values, height: float) -> float:
    """Water that a temperature step turns over in the bed, m/d: none below the onset, ours in its scale."""
    number = rayleigh(tank, v, height)
    return 86400 * v["convection_share"] * _buoyant(tank, v) * (1 - ONSET / number) if number > ONSET else 0.0


def _buoyant(tank: Tank, v: Values) -> float:
    """Darcy velocity of buoyancy, k g β ΔT / ν, m/s."""
    k = permeability(tank.grain_mm / 1000)
    return k * 9.81 * EXPANSION * v["convection_kelvin"] / KINEMATIC_VISCOSITY


def food(tank: Tank, v: Values) -> float:
    """Dry food a day, g."""
    weight = tank.turtles * v["turtle_g"] + tank.paradise_fish * v["paradise_fish_g"] + tank.loaches * v["loach_g"]
    return v["ration"] * weight


def feed_nitrogen(tank: Tank, v: Values) -> float:
    """Nitrogen of the daily food, mg."""
    return 1000 * 0.16 * v["protein"] * food(tank, v)


def plant_nitrogen(tank: Tank, v: Values) -> float:
    """Nitrogen of the plants as planted, mg."""
    return 1000 * tank.plants_g * v["dry_share"] * v["plant_nitrogen"]


def capacities(here: Place, v: Values) -> tuple[float, float, float, float]:
    """Most biomass N of AOB and NOB that the open water's surfaces and the bed's carry, mg."""
    aob = 1000 * v["areal_rate"] * v["aob_yield"] / v["aob_growth"]
    nob = 1000 * v["areal_rate"] * v["nob_yield"] / v["nob_growth"]
    return aob * here.glass_surface, nob * here.glass_surface, aob * here.bed_surface, nob * here.bed_surface
