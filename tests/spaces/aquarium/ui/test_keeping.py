import dataclasses

import pytest

from shared.experiment import InputError, from_query, from_values
from spaces.aquarium.settings import Tank
from spaces.aquarium.ui.keeping import Mine, Question, Water


@pytest.mark.parametrize("kind", [Water, Question, Mine])
def test_defaults_are_the_tanks_own(kind):
    assert kind().tank() == Tank()


def test_a_link_may_set_fields_that_bind_each_other_in_any_order():
    water, errors = from_query(Water, {"days": "30", "removed": "pump", "removal_day": "10", "change_every": "1"})
    assert not errors and water.tank() == Tank(days=30, removed="pump", removal_day=10, change_every=1)
    water, errors = from_query(Water, {"removed": "pump", "days": "40"})  # 60 ≥ 40, told when the tank is built
    assert not errors
    with pytest.raises(InputError, match="removal_day"):
        water.tank()


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (Water, "ration", 0.2),
        (Water, "start", "tomorrow"),
        (Water, "temperature", 99),
        (Water, "change_share", 1.5),
        (Water, "removed", "fish"),
        (Question, "draws", 7),
        (Question, "closer", "none"),
        (Question, "quantity", "iron"),
        (Mine, "unit", "ppm"),
        (Mine, "calm", 0),
        (Mine, "free", ()),
    ],
)
def test_bad_values_are_named(kind, field, value):
    with pytest.raises(InputError) as caught:
        kind(**{field: value})
    assert caught.value.field == field


def test_knob_values_become_settings_and_an_emptied_knob_its_default():
    values = list(dataclasses.astuple(Mine(temperature=20.0)))
    values[[f.name for f in dataclasses.fields(Mine)].index("free")] = ["ration"]
    values[0] = None
    assert from_values(Mine, tuple(values)) == Mine(temperature=20.0, free=("ration",))
