"""The long document tab in real Chromium; it comes with its weights."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from urllib.parse import unquote

import pytest

from spaces.long_document.generator import compose
from spaces.long_document.settings import Example

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(300),
]
READ, EVIDENCE_VIEW, POSITIONS = (f"?tab=long_document&view={view}" for view in ("read", "evidence", "positions"))
LAW = "第一条 为了保护水源，根据有关法律，制定本条例。\n" * 12


def says(page, text: str | re.Pattern, number: int = 0):
    """Wait for a sentence of the tab to contain `text`."""
    page.locator(".kx-verdict >> visible=true").filter(has_text=text).nth(number).wait_for(timeout=120_000)


def toast(page, text: str):
    """Wait for the one sentence about bad input."""
    page.locator("[data-testid=toast-body]", has_text=text).first.wait_for()


def test_a_text_is_counted_and_read_in_three_ways(visit):
    page = visit(READ, language="en-US")
    page.fill("#long-text textarea", LAW)
    says(page, "tokens; up to 512")
    page.click("#long-read")
    page.locator("table.kx-columns tr >> visible=true").nth(3).wait_for(timeout=120_000)  # the head, three readings
    says(page, re.compile("the readings (dis)?agree"))
    page.get_by_label("whole, Performer").check()
    says(page, "The chosen readings take about")
    page.click("#link-long_document-read")
    page.wait_for_url(re.compile("readings="))


def test_stop_keeps_what_was_read(visit):
    page = visit(READ, language="en-US")
    page.click("text=a whole book: 262,144 tokens")
    says(page, "a composed book")
    page.click("#long-read")
    page.locator("table.kx-columns tr >> visible=true").nth(1).wait_for(timeout=120_000)  # the head, the first 512
    page.click("#long-stop")
    page.get_by_text("what sliding windows had read").first.wait_for()
    assert page.locator("table.kx-columns tr >> visible=true").count() >= 2


def test_a_file_is_read_and_bad_ones_are_named(visit, tmp_path):
    page = visit(READ, language="en-US")

    def upload(file: Path) -> None:
        with page.expect_file_chooser() as chooser:
            page.click("#long-upload")
        chooser.value.set_files(file)

    good = tmp_path / "law.txt"
    good.write_bytes((LAW * 2).encode("gb18030"))
    upload(good)
    says(page, "law.txt")
    assert page.locator("#long-text textarea").input_value().startswith("第一条 为了保护水源")
    bad = tmp_path / "picture.txt"
    bad.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0")
    upload(bad)
    toast(page, "picture.txt: looks like a binary file")
    page.fill("#long-text textarea", "<img src=x onerror=alert(1)>。" * 30)
    page.click("#long-read")
    says(page, "the readings")
    assert page.locator("img[src=x]").count() == 0


def test_evidence_is_drawn_tested_and_moved(visit):
    page = visit(f"{READ}&task=genre", language="en-US")
    text, (start, stop) = compose(len, Example(600, 50))
    first = text[start:stop].split("。")[0]
    page.fill("#long-text textarea", text)
    says(page, "tokens; up to 512")
    page.get_by_role("tab", name="Evidence").click()
    page.click("#evidence-start")
    says(page, "Faithfulness")
    assert page.locator(".kx-heat-text p >> visible=true").count() == len(text.strip().split("\n"))
    sentence = page.locator(".kx-heat-text s").filter(has_text=first).first
    sentence.scroll_into_view_if_needed()
    sentence.click()
    page.wait_for_function("document.querySelector('#evidence-passage textarea').value.startsWith(" + repr(first) + ")")
    page.click("#evidence-move")
    caption = page.locator(".kx-caption >> visible=true")
    caption.filter(has_text="Its place makes no difference").wait_for(timeout=120_000)


def test_positions_zoom_and_a_half_breaks(visit):
    page = visit(POSITIONS, language="en-US")
    says(page, "the nearest trained pair")
    page.click("text=α = ½: half of them meet")
    says(page, "cannot be told from")
    canvas = page.locator("#positions-heat canvas")
    box = canvas.bounding_box()
    canvas.click(position={"x": box["width"] / 2, "y": box["height"] / 2})
    page.wait_for_url(re.compile("span=65536"))
    page.get_by_label("first position (from 0)").fill("-4")
    toast(page, "start: must be a whole number from 0")


def test_a_batch_survives_a_bad_document(visit, tmp_path):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("good.txt", LAW)
        archive.writestr("bad.pdf", b"%PDF-1.4 nothing")
    (tmp_path / "two.zip").write_bytes(data.getvalue())
    page = visit(READ, language="en-US")
    page.get_by_role("tab", name="Batch").click()
    page.locator("#batch-file input[type=file]").set_input_files(tmp_path / "two.zip")
    page.locator("#batch-file [aria-label='two.zip']").wait_for()  # its text is in two parts
    page.click("#batch-start")
    says(page, "2 of 2 read; 1 could not be")
    link = page.locator("a[download='long_document_results.csv']")
    assert "base64" in unquote(link.get_attribute("href"))
    with page.expect_download() as download:
        link.click()
    assert download.value.path().read_text("utf-8-sig").splitlines()[0].startswith("name,hash,label")


def test_labels_become_a_checkpoint(visit):
    page = visit(READ, language="en-US")
    page.get_by_role("tab", name="Your labels").click()
    page.click("text=an example: 24 texts, two labels")
    says(page, "24 texts, 2 labels")
    with page.expect_download() as download:
        page.locator("#labels-download").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(archive.namelist())


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)])
def test_every_view_fits_the_screen(visit, size):
    page = visit(READ, size=size, language="zh-CN", dark=True)
    for tab in ("读一篇", "证据在哪", "位置", "你的标签", "批量"):
        page.get_by_role("tab", name=tab, exact=True).click()
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
