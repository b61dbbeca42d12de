"""The settings of the tab's two views: `Pipes`, the network on the tank's floor, and `Tank`, the water above it.

The same objects drive the tab, the link and the API. The article gives the floor (60 × 40 cm), the ceramsite (20 kg of
about 1 cm), the animals and the plants' names; every other default is our assumption and can be changed.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

from shared.experiment import InputError, boolean, choice, number

FLOOR = (0.60, 0.40)
"""The tank's floor in metres (the article's)."""
LAYOUTS = ("h_tree", "comb")
LOSSES = ("full", "laminar")
REMOVALS = ("none", "pump", "ceramsite", "plants")
PIPE_LIMITS = {
    "levels": (1, 8),
    "trunk_mm": (4.0, 50.0),
    "taper": (0.5, 1.0),
    "inlet_mm": (1.0, 30.0),
    "flow": (1.0, 3000.0),
    "grain_mm": (0.0, 50.0),
}
MOST_CHANGES = 60
"""Fixed water changes in one history."""
TANK_LIMITS = {
    "days": (1, 365),
    "depth_cm": (10.0, 80.0),
    "temperature": (5.0, 35.0),
    "ph": (6.0, 9.0),
    "pump_flow": (10.0, 3000.0),
    "ceramsite_kg": (0.0, 40.0),
    "grain_mm": (1.0, 50.0),
    "plants_g": (0.0, 2000.0),
    "turtles": (0, 50),
    "paradise_fish": (0, 100),
    "loaches": (0, 100),
    "stocking_day": (0, 365),
    "dose": (0.0, 10.0),
    "change_every": (1, 365),
    "change_share": (0.0, 1.0),
    "tap_nitrate": (0.0, 50.0),
    "removal_day": (0, 365),
}


@dataclass(frozen=True)
class Pipes:
    """One network of pipes under the ceramsite, drawn empty by a pump at its outlet."""

    layout: str = "h_tree"
    """h_tree: every inlet as far from the outlet as every other; comb: a header with teeth on both sides."""
    levels: int = 4
    """Binary splits, hence 2^levels inlets in either layout."""
    trunk_mm: float = 16.0
    """Inner diameter of the widest pipe: the H-tree's first level, the comb's header."""
    taper: float = 0.8
    """Diameter of a level over that of the level before (Murray's law: 2^(−1/3) = 0.794); the comb's teeth over its
    header."""
    inlet_mm: float = 6.0
    """Diameter of the hole at the end of each branch."""
    flow: float = 300.0
    """What the pump draws, L/h."""
    grain_mm: float = 10.0
    """Grain of the ceramsite that the water converges through; 0 for bare pipes."""
    losses: str = "full"
    """full: laminar and turbulent friction, tees and holes; laminar: Hagen–Poiseuille alone, which is linear."""
    blocked: tuple[str, ...] = ()
    """Numbers of the inlets that are clogged, counted from 0."""

    def __post_init__(self):
        _check(self, {"layout": LAYOUTS, "losses": LOSSES}, PIPE_LIMITS)
        object.__setattr__(self, "blocked", _inlets(self.blocked, 2**self.levels))

    def but(self, **changes: Any) -> Pipes:
        """These settings with some fields changed."""
        return replace(self, **changes)

    def to_json(self) -> str:
        """One JSON object of all fields."""
        return json.dumps(asdict(self), ensure_ascii=False)


@dataclass(frozen=True)
class Tank:
    """One tank and how it is kept."""

    days: int = 120
    depth_cm: float = 30.0
    """Height of the water above the floor, the bed included."""
    temperature: float = 24.0
    """°C, constant."""
    ph: float = 7.5
    """Constant: nothing here models alkalinity."""
    pump: bool = True
    pump_flow: float = 300.0
    """What the pump draws through the bed, L/h."""
    ceramsite_kg: float = 20.0
    grain_mm: float = 10.0
    plants_g: float = 200.0
    """Fresh weight of elodea, hornwort and sweet flag together."""
    turtles: int = 5
    paradise_fish: int = 8
    loaches: int = 4
    stocking_day: int = 0
    """Until this day the animals' food is given without the animals and left to rot (fishless cycling)."""
    dose: float = 0.0
    """Ammonia dosed on day 0, mg N/L."""
    change_every: int = 45
    """Days between water changes; the plants are trimmed back to their first weight on the same day."""
    change_share: float = 0.2
    """Share of the open water that is changed; 0: never."""
    tap_nitrate: float = 1.0
    """Nitrate in tap water, mg N/L."""
    removed: str = "none"
    """What is taken out of the tank on `removal_day`: pump, ceramsite or plants."""
    removal_day: int = 60

    def __post_init__(self):
        boolean("pump", self.pump)
        _check(self, {"removed": REMOVALS}, TANK_LIMITS)
        if self.change_share and self.days > MOST_CHANGES * self.change_every:
            zh, en = f"{self.days} 天内换水不得多于 {MOST_CHANGES} 次。", f"must make at most {MOST_CHANGES} changes."
            raise InputError("change_every", zh, en)
        if self.removed != "none" and self.removal_day >= self.days:
            raise InputError(
                "removal_day",
                f"须早于最后一天（{self.days}）。",
                f"must be before the last day ({self.days}).",
            )

    def but(self, **changes: Any) -> Tank:
        """These settings with some fields changed."""
        return replace(self, **changes)

    def to_json(self) -> str:
        """One JSON object of all fields; `shared.experiment.from_json` reads it."""
        return json.dumps(asdict(self), ensure_ascii=False)


def _check(settings: Any, choices: dict[str, tuple[str, ...]], limits: dict[str, tuple[float, float]]) -> None:
    """InputError for the first field that is none of its choices or outside its limits; numbers get their type."""
    for name, options in choices.items():
        choice(name, getattr(settings, name), options)
    for name, ends in limits.items():
        object.__setattr__(settings, name, number(name, getattr(settings, name), ends))


def read_date(name: str, text: Any) -> date:
    """A date written as 2020-12-01; InputError otherwise."""
    try:
        return text if isinstance(text, date) else date.fromisoformat(str(text).strip())
    except ValueError:
        raise InputError(name, "须为 2020-12-01 这样的日期。", "must be a date such as 2020-12-01.") from None


def _inlets(value: Any, count: int) -> tuple[str, ...]:
    """Numbers of inlets, sorted, each once, not all of them."""
    listed = value if isinstance(value, list | tuple) else (value,)
    wanted = {str(v).strip() for v in listed if not isinstance(v, bool)}
    good = all(v.isascii() and v.isdigit() and len(v) < 4 and int(v) < count for v in wanted)
    if not good or len(wanted) < len(listed) or len(wanted) >= count:
        raise InputError(
            "blocked",
            f"须为 0 到 {count - 1} 之间的进水口编号，不重复，且不能全部堵死。",
            f"must be numbers of inlets from 0 to {count - 1}, each once, and not all of them.",
        )
    return tuple(str(n) for n in sorted(map(int, wanted)))
