import re
from datetime import date

import pytest

from shared.i18n import pick
from spaces.aquarium.settings import Tank
from spaces.aquarium.tank import alarms, simulate
from spaces.aquarium.ui.alarms import MOST, level, listed, summary


@pytest.fixture(scope="module")
def run():
    return simulate(Tank())


def test_every_alarm_is_a_sentence_with_its_dates(run):
    said = listed(run, date(2020, 12, 1))
    told = [a for a in alarms(run) if a.last > a.first]
    cautions = [a for a in told if a.level == "caution"]
    assert said.count("<li") == min(len(cautions), MOST) and said.count('class="harm"') == len(cautions) == 3
    nh3 = next(a for a in told if a.name == "nh3" and a.level == "harm")
    when = date(2020, 12, 1 + int(nh3.first)).isoformat()
    assert f"Day {int(nh3.first)} ({when}) to day {int(nh3.last)}" in said
    assert said.count("Day 44 (2021-01-14) to day 45 (2021-01-15), Day 51 (2021-01-21) to the last day: nitrate") == 1
    assert f"<b>{nh3.peak:.2g} mg N/L</b>" in said and f"第 {int(nh3.first)} 天（{when}）" in said


def test_a_tank_without_animals_to_harm_raises_no_alarm():
    empty = simulate(Tank(turtles=0, paradise_fish=0, loaches=0, days=20))
    assert "No alarm" in listed(empty, date(2020, 12, 1))


def test_levels_have_two_digits_and_no_exponent():
    assert [level(v) for v in (0.0, 0.0814, 9.53, 312.4, 4567.0)] == [
        "0 mg N/L", "0.081 mg N/L", "9.5 mg N/L", "310 mg N/L", "4,600 mg N/L"]  # fmt: skip
    assert level(1e-5) == "&lt;0.001 mg N/L"


def test_the_summary_tells_the_peaks_of_the_run(run):
    said = pick(summary(run, 0.86), "en")
    days = [int(d) for d in re.findall(r"on day (\d+) at", said)]
    assert days == [round(float(run.day[s.argmax()])) for s in (run.tan, run.no2)]
    assert all(f"{s:.2g} mg N/L" in said for s in (run.tan.max(), run.no2.max(), run.no3[-1]))
    assert "0.86 g of dry feed" in said
    assert "from day 29" in said.lower()
    used = float(run.alkalinity_used.max())
    assert f"up to {used:.1f} mmol/L of alkalinity (KH {2.804 * used:.1f} °dH)" in said
