"""Who may sit at the board: the visitor, two rules of thumb, and the levels whose weights are here."""

from __future__ import annotations

from collections.abc import Sequence

from shared.experiment import InputError
from shared.i18n import tr
from spaces.xiangqi import api
from spaces.xiangqi.player import Analysis, Greedy, Player, Random
from spaces.xiangqi.record import play

ME = "me"
RULES: dict[str, Player] = {"random": Random(), "greedy": Greedy()}
NAMES = {  # Chinese, English
    ME: ("我", "Me"),
    "random": ("随机走子", "Random moves"),
    "greedy": ("见子就吃", "Greedy capture"),
    "article": ("原文的模型：只读字符", "The article's: reads characters"),
    "sighted": ("看棋盘的模型", "Sighted"),
    "sighted_value": ("看棋盘＋估值", "Sighted + value"),
    "thinking": ("看棋盘＋搜索一秒", "Sighted + 1 s of search"),
}
BEST = ("thinking", "sighted_value", "sighted", "article", "greedy")


def missing(name: str) -> tuple[str, str] | None:
    """Why nobody of this name can play here, in Chinese and in English; None where somebody can."""
    if name not in NAMES:
        return f"没有叫 {name!r:.20} 的棋手", f"there is no player {name!r:.20}"
    if name not in api.LEVELS:
        return None
    model = "faithful" if name == "article" else "sighted"
    if (api.WEIGHTS / model / "config.json").exists():
        return None
    return f"缺少权重 weights/{model}", f"weights/{model} is missing"


def seated(name: object) -> str:
    """The name of somebody who can play here; InputError else."""
    name = name if isinstance(name, str) else ""
    if (why := missing(name)) is not None:
        raise InputError("player", f"不能选这位棋手：{why[0]}。", f"cannot play: {why[1]}.")
    return name


def best(*names: str) -> str:
    """The first of the names, by default the strongest, who can play here."""
    return next(name for name in names or BEST if missing(name) is None)


def listed() -> list[list[str]]:
    """[name, label, why not] of everybody, for the page."""
    out = []
    for name, (zh, en) in NAMES.items():
        why = missing(name)
        label = tr(f"{zh}（{why[0]}）", f"{en} ({why[1]})") if why else tr(zh, en)
        out.append([name, label, bool(why)])
    return out


def analyse(name: str, fen: str, moves: Sequence[int]) -> Analysis:
    """What a player thinks after legal moves from a FEN; models take their turn on the device."""
    if name in RULES:
        return RULES[name].analyse(play(fen, list(moves)))
    api.weights(name)  # before the device's turn: on ZeroGPU models load in the parent
    return api.analyse(name, fen, list(moves))
