"""The tab's API as plain Python: `xiangqi_move(fen, moves, level)`."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from shared import accelerator, models
from shared.experiment import InputError
from shared.threads import one_thread
from spaces.xiangqi.alphabeta import warm
from spaces.xiangqi.board import iccs, parse_iccs
from spaces.xiangqi.outcome import REASONS, outcome
from spaces.xiangqi.player import Analysis, Article, Player, Sighted, SightedValue
from spaces.xiangqi.record import MOST_PLIES, play
from spaces.xiangqi.search import Thinking
from spaces.xiangqi.sight import Sight
from spaces.xiangqi.styles import ENGINE, WINNER
from spaces.xiangqi.weights import WEIGHTS

if TYPE_CHECKING:  # building the page loads no models
    from transformers import PreTrainedModel

LEVELS = ("article", "sighted", "sighted_value", "thinking")
THINKING_SECONDS = 1.0
STYLE = {"sighted": WINNER, "sighted_value": ENGINE, "thinking": ENGINE}
"""Whom a level imitates: by the ladder those who won choose better; the engine's values are closer (docs/LOG.md)."""


def read_moves(moves: str | list[str]) -> list[int]:
    """ICCS words, in one text or a list, as moves; InputError for one that is malformed, or for too many."""
    words = moves.split() if isinstance(moves, str) else moves or []
    if not isinstance(words, list | tuple):
        raise InputError("moves", "应为 ICCS 着法的文本或列表。", "must be ICCS words, in one text or a list.")
    if len(words) > MOST_PLIES:
        raise InputError("moves", f"最多 {MOST_PLIES} 着。", f"at most {MOST_PLIES} moves are read.")
    return [parse_iccs(word) for word in words]


def weights(level: str) -> PreTrainedModel:
    """The model of a level, from the shelf; InputError for an unknown level or where its weights are missing."""
    if level not in LEVELS:
        names = ", ".join(LEVELS)
        raise InputError("level", f"水平应为 {names} 之一。", f"the level must be one of {names}.")
    if level == "thinking":
        warm()  # before the device's turn, like the weights
    if level == "article":
        return models.load("", embedded=WEIGHTS / "faithful").model
    from spaces.xiangqi.model import SightedModel

    return models.load("", SightedModel, embedded=WEIGHTS / "sighted").model


_sight = lru_cache(maxsize=4)(Sight)


def sight_of(level: str, model: PreTrainedModel, style: int | None = None) -> Sight:
    """What a level sees its model through, imitating the style or, without one, whom the level plays best as."""
    return _sight(model, STYLE[level] if style is None else style)


def player(level: str, model: PreTrainedModel, style: int | None = None) -> Player:
    """The player of a level with its model; style as in `sight_of`."""
    if level == "article":
        return Article(model)
    sight = sight_of(level, model, style)
    if level == "thinking":
        return Thinking(sight, THINKING_SECONDS)
    return Sighted(sight) if level == "sighted" else SightedValue(sight)


@accelerator.run(duration=10)
@one_thread()
def analyse(level: str, fen: str, moves: list[int]) -> Analysis:
    """What a level thinks after legal moves from a FEN."""
    return player(level, weights(level).to(accelerator.device())).analyse(play(fen, moves))


@accelerator.run(duration=10)
@one_thread()
def _study(fen: str, moves: list[int], seconds: float) -> Analysis:
    sight = sight_of("thinking", weights("thinking").to(accelerator.device()))
    return Thinking(sight, seconds).analyse(play(fen, moves))


def study(fen: str, moves: list[int], seconds: float) -> Analysis:
    """What *thinking* makes of a position in so many seconds."""
    weights("thinking")  # before the device's turn: on ZeroGPU models load in the parent
    return _study(fen, moves, seconds)


def xiangqi_move(fen: str, moves: str | list[str], level: str) -> dict:
    """The move that a level plays after `moves` from `fen` (empty: the start).

    Returns {"move": ICCS, "fen": after that move, "legal": the legal moves, "policy": {move: probability} in the
    position asked (for thinking the model's, sharpened by a search of four plies), "illegal_mass": what it put off
    the rules}.
    """
    position = play(fen, read_moves(moves))
    legal = position.legal_moves()
    if (end := outcome(position, legal)) is not None:
        zh, en = REASONS[end.reason]
        raise InputError("moves", f"对局已结束：{zh}。", f"the game is over: {en}.")
    weights(level)  # before the device's turn: on ZeroGPU models load in the parent
    analysis = analyse(level, position.start_fen, list(position.moves))
    move = analysis.best
    position.push(move)
    return {"move": iccs(move), "fen": position.fen(), "legal": [iccs(m) for m in legal],
            "policy": {iccs(m): p for m, p in analysis.policy.items()}, "illegal_mass": analysis.illegal_mass}
