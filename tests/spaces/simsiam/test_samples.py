"""Each made-up sample gets the verdict that it is named after."""

from __future__ import annotations

import pytest

from shared.experiment import InputError
from spaces.simsiam.checkup import examine
from spaces.simsiam.samples import KINDS, Sample, draw


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_sample_is_what_it_says(kind, seed):
    assert examine(draw(Sample(kind), seed)).kind == kind


def test_an_unknown_kind_is_named():
    with pytest.raises(InputError, match="kind"):
        Sample("fine")
