import numpy as np
import pytest

from shared.experiment import InputError
from spaces.aquarium.settings import Pipes
from spaces.aquarium.sweeps import RANGES, sweep


@pytest.mark.parametrize("name", RANGES)
def test_the_tree_stays_even_and_the_comb_does_not(name):
    swept = sweep(Pipes(levels=3), name, points=5)
    assert (swept.variation["h_tree"] == 0).all()
    assert swept.variation["comb"].max() > 0.01
    assert all((p > 0).all() for p in swept.suction.values())
    assert (np.diff(swept.values) > 0).all()


def test_unknown_knob_is_named():
    with pytest.raises(InputError, match="knob"):
        sweep(Pipes(), "levels")
