"""See it think in real Chromium: five lenses on one game, by click, by link, and with games that it must refuse."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(300),
]
VIEW = "?tab=xiangqi&view=think"
SHORT = "&game=h2e2h9g7h0g2&ply=2"
PHONE = (390, 844)
MARKED = "#think-moves [aria-current]"


def ready(page, timeout: int = 120_000) -> None:
    """Wait until nothing is being read any more."""
    page.wait_for_timeout(800)
    page.wait_for_function("""() => [...document.querySelectorAll(".kx-status")].filter((e) => e.offsetParent)
        .every((e) => !e.innerText.trim())""", timeout=timeout)


def open_lens(page, name: str) -> None:
    page.locator(f"#think-lenses button[data-tab-id='think-{name}']").first.click()
    ready(page)


def test_both_models_speak_and_the_moves_are_steps(visit):
    page = visit(VIEW + SHORT, language="en-US")
    page.locator("#think-faithful .arrow").first.wait_for(timeout=120_000)
    ready(page)
    assert page.locator(MARKED).inner_text() == "H8+7"
    text = page.locator("#think-lenses").inner_text()
    for said in ("Legal moves", "no piece on the square left", "not a move: spells no two squares"):
        assert said in text
    assert "underlined: the move played" in text  # h0g2 follows
    page.click("#think-on")
    page.locator(MARKED, has_text="H2+3").wait_for(timeout=60_000)
    page.wait_for_function("!document.querySelector('#think-lenses').innerText.includes('underlined')", timeout=60_000)
    page.locator("#think-moves button", has_text="C2=5").click()
    page.wait_for_url(re.compile("ply=1"))
    assert parse_qs(urlsplit(page.url).query)["game"] == ["h2e2h9g7h0g2"]


def test_a_link_opens_its_lens_and_a_click_another(visit):
    page = visit(VIEW + SHORT + "&lens=belief", language="en-US")
    page.locator("#truth-board .piece").first.wait_for(timeout=120_000)
    ready(page)
    open_lens(page, "amnesia")
    page.get_by_text("There is no such way here").wait_for()  # two plies cannot be transposed
    page.get_by_label("as FEN only").click()
    ready(page)
    page.get_by_text("No way at all, only the position").wait_for()
    assert "lens=amnesia" in page.url and "way=fen" in page.url


def test_attention_and_the_recitation_line(visit):
    page = visit(VIEW + SHORT + "&lens=attention", language="en-US")
    page.locator("#attention-faithful .arrow").first.wait_for(timeout=120_000)
    ready(page)
    faded = page.locator("#attention-faithful .piece").evaluate_all("all => all.map((p) => +p.style.opacity)")
    assert len(faded) == 32 and max(faded) == 1 and min(faded) < 0.3
    open_lens(page, "recitation")
    page.get_by_text("The whole of this game is in the book").wait_for()
    page.get_by_role("button", name="random moves").click()
    page.get_by_text(re.compile("leaves the book")).first.wait_for(timeout=120_000)


def test_a_pasted_game_is_read_or_refused(visit):
    page = visit(VIEW + SHORT, language="en-US")
    ready(page)
    page.get_by_text("Another game: paste it").click()
    for text, said in (("h2e2 h2e2", "is not legal"), ("4k4/9/9/9/9/9/9/9/9/3K5 w", "usual start")):
        page.fill("#think-game textarea", text)
        page.click("#think-read")
        page.locator(".toast-body, .toast-wrap", has_text=said).first.wait_for(timeout=60_000)
    page.fill("#think-game textarea", "炮二平五 炮8平5")
    page.click("#think-read")
    page.locator("#think-moves [aria-current]", has_text="C8=5").wait_for(timeout=60_000)


def test_the_game_of_the_board_is_taken(visit):
    page = visit("?tab=xiangqi&black=me&moves=g3g4 g6g5", language="en-US")
    page.locator("#xiangqi-panel .list .move").nth(1).wait_for()
    page.locator("button[data-tab-id='think']").click()
    page.click("#think-take")
    page.locator(MARKED, has_text="P7+1").wait_for(timeout=60_000)
    assert page.locator("#think-moves button").count() == 3
    ready(page)


@pytest.mark.parametrize("language", ["zh-CN", "en-US"])
def test_a_phone_has_it_all_in_its_width(visit, language):
    page = visit(VIEW + SHORT, size=PHONE, language=language)
    ready(page)
    for lens in ("side", "amnesia", "attention", "belief", "recitation"):
        open_lens(page, lens)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0], lens
