import json

import pytest

from shared.experiment import InputError
from spaces.aquarium.api import aquarium_simulate


def test_default_tank_as_plain_json():
    out = aquarium_simulate("")
    assert json.loads(json.dumps(out, allow_nan=False)) == out
    series = [out[name] for name in ("day", "tan", "nh3", "no2", "no3", "oxygen", "bed_oxygen")]
    assert {len(s) for s in series} == {len(out["day"])} and out["day"][0] == 0 and out["day"][-1] == 120
    assert abs(out["imbalance"]) < 1e-6 and "measured nothing" in out["note"]
    assert {a["name"] for a in out["alarms"]} == {"nh3", "no2", "no3"}
    assert out["settings"]["ceramsite_kg"] == 20 and out["water_changed"] == [45, 90]
    ledger = out["ledger_mg"]
    assert sum(out["nitrogen_mg"].values()) == pytest.approx(ledger["start"] + ledger["food"] + ledger["tap"])


def test_settings_and_parameters_are_used():
    out = aquarium_simulate('{"days": 10, "ceramsite_kg": 0, "parameters": {"seed": 0, "nob_growth": 1.0}}')
    assert out["day"][-1] == 10 and set(out["bed_oxygen"]) == {None} and max(out["no2"]) == 0


@pytest.mark.parametrize(
    "text, field",
    [
        ("{", "settings"), ("[]", "settings"), ("[" * 9_999, "settings"), ("x" * 10_001, "settings"),
        (None, "settings"), (3, "settings"),
        ('{"x": 1}', "x"), ('{"days": 0}', "days"), ('{"ph": "7"}', "ph"), ('{"ph": NaN}', "ph"),
        ('{"pump": 1}', "pump"), ('{"parameters": 3}', "parameters"), ('{"parameters": {"x": 1}}', "x"),
        ('{"parameters": {"seed": -1}}', "seed"),
        ('{"parameters": {"seed": NaN}}', "seed"), ('{"parameters": {}, "days": 1e99}', "days"),
        ('{"removed": "pump", "removal_day": 120}', "removal_day"),
    ],
)  # fmt: skip
def test_bad_input_is_named(text, field):
    with pytest.raises(InputError) as error:
        aquarium_simulate(text)
    assert error.value.field == field
