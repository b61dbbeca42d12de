"""Who beats whom at xiangqi: every level against rules of thumb and fairy-stockfish, from openings of real games.

    python -m benchmarks.xiangqi_ladder --quick                # 20 games a pairing, those that take minutes
    python -m benchmarks.xiangqi_ladder --out runs/ladder.jsonl    # 100 games a pairing; go on after a break
    python -m benchmarks.xiangqi_ladder --only thinking --against skill0,depth4 --seconds 0.2

Openings are the first 8 to 12 plies of validation games, which no training saw; without the data folder, random legal
plies that *thinking* finds level. Each opening is played twice, colours changed, by the rules of `outcome`; after 300
plies a game is a draw. Both sides have one thread. *thinking* has `--seconds` of its own process's CPU time a move, so
that a busy machine weakens nobody; fairy-stockfish (Debian's, UCI, variant xiangqi) is bound by depth alone: `skill-5`,
`skill0` and `skill3` at depth 6, `depth1`, `depth2` and so on at full skill.

`sighted:human`, `sighted_value:winner` and so on are a level that imitates another style than its own.

The score is (wins + draws / 2) / games with a 95 % Wilson interval whose number of games is what the variance of the
pairs of one opening is worth. A line of `--out` is a game; those that the same weights
played already are not played again.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Protocol

import torch

from spaces.xiangqi import api
from spaces.xiangqi.board import iccs, parse_iccs
from spaces.xiangqi.data import is_validation
from spaces.xiangqi.engine import Engine, installed
from spaces.xiangqi.fingerprint import fingerprint
from spaces.xiangqi.outcome import outcome
from spaces.xiangqi.player import Greedy, Random
from spaces.xiangqi.rules import Position
from spaces.xiangqi.search import Thinking
from spaces.xiangqi.styles import STYLES

MOST_PLIES = 300
ENGINES = {"skill-5": (-5, 6), "skill0": (0, 6), "skill3": (3, 6), "depth1": (20, 1), "depth2": (20, 2),
           "depth4": (20, 4), "depth6": (20, 6), "depth8": (20, 8)}
"""(Skill Level, depth)"""
WITHOUT = {"thinking": {}, "thinking-policy": {"policy": False}, "thinking-value": {"value": False},
           "thinking-both": {"policy": False, "value": False}}
"""*thinking* as it is, and without what guides it."""
PAIRINGS = [
    *(("article", b) for b in ("random", "greedy")),
    *(("sighted", b) for b in ("random", "greedy", "article", "skill-5")),
    *(("sighted_value", b) for b in ("greedy", "sighted", "skill-5", "skill0")),
    *(("thinking", b) for b in ENGINES),
    *(("thinking", b) for b in list(WITHOUT)[1:]),
    *((a, "depth8") for a in list(WITHOUT)[1:]),
]
QUICK = [("sighted", "random"), ("sighted", "greedy"), ("sighted_value", "skill-5")]


class Chooser(Protocol):
    """Whoever names a legal move."""

    def __call__(self, position: Position) -> int: ...


class Rival:
    """fairy-stockfish at a skill and a depth."""

    def __init__(self, skill: int, depth: int):
        self.engine, self.depth = Engine({"Skill Level": skill, "Hash": 16}), depth

    def __call__(self, position: Position) -> int:
        return self.engine.think(position.start_fen, position.moves, self.depth)[0]


def make(name: str, seconds: float, seed: int) -> Chooser | None:
    """A player by its name; None where its program is missing."""
    if name in ENGINES:
        return Rival(*ENGINES[name]) if installed() else None
    level, _, style = name.partition(":")
    wanted = STYLES.index(style) if style else None
    if level in WITHOUT:
        sight = api.sight_of("thinking", api.weights("thinking"), wanted)
        player = Thinking(sight, seconds, clock=time.process_time, **WITHOUT[level])
    elif name in ("random", "greedy"):
        player = {"random": Random, "greedy": Greedy}[name](seed)
    else:
        player = api.player(level, api.weights(level), wanted)
    return lambda position: player.analyse(position).best


@cache
def fingerprint_of(name: str) -> str:
    """The fingerprint of the model that a player asks, empty where it asks none."""
    name = name.partition(":")[0]
    unguided = name in WITHOUT and not any(WITHOUT[name].get(part, True) for part in ("policy", "value"))
    level = "thinking" if name in WITHOUT else name
    return fingerprint(api.weights(level)) if level in api.LEVELS and not unguided else ""


def openings(data: Path, count: int) -> list[tuple[int, ...]]:
    """Different beginnings of 8 to 12 plies, the same at every call."""
    if not data.exists():
        print(f"{data} is missing: openings are random plies")
        return list(_random_openings(count))
    from shared.jsonl import read_rows

    rng, found, out = random.Random(7877), set(), []
    games = [words for row in read_rows(data) if is_validation(words := row["moves"].split()) and len(words) > 40]
    rng.shuffle(games)
    for words in games:
        moves = tuple(map(parse_iccs, words[: rng.randint(8, 12)]))
        if moves not in found:
            found.add(moves)
            out.append(moves)
    return out[:count]


def _random_openings(count: int) -> Iterator[tuple[int, ...]]:
    rng, judge = random.Random(7877), Thinking(None, 60, 6, policy=False, value=False)
    while count:
        position = Position()
        for _ in range(8):
            position.push(rng.choice(position.legal_moves()))
        if abs(judge.analyse(position).value) < 0.1:
            count -= 1
            yield tuple(position.moves)


def play(red: Chooser, black: Chooser, opening: tuple[int, ...]) -> tuple[Position, float, str, list[list[float]]]:
    """A game to its end: the last position, red's score, why, and the CPU seconds of each side's moves."""
    position, seconds = Position(), [[], []]
    for move in opening:
        position.push(move)
    while len(position.moves) < MOST_PLIES:
        if (end := outcome(position)) is not None:
            return position, 0.5 if end.winner is None else 1.0 - end.winner, end.reason, seconds
        began = time.process_time()
        move = (red, black)[position.turn](position)
        seconds[position.turn].append(time.process_time() - began)
        if move not in position.legal_moves():
            raise ValueError(f"{iccs(move)} is illegal after {' '.join(map(iccs, position.moves))}")
        position.push(move)
    return position, 0.5, "300 plies", seconds


def match(a: str, b: str, options: argparse.Namespace, starts: list[tuple[int, ...]], done: list[dict],
          keep: Callable[[dict], None]) -> bool:
    """Play the games of a pairing that are not done; False where a player is missing."""
    players = [make(name, options.seconds, 0) for name in (a, b)]
    if None in players:
        print(f"{a} – {b} is left out: fairy-stockfish is not installed")
        return False
    known = {(g["opening"], g["red"]) for g in done if same(g, a, b, options.seconds)}
    with ExitStack() as stack:
        rivals = [player.engine for player in players if isinstance(player, Rival)]
        for engine in rivals:
            stack.callback(engine.close)
        for number in range(options.games):
            opening, a_red = number // 2, number % 2 == 0
            if (opening, "a" if a_red else "b") in known:
                continue
            for engine in rivals:
                engine.new_game()
            first, second = players if a_red else players[::-1]
            position, score, reason, seconds = play(first, second, starts[opening])
            mine = seconds[0 if a_red else 1]
            keep({"a": a, "b": b, "models": [fingerprint_of(a), fingerprint_of(b)], "seconds": options.seconds,
                  "opening": opening, "red": "a" if a_red else "b", "score": score if a_red else 1 - score,
                  "reason": reason, "plies": len(position.moves),
                  "mean_ms": round(1000 * sum(mine) / max(1, len(mine))), "most_ms": round(1000 * max(mine, default=0)),
                  "moves": " ".join(map(iccs, position.moves))})
    return True


def same(game: dict, a: str, b: str, seconds: float) -> bool:
    """Whether a kept game is of this pairing and these weights; only *thinking* depends on the seconds."""
    timed = any(name.partition(":")[0] in WITHOUT for name in (a, b))
    return (game["a"], game["b"], game.get("models")) == (a, b, [fingerprint_of(a), fingerprint_of(b)]) \
        and (not timed or game["seconds"] == seconds)


def interval(games: list[dict]) -> tuple[float, float, float]:
    """Score and its 95 % interval."""
    scores = [g["score"] for g in games]
    p, z = sum(scores) / len(scores), 1.96
    pairs: dict[int, list[float]] = {}
    for g in games:
        pairs.setdefault(g["opening"], []).append(g["score"])
    means = [sum(pair) / len(pair) for pair in pairs.values()]
    variance = sum((m - p) ** 2 for m in means) / max(1, len(means) - 1) / len(means)
    n = min(2.0 * len(games), p * (1 - p) / variance) if variance > 0 else len(games)
    centre, half = (p + z * z / 2 / n) / (1 + z * z / n), z * math.sqrt(p * (1 - p) / n + z * z / 4 / n / n)
    return p, centre - half / (1 + z * z / n), centre + half / (1 + z * z / n)


def table(games: list[dict], pairings: list[tuple[str, str]], seconds: float) -> str:
    """The results in Markdown."""
    head = ("player", "against", "games", "won, drawn, lost", "score", "95 %", "CPU ms a move, mean (most)")
    rows = [f"| {' | '.join(head)} |", "| --- " * len(head) + "|"]
    for a, b in pairings:
        mine = [g for g in games if same(g, a, b, seconds)]
        if not mine:
            continue
        p, low, high = interval(mine)
        count = [sum(g["score"] == s for g in mine) for s in (1, 0.5, 0)]
        mean, most = sum(g["mean_ms"] for g in mine) / len(mine), max(g["most_ms"] for g in mine)
        cells = (a, b, len(mine), ", ".join(map(str, count)), f"{p:.1%}", f"{low:.0%} – {high:.0%}",
                 f"{mean:.0f} ({most})")
        rows.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--games", type=int)
    parser.add_argument("--seconds", type=float, default=1.0, help="of CPU time, for thinking's every move")
    parser.add_argument("--only", help="players, comma between")
    parser.add_argument("--against", help="their opponents, comma between")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/xiangqi/games.jsonl.xz"))
    parser.add_argument("--out", type=Path, default=Path("runs/xiangqi_ladder.jsonl"))
    options = parser.parse_args()
    options.games = options.games or (20 if options.quick else 100)
    torch.set_num_threads(1)
    pairings = QUICK if options.quick else PAIRINGS
    if options.only or options.against:
        mine, theirs = ((text or "").split(",") if text else None for text in (options.only, options.against))
        pairings = [(a, b) for a in mine or WITHOUT for b in theirs or ENGINES]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    done = [json.loads(line) for line in options.out.read_text().splitlines()] if options.out.exists() else []
    starts = openings(options.data, (options.games + 1) // 2)

    def keep(game: dict) -> None:
        done.append(game)
        with options.out.open("a") as file:
            file.write(json.dumps(game) + "\n")

    for a, b in pairings:
        if match(a, b, options, starts, done, keep):
            print(table(done, [(a, b)], options.seconds).splitlines()[-1], flush=True)
    print(table(done, pairings, options.seconds))


if __name__ == "__main__":
    main()
