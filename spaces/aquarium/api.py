"""The tab's API as plain Python: `aquarium_simulate(settings as JSON)`."""

from __future__ import annotations

import json
import math
from dataclasses import asdict

import numpy as np

from shared.experiment import InputError, from_json
from spaces.aquarium.figures import destinations
from spaces.aquarium.parameters import values
from spaces.aquarium.settings import Tank
from spaces.aquarium.tank import alarms, simulate
from spaces.aquarium.water import LIMITS

MOST_CHARACTERS = 10_000
NOTE = "This is the project's model with parameters from the literature or assumed; the article measured nothing."


def aquarium_simulate(settings: str) -> dict:
    """One tank's history from a JSON object of `Tank` fields and, optionally, "parameters": {name: value}.

    Returns {"day", "tan", "nh3", "no2", "no3", "oxygen", "bed_oxygen", "alkalinity_used" (lists; mg N/L, oxygen mg/L,
    null where there is no bed, alkalinity mmol/L of the tap water's), "alarms" [{name, level, first, last, peak}],
    "limits" {name: {caution, harm}}, "water_changed" (days), "nitrogen_mg" (where it all is at the end), "ledger_mg",
    "imbalance" (relative), "settings", "note"}.
    """
    tank, changes = _read(settings)
    run = simulate(tank, changes)
    series = ("day", "tan", "nh3", "no2", "no3", "oxygen", "bed_oxygen", "alkalinity_used")
    return {
        **{name: _list(getattr(run, name)) for name in series},
        "alarms": [asdict(a) for a in alarms(run)],
        "limits": {name: {"caution": e.caution, "harm": e.harm} for name, e in LIMITS.items()},
        "water_changed": list(run.renewed),
        "nitrogen_mg": destinations(run),
        "ledger_mg": run.ledger,
        "imbalance": run.imbalance,
        "settings": asdict(tank),
        "note": NOTE,
    }


def _read(settings: str) -> tuple[Tank, dict[str, float]]:
    """The tank and the changed parameters; InputError names what is wrong."""
    if not isinstance(settings, str):
        raise InputError("settings", "须为一段 JSON 文本。", "must be JSON text.")
    if len(settings) > MOST_CHARACTERS:
        zh, en = f"不得超过 {MOST_CHARACTERS} 个字符。", f"must be at most {MOST_CHARACTERS} characters."
        raise InputError("settings", zh, en)
    try:
        given = json.loads(settings) if settings.strip() else {}
    except json.JSONDecodeError:
        given = None
    except RecursionError:
        raise InputError("settings", "嵌套太深。", "is nested too deeply.") from None
    if not isinstance(given, dict) or "parameters" not in given:
        return from_json(Tank, settings), {}
    changes = given.pop("parameters")
    if not isinstance(changes, dict):
        raise InputError("parameters", "须为一个 JSON 对象。", "must be one JSON object.")
    values(changes)
    return from_json(Tank, json.dumps(given)), changes


def _list(series: np.ndarray) -> list[float | None]:
    """Numbers of six significant digits, None where there is none."""
    return [float(f"{v:.6g}") if math.isfinite(v) else None for v in series.tolist()]
