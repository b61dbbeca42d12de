"""The SimSiam tab in real Chromium."""

from __future__ import annotations

import io
import re
import zipfile

import numpy as np
import pytest
from PIL import Image

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


LIVE = "?tab=simsiam&view=live&batch_size=32&dim=16"


def status(page, said: str, timeout: float = 120_000):
    """Wait for the live run's status line to contain `said`."""
    page.locator(".kx-status").first.filter(has_text=said).wait_for(timeout=timeout)


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)])
def test_a_run_goes_to_its_end_and_says_what_it_saw(visit, size):
    page = visit(f"{LIVE}&steps=12", size=size, language="en-US")
    page.click("#simsiam-start")
    status(page, "12 of 12 steps")
    said = page.locator(".kx-verdict").filter(has_text="Step 12").inner_text()
    assert "run A" in said and "run B" in said and "std × √d" in said
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_pause_one_step_continue_and_a_language_switch_lose_nothing(visit):
    page = visit(f"{LIVE}&steps=2000", language="en-US")
    page.click("#simsiam-start")
    page.wait_for_function("parseInt(document.querySelector('.kx-status span')?.textContent) >= 2", timeout=120_000)
    page.click("#simsiam-pause")
    page.wait_for_timeout(1500)
    paused = page.inner_text(".kx-status")
    page.wait_for_timeout(1500)
    assert page.inner_text(".kx-status") == paused
    step = int(paused.split(" of ")[0])
    page.click("text=中文")
    assert f"{step} / 2000 步" in page.inner_text(".kx-status")
    page.click("#simsiam-step")
    status(page, f"{step + 1} / 2000 步")
    page.click("#simsiam-resume")
    now = "parseInt(document.querySelector('.kx-status span').textContent)"
    page.wait_for_function(f"{now} > {step + 2}", timeout=120_000)
    page.click("#simsiam-pause")


def test_two_visitors_train_with_different_settings_at_once(visit):
    first = visit(f"{LIVE}&steps=10", language="en-US")
    second = visit(f"{LIVE}&steps=14&other_stop_gradient=true", language="zh-CN")
    first.click("#simsiam-start")
    second.click("#simsiam-start")
    status(first, "10 of 10 steps")
    status(second, "14 / 14 步")
    spread = re.compile(r"std × √d = ([\d.]+)")
    alike = spread.findall(second.locator(".kx-verdict").filter(has_text="第 14 步").inner_text())
    assert alike[0] == alike[1]  # same seed, same settings
    assert "Step 10" in first.locator(".kx-verdict").filter(has_text="Step").inner_text()


def test_an_impossible_setting_is_named_and_the_run_is_kept(visit):
    page = visit(f"{LIVE}&steps=4", language="en-US")
    page.click("#simsiam-start")
    status(page, "4 of 4 steps")
    page.click("text=More knobs >> visible=true")
    page.get_by_label("learning rate (0: the optimiser's default)").fill("99")
    page.click("#simsiam-start")
    page.locator("[data-testid=toast-body]", has_text="learning_rate").first.wait_for()
    assert "4 of 4 steps" in page.inner_text(".kx-status")


CHECKUP = "?tab=simsiam&view=checkup"


def test_a_visitors_embeddings_get_a_verdict_and_a_broken_file_a_sentence(visit, tmp_path):
    page = visit(CHECKUP, language="en-US")
    page.locator(".kx-verdict", has_text="Dimensional collapse").wait_for()
    rng = np.random.default_rng(0)
    np.save(tmp_path / "point.npy", 1 + 1e-3 * rng.normal(size=(100, 16)))
    (tmp_path / "broken.npy").write_bytes(b"not an array")
    upload = page.locator("input[type=file]").last
    upload.set_input_files(tmp_path / "point.npy")
    page.locator(".kx-verdict", has_text="Completely collapsed").wait_for()
    page.get_by_label("Clear").last.click()
    upload = page.locator("input[type=file]").last
    upload.set_input_files(tmp_path / "broken.npy")
    page.locator(".kx-verdict", has_text="Not read").wait_for()


def test_a_visitors_zip_of_images_is_trained_on_and_bad_files_are_named(visit, tmp_path):
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
        for i in range(40):
            image = Image.fromarray(rng.integers(0, 255, (40, 40, 3), dtype=np.uint8))
            buffer = io.BytesIO()
            image.save(buffer, "PNG")
            archive.writestr(f"{'cats' if i % 2 else 'dogs'}/{i}.png", buffer.getvalue())
        archive.writestr("cats/notes.png", b"this is text")
    page = visit(f"{LIVE}&steps=3&batch_size=16", language="en-US")
    page.click("text=More knobs >> visible=true")
    page.locator("input[type=file]").first.set_input_files(tmp_path / "mine.zip")
    page.locator(".kx-verdict", has_text="40 images, 2 classes. 1 files skipped").wait_for()
    assert "notes.png" in page.locator(".kx-verdict", has_text="40 images").inner_text()
    page.click("#simsiam-start")
    status(page, "3 of 3 steps")


def test_a_cell_of_the_map_is_replayed_in_the_live_view(visit):
    page = visit("?tab=simsiam&view=races&kind=map&steps=1", language="en-US")
    page.click("#races-start")
    page.locator(".kx-verdict", has_text="20 of 20 cells").wait_for(timeout=120_000)
    chart = page.locator(".kx-figure.pickable canvas >> visible=true")
    box = chart.bounding_box()
    chart.click(position={"x": box["width"] - 40, "y": 40})  # the fastest predictor, the fastest encoder
    page.locator(".kx-verdict", has_text="run A").wait_for(timeout=120_000)
    assert page.get_by_role("tab", name="Live training").get_attribute("aria-selected") == "true"
    assert page.get_by_label("predictor's rate (×)").first.input_value() == "100"


def test_a_race_can_be_stopped(visit):
    page = visit("?tab=simsiam&view=races&kind=race&steps=200", language="en-US")
    page.click("#races-start")
    page.locator(".kx-verdict", has_text="Collapsed without stop-gradient so far").wait_for(timeout=120_000)
    page.click("#races-stop")
    page.wait_for_timeout(3000)  # the piece in hand ends
    drawn = "document.querySelector('.tabitem:not([style*=none]) .kx-grid canvas').toDataURL()"
    stopped = page.evaluate(drawn)
    page.wait_for_timeout(6000)
    assert page.evaluate(drawn) == stopped
