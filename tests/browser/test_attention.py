"""The attention tab in real Chromium."""

from __future__ import annotations

import csv
import re
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
PERFORMER = "?tab=attention&view=performer&repeats=40&features=64&dim=8"
CLASSIFIER = "?tab=attention&view=classifier&hidden=8&runs=2&normalisers=softmax,taylor2"
DROPIN = "?tab=attention&view=dropin&pairs=4&batch_size=4&features=16&variants=softmax,taylor,positive"


def says(page, text: str, timeout: float = 90_000):
    """Wait for a sentence of the tab to contain `text`."""
    page.locator(".kx-verdict >> visible=true").filter(has_text=text).first.wait_for(timeout=timeout)


def status(page, text: str):
    """Wait for the line of progress to contain `text`."""
    page.locator(".kx-status >> visible=true").filter(has_text=text).first.wait_for(timeout=120_000)


def toast(page, text: str):
    shown = page.locator("[data-testid=toast-body]", has_text=text).first
    shown.wait_for()
    assert shown.locator(".toast-title").inner_text() == "Please check"  # gradio's own is in English only


def rows_of(page, figure) -> list[dict]:
    with page.expect_download() as download:
        figure.locator("button[data-save=csv]").click()
    with open(download.value.path(), encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)])
def test_even_is_positive_and_odd_is_not(visit, size):
    page = visit("?tab=attention&view=even", size=size, language="en-US")
    says(page, "f_2 is positive (0.5000 at least)")
    says(page, "87.2% from Taylor")
    page.click("text=n = 3: it turns negative")
    says(page, "f_3 is negative below −1.596")
    page.wait_for_url(re.compile("order=3"))
    assert page.locator("text=0.00269264054095443").count() == 1  # the exact minimum of n = 20
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_bad_scores_are_named_and_the_figure_stays(visit):
    page = visit("?tab=attention&view=even", language="en-US")
    says(page, "87.2% from Taylor")
    box = page.get_by_label("scores to normalise")
    box.fill("1; <img src=x onerror=alert(1)>")
    box.press("Enter")
    toast(page, "scores: must be 2 to 12 numbers")
    assert "87.2% from Taylor" in page.locator(".kx-verdict >> visible=true").first.inner_text()
    box.fill("0, 1")
    box.press("Enter")
    says(page, "The lowest score, 0.0")


def test_errors_stand_in_the_csv_and_a_link_brings_them_back(visit):
    page = visit(f"{PERFORMER}&against=angle&kinds=trigonometric,hyperbolic&draws=iid", language="en-US")
    says(page, "angle = 60")
    rows = rows_of(page, page.locator(".kx-figure >> visible=true").first)
    assert {"trigonometric, iid", "hyperbolic, iid"} <= {row["layer"] for row in rows}
    page.click("text=large norms ruin everything")
    says(page, "norm |q| = 0.75")
    page.click("#link-attention-performer")
    page.wait_for_url(re.compile("against=norm"))
    assert parse_qs(urlsplit(page.url).query)["view"] == ["performer"]


def test_a_long_sweep_can_be_stopped(visit):
    page = visit("?tab=attention&view=performer&measure=attention&repeats=5000", language="en-US")
    status(page, "drawing")  # for minutes
    before = page.locator(".kx-verdict >> visible=true").first.inner_text()
    page.click("#performer-stop")
    status(page, "Stopped")
    page.wait_for_timeout(1500)
    assert page.locator(".kx-verdict >> visible=true").first.inner_text() == before


def test_the_map_of_winners_is_measured_and_a_click_sets_the_knobs(visit):
    page = visit(PERFORMER, language="en-US")
    says(page, "features m = 64")
    page.click("#performer-map")
    board = page.locator(".kx-figure.pickable >> visible=true").first
    board.locator(".kx-caption", has_text="of the places agree").wait_for(timeout=90_000)
    board.locator("canvas").click(position={"x": 80, "y": 40})
    page.wait_for_function(
        "[...document.querySelectorAll(\"input[aria-label='angle (degrees)']\")].some(i => +i.value < 20)"
    )


def test_one_kernel_value_has_nothing_to_do_with_n(visit):
    page = visit(PERFORMER, language="en-US")
    says(page, "features m = 64")
    page.get_by_label("keys n (attention)", exact=True).first.click()
    toast(page, "against: one kernel value has nothing to do with n")


def test_a_visitors_queries_and_keys(visit, tmp_path):
    page = visit("?tab=attention&view=yours&features=64", language="en-US")
    says(page, "Norms that the features see")
    random = np.random.default_rng(0)
    np.save(tmp_path / "q.npy", random.standard_normal((3, 20, 8)))
    np.save(tmp_path / "k.npy", random.standard_normal((3, 30, 8)))
    np.save(tmp_path / "bad.npy", random.standard_normal((20, 5)))
    files = page.locator("input[type=file]")
    files.nth(0).set_input_files(tmp_path / "q.npy")
    status(page, "One more file")
    files.last.set_input_files(tmp_path / "k.npy")
    says(page, "order-2 Taylor, 45 features")
    rows = rows_of(page, page.locator(".kx-figure >> visible=true").first)
    assert len(rows) == 20 * 30
    page.click("#yours-choose")
    says(page, "An error of 10%")
    page.get_by_label("Clear").last.click()
    page.locator("input[type=file]").last.set_input_files(tmp_path / "bad.npy")
    toast(page, "k: must have q's dimension 8, not 5")


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)])
def test_classifiers_train_to_the_end(visit, size):
    page = visit(f"{CLASSIFIER}&steps=30", size=size, language="zh-CN")
    page.click("#classifier-start")
    status(page, "30 / 30 步")
    says(page, "第 30 步")
    table = page.locator(".kx-table >> visible=true").inner_text()
    assert "softmax" in table and "泰勒 2" in table and "±" in table
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_two_visitors_train_different_classifiers(visit):
    one = visit(
        "?tab=attention&view=classifier&hidden=256&runs=20&normalisers=softmax,taylor2&steps=5000", language="en-US"
    )
    other = visit(
        "?tab=attention&view=classifier&hidden=0&runs=2&normalisers=softmax,sparsemax&steps=20", language="en-US"
    )
    one.click("#classifier-start")
    status(one, "of 5000 steps")
    other.click("#classifier-start")
    status(other, "20 of 20 steps")
    one.click("#classifier-pause")
    status(one, "(paused)")
    assert "sparsemax" not in one.locator(".kx-table >> visible=true").inner_text()
    assert "Taylor" not in other.locator(".kx-table >> visible=true").inner_text()
    one.click("#classifier-resume")
    one.wait_for_timeout(800)
    one.click("#classifier-pause")


def test_time_and_memory_are_measured_here(visit):
    page = visit("?tab=attention&view=pay&longest=600&dim=8", language="en-US")
    page.click("#pay-start")
    page.locator(".kx-table tr >> visible=true").filter(has_text="600").first.wait_for(timeout=90_000)
    says(page, "Performer with 46 features")
    rows = rows_of(page, page.locator(".kx-figure >> visible=true").first)
    assert {"Performer", "order-2 Taylor", "exact (fastest kernel)"} <= {row["layer"] for row in rows}


def test_the_swap_breaks_and_is_mended(visit):
    page = visit(f"{DROPIN}&pretrain=8&finetune=8", language="en-US")
    page.click("#dropin-damage")
    toast(page, "start: train first")
    page.click("#dropin-start")
    status(page, "16 of 16 steps")
    says(page, "after 8 steps of fine-tuning")
    page.click("#dropin-damage")
    page.locator(".kx-caption", has_text="Swapped without fine-tuning").wait_for(timeout=90_000)
