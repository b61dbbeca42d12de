import numpy as np
import pytest

from spaces.aquarium.fit import fit
from spaces.aquarium.readings import read
from spaces.aquarium.settings import Tank
from spaces.aquarium.ui.example import LONG, SETTINGS, SHORT, TRUTH, made_up, template


@pytest.mark.parametrize("last", [SHORT, LONG])
def test_the_fit_finds_what_the_made_up_tank_was_made_with(last):
    readings = read(made_up(last))
    assert readings.day.tolist() == list(range(0, last + 1, 2))
    for estimate in fit(Tank(**SETTINGS), readings, tuple(TRUTH)).estimates:
        assert abs(np.log(estimate.value / TRUTH[estimate.name])) < np.log(1.5)


def test_the_empty_form_is_read_once_it_is_filled():
    filled = template().replace(",,,", ",1,2,3")
    assert read(filled).count == 3 * (len(filled.splitlines()) - 1)
