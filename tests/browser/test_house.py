"""The page itself in real Chromium: languages, tabs, links, light and dark, phone width."""

from __future__ import annotations

import re

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
SIZES = [(1280, 800), (390, 844)]


def body(page) -> str:
    """What a visitor can read."""
    return page.inner_text("body")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("language", "seen", "unseen"), [("zh-CN", "目录", "Contents"), ("en-US", "Contents", "目录")])
def test_the_browser_chooses_the_language_and_nothing_overflows(visit, size, language, seen, unseen):
    page = visit(size=size, language=language)
    assert seen in body(page) and unseen not in body(page)
    assert "\u2063" not in body(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_a_switch_overrides_the_language_and_a_reload_keeps_it(visit):
    page = visit(language="zh-CN")
    page.click("text=English")
    assert page.get_by_role("tab", name="Contents").is_visible()
    assert page.evaluate("document.documentElement.lang") == "en"
    page.reload()
    page.wait_for_function("window.kx && kx.settled")
    assert page.get_by_role("tab", name="Contents").is_visible()


def test_light_and_dark_differ_and_the_choice_survives(visit):
    page = visit(dark=True)
    paper = "getComputedStyle(document.body).getPropertyValue('--kx-paper').trim()"
    dark = page.evaluate(paper)
    page.click("[data-kx=theme]")
    light = page.evaluate(paper)
    assert light != dark
    page.reload()
    page.wait_for_function("window.kx && kx.settled")
    assert page.evaluate(paper) == light


def test_a_card_opens_its_tab_and_the_address_follows(visit):
    page = visit(language="en-US")
    page.click(".kx-card >> nth=0")
    page.wait_for_url(re.compile(r"\?tab=simsiam$"))
    assert page.get_by_role("tab", name="Why SimSiam does not collapse").get_attribute("aria-selected") == "true"


@pytest.mark.parametrize(
    "query", ["?tab=nonsense", "?tab=simsiam&view=toy&phi0=1e9", "?tab=simsiam&theta0=much&colour=red"]
)
def test_an_invalid_link_opens_with_a_note(visit, query):
    page = visit(query, language="en-US")
    note = page.locator(".kx-link-note")
    note.wait_for()
    assert "invalid and were ignored" in note.inner_text()


def test_a_link_is_shown_as_text_not_run(visit):
    page = visit("?tab=simsiam&%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E=1", language="en-US")
    page.locator(".kx-link-note").wait_for()
    assert page.locator(".kx-link-note img").count() == 0


def test_arrow_keys_walk_along_the_tabs(visit):
    page = visit("?tab=simsiam&view=toy", language="en-US")
    page.get_by_role("tab", name="The toy").focus()
    page.keyboard.press("ArrowRight")
    page.locator("#simsiam-start").wait_for()
    page.keyboard.press("ArrowLeft")
    page.locator(".kx-verdict", has_text="θ = 0.8062").wait_for()


def test_arrow_keys_walk_over_a_figure_and_enter_picks(visit):
    page = visit("?tab=simsiam&view=toy", language="en-US")
    page.locator(".kx-verdict", has_text="θ = 0.8062").wait_for()
    page.locator(".kx-figure.pickable canvas").focus()
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")  # at the left edge, φ is far below −1
    page.locator(".kx-verdict", has_text="Collapsed").wait_for()
