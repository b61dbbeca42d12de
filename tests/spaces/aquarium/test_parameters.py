import math

import pytest

from shared.experiment import InputError
from spaces.aquarium.parameters import PARAMETERS, defaults, values


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_row_is_whole(name):
    p = PARAMETERS[name]
    assert 0 <= p.low <= p.value <= p.high and p.low < p.high
    assert all((p.unit, p.zh, p.en, p.source))


def test_changes_replace_defaults():
    assert values({"seed": 0.5}) == {**defaults(), "seed": 0.5}
    assert values(None) == defaults()


@pytest.mark.parametrize(
    "name, value",
    [("bogus", 1), ("seed", -1), ("seed", math.nan), ("seed", "1"), ("seed", True), ("seed", math.inf), ("seed", None)],
)
def test_bad_changes_are_named(name, value):
    with pytest.raises(InputError) as error:
        values({name: value})
    assert error.value.field == name


def test_food_is_not_shared_out_twice():
    assert PARAMETERS["excreted"].value + PARAMETERS["retained"].value < 1
