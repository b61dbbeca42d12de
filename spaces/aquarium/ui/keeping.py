"""The settings of the tab's views of one tank: `Tank` as a keeper turns it, and what each view asks about it.

A link sets one field at a time, so limits that bind two fields are only checked when the tank is built.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from shared.experiment import choice, choices, number
from spaces.aquarium.fit import DEFAULT_FREE, FREE
from spaces.aquarium.keeper_figures import QUANTITIES
from spaces.aquarium.parameters import PARAMETERS
from spaces.aquarium.readings import UNITS
from spaces.aquarium.settings import REMOVALS, Tank, read_date
from spaces.aquarium.verdicts import DRAWS, REMOVED, SITUATIONS

RATION = (0.0, 0.1)
"""Dry feed per body weight and day, g/g."""


@dataclass(frozen=True)
class Keeping:
    """A tank's fields that every view has, the complete tank's pump not among them; defaults are Tank's."""

    days: int = Tank.days
    turtles: int = Tank.turtles
    paradise_fish: int = Tank.paradise_fish
    loaches: int = Tank.loaches
    pump_flow: float = Tank.pump_flow
    ceramsite_kg: float = Tank.ceramsite_kg
    grain_mm: float = Tank.grain_mm
    plants_g: float = Tank.plants_g
    depth_cm: float = Tank.depth_cm
    temperature: float = Tank.temperature
    ph: float = Tank.ph
    stocking_day: int = Tank.stocking_day
    dose: float = Tank.dose
    change_every: int = Tank.change_every
    change_share: float = Tank.change_share
    tap_nitrate: float = Tank.tap_nitrate

    def __post_init__(self):
        number("change_share", self.change_share, (0.0, 1.0))
        alone = Tank(**self._of_tank() | {"change_share": 0.0, "removed": "none"})
        for name in set(self._of_tank()) - {"change_share", "removed"}:
            object.__setattr__(self, name, getattr(alone, name))

    def _of_tank(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(Tank) if hasattr(self, f.name)}

    def tank(self) -> Tank:
        """The tank; InputError where two fields contradict each other."""
        return Tank(**self._of_tank())


@dataclass(frozen=True)
class Water(Keeping):
    """One tank's history."""

    pump: bool = Tank.pump
    ration: float = PARAMETERS["ration"].value
    removal_day: int = Tank.removal_day
    removed: str = Tank.removed
    start: str = "2020-12-01"
    """The date of day 0."""

    def __post_init__(self):
        super().__post_init__()
        choice("removed", self.removed, REMOVALS)
        object.__setattr__(self, "ration", number("ration", self.ration, RATION))
        object.__setattr__(self, "start", read_date("start", self.start).isoformat())


@dataclass(frozen=True)
class Question(Keeping):
    """What the author's verdict is tried on."""

    ration: float = PARAMETERS["ration"].value
    removal_day: int = Tank.removal_day
    situation: str = SITUATIONS[0]
    quantity: str = "no2"
    """What is drawn of the four tanks."""
    closer: str = "ceramsite"
    """The removal whose deciding parameters are shown."""
    draws: int = DRAWS
    seed: int = 0

    def __post_init__(self):
        super().__post_init__()
        choice("situation", self.situation, SITUATIONS)
        choice("quantity", self.quantity, tuple(QUANTITIES))
        choice("closer", self.closer, REMOVED)
        object.__setattr__(self, "ration", number("ration", self.ration, RATION))
        object.__setattr__(self, "draws", number("draws", self.draws, (8, 256)))
        object.__setattr__(self, "seed", number("seed", self.seed, (0, 2**31 - 1)))


@dataclass(frozen=True)
class Mine(Keeping):
    """A keeper's own tank, and how the readings are read."""

    pump: bool = Tank.pump
    start: str = "2020-12-01"
    """The date of day 0, unless the readings have dates."""
    unit: str = "n"
    calm: int = 3
    """Days that NH₃ and nitrite must have stayed below caution before fish are added."""
    free: tuple[str, ...] = DEFAULT_FREE
    """The parameters that are fitted."""

    def __post_init__(self):
        super().__post_init__()
        choice("unit", self.unit, UNITS)
        object.__setattr__(self, "start", read_date("start", self.start).isoformat())
        object.__setattr__(self, "calm", number("calm", self.calm, (1, 30)))
        object.__setattr__(self, "free", choices("free", self.free, FREE))
