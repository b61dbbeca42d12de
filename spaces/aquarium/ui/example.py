"""A made-up tank's readings: the model itself under other parameters, with a test kit's error; and an empty form."""

from __future__ import annotations

import numpy as np

from spaces.aquarium.fit import FLOOR, SHARE
from spaces.aquarium.readings import SERIES
from spaces.aquarium.settings import Tank
from spaces.aquarium.tank import simulate

TRUTH = {"ration": 0.014, "seed": 3e-4}
"""What the made-up tank has and a fit should find; every other parameter is at its default."""
SETTINGS = {"stocking_day": 60, "change_share": 0.5, "days": 150}
"""How it is kept: empty at first, and the keeper asks when fish may come."""
SHORT, LONG = 16, 28
"""Days of readings: before nitrite has peaked, and after the cycle is over."""
HEADER = "day,ammonia,nitrite,nitrate"


def made_up(last: int = SHORT, seed: int = 0) -> str:
    """CSV of readings every other day up to the last, mg N/L, each with a kit's error."""
    run, chance = simulate(Tank(**SETTINGS), TRUTH), np.random.default_rng(seed)
    rows = [HEADER]
    for day in range(0, last + 1, 2):
        true = np.array([np.interp(day, run.day, run.concentration(name)) for name in SERIES])
        read = np.maximum(true + chance.normal(0, FLOOR + SHARE * true), 0)
        rows.append(",".join([str(day), *(f"{v:.1f}" for v in read)]))
    return "\n".join(rows) + "\n"


def template() -> str:
    """CSV with the header and a month of empty rows."""
    return "\n".join([HEADER, *(f"{day},,," for day in range(0, 31, 3))]) + "\n"
