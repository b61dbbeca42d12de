"""The panel beside the board: what happened, the buttons, who sits where, the moves, the evaluation's curve.

One JSON value like the board's; every button triggers `act` with {"do": …}, which `Table.do` checks.
"""

from __future__ import annotations

from dataclasses import asdict

import gradio as gr

from shared.component import component, packed
from shared.i18n import tr
from spaces.xiangqi.board import BLACK, RED
from spaces.xiangqi.game import handicap_fen
from spaces.xiangqi.ui.board import FOLDER, SIDES
from spaces.xiangqi.ui.opponents import ME, NAMES, listed
from spaces.xiangqi.ui.table import Table

COLOURS = (("红方", "Red"), ("黑方", "Black"))
GIFTS = {
    "horse": ("让左马", "a horse"), "horses": ("让双马", "both horses"), "rook": ("让左车", "a rook"),
    "rook_horse": ("让左车左马", "a rook and a horse"), "rooks": ("让双车", "both rooks"),
}
HANDICAPS = {handicap_fen(side, key): f"{SIDES[side]}:{key}" for side in (RED, BLACK) for key in GIFTS}
"""First position: the handicap as a new game is asked for it."""
LONGEST_NAME = 24
RECORDED = {
    "1-0": ("棋谱记：红胜。", "The record says: red won."),
    "0-1": ("棋谱记：黑胜。", "The record says: black won."),
    "1/2-1/2": ("棋谱记：和棋。", "The record says: a draw."),
}


def panel(value: str, **options) -> gr.HTML:
    """The panel; it has an `act` event."""
    template = '<div class="xq-panel"></div>'
    return component(FOLDER, "panel.js", "panel.css", template, "kx.xiangqiPanel", value, **options)


def names(table: Table) -> dict[str, str]:
    """Who sits where, for the strips at the board."""
    return {"w": _name(table, RED), "b": _name(table, BLACK)}


def _name(table: Table, side: int) -> str:
    """Who sits there; of a game that was read in, whom its record names."""
    (zh, en), (who_zh, who_en) = COLOURS[side], NAMES[table.seats[side]]
    if table.seats[side] == ME and (noted := table.game.tags.get(("Red", "Black")[side], "?")).strip("? "):
        who_zh = who_en = noted[:LONGEST_NAME]
    return tr(f"{zh} · {who_zh}", f"{en} · {who_en}")


def status(table: Table) -> str:
    """What was played, and whose move it is, in a sentence."""
    game = table.game
    zh, en = COLOURS[game.turn]
    played_zh, played_en = "", ""
    if game.at:
        (by_zh, by_en), (chinese, wxf) = COLOURS[1 - game.turn], game.nodes[game.at].words
        played_zh, played_en = f"{by_zh} {chinese}。", f"{by_en}: {wxf} {chinese}. "
    if (end := game.ending) is not None:
        won_zh, won_en = ("和棋", "A draw") if end.winner is None else (
            f"{COLOURS[end.winner][0]}胜", f"{COLOURS[end.winner][1]} wins")
        return tr(f"{played_zh}{won_zh}：{end.zh}。", f"{played_en}{won_en}: {end.en}.")
    if table.arrows:
        return tr("朱红箭头是它会走的一着，青色的是它也想到的；百分数是模型给的概率。",
                  "Cinnabar: the move it would play; teal: what else it considers. Per cent: the model’s probability.")
    check_zh, check_en = ("将军！", "Check! ") if game.position.in_check() else ("", "")
    who = table.seats[game.turn]
    if game.at == game.ends and game.result in RECORDED:
        after_zh, after_en = RECORDED[game.result]
    elif who == ME and not game.at:
        after_zh, after_en = (f"{zh}先走：点一枚棋子，再点亮起的落点，或直接拖动。",
                              f"{en} to move: click a piece, then a lit point, or drag it.")
    elif who == ME:
        after_zh, after_en = f"轮到{zh}。", f"{en} to move."
    elif table.busy:
        after_zh, after_en = f"{zh}在想……", f"{en} is thinking …"
    else:
        after_zh, after_en = f"轮到{zh}，按“走”让它走。", f"{en}’s move: press Go."
    return tr(played_zh + check_zh + after_zh, played_en + check_en + after_en)


def shelved(one: dict) -> str:
    """An earlier game in a few words: who played, how far."""
    (red_zh, red_en), (black_zh, black_en) = (NAMES.get(name, NAMES[ME]) for name in one["seats"])
    plies = one["plies"]
    return tr(f"{red_zh} – {black_zh}，{plies} 着", f"{red_en} – {black_en}, {plies} moves")


def contents(table: Table) -> str:
    """The panel's JSON value."""
    game = table.game
    line = game.line()
    rows = [[n, *game.nodes[n].words, [[s, *game.nodes[s].words] for s in game.siblings(n)]] for n in line]
    waiting, over = table.seat() != ME, game.ending is not None
    gifts = [[f"{SIDES[side]}:{key}", tr(f"{COLOURS[side][0]}{zh}{also}", f"{COLOURS[side][1]} gives {en}{too}")]
             for side, also, too in ((RED, "", ""), (BLACK, "兼让先", " and the move"))
             for key, (zh, en) in GIFTS.items()]
    return packed({
        "status": status(table), "over": over, "players": listed(), "gifts": gifts,
        "given": HANDICAPS.get(game.fen, ""),
        "seats": dict(zip(SIDES, table.seats, strict=True)), "line": rows, "at": game.at,
        "first": game.position.first_ply, "values": [game.nodes[n].value for n in (0, *line)],
        "can": {"undo": game.at > 0 or game.given_up, "redo": bool(line) and game.at != line[-1],
                "resign": not over and ME in table.seats, "hint": not over, "run": waiting and not over,
                "step": waiting and not over},
        "shelf": [shelved(one) for one in table.shelf],
        "running": table.running or bool(table.busy), **asdict(table.look),
    })
