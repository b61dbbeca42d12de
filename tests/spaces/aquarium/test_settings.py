import math
from dataclasses import fields

import pytest

from shared.experiment import InputError, from_json, from_query, to_query
from spaces.aquarium.settings import PIPE_LIMITS, TANK_LIMITS, Pipes, Tank, read_date

NUMBERS = [(Pipes, n, r) for n, r in PIPE_LIMITS.items()] + [(Tank, n, r) for n, r in TANK_LIMITS.items()]


@pytest.mark.parametrize("kind, name, limits", NUMBERS)
def test_limits_hold_and_are_named(kind, name, limits):
    for value in limits:
        still = {"change_share": 0.0} if name in ("days", "change_every") else {}
        assert getattr(kind(**{**still, name: value}), name) == value
    for value in (limits[0] - 1, limits[1] + 1, math.nan, math.inf, "1", None, True, [1]):
        with pytest.raises(InputError) as error:
            kind(**{name: value})
        assert error.value.field == name and f"{limits[1]}" in error.value.en and f"{limits[1]}" in error.value.zh


@pytest.mark.parametrize("kind, name", [(Pipes, "layout"), (Pipes, "losses"), (Tank, "removed"), (Tank, "pump")])
@pytest.mark.parametrize("value", ["bogus", 1, None, ["pump"], {}])
def test_choices_are_named(kind, name, value):
    with pytest.raises(InputError) as error:
        kind(**{name: value})
    assert error.value.field == name


BAD = [("4",), ("-1",), ("a",), ("0", "0"), ("0", "1", "2", "3"), (None,), (1.5,), (True,)]


@pytest.mark.parametrize("blocked", BAD)
def test_blocked_inlets_are_known_and_not_all(blocked):
    with pytest.raises(InputError, match="blocked"):
        Pipes(levels=2, blocked=blocked)


def test_blocked_inlets_are_sorted_numbers():
    assert Pipes(blocked=[11, "2"]).blocked == ("2", "11")


def test_links_and_json_round_trip():
    for settings in (Pipes(layout="comb", levels=3, blocked=("1", "5")), Tank(pump=False, ph=8.1, removed="plants")):
        kind = type(settings)
        query = dict(part.split("=") for part in to_query(settings)[1:].split("&"))
        query = {k: v.replace("%2C", ",") for k, v in query.items()}
        assert from_query(kind, query) == (settings, [])
        assert from_json(kind, settings.to_json()) == settings


def test_a_history_has_so_many_water_changes():
    with pytest.raises(InputError, match="change_every"):
        Tank(days=365, change_every=6)
    assert Tank(days=365, change_every=1, change_share=0.0).change_share == 0  # never is allowed


def test_removal_must_come_before_the_end():
    with pytest.raises(InputError, match="removal_day"):
        Tank(days=60, removed="pump", removal_day=60)
    assert Tank(days=60, removal_day=300).removal_day == 300  # nothing is removed


def test_every_number_has_limits():
    numbers = {f.name for f in fields(Tank) if f.type in ("int", "float")}
    assert numbers == set(TANK_LIMITS)


@pytest.mark.parametrize("text", ["", "yesterday", "2020-13-01", None, 3, "01/12/2020"])
def test_dates_are_iso(text):
    with pytest.raises(InputError, match="start"):
        read_date("start", text)
