"""The sentence's data and figures; whatever the text holds, it stays data."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest

from spaces.gradient_flow import words_figures as figures
from spaces.gradient_flow.settings import CELLS
from spaces.gradient_flow.words import Dependence

EVIL = "<img onerror=alert(1)>\n</script>\"'{{1+1}}${2}&"


def dependence(text: str, cell: str = "rnn", decay: float = 0.5) -> Dependence:
    """Shares that fall by `decay` with each character further back."""
    n = len(text)
    lag = np.arange(n + 1)[:, None] - np.arange(n)
    norms = np.where(lag > 0, decay ** lag.clip(1).astype(float), 0.0)
    top = ((), *(((c, 0.25), ("<b>", 0.1)) for c in text))
    return Dependence(cell, text, norms, np.append(np.nan, np.full(n, 2.0)), top, (1,))


def test_reader_carries_every_share():
    found = {"rnn": dependence("一二三四五"), "lstm": dependence("一二三四五", "lstm", 0.9)}
    data = json.loads(figures.reader(found))
    assert data["characters"] == list("一二三四五") and data["at"] == 5 and data["unknown"] == [1]
    assert [cell["label"] for cell in data["cells"]] == ["RNN", "LSTM"]
    levels = base64.b64decode(data["cells"][0]["levels"])
    assert len(levels) == 15  # 1 + 2 + … + 5
    row = list(levels[10:])  # row 5, its largest share 255
    np.testing.assert_allclose(row, 255 * 0.5 ** np.arange(5.0)[::-1], atol=0.51)
    assert data["cells"][0]["nearest"] == [0, 0, 1, 2, 3, 4]
    assert data["cells"][0]["half"] == [0, 1, 1, 1, 1, 1] and data["cells"][1]["half"][5] == 3
    assert data["cells"][0]["bits"][0] is None and data["cells"][0]["bits"][1] == 2


@pytest.mark.parametrize("at, shown", [(None, 3), (0, 1), (2, 2), (99, 3)])
def test_reader_begins_at_a_character_that_has_a_row(at, shown):
    assert json.loads(figures.reader({"rnn": dependence("一二三")}, at))["at"] == shown


def test_a_visitors_text_is_data_only():
    found = {"rnn": dependence(EVIL)}
    assert "".join(json.loads(figures.reader(found))["characters"]) == EVIL
    for static in (figures.TEMPLATE, figures.SCRIPT, figures.STYLE):
        assert "onerror" not in static and "{{" not in static
    assert "${" not in figures.TEMPLATE
    assert "innerHTML" not in figures.SCRIPT and "insertAdjacent" not in figures.SCRIPT and "eval" not in figures.SCRIPT


def test_heat_shows_shares_below_the_diagonal():
    spec = json.loads(figures.heat(dependence("一二三四")))
    (layer,) = spec["layers"]
    assert layer["x"] == [1, 2, 3, 4] and layer["y"] == [2, 3, 4, 5]
    assert layer["z"][0] == [0, None, None, None]
    assert layer["z"][1] == pytest.approx([np.log10(1 / 3), np.log10(2 / 3), None, None], abs=1e-4)
    assert spec["y"]["names"] == list("一二三四") and spec["y"]["ticks"] == [1, 2, 3, 4]
    assert spec["caption"]


def test_heat_of_a_long_text_is_pooled():
    spec = json.loads(figures.heat(dependence("字" * 250)))
    (layer,) = spec["layers"]
    assert len(layer["x"]) == len(layer["z"]) == 84 and layer["x"][:2] == [2, 5]
    assert layer["z"][50][50] == pytest.approx(np.log10(0.5), abs=0.01) and len(spec["x"]["names"]) <= 24


def test_by_lag_is_a_straight_line_for_a_power():
    spec = json.loads(figures.by_lag({"rnn": dependence("字" * 40), "lstm": dependence("字" * 40, "lstm", 0.9)}))
    y = spec["layers"][0]["y"]
    assert len(spec["layers"]) == 2 and len(y) == 20
    np.testing.assert_allclose(np.diff(y), np.log10(0.5), atol=1e-3)


def test_context_shows_what_was_measured():
    trained = {cell: {"bits_after": {"1": 7.5, "2": 7.0, "4": 6.5}} for cell in CELLS}
    spec = json.loads(figures.context(trained, {"unigram_bits": 9.5, "bigram_bits": 6.8}))
    assert spec["layers"][0]["x"] == [0, 1, 2] and spec["layers"][0]["y"] == [7.5, 7.0, 6.5]
    assert spec["layers"][-1]["at"] == 6.8 and len(spec["layers"]) == len(CELLS) + 1


def test_verdict_counts_characters():
    said = figures.verdict({"rnn": dependence("字" * 20), "lstm": dependence("字" * 20, "lstm", 0.9)})
    zh, en = said.split("\u2063")
    assert zh.startswith("一半") and "RNN 1.0" in en and "LSTM" in en
