"""The aquarium tab in real Chromium."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(240),
]
PIPES, NITROGEN, VERDICT, MINE = (f"?tab=aquarium&view={view}" for view in ("pipes", "nitrogen", "verdict", "mine"))
READINGS = "day,ammonia,nitrite,nitrate\n0,0.2,0,1\n4,2.2,0.1,1\n8,4.1,0.5,1\n12,1.3,5,2\n16,0.1,4.2,6\n"


def says(page, text: str | re.Pattern):
    """Wait for a sentence of the tab to contain `text`."""
    page.locator(".kx-verdict >> visible=true").filter(has_text=text).first.wait_for(timeout=60_000)


def toast(page, text: str):
    """Wait for the one sentence about bad input."""
    page.locator("[data-testid=toast-body]", has_text=text).first.wait_for()


def knob(page, label: str):
    """A slider's number."""
    return page.locator(f"input[type=number][aria-label='{label}'] >> visible=true")


def test_equal_paths_draw_evenly_until_an_inlet_is_clogged(visit):
    page = visit(PIPES, language="en-US")
    says(page, "H-tree: coefficient of variation 0 (even, by symmetry); comb: 18.7 %")
    page.locator("#floor-h_tree [data-inlet='5']").click()
    says(page, "H-tree (1 clogged): coefficient of variation 3.9 %")
    assert page.locator("#floor-h_tree .clogged").count() == 1
    assert page.locator("#floor-comb .clogged").count() == 0
    inlet = page.locator("#floor-comb [data-inlet='3']")
    inlet.focus()
    page.keyboard.press("Enter")
    says(page, "comb (1 clogged)")
    assert page.evaluate("document.activeElement.dataset.inlet") == "3"  # the keyboard stays where it was
    page.keyboard.press("Enter")
    says(page, "comb: 18.7 %")
    page.click("#link-aquarium-pipes")
    page.wait_for_url(re.compile("blocked=5"))
    knob(page, "levels of splits (2ⁿ inlets)").fill("2")  # inlet 5 goes with the third level
    says(page, "H-tree: coefficient of variation 0")
    page.click("text=holes of 2 mm")
    says(page, "comb: 0.3 %")


def test_bad_input_is_one_sentence_and_nothing_is_lost(visit):
    page = visit(NITROGEN, language="en-US")
    says(page, "Ammonia peaks")
    before = page.locator(".kx-verdict >> visible=true").first.inner_text()
    page.click("text=More knobs >> visible=true")
    start = page.locator(".aquarium-text input >> visible=true")
    start.fill("yesterday")
    start.press("Enter")
    toast(page, "start: must be a date such as 2020-12-01")
    assert page.locator(".kx-verdict >> visible=true").first.inner_text() == before
    page.get_by_role("tab", name="The author's verdict").click()
    page.click("text=More knobs >> visible=true")
    page.locator("#aquarium-seed input").fill("-1")
    toast(page, "seed: must be a whole number from 0 to")
    says(page, "ceramsite: the model agrees")


def test_a_new_tank_alarms_with_dates_and_one_cycled_first_does_not(visit):
    page = visit(f"{NITROGEN}&ration=0.005&start=2026-03-01", language="en-US")
    harm = page.locator(".aquarium-alarms li.harm >> visible=true").filter(has_text="nitrite above its limit of harm")
    harm.first.wait_for()
    assert re.match(r"Day \d+ \(2026-03-\d\d\) to day \d+ \(2026-", harm.first.inner_text())
    page.click("text=40 days without fish first")
    harm.first.wait_for(state="detached")
    says(page, "Ammonia peaks on day")


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)])
def test_every_view_fits_the_screen(visit, size):
    page = visit(PIPES, size=size, language="zh-CN", dark=True)
    for tab in ("水管", "氮", "作者的结论", "我的缸"):
        page.get_by_role("tab", name=tab, exact=True).click()
        page.locator(".kx-verdict >> visible=true").first.wait_for()
        assert page.locator(".kx-try button >> visible=true").count() >= 3
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert "文章没有任何测量" in page.inner_text(".gradio-container")


def test_the_verdict_is_told_plainly_and_parameters_vote(visit):
    page = visit(f"{VERDICT}&draws=8", language="en-US")
    says(page, "ceramsite: the model agrees")
    says(page, "plants: cannot be asked in full")
    votes = page.locator(".kx-caption >> visible=true").filter(has_text="Plausible parameters vote")
    assert votes.count() == 0  # nothing is drawn before there is a vote
    page.click("#aquarium-vote")
    says(page, "Vote of 8 draws")
    votes.wait_for()
    page.click("text=half the food: plants decide")
    says(page, "plants: the model agrees")
    says(page, "nitrate piles up to harm")
    says(page, "This vote is older than the settings")
    page.click("text=All parameters: values, ranges, sources")
    page.locator("#aquarium-parameters tbody tr").nth(40).wait_for()


def test_a_vote_can_be_stopped(visit):
    page = visit(f"{VERDICT}&draws=256", language="en-US")
    page.click("#aquarium-vote")
    page.locator(".kx-status >> visible=true").filter(has_text=re.compile(r"draw [2-9]\d? of 256")).wait_for()
    page.click("#aquarium-vote-stop")
    page.locator(".kx-status >> visible=true").filter(has_text="Stopped").wait_for()
    says(page, re.compile(r"Vote of \d{1,2} draws"))


def test_a_plan_can_be_stopped_and_nothing_follows(visit):
    page = visit(MINE, language="en-US")
    status = page.locator(".kx-status >> visible=true")
    page.click("#aquarium-plan")
    status.filter(has_text="planning").wait_for()
    page.click("#aquarium-plan-stop")
    status.filter(has_text="Stopped").wait_for()
    page.wait_for_timeout(1500)
    assert status.inner_text() == "Stopped."


def test_a_finger_clogs_an_inlet_and_what_cannot_be_built_is_said(visit):
    page = visit(f"{PIPES}&levels=7", size=(390, 844), language="zh-CN")
    page.locator("#floor-comb", has_text="造不出来").wait_for()
    assert "造不出来" not in page.inner_text("#floor-h_tree")
    page.locator("#floor-h_tree [data-inlet='0'] .reach").tap()
    says(page, "同程（堵 1 个）")


def test_a_figure_is_saved_with_its_numbers_by_name(visit):
    page = visit(NITROGEN, language="en-US")
    with page.expect_download() as download:
        page.locator("[data-save=csv] >> visible=true").last.click()
    assert download.value.suggested_filename == "aquarium-balance.csv"
    rows = download.value.path().read_text("utf-8-sig").splitlines()
    assert rows[0] == "layer,x,y,value" and any(row.startswith('"in the water",0,') for row in rows)


def test_readings_are_fitted_and_the_plan_is_saved(visit):
    page = visit(f"{MINE}&start=2026-03-01&stocking_day=60", language="en-US")
    says(page, "Fish may be added from")
    page.fill("#aquarium-readings textarea", READINGS)
    page.locator("#aquarium-calm input").fill("4")
    page.locator(".kx-status >> visible=true").filter(has_text="Settings changed").wait_for()
    page.click("#aquarium-plan")
    says(page, "15 readings; residuals are")
    page.locator(".kx-caption >> visible=true").filter(has_text="Points are your readings").wait_for()
    link = page.locator("a[download='aquarium-plan.csv']")
    rows = unquote(link.get_attribute("href").partition(",")[2]).splitlines()
    assert rows[0].startswith("what,day,date") and re.match(r"fish,\d+,2026-0", rows[1])
    with page.expect_download() as download:
        link.click()
    assert download.value.path().read_text("utf-8").splitlines() == rows


def test_a_bad_file_is_named_and_the_made_up_one_is_fitted(visit, tmp_path):
    file = tmp_path / "bad.csv"
    file.write_text("day,nitrite\n0,high\n")
    page = visit(MINE, language="en-US")
    before = page.locator(".kx-verdict >> visible=true").first.inner_text()
    page.locator("input[type=file] >> nth=0").set_input_files(file)
    toast(page, "nitrite: in row 2 must be a number from 0 to 500")
    assert page.locator(".kx-verdict >> visible=true").first.inner_text() == before
    page.click("text=a made-up example: 16 days")
    says(page, "27 readings; residuals are")


def test_two_visitors_keep_two_tanks(visit):
    one = visit(f"{NITROGEN}&temperature=12", language="en-US")
    other = visit(f"{NITROGEN}&temperature=30", language="en-US")
    slow, fast = (p.locator(".kx-verdict >> visible=true").first.inner_text() for p in (one, other))
    day = [int(re.search(r"peaks on day (\d+)", said)[1]) for said in (slow, fast)]
    assert day[0] > day[1] + 5
    other.click("text=pH 8.5")
    says(other, "Ammonia peaks")
    assert one.locator(".kx-verdict >> visible=true").first.inner_text() == slow
