"""A real Chromium to visit the real app (`address` of tests/conftest.py)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator

import pytest

DESKTOP, PHONE = (1280, 800), (390, 844)


@pytest.fixture(scope="session")
def chromium():
    """The system's Chromium, driven by Playwright."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        reason = "Chromium is not installed: apt-get install chromium fonts-noto-cjk"
        pytest.fail(reason) if os.getenv("CI") == "true" else pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium, address) -> Iterator[Callable]:
    """Open the app as a new visitor; fails at the end on a console error or a request to another host."""
    contexts, complaints = [], []

    def open_page(
        query: str = "", size: tuple[int, int] = DESKTOP, language: str = "zh-CN", dark: bool = False, **options
    ):
        context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]},
            locale=language,
            color_scheme="dark" if dark else "light",
            has_touch=size == PHONE,
            permissions=["clipboard-read", "clipboard-write"],
            **options,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda m: complaints.append(f"console: {m.text}") if m.type == "error" else None)
        page.on("pageerror", lambda e: complaints.append(f"error: {e}"))
        page.on(
            "request", lambda r: complaints.append(f"foreign request: {r.url}") if _foreign(r.url, address) else None
        )
        streams = set()  # of gradio's events under way: what is cut off by a reload is an error on its console
        page.on("request", lambda r: streams.add(r) if "/queue/data" in r.url else None)
        page.on("requestfinished", lambda r: streams.discard(r))
        page.on("requestfailed", lambda r: streams.discard(r))
        page.goto(f"{address}/{query}")
        page.wait_for_function("window.kx && kx.settled")
        page.wait_for_timeout(500)
        for _ in range(100):  # seconds enough: what is still open then is the test's to judge
            if not streams:
                break
            page.wait_for_timeout(200)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints, "\n".join(complaints)


def _foreign(url: str, address: str) -> bool:
    return not url.startswith((address, address.replace("http", "ws"), "data:", "blob:"))
