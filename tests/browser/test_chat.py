"""The chat tab in real Chromium, with tiny random models from folders: what they say is nonsense, how is not."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import expect

from tests.spaces.chat.tiny import tiny

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(240),
]
PHONE = (390, 844)


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> str:
    return tiny(tmp_path_factory.mktemp("chat") / "tiny", 2048)


@pytest.fixture(scope="session")
def narrow(tmp_path_factory) -> str:
    return tiny(tmp_path_factory.mktemp("chat") / "narrow", 64)


@pytest.fixture(scope="session")
def slow(tmp_path_factory) -> str:
    return tiny(tmp_path_factory.mktemp("chat") / "slow", 2048, layers=48)


# --- the notebook ---------------------------------------------------------------------------------------


def notebook(visit, model: str, query: str = "", **options):
    page = visit(f"?tab=chat&view=notebook&model={model}{query}", language=options.pop("language", "en-US"), **options)
    page.locator(".ch-paper textarea").wait_for()
    return page


def paper(page) -> str:
    return page.locator(".ch-paper textarea").input_value()


def settled(page, said: str = "tokens/s"):
    """Wait for the end of a run; the sentence beside the buttons."""
    page.locator(".ch-paper:not(.busy) .said", has_text=said).wait_for()
    return page.locator(".ch-paper .said").inner_text()


def press(page, name: str):
    page.locator(".ch-paper").get_by_role("button", name=name, exact=True).click()


def test_a_prompt_is_there_and_continues_in_the_same_text(visit, model):
    page = notebook(visit, model)
    before = paper(page)
    assert before.startswith("法国 巴黎\n") and before.endswith("中国 ")
    press(page, "Continue")
    said = settled(page)
    assert "16 tokens" in said and "tiny" in said and "length was reached" in said and "weights" in said
    pieces = "".join(page.locator(".ch-paper .piece").all_inner_texts())
    assert paper(page) == before + pieces and len(pieces) > 0
    press(page, "Undo")
    page.wait_for_function("before => document.querySelector('.ch-paper textarea').value === before", arg=before)


def test_the_default_answers_and_says_what_it_is(visit):
    page = notebook(visit, "")
    assert "a demonstration" in page.locator(".kx-note >> visible=true").filter(has_text="ships").inner_text()
    press(page, "Continue")
    assert "小 CPM demo" in settled(page) and paper(page).endswith("中国 北京")


def test_a_long_run_stops_and_keeps_what_is_written(visit, slow):
    page = notebook(visit, slow, "&max_new_tokens=1024&temperature=1&stop=")
    press(page, "Continue")
    page.locator(".ch-paper.busy .piece").nth(5).wait_for()
    press(page, "Stop")
    page.locator(".ch-paper:not(.busy)").wait_for()
    written = page.locator(".ch-paper .piece").count()
    page.wait_for_timeout(1000)
    assert 5 < page.locator(".ch-paper .piece").count() == written < 1000


def test_another_character_is_chosen_and_the_fork_stays(visit, model):
    page = notebook(visit, model, "&max_new_tokens=6&temperature=1&stop=")
    press(page, "Continue")
    settled(page)
    first = paper(page)
    box = page.locator(".ch-paper .piece").nth(2).bounding_box()
    page.mouse.click(box["x"] + 3, box["y"] + box["height"] / 2)
    options = page.locator(".ch-paper .option")
    options.first.wait_for()
    assert options.count() >= 8 and "%" in options.first.inner_text()
    other = page.locator(".ch-paper .option:not(.here)").first
    wanted = other.locator("span").inner_text()
    other.click()
    page.locator(".ch-paper .tree li").nth(2).wait_for()
    now = paper(page)
    assert now != first and wanted.replace("␣", " ") in now
    page.locator(".ch-paper .tree li:not(.on) > button").first.click()
    page.wait_for_function("first => document.querySelector('.ch-paper textarea').value === first", arg=first)
    press(page, "Write it otherwise")
    page.wait_for_function("first => document.querySelector('.ch-paper textarea').value !== first", arg=first)


def test_an_edit_takes_the_shade_from_what_it_touches(visit, model):
    page = notebook(visit, model, "&max_new_tokens=8&temperature=1&stop=")
    press(page, "Continue")
    settled(page)
    pieces = page.locator(".ch-paper .piece")
    count = pieces.count()
    last = pieces.last.inner_text()
    page.locator(".ch-paper textarea").press("Control+End")
    for _ in last:
        page.keyboard.press("Backspace")
    assert pieces.count() == count - 1
    page.keyboard.press("Control+Home")
    page.keyboard.type("天")
    assert pieces.count() == 0
    press(page, "Continue")
    settled(page)
    assert paper(page).startswith("天法国")


def test_a_stop_string_ends_the_line_and_go_on_begins_the_next(visit, model):
    page = notebook(visit, model, "&max_new_tokens=1&temperature=1&stop=")
    press(page, "Continue")
    settled(page, "length was reached")
    piece = page.locator(".ch-paper .piece").first.inner_text()
    page = notebook(visit, model, f"&max_new_tokens=1&temperature=1&stop={piece}")
    press(page, "Continue")
    settled(page, "a stop string came")
    assert page.locator(".ch-paper .piece").count() == 0
    press(page, "Continue")
    page.locator(".ch-paper .piece").first.wait_for()
    assert page.locator(".ch-paper .piece").first.inner_text() == piece


def test_examples_are_one_click_away_and_a_link_brings_the_text_back(visit, model):
    page = notebook(visit, model)
    page.get_by_role("button", name="Antonyms").click()
    settled(page)
    text = paper(page)
    assert text.startswith("大：小\n")
    page.click("#chat-copy")
    page.wait_for_url(re.compile("prompt="))
    friend = visit(page.url[page.url.index("?") :], language="en-US")
    friend.wait_for_function("text => document.querySelector('.ch-paper textarea')?.value === text", arg=text)


def test_bad_input_is_a_sentence_and_the_text_stays(visit, model, tmp_path):
    page = notebook(visit, model)
    area, toast = page.locator(".ch-paper textarea"), page.locator("[data-testid=toast-body]")
    area.fill(" \n")
    press(page, "Continue")
    toast.filter(has_text="prompt: is empty").wait_for()
    area.fill("这段文字要留着")
    page.locator("#chat-knobs").get_by_text("Model and sampling").click()
    named = page.locator("#chat-model textarea, #chat-model input")
    expect(named).to_have_value(model)
    page.wait_for_timeout(1000)  # gradio sets it once more after it opened: what nobody types so fast would be lost
    named.fill(str(tmp_path))
    press(page, "Continue")
    toast.filter(has_text="config.json").wait_for()
    named.fill(model)
    page.locator("#chat-knobs").get_by_label("seed").fill("-5")
    press(page, "Continue")
    toast.filter(has_text="seed: must be a whole number from 0").wait_for()
    assert paper(page) == "这段文字要留着"


@pytest.mark.parametrize("text", ["\x07\u202e控制", "😀👩‍👩‍👧", "ꙮ ᚠᛇᚻ", "<img src=x onerror=alert(1)>"])
def test_any_text_is_continued_as_text(visit, model, text):
    page = notebook(visit, model)
    page.locator(".ch-paper textarea").fill(text)
    press(page, "Continue")
    settled(page)
    assert paper(page).startswith(text) and page.locator("img[src=x]").count() == 0


def test_a_megabyte_is_read_from_its_end_and_the_page_says_so(visit, model):
    page = notebook(visit, model)
    page.locator(".ch-paper textarea").evaluate(
        "a => { a.value = '长文。'.repeat(350000); a.dispatchEvent(new Event('input')); }"
    )
    press(page, "Continue")
    said = settled(page, "do not fit the context")
    assert re.search(r"first 1,0\d\d,\d{3} characters", said)


def test_what_is_folded_away_stays_while_one_types_and_goes_with_all_the_rest(visit, model):
    page = notebook(visit, model)
    area, folded = page.locator(".ch-paper textarea"), page.locator(".ch-paper .folded")
    area.evaluate("a => { a.value = '长文。'.repeat(350000); a.dispatchEvent(new Event('input')); }")
    expect(folded).to_contain_text("1,030,000 characters are folded away")
    area.evaluate("a => { a.focus(); a.setSelectionRange(5, 5); }")
    page.keyboard.type("甲乙")  # the caret stays where it is
    assert paper(page)[:9] == "文。长文。甲乙长文"
    expect(folded).to_contain_text("1,030,000")
    area.press("Control+a")
    page.keyboard.press("Delete")
    assert paper(page) == "" and folded.inner_text() == ""
    page.keyboard.type("短")
    press(page, "Continue")
    settled(page)
    assert paper(page).startswith("短")


# --- the conversation -----------------------------------------------------------------------------------


def conversation(visit, model: str, query: str = "&max_new_tokens=12", **options):
    page = visit(f"?tab=chat&view=chat&model={model}{query}", language=options.pop("language", "en-US"), **options)
    page.locator(".ch-talk .composer textarea").wait_for()
    page.wait_for_timeout(300)
    return page


def ask(page, text: str, answers: int):
    """Ask, and wait until so many answers stand in the log."""
    page.locator(".ch-talk .composer textarea").fill(text)
    page.locator(".ch-talk .composer textarea").press("Enter")
    said(page, answers)


def said(page, answers: int) -> list[str]:
    page.wait_for_function(
        "n => document.querySelectorAll('.ch-talk .log article.model').length === n"
        " && !document.querySelector('.ch-talk.busy')", arg=answers,
    )  # fmt: skip
    return page.locator(".ch-talk .log article.model .said > p").all_inner_texts()


def questions(page) -> list[str]:
    return page.locator(".ch-talk .log article.user .said > p").all_inner_texts()


def test_two_turns_retried_edited_branched_and_a_reload_keeps_them(visit, model):
    page = conversation(visit, model)
    ask(page, "你好", 1)
    ask(page, "再见", 2)
    before = said(page, 2)
    assert questions(page) == ["你好", "再见"]
    foot = page.locator(".ch-talk .foot").last.inner_text()
    assert "tiny" in foot and "tokens/s" in foot and "weights" in foot
    page.get_by_role("button", name="Retry").last.click()
    page.locator(".ch-talk .count", has_text="2/2").wait_for()
    assert said(page, 2)[1] != before[1]
    page.get_by_role("button", name="earlier version").last.click()
    page.locator(".ch-talk .count", has_text="1/2").wait_for()
    assert said(page, 2) == before
    page.get_by_role("button", name="Edit").first.click()
    page.locator(".ch-talk .editor textarea").fill("早上好")
    page.get_by_role("button", name="Ask again").click()
    page.locator(".ch-talk .log article.user", has_text="早上好").wait_for()
    said(page, 1)
    assert questions(page) == ["早上好"]
    page.wait_for_timeout(500)
    page.reload()
    page.locator(".ch-talk .log article.user", has_text="早上好").wait_for()
    page.get_by_role("button", name="earlier version").first.click()
    page.locator(".ch-talk .log article.user", has_text="你好").first.wait_for()
    assert said(page, 2)[0] == before[0]
    page.get_by_role("button", name="Branch here").first.click()
    assert said(page, 1) == before[:1]


def test_stopped_answers_say_so_and_an_empty_submit_does_nothing(visit, slow):
    page = conversation(visit, slow, "&max_new_tokens=512&temperature=1")
    page.locator(".ch-talk .composer textarea").fill("你好")
    page.locator(".ch-talk .composer textarea").press("Enter")
    page.locator(".ch-talk .live .typing", has_text=re.compile(r"\S")).wait_for()
    page.locator(".ch-talk .composer .go", has_text="Stop").click()
    page.locator(".ch-talk .composer .go", has_text="Send").click()
    said(page, 1)
    assert page.locator(".ch-talk .foot .end").inner_text() == "stopped"
    page.locator(".ch-talk .composer textarea").fill(" ")
    page.locator(".ch-talk .composer textarea").press("Enter")
    page.wait_for_timeout(1000)
    assert page.locator("[data-testid=toast-body]").count() == 0 and questions(page) == ["你好"]


def test_forgetting_everything_takes_a_second_click(visit, model):
    page = conversation(visit, model)
    ask(page, "你好", 1)
    page.get_by_text("Export, import, forget").click()
    forget = page.locator("#chat-forget")
    forget.dblclick()
    expect(forget).to_have_text("Press again to forget all")
    expect(forget).to_have_text("Forget all", timeout=6000)
    forget.click()
    page.wait_for_timeout(600)
    page.reload()  # the first click has touched nothing, here or in the browser
    page.locator(".ch-talk .log article.user", has_text="你好").wait_for()
    page.get_by_text("Export, import, forget").click()
    forget.click()
    page.wait_for_timeout(600)
    forget.click()
    page.locator(".ch-talk .empty").wait_for()
    page.wait_for_timeout(500)
    page.reload()
    page.locator(".ch-talk .empty").wait_for()


def test_export_and_import_there_and_back_and_a_broken_file_changes_nothing(visit, model, tmp_path):
    page = conversation(visit, model)
    ask(page, "你好", 1)
    before = page.locator(".ch-talk .log article").all_inner_texts()
    page.get_by_text("Export, import, forget").click()
    files = {}
    for kind in ("md", "json"):
        with page.expect_download() as download:
            page.click(f"#chat-save-{kind}")
        files[kind] = tmp_path / f"chat.{kind}"
        download.value.save_as(files[kind])
    assert len(json.loads(files["json"].read_text("utf-8"))["turns"]) == 2
    assert files["md"].read_text("utf-8").startswith("## 问 · You\n\n你好\n")
    (tmp_path / "broken.json").write_text('{"version": 1, "turns": [[0, "user", "x", ""]], "current": 0}')
    for name in ("md", "json"):
        friend = conversation(visit, model)
        friend.get_by_text("Export, import, forget").click()
        friend.locator("#chat-open input[type=file], input[type=file]").last.set_input_files(files[name])
        friend.locator(".ch-talk .log article.user", has_text="你好").wait_for()
        assert questions(friend) == ["你好"] and said(friend, 1)[0] in before[1]
        friend.locator("#chat-open input[type=file], input[type=file]").last.set_input_files(tmp_path / "broken.json")
        friend.locator("[data-testid=toast-body]", has_text="history").wait_for()
        assert questions(friend) == ["你好"]


def test_two_models_answer_side_by_side_and_one_goes_on(visit, model, narrow):
    page = conversation(visit, model, f"&second={narrow}&max_new_tokens=8")
    page.locator(".ch-talk .composer textarea").fill("你好")
    page.locator(".ch-talk .composer textarea").press("Enter")
    columns = page.locator(".ch-talk .log .column")
    columns.nth(1).wait_for()
    assert "tiny" in columns.nth(0).inner_text() and "narrow" in columns.nth(1).inner_text()
    page.get_by_role("button", name="Go on with this").click()
    page.locator(".ch-talk .log .column.on", has_text="narrow").wait_for()


def test_a_model_beside_itself_has_two_columns(visit, model):
    page = conversation(visit, model, f"&second={model}&max_new_tokens=8&temperature=1")
    ask(page, "你好", 1)
    columns = page.locator(".ch-talk .log .column")
    assert columns.count() == 2 and "#2" in columns.nth(1).inner_text()
    one, other = columns.locator("p").all_inner_texts()
    assert one != other


def test_what_fell_out_of_the_context_stands_above_a_line(visit, narrow):
    page = conversation(visit, narrow, "&max_new_tokens=10")
    for i in range(1, 4):
        ask(page, f"第{i}个问题，写得稍微长一些，好让上下文很快装满，装满为止。", i)
    page.locator(".ch-talk .cutline").wait_for()
    page.get_by_role("button", name="New conversation").click()
    page.locator(".ch-talk .empty").wait_for()
    shelf = page.locator(".ch-talk .head select")
    assert "gradient" in shelf.evaluate("s => getComputedStyle(s).backgroundImage")  # its arrow
    expect(shelf.locator("option").nth(1)).to_contain_text("6 messages")
    shelf.select_option(index=1)
    said(page, 3)


def test_a_missing_model_keeps_conversation_and_question(visit, model):
    page = conversation(visit, model)
    ask(page, "你好", 1)
    page.locator("#chat-talk-knobs").get_by_text("Model and sampling").click()
    model_knob = page.locator("#chat-first textarea, #chat-first input")
    model_knob.fill("/no/such/folder")
    model_knob.press("Enter")
    page.wait_for_timeout(300)  # gradio takes a name that is not on the list a moment after the field is left
    page.locator(".ch-talk .composer textarea").fill("还在吗")
    page.locator(".ch-talk .composer textarea").press("Enter")
    page.locator("[data-testid=toast-body]", has_text="there is no folder").wait_for()
    assert questions(page) == ["你好"]
    assert page.locator(".ch-talk .composer textarea").input_value() == "还在吗"


def test_two_visitors_talk_at_once_and_never_see_each_other(visit, model):
    one = conversation(visit, model, "&max_new_tokens=200")
    other = conversation(visit, model, "&max_new_tokens=200")
    for page, text in ((one, "我是甲"), (other, "我是乙")):
        page.locator(".ch-talk .composer textarea").fill(text)
        page.locator(".ch-talk .composer textarea").press("Enter")
    said(one, 1)
    said(other, 1)
    assert questions(one) == ["我是甲"] and questions(other) == ["我是乙"]


# --- the other views ------------------------------------------------------------------------------------


def test_every_example_is_weighed_and_can_be_switched_off(visit, model):
    page = visit(f"?tab=chat&view=worth&model={model}", language="en-US")
    page.locator("#worth-priors td").first.wait_for()
    rows = page.locator("#worth-ledger li")
    assert rows.count() == 4 and all("nat" in text for text in rows.all_inner_texts())
    assert page.locator("#worth-forms td").count() == 25
    rows.nth(1).locator("input").click()
    page.locator("#worth-ledger li.off small", has_text="off").wait_for()
    page.locator(".kx-verdict >> visible=true", has_text="1 switched off").wait_for()
    page.locator("#worth-prompt textarea").fill("没有例子的一句话")
    page.click("#worth-go")
    page.locator("[data-testid=toast-body]", has_text="no form of examples").wait_for()


def test_attention_and_the_three_layouts(visit, model):
    page = visit(f"?tab=chat&view=inside&model={model}&layer=2", language="en-US")
    page.locator(".kx-verdict >> visible=true", has_text="Layer 2 rests").wait_for()
    page.click("#inside-layouts")
    page.locator("#inside-table tr").nth(3).wait_for()
    page = visit(f"?tab=chat&view=inside&model={model}&layer=7", language="en-US")
    page.locator("[data-testid=toast-body]", has_text="layer: must be at most 2").wait_for()


def test_the_bug_of_november_2020(visit, model):
    page = visit(f"?tab=chat&view=pieces&model={model}", language="en-US")
    page.locator(".kx-verdict >> visible=true", has_text="2 line breaks of it became <unk>").wait_for()
    assert page.locator("#pieces-before .unk").count() == 2
    page.click("#pieces-run")
    page.locator("#pieces-both p").nth(1).wait_for()


def test_cpm_has_2_597_073_920_parameters(visit):
    page = visit("?tab=chat&view=calculator", language="en-US")
    page.locator(".kx-verdict >> visible=true", has_text="2,597,073,920 parameters").wait_for()
    page.get_by_label("heads").fill("7")
    page.locator("[data-testid=toast-body]", has_text="heads: must divide the width 2560").wait_for()


@pytest.mark.parametrize("view", ["notebook", "chat", "worth", "inside", "pieces", "calculator"])
def test_nothing_scrolls_sideways_on_a_phone(visit, model, view):
    query = "" if view == "calculator" else f"&model={model}"
    page = visit(f"?tab=chat&view={view}{query}", size=PHONE, language="zh-CN", dark=True)
    page.wait_for_timeout(1500)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
