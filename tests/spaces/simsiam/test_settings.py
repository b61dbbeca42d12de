import json
import math
from dataclasses import asdict

import pytest

from shared.experiment import InputError, from_json, from_query, to_query
from spaces.simsiam.settings import CHOICES, LIMITS, RATES, Settings


def test_json_round_trip():
    settings = Settings(stop_gradient=False, predictor="fixed", augmentations=("noise", "flip"), learning_rate=0.3)
    assert from_json(Settings, settings.to_json()) == settings


def test_link_round_trip():
    settings = Settings(stop_gradient=False, target="mean", augmentations=("identity",), batch_size=32, strength=0.9)
    query = dict(part.split("=") for part in to_query(settings)[1:].split("&"))
    assert from_query(Settings, query) == (settings, [])


@pytest.mark.parametrize("field, limits", LIMITS.items())
def test_limits_hold_and_are_named(field, limits):
    low, high = limits
    for value in (low, high):
        if (field, value) != ("predictor_rate", 0):
            assert getattr(Settings(**{field: value}), field) == value
    for value in (low - 1, high + 1, math.nan, math.inf, "1", None, True, [1]):
        with pytest.raises(InputError) as error:
            Settings(**{field: value})
        assert error.value.field == field and str(high) in error.value.en and str(high) in error.value.zh


@pytest.mark.parametrize("field", [*CHOICES, "stop_gradient", "augmentations"])
@pytest.mark.parametrize("value", ["bogus", 1, None, ["crop", "crop"], ["crop", "identity"], {}])
def test_choices_are_named(field, value):
    with pytest.raises(InputError) as error:
        Settings(**{field: value})
    assert error.value.field == field


def test_whole_numbers_from_a_slider_are_integers():
    assert isinstance(Settings(steps=100.0).steps, int)
    with pytest.raises(InputError):
        Settings(steps=10.5)


def test_lists_and_nothing_are_augmentations():
    assert Settings(augmentations=["crop", "noise"]).augmentations == ("crop", "noise")
    assert Settings(augmentations=[]).augmentations == ("identity",)


def test_rate_is_the_optimisers_own_unless_given():
    assert {name: Settings(optimizer=name).rate for name in CHOICES["optimizer"]} == RATES
    assert Settings(optimizer="adam", learning_rate=0.5).rate == 0.5


def test_lbfgs_has_one_rate():
    with pytest.raises(InputError, match="predictor_rate"):
        Settings(optimizer="lbfgs", predictor_rate=10)


def test_everything_is_json():
    assert json.loads(json.dumps(asdict(Settings())))["stop_gradient"] is True
