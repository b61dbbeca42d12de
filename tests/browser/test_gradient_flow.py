"""The gradient flow tab in real Chromium."""

from __future__ import annotations

import csv
import re
from urllib.parse import parse_qs, urlsplit

import pytest
import torch
from safetensors.torch import save_file

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
FLOW = "?tab=gradient_flow&view=flow&length=60&hidden=16"
FORGET_BIAS = "input[type=number][aria-label='forget bias'] >> visible=true"
RACE = "?tab=gradient_flow&view=race&hidden=8&batch_size=8&delay=5"


def says(page, text: str, timeout: float = 60_000):
    """Wait for a sentence of the tab to contain `text`."""
    page.locator(".kx-verdict >> visible=true").filter(has_text=text).first.wait_for(timeout=timeout)


def status(page, text: str):
    """Wait for the line of progress to contain `text`."""
    page.locator(".kx-status >> visible=true").filter(has_text=text).first.wait_for(timeout=120_000)


def test_the_rnn_vanishes_and_the_lstm_stays(visit):
    page = visit(FLOW, language="en-US")
    says(page, "LSTM stays")
    said = page.locator(".kx-verdict >> visible=true").first.inner_text()
    assert "RNN vanishes" in said
    page.click("text=no forget bias: they forget too")
    says(page, "LSTM vanishes")


def test_powers_of_the_spectral_radius(visit):
    page = visit("?tab=gradient_flow&view=flow", language="en-US")
    page.click("text=0.9ⁿ: a linear RNN")
    says(page, "half-life 6.6 steps")  # ln 2 / −ln 0.9 = 6.58
    page.click("text=1.1ⁿ: it explodes")
    says(page, "RNN explodes")


def test_the_address_follows_a_preset(visit):
    page = visit("?tab=gradient_flow&view=flow", language="en-US")
    page.click("text=forget gate at σ(5)")
    page.wait_for_url(re.compile("forget_bias=5"))
    assert parse_qs(urlsplit(page.url).query) == {"tab": ["gradient_flow"], "view": ["flow"], "forget_bias": ["5"]}


def test_what_overflows_is_called_exploded_and_numbers_download(visit):
    page = visit(f"{FLOW}&cells=rnn_relu,rnn&spectral_radius=2.5&length=1000&input_scale=1", language="en-US")
    says(page, "explodes")
    assert "NaN" not in page.inner_text(".gradio-container")
    chart = page.locator(".kx-figure.pickable >> visible=true").first
    with page.expect_download() as download:
        chart.locator("button[data-save=csv]").click()
    with open(download.value.path(), encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {"RNN"} <= {row["layer"] for row in rows} and len(rows) > 200
    with page.expect_download() as download:
        chart.locator("button[data-save=png]").click()
    assert download.value.path().read_bytes()[:4] == b"\x89PNG"


def test_a_click_takes_a_step_apart_and_the_link_keeps_it(visit):
    page = visit(FLOW, language="en-US")
    says(page, "LSTM")
    canvas = page.locator(".kx-figure.pickable canvas >> visible=true").first
    box = canvas.bounding_box()
    canvas.click(position={"x": box["width"] * 0.55, "y": box["height"] * 0.5})
    caption = page.locator(".kx-caption >> visible=true").filter(has_text=re.compile(r"Step [1-5]\d? of LSTM"))
    caption.first.wait_for()
    step = re.search(r"Step (\d+)", caption.first.inner_text())[1]
    page.click("#link-gradient_flow-flow")
    page.wait_for_url(re.compile(f"step={step}"))


def test_bad_settings_are_named_and_the_figure_stays(visit):
    page = visit(FLOW, language="en-US")
    says(page, "LSTM")
    before = page.locator(".kx-verdict >> visible=true").first.inner_text()
    page.click("text=More knobs >> visible=true")
    page.get_by_label("threshold of clipping").fill("-1")
    page.locator("[data-testid=toast-body]", has_text="clip: must be a number from").first.wait_for()
    assert page.locator(".kx-verdict >> visible=true").first.inner_text() == before


def test_the_map_is_measured_and_a_point_opens_its_flow(visit):
    page = visit("?tab=gradient_flow&view=map&columns=4&rows=3&hidden=8&length=40", language="en-US")
    says(page, "LSTM, 12 points")  # a link draws at once
    page.locator(".kx-figure.pickable canvas >> visible=true").click(position={"x": 90, "y": 40})
    says(page, "LSTM stays")  # the least radius, the largest bias
    assert page.get_by_role("tab", name="Flow").get_attribute("aria-selected") == "true"
    assert page.locator(FORGET_BIAS).input_value() == "6"


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)])
def test_a_race_goes_to_its_end(visit, size):
    page = visit(f"{RACE}&steps=8&cells=rnn,gru", size=size, language="zh-CN")
    page.click("#race-start")
    status(page, "8 / 8 步")
    says(page, "半衰期")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_surgery_in_the_middle_of_a_race(visit):
    page = visit(f"{RACE}&steps=5000&cells=lstm", language="en-US")
    page.click("#race-start")
    status(page, "steps a second")
    page.get_by_label("LSTM·carry", exact=True).click()
    page.wait_for_timeout(1500)
    page.click("#race-pause")
    status(page, "(paused)")
    first = page.locator(".kx-figure >> visible=true").first
    with page.expect_download() as download:
        first.locator("button[data-save=csv]").click()
    assert "LSTM" in download.value.path().read_text("utf-8")
    before = int(page.locator(".kx-status >> visible=true").first.inner_text().split(" of ")[0])
    page.click("#race-step")
    status(page, f"{before + 1} of 5000")


def test_two_visitors_race_with_different_settings_at_once(visit):
    one = visit(f"{RACE}&steps=6&cells=rnn", language="en-US")
    other = visit(f"{RACE}&steps=9&cells=gru", language="en-US")
    one.click("#race-start")
    other.click("#race-start")
    status(one, "6 of 6 steps")
    status(other, "9 of 9 steps")
    assert "GRU" not in one.locator(".kx-verdict >> visible=true").first.inner_text()
    assert "RNN" not in other.locator(".kx-verdict >> visible=true").first.inner_text()


WORDS = "?tab=gradient_flow&view=words&cells=rnn,lstm"


def test_pointing_at_a_character_shows_what_its_prediction_depends_on(visit):
    page = visit(WORDS, language="en-US")
    row = page.locator(".kx-words-row").first
    row.wait_for()
    says(page, "Half of the dependence lies in the last")
    sentence = row.locator(".kx-words-text span")
    sentence.nth(10).hover()
    assert "at" in sentence.nth(10).get_attribute("class")
    shares = [float(sentence.nth(i).evaluate("e => e.style.getPropertyValue('--share')") or 0) for i in range(12)]
    assert max(shares[:10]) == 1 and shares[10:] == [0, 0]
    page.locator(".kx-words").press("ArrowLeft")
    assert "at" in sentence.nth(9).get_attribute("class")


def test_markup_in_a_sentence_is_only_text(visit):
    page = visit(WORDS, language="en-US")
    page.get_by_label("A sentence, in Chinese").fill("<img src=x onerror=alert(1)>天地玄黄")
    page.click("#words-read")
    page.locator(".kx-words-text", has_text="onerror").first.wait_for()
    assert page.locator("img[src=x]").count() == 0
    page.get_by_label("A sentence, in Chinese").fill("字")
    page.click("#words-read")
    page.locator("[data-testid=toast-body]", has_text="sentence: must have 2 to 300").first.wait_for()
    assert page.locator(".kx-words-text", has_text="onerror").count() == 2


def test_a_visitors_network_is_examined_and_a_broken_file_is_named(visit, tmp_path):
    page = visit("?tab=gradient_flow&view=yours&length=50", language="en-US")
    says(page, "nn.LSTM as torch draws it")
    torch.manual_seed(0)
    two = torch.nn.ModuleDict({"up": torch.nn.GRU(8, 16, num_layers=2), "down": torch.nn.LSTM(16, 8)})
    save_file(dict(two.state_dict()), tmp_path / "mine.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00not json")
    upload = page.locator("input[type=file]").last
    upload.set_input_files(tmp_path / "mine.safetensors")
    says(page, "mine.safetensors")
    table = page.locator(".kx-table >> visible=true").inner_text()
    assert "up layer 2" in table and "down layer 1" in table and "reset gate" in table
    page.get_by_label("Clear").last.click()
    page.locator("input[type=file]").last.set_input_files(tmp_path / "broken.safetensors")
    says(page, "Not read")
