from datetime import date
from xml.etree import ElementTree

import numpy as np

from spaces.aquarium import tables
from spaces.aquarium.fit import Estimate, Fit
from spaces.aquarium.parameters import PARAMETERS
from spaces.aquarium.plan import Entry, Plan
from spaces.aquarium.readings import Readings
from spaces.aquarium.settings import Tank
from spaces.aquarium.tank import simulate


def rows(text: str) -> list[list[str]]:
    table = ElementTree.fromstring(text).find("table")
    return [["".join(cell.itertext()) for cell in row] for row in table.find("tbody")]


def test_every_parameter_has_its_row():
    told = rows(tables.parameters({"seed": 0.5}))
    assert len(told) == len(PARAMETERS)
    by_value = dict(zip(PARAMETERS, told, strict=True))
    assert by_value["seed"][1] == "0.5" and by_value["aob_growth"][1] == "2.05"
    assert all(len(row) == 5 and row[4] for row in told)


def test_limits_name_their_sources():
    told = rows(tables.limits())
    assert [row[2] for row in told] == ["0.05", "0.3", "20"]
    assert "EIFAC" in told[0][3] and "Luo" in told[2][3]


def test_estimates_say_what_cannot_be_told():
    run = simulate(Tank(days=5))
    readings = Readings(np.arange(5.0), np.ones((5, 3)))
    known, lost = Estimate("ration", 0.01, 0.009, 0.011, False), Estimate("seed", 1e-4, 1e-7, 0.1, False)
    told = rows(tables.estimates(Fit(run.tank, readings, (known, lost), np.eye(2), 1.0, run)))
    assert told[0][4].endswith("\u2063determined") and told[1][4].endswith("\u2063cannot be determined")


def test_a_plan_names_what_does_not_come():
    entries = (Entry("fish", 3, date(2020, 12, 4), date(2020, 12, 3), None, 0.75),)
    told = rows(tables.plan(Plan(entries, simulate(Tank(days=5)), None)))
    assert told[0][1:3] == ["2020-12-04", "2020-12-03"] and "5" in told[0][3] and told[0][4] == "75 %"
