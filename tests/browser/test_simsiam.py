"""The SimSiam tab in real Chromium."""

from __future__ import annotations

import re

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
TOY = "?tab=simsiam&view=toy"


def verdict(page, said: str):
    """Wait for the toy's sentence to contain `said`."""
    page.locator(".kx-verdict").first.filter(has_text=said).wait_for()


def test_the_articles_run_lives_and_a_counter_example_collapses(visit):
    page = visit(TOY, language="en-US")
    verdict(page, "θ = 0.8062")
    page.click("text=without stop-gradient: θ dies")
    verdict(page, "φ stops at 0.6127")


def test_a_click_on_the_plane_moves_the_start(visit):
    page = visit(TOY, language="en-US")
    verdict(page, "0.8062")
    canvas = page.locator(".kx-figure.pickable canvas").first
    box = canvas.bounding_box()
    canvas.click(position={"x": box["width"] * 0.95, "y": box["height"] * 0.8})  # φ0 > 1 and θ0 small: inside the basin
    verdict(page, "Collapsed")


def test_copy_link_and_open_it(visit):
    page = visit(TOY, language="en-US")
    page.click("text=counter-example: survives without it")
    verdict(page, "θ = 0.4472")
    page.click("#link-simsiam-toy")
    page.wait_for_url(re.compile("theta0=0.6"))
    link = page.evaluate("navigator.clipboard.readText()")
    assert "view=toy" in link and "mode=none" in link and "theta0=0.6" in link and "kappa" not in link
    friend = visit(link[link.index("?") :], language="en-US")
    verdict(friend, "θ = 0.4472")


def test_two_visitors_do_not_see_each_other(visit):
    first, second = visit(TOY, language="en-US"), visit(TOY, language="zh-CN")
    first.click("text=second term alone: the fast road to collapse")
    verdict(first, "0.605")
    verdict(second, "0.8062")
    second.click("text=权重衰减 0.15")
    verdict(second, "0.816")
    verdict(first, "0.605")


def test_keyboard_moves_a_slider_and_the_figure_follows(visit):
    page = visit(TOY, language="en-US")
    verdict(page, "0.8062")
    slider = page.get_by_role("slider").nth(1)
    slider.focus()
    for _ in range(5):
        slider.press("ArrowRight")
    verdict(page, "θ = 0.8139")  # √(θ0² + 1 − φ0²) at θ0 = 0.15
