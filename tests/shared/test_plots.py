"""Figures are strict JSON: what is not finite becomes a gap."""

from __future__ import annotations

import json
import math

import numpy as np

from shared import plots
from shared.i18n import pick, tr


def test_a_figure_is_json_with_gaps_for_what_is_not_finite():
    layer = plots.line([0, 1, 2, 3], [1.0, math.nan, math.inf, -math.inf], tr("损失", "loss"))
    spec = json.loads(plots.figure("f", plots.axis("x"), plots.axis("y", (0, None)), [layer]))
    assert spec["layers"][0]["y"] == [1.0, None, None, None]
    assert spec["y"]["range"] == [0, None]


def test_numbers_keep_their_significant_digits():
    assert plots.numbers(np.float32([123456.789, 1e-9])) == [123460.0, 1e-9]


def test_cells_keep_the_row_order_of_y():
    layer = plots.cells([0, 1], [10, 20, 30], [[1, 2], [3, 4], [5, math.nan]], "z", (0, 5))
    assert layer["z"] == [[1.0, 2.0], [3.0, 4.0], [5.0, None]]


def test_pick_takes_the_half_that_was_asked_for():
    assert [pick(tr("甲", "a"), language) for language in ("zh", "en")] == ["甲", "a"]
    assert pick("φ", "en") == "φ"
