"""The Xiangqi tab's board in real Chromium: played by mouse, finger and keys, kept, shared, and not to be cheated."""

from __future__ import annotations

import re

import pytest

from spaces.xiangqi.board import iccs, parse_iccs
from spaces.xiangqi.notation import parse_notation
from spaces.xiangqi.prover import Prover
from spaces.xiangqi.record import play
from spaces.xiangqi.rules import Position
from spaces.xiangqi.search import Thinking
from spaces.xiangqi.studies import studies

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(240),
]
TAB = "?tab=xiangqi"
BOTH = "&black=me"
PHONE = (390, 844)
POINT = """square => {
  const board = document.querySelector("#xiangqi-board .xq-board");
  const at = new DOMPoint("abcdefghi".indexOf(square[0]) * 10, (9 - square[1]) * 10);
  const p = at.matrixTransform(board.getScreenCTM());
  return [p.x, p.y];
}"""


def open_table(visit, query: str = "", **options):
    """A new visitor at the board."""
    page = visit(TAB + query, language=options.pop("language", "en-US"), **options)
    page.locator("#xiangqi-board .piece").first.wait_for()
    page.wait_for_timeout(300)
    return page


def move(page, word: str) -> None:
    """Click a piece, then where it goes."""
    for square in (word[:2], word[2:]):
        page.mouse.click(*page.evaluate(POINT, square))


def plies(page, count: int) -> list[str]:
    """The listed moves in WXF, once there are so many."""
    moves = page.locator("#xiangqi-panel .list .move small")
    page.wait_for_function(
        f"document.querySelectorAll('#xiangqi-panel .list .move').length === {count}", timeout=60_000
    )
    return moves.all_inner_texts()


def status(page, said: str | re.Pattern) -> None:
    """Wait for the sentence above the buttons."""
    page.locator("#xiangqi-panel .status", has_text=said).wait_for(timeout=60_000)


def press(page, name: str) -> None:
    page.locator("#xiangqi-panel").get_by_role("button", name=name, exact=True).click()


def test_a_click_moves_at_once_and_greedy_answers(visit):
    page = open_table(visit, "&black=greedy")
    page.mouse.click(*page.evaluate(POINT, "h2"))
    assert page.locator(".hints .dot").count() == 11 and page.locator(".hints .take").count() == 1
    held = []
    page.route("**/queue/join*", lambda route: held.append(route))  # answers nothing yet
    page.mouse.click(*page.evaluate(POINT, "e2"))
    drawn = page.locator("#xiangqi-board .piece").last.evaluate("node => node.style.transform")
    assert drawn == "translate(40px, 70px)"  # e2, before the server has heard of it
    while not held:
        page.wait_for_timeout(50)
    page.evaluate("performance.now = () => Performance.prototype.now.call(performance) + 20000")
    page.locator("#xiangqi-board .piece[style*='translate(70px, 70px)']").wait_for()  # no answer: back on h2
    page.unroute("**/queue/join*")  # lets what was held go on
    assert plies(page, 2)[0] == "C2=5"
    status(page, "Red to move")
    press(page, "Undo")
    status(page, "Red to move: click a piece")
    press(page, "Redo")
    status(page, "Black:")


def test_drag_branch_and_travel(visit):
    page = open_table(visit, BOTH)
    start, end = page.evaluate(POINT, "h2"), page.evaluate(POINT, "e2")
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=5)
    page.mouse.up()
    assert plies(page, 1) == ["C2=5"]
    move(page, "h9g7")
    plies(page, 2)
    page.locator(".list .move").first.click()
    status(page, "Red: C2=5")
    move(page, "b9c7")
    status(page, "H2+3")
    assert plies(page, 2) == ["C2=5", "H2+3"]
    page.locator(".list .others button", has_text="马8进7").click()
    status(page, "H8+7")


def test_keys_alone_are_enough(visit):
    page = open_table(visit, BOTH)
    page.focus("#xiangqi-board .xq-board")
    for key in ("ArrowUp", "ArrowUp", "ArrowUp", "Enter", "Escape", "Enter", "ArrowUp"):
        page.keyboard.press(key)
    assert "a legal move" in page.inner_text(".xq-heard")
    page.keyboard.press("Enter")
    assert plies(page, 1) == ["P5+1"]
    status(page, "Red: P5+1")


def test_a_reload_keeps_the_game_and_a_link_opens_another(visit):
    page = open_table(visit, BOTH)
    for count, word in enumerate(("h2e2", "h9g7", "h0g2"), 1):
        move(page, word)
        plies(page, count)
    press(page, "Undo")
    status(page, "Black: H8+7")
    assert "black" not in page.url
    page.wait_for_timeout(500)
    page.reload()
    status(page, "Black: H8+7")
    assert plies(page, 3)[2] == "H2+3"
    page.click("#xiangqi-copy")
    page.wait_for_url(re.compile("moves=h2e2"))
    friend = open_table(visit, page.url[page.url.index("&") :])
    status(friend, "Black: H8+7")
    assert plies(friend, 2) == ["C2=5", "H8+7"]
    press(page, "Redo")
    status(page, "Red: H2+3")
    page.click("#xiangqi-copy")
    page.wait_for_url(re.compile("h9g7(%20|\\+)h0g2"))  # the table as it stands, not as it was copied before


def test_games_come_in_and_a_bad_one_leaves_the_game(visit):
    page = open_table(visit)
    page.get_by_text("Games in and out").click()
    text = page.locator("#xiangqi-text textarea")

    def read(written: str) -> None:
        text.fill(written)
        page.click("#xiangqi-read")

    read('[Red "甲"]\n[Result "0-1"]\n\n1. 炮二平五 马8进7 2. 马二进三 0-1')
    assert plies(page, 3) == ["C2=5", "H8+7", "H2+3"]
    status(page, "The record says: black won")
    assert page.locator(".xq-strip.w b").inner_text() == "Red · 甲"
    for bad, sentence in (
        ("1. 炮二平五 炮三平五", "move 2"),
        ("4k4/9/9/9/9/9/9/9/9/4K4 w", "must not face each other"),
        ("x" * 100_001, "100000 characters"),
    ):
        read(bad)
        page.locator("[data-testid=toast-body]", has_text=sentence).first.wait_for()
        assert len(plies(page, 3)) == 3
    read("3k5/9/9/9/9/9/9/9/R8/5K3 b - - 3 40")
    status(page, "Black to move")
    page.get_by_label("FEN (this position)").check()
    page.wait_for_function("document.querySelector('#xiangqi-text textarea').value.startsWith('3k5/9')")


def test_a_game_is_saved_as_a_file_and_opened_again(visit, tmp_path):
    page = open_table(visit, BOTH + "&moves=h2e2 h9g7")
    plies(page, 2)
    page.get_by_text("Games in and out").click()
    with page.expect_download() as saving:
        page.click("#xiangqi-save")
    assert saving.value.suggested_filename == "xiangqi.pgn"
    saving.value.save_as(tmp_path / "game.pgn")
    assert "1. 炮二平五 马8进7" in (tmp_path / "game.pgn").read_text("utf-8")
    press(page, "Both by me")
    status(page, "Red to move: click a piece")
    (tmp_path / "broken.pgn").write_bytes(b"\xff\xfe\x00\x01")
    for name in ("broken.pgn", "game.pgn"):
        with page.expect_file_chooser() as choosing:
            page.click("#xiangqi-open")
        choosing.value.set_files(tmp_path / name)
        if name == "broken.pgn":
            page.locator("[data-testid=toast-body]", has_text="GB 18030").first.wait_for()
    assert plies(page, 2) == ["C2=5", "H8+7"]


def test_looks_are_kept_and_a_handicap_is_named(visit):
    page = open_table(visit, BOTH)
    red, place = page.locator("#xiangqi-board .piece").last, "node => node.style.transform"
    before = red.evaluate(place)
    faces = page.locator("#xiangqi-board .piece").first.inner_html()
    for name in ("Flip", "Western", "Labels", "Sound"):
        press(page, name)
    page.wait_for_function(f"document.querySelectorAll('#xiangqi-board .piece')[31].style.transform !== '{before}'")
    page.wait_for_function("!document.querySelector('#xiangqi-board .coordinates').childNodes.length")
    gift = page.locator("#xiangqi-panel label", has_text="Handicap").locator("select")
    gift.select_option("w:horses")
    press(page, "Both by me")
    page.wait_for_function("document.querySelectorAll('#xiangqi-board .piece').length === 30")
    page.wait_for_timeout(500)
    page.reload()
    page.wait_for_function("document.querySelectorAll('#xiangqi-board .piece').length === 30")
    states = page.locator("#xiangqi-panel .quiet [aria-pressed]").evaluate_all("all => all.map((b) => b.ariaPressed)")
    assert states == ["false", "true", "false", "false"]  # a new game turns the board to who sits down
    assert gift.input_value() == "w:horses" and page.locator("#xiangqi-board .piece").first.inner_html() != faces
    press(page, "I am red")
    page.wait_for_function("document.querySelectorAll('#xiangqi-board .piece').length === 30")


@pytest.mark.timeout(300)
def test_a_restarted_server_finds_the_game_in_the_browser(chromium, serve):
    context = chromium.new_context(locale="en-US")
    page = context.new_page()
    with serve("--only", "xiangqi") as url:
        page.goto(f"{url}/{TAB}{BOTH}")
        page.locator("#xiangqi-board .piece").first.wait_for()
        page.wait_for_function("window.kx && kx.settled")
        move(page, "h2e2")
        plies(page, 1)
        move(page, "h9g7")
        plies(page, 2)
        page.wait_for_timeout(500)
    with serve("--only", "xiangqi", port=int(url.rsplit(":", 1)[1])):
        page.goto(f"{url}/{TAB}")
        status(page, "Black: H8+7")
        assert plies(page, 2) == ["C2=5", "H8+7"]
    context.close()


def test_a_forged_event_is_refused_and_the_piece_goes_back(visit):
    page = open_table(visit, BOTH)
    forged = {}

    def forge(route):
        body = route.request.post_data_json
        if body.get("event_data"):
            body["event_data"] = forged
        route.continue_(post_data=body)

    page.route("**/queue/join*", forge)
    for forged, sentence in (  # noqa: B007
        ({"move": "a0a5"}, "a0a5 is not legal here"),
        ({"move": "<svg onload=alert(1)>"}, "<svg onload=alert(1 is not an ICCS move"),
        ({"do": "travel", "node": 99}, "no such move in this game"),
        ({"do": "__init__"}, "the page may ask for"),
        ({"do": "seat", "side": "w", "player": "nobody"}, "no player 'nobody'"),
    ):
        move(page, "h2e2")
        page.locator("[data-testid=toast-body]", has_text=sentence).first.wait_for()
        page.locator("#xiangqi-board .piece[style*='translate(70px, 70px)']").wait_for()
    status(page, "Red to move: click a piece")
    page.unroute("**/queue/join*")
    move(page, "h2e2")
    assert plies(page, 1) == ["C2=5"]


def test_a_capture_a_check_and_a_resignation(visit):
    page = open_table(visit, BOTH + "&fen=3k5/9/9/9/9/9/9/9/R2p5/5K3+w")
    move(page, "a1d1")
    status(page, "Check! Black to move.")
    page.locator("#xiangqi-board .marks .check").wait_for(state="attached")
    assert page.locator("#xiangqi-board .xq-strip.w .taken svg").count() == 1
    assert page.locator("#xiangqi-board .xq-strip.b .taken svg").count() == 0
    press(page, "Resign")
    status(page, "Red wins: black resigned")
    for side, said in (("w", "won"), ("b", "lost")):
        page.locator(f"#xiangqi-board .xq-strip.{side}:not(.turn) .score").get_by_text(said, exact=True).wait_for()
    press(page, "Undo")
    status(page, "Check! Black to move.")


def test_who_is_black_turns_the_board_and_sees_what_red_expects(visit):
    page = open_table(visit, "&black=sighted")
    assert page.locator("#xiangqi-panel .curve").is_hidden()
    press(page, "I am black")
    plies(page, 1)
    status(page, "Black to move.")
    page.locator("#xiangqi-board .piece.black[style*='translate(40px, 90px)']").wait_for()  # e9: the board is turned
    page.locator("#xiangqi-panel .curve .line").wait_for(state="attached")
    assert page.locator("#xiangqi-board .xq-bar:not(.unknown)").count() == 1
    shares = page.locator("#xiangqi-board .score").all_inner_texts()
    assert len(shares) == 2 and abs(sum(int(share.removesuffix(" %")) for share in shares) - 100) <= 1


def test_two_visitors_play_at_once(visit):
    first, second = open_table(visit, BOTH), open_table(visit, BOTH, language="zh-CN")
    move(first, "h2e2")
    move(second, "b2d2")
    assert plies(first, 1) == ["C2=5"]
    status(second, "炮八平六")
    move(second, "h9g7")
    assert len(plies(second, 2)) == 2 and len(plies(first, 1)) == 1


def test_two_players_play_each_other_pause_and_step(visit):
    page = open_table(visit, "&red=random&black=greedy")
    press(page, "Go")
    page.wait_for_function("document.querySelectorAll('#xiangqi-panel .list .move').length >= 2")
    press(page, "Pause")
    page.wait_for_timeout(1500)
    count = page.locator(".list .move").count()
    press(page, "Step")
    plies(page, count + 1)
    page.wait_for_timeout(1000)
    assert page.locator(".list .move").count() == count + 1


def test_a_finger_on_a_phone(visit):
    page = open_table(visit, BOTH, size=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    box = page.locator("#xiangqi-board .xq-board").bounding_box()
    assert box["width"] > 300 and box["height"] < PHONE[1] - 100
    page.locator("#xiangqi-board .xq-board").scroll_into_view_if_needed()
    scrolled = page.evaluate("scrollY")
    for square in ("h2", "e2"):
        page.touchscreen.tap(*page.evaluate(POINT, square))
    assert plies(page, 1) == ["C2=5"]
    touch = page.context.new_cdp_session(page)
    start, end = page.evaluate(POINT, "h9"), page.evaluate(POINT, "g7")
    for kind, points in (("touchStart", [start]), ("touchMove", [end]), ("touchEnd", [])):
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]})
    assert plies(page, 2)[1] == "H8+7"
    assert page.evaluate("scrollY") == scrolled


def play_to_the_end(page, position: Position, choose, most: int) -> Position:
    """Red's moves by clicks, black's as the page lists them, until one side is mated."""
    for _ in range(most):
        word = iccs(choose(position))
        position.push(parse_iccs(word))
        move(page, word)
        count = len(position.moves) + bool(position.legal_moves())
        listed = plies(page, count)
        if len(listed) > len(position.moves):
            position.push(parse_notation(position, listed[-1]))
        if not position.legal_moves():
            return position
    raise AssertionError(f"no mate in {most} moves: {position.fen()}")


def test_a_mate_by_clicks_against_sighted(visit):
    study = next(s for s in studies() if s.mate == 3)
    page = open_table(visit, f"&black=sighted&fen={study.fen.replace(' ', '+')}")
    left = iter((3, 2, 1))
    play_to_the_end(page, play(study.fen, ()), lambda p: fastest(p, next(left)), 3)
    status(page, "Red wins")
    assert page.locator("#xiangqi-panel .over").count() == 1


def fastest(position: Position, most: int) -> int:
    prover = Prover(position)
    return prover.keys(position, prover.distance(most))[0]


@pytest.mark.slow
def test_a_whole_game_from_the_start_against_sighted(visit):
    """Red thinks in this process, without the model; the game ends in mate, on the page as here."""
    page = open_table(visit, "&black=sighted")
    player = Thinking(None, 60, 8, policy=False, value=False)
    position = play_to_the_end(page, Position(), lambda p: player.analyse(p).best, 100)
    status(page, "Red wins" if position.turn else "Black wins")
    page.reload()
    status(page, "Red wins" if position.turn else "Black wins")


def test_a_new_game_loses_nothing(visit):
    page = open_table(visit, BOTH)
    move(page, "h2e2")
    plies(page, 1)
    press(page, "Both by me")
    status(page, "Red to move: click a piece")
    page.locator(".begin .shelf").select_option(index=1)
    assert plies(page, 1) == ["C2=5"]
    assert page.locator(".begin .shelf").is_hidden()


def test_a_study_is_solved_and_ticked(visit):
    number = next(n for n, s in enumerate(studies(), 1) if s.mate == 2)
    study, on_board = studies()[number - 1], "#studies-board"
    page = visit(f"{TAB}&view=studies&study={number}", language="en-US")
    page.locator(f"{on_board} .piece").first.wait_for()
    page.wait_for_timeout(500)

    def click(word: str) -> None:
        for square in (word[:2], word[2:]):
            page.mouse.click(*page.evaluate(POINT.replace("#xiangqi-board", on_board), square))

    position = play(study.fen, ())
    key = study.line.split()[0]
    click(next(iccs(m) for m in position.legal_moves() if iccs(m) != key))
    page.locator("#studies-said", has_text="too slow").wait_for()
    page.wait_for_timeout(400)
    click(key)
    page.locator("#studies-said", has_text="Good!").wait_for()
    page.click("#studies-hint")
    page.locator("#studies-said", has_text="no tick").wait_for()
    page.click("#studies-again")
    page.wait_for_timeout(600)
    position.push(parse_iccs(key))
    click(key)
    page.locator("#studies-said", has_text="Good!").wait_for()
    answer = page.locator("#studies-said").inner_text().split("answers ")[1].split(":")[0]
    position.push(parse_notation(position, answer))
    page.wait_for_timeout(400)
    click(iccs(fastest(position, 1)))
    page.locator("#studies-said", has_text="red wins").wait_for()
    page.locator(f"#studies-list .done[data-n='{number}']").wait_for()
    page.wait_for_timeout(500)
    page.reload()
    page.locator(f"#studies-list .done[data-n='{number}']").wait_for()


@pytest.mark.timeout(300)
def test_a_review_names_the_blunder_and_stops(visit):
    """Red gives a rook for nothing."""
    page = open_table(visit, BOTH + "&moves=h2e2+h9g7+i0i1+i9h9+i1h1+b9c7+h1h7+h9h7")
    page.get_by_role("tab", name="Review").click()
    page.get_by_label("0.1 s").check()
    page.click("#review-start")
    page.locator("#review-status", has_text="Done: 9 positions").wait_for(timeout=120_000)
    page.click("#review-copy")
    page.wait_for_url(re.compile("view=review"))
    friend = visit(page.url[page.url.index("?") :], language="en-US")
    assert friend.get_by_label("0.1 s").is_checked()
    friend.get_by_role("tab", name="Play", exact=True).click()
    assert len(plies(friend, 8)) == 8
    page.click("#review-dear-0")
    page.locator("#review-said", has_text="Better:").wait_for()
    page.locator("#review-board .arrow").nth(1).wait_for()
    page.click("#review-better")
    page.locator("#review-board .arrow").nth(1).wait_for(state="detached")
    page.click("#review-take")
    page.locator("#xiangqi-board .piece").first.wait_for()
    page.locator(".list .others").first.wait_for()
