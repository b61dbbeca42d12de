"""Endgame studies: red to move mates in so many, by one first move alone. Made here, none is taken from a book.

    python -m spaces.xiangqi.studies                # writes studies.json; an hour; needs fairy-stockfish

Random sparse positions in which alpha–beta sees a mate are kept when `prover` shows that (1) red wins within n moves
whatever black does, and not within n − 1; (2) only one first move does; (3) without any one of red's pieces there is
no win within n: nobody is idle. fairy-stockfish, to a depth beyond the mate, must see the same mate after the first
move; before it, it may prefer another (its pruning overlooks some quiet keys).
Difficulty is measured: does *greedy* find the first move, does the *sighted* policy, and how many nodes the proof took.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from shared.experiment import InputError
from spaces.xiangqi.alphabeta import MATE, MOST, memory, search, warm
from spaces.xiangqi.board import ALLOWED, CANNON, HORSE, KINDS, KING, RED, ROOK, SOLDIER, format_fen, iccs, parse_iccs
from spaces.xiangqi.engine import Engine
from spaces.xiangqi.native import LIMIT, desk
from spaces.xiangqi.prover import Prover, Undecided
from spaces.xiangqi.rules import Position

FILE = Path(__file__).with_name("studies.json")
WANTED = {1: 6, 2: 14, 3: 16, 4: 14, 5: 10}
MOST_MOVES = 5
PER_CLASS = 4
"""Of one material and one length there are at most so many."""
ATTACKERS = (ROOK, HORSE, CANNON, SOLDIER)


@dataclass(frozen=True)
class Study:
    """A position in which red mates in `mate` by `line`'s first move alone."""

    fen: str
    mate: int
    line: str
    """ICCS words: the key, and on with the longest defence."""
    material: str
    """Red's pieces, then what black has beside its king: `RN-AAE`."""
    nodes: int
    """That the proof and the refutations of all other first moves took."""
    greedy: bool
    policy: bool
    """Whether *greedy* takes or mates with the key, and whether it is the policy's favourite."""
    engine_mate: int | None
    """In how many moves fairy-stockfish sees the mate, told the first."""

    @property
    def level(self) -> int:
        """1 … 3: the shortest, and those that a beginner's eye finds, are easy."""
        return min(3, 1 + (self.mate > 1) * (not self.greedy) + (self.mate > 2) * (not self.policy))


@lru_cache(maxsize=1)
def studies() -> tuple[Study, ...]:
    """All that ship, the easy ones first."""
    found = [Study(**row) for row in json.loads(FILE.read_text("utf-8"))]
    return tuple(sorted(found, key=lambda s: (s.mate, s.level, s.nodes)))


def material(board: list[int]) -> str:
    def of(side: int) -> str:
        letters = (KINDS[p & 7] for p in board if p and p >> 3 == side and p & 7 != KING)
        return "".join(sorted(letters, key="RNCPAB".index))

    return f"{of(0)}-{of(1)}"


def sparse(rng: random.Random) -> Position | None:
    """A random legal position of few pieces, red to move."""
    pieces = [KING, *rng.choices(ATTACKERS, weights=(3, 3, 3, 4), k=rng.choice((2, 2, 3, 3, 4)))]
    pieces += rng.choices((2, 3), k=rng.choice((0, 0, 1, 2)))
    guards = rng.sample((2, 2, 3, 3), rng.randint(0, 4))
    pieces += [KING + 8, *(kind + 8 for kind in guards)]
    pieces += [kind + 8 for kind in rng.choices(ATTACKERS, k=rng.choice((0, 1, 1, 2)))]
    board = [0] * 90
    for piece in pieces:
        free = [s for s in ALLOWED[piece] if not board[s] and (piece != SOLDIER or s >= 45)]
        if not free or pieces.count(piece) > (5 if piece & 7 == SOLDIER else 2):
            return None
        board[rng.choice(free)] = piece
    try:
        return Position(format_fen(board, RED))
    except InputError:
        return None


def seen_mate(position: Position, depth: int) -> int | None:
    """In how many moves a quick search sees red mate; a hint, not a proof."""
    table = desk(position)
    table.state[LIMIT] = 300_000
    score = search(table, memory(), depth, -MOST, MOST, 0, 1)
    return (MATE - score + 1) // 2 if score > MATE - 40 else None


def idle(position: Position, number: int, limit: int) -> bool:
    """Whether red wins as fast without one of its pieces."""
    for s, piece in enumerate(position.board):
        if not piece or piece >> 3 or piece & 7 == KING:
            continue
        board = list(position.board)
        board[s] = 0
        try:
            without = Position(format_fen(board, RED))
        except InputError:
            continue
        if Prover(without, limit).wins(2 * number - 1):
            return True
    return False


def longest(position: Position, key: int, number: int, limit: int) -> list[int]:
    """The key, and on: the defence that holds out longest, the fastest mate."""
    position, line, move = Position(position.fen()), [], key
    for left in range(number, 0, -1):
        line.append(move)
        position.push(move)
        if left == 1 or not position.legal_moves():
            break
        prover = Prover(position, limit)
        answer, needed = prover.defence(position, left - 1)
        line.append(answer)
        position.push(answer)
        prover = Prover(position, limit)
        move = prover.keys(position, needed or 1)[0]
        if needed and needed < left - 1:
            return []  # shorter than it should be: not what was proved
    return line


def compose(position: Position, limit: int, wanted: set[int]) -> tuple[int, list[int], int] | None:
    """(mate, line, nodes) of a position that makes a study."""
    depth = 2 * MOST_MOVES
    quick = seen_mate(position, depth)
    if quick not in wanted:
        return None
    prover = Prover(position, limit)
    number = prover.distance(min(MOST_MOVES, quick))
    if number is None or len(keys := prover.keys(position, number)) != 1 or idle(position, number, limit):
        return None
    line = longest(position, keys[0], number, limit)
    return (number, line, prover.nodes) if len(line) == 2 * number - 1 else None


def make(seconds: float, seed: int, limit: int, had: list[Study],
         keep: Callable[[list[Study]], None]) -> list[Study]:
    """Compose until all are there, or the seconds are over; `keep` gets them after each."""
    from spaces.xiangqi import api
    from spaces.xiangqi.player import Greedy

    rng, engine, out = random.Random(seed), Engine({"Hash": 64}), list(had)
    sight, end = api.sight_of("thinking", api.weights("sighted")), time.process_time() + seconds
    while time.process_time() < end and any(_count(out)[n] < wanted for n, wanted in WANTED.items()):
        position = sparse(rng)
        if position is None or not position.legal_moves():
            continue
        try:
            made = compose(position, limit, {n for n, most in WANTED.items() if _count(out)[n] < most})
        except Undecided:
            continue
        kind = material(position.board)
        if made is None or _count(out)[made[0]] >= WANTED[made[0]] \
                or sum((s.mate, s.material.split("-")[0]) == (made[0], kind.split("-")[0]) for s in out) >= PER_CLASS:
            continue
        number, line, nodes = made
        engine.new_game()
        _, mated = engine.think(position.fen(), line[:1], 2 * number + 8)
        if mated != 1 - number:
            print(f"after {iccs(line[0])} the engine says mate {mated}, not {1 - number}: {position.fen()}", flush=True)
            continue
        view = sight.look(position)
        out.append(Study(position.fen(), number, " ".join(map(iccs, line)), kind, nodes,
                         Greedy(0).analyse(position).best == line[0],
                         max(view.policy, key=view.policy.__getitem__) == line[0], 1 - mated))
        keep(out)
        print(len(out), out[-1], flush=True)
    engine.close()
    return out


def _count(found: list[Study]) -> Counter:
    return Counter(study.mate for study in found)


# ---- playing one

def answer(position: Position, left: int) -> tuple[int | None, int | None]:
    """Black's longest defence and how many moves red then needs; (None, 0) when black has none, and the second is None
    when red cannot win within `left` moves any more."""
    if not position.legal_moves():
        return None, 0
    warm()
    return Prover(Position(position.fen())).defence(position, left)


def key(position: Position, left: int) -> int | None:
    """A move that still wins within `left` moves, the fastest."""
    warm()
    prover = Prover(Position(position.fen()))
    number = prover.distance(left)
    return prover.keys(position, number)[0] if number else None


def by_number(number: object) -> Study:
    """The study of a number from 1; InputError where there is none."""
    if type(number) is not int or not 1 <= number <= len(studies()):
        raise InputError("study", f"残局编号应为 1 到 {len(studies())}。",
                         f"the number of a study must be from 1 to {len(studies())}.")
    return studies()[number - 1]


def moves_of(study: Study) -> list[int]:
    return [parse_iccs(word) for word in study.line.split()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3600, help="of CPU time")
    parser.add_argument("--seed", type=int, default=7877)
    parser.add_argument("--limit", type=int, default=6_000_000, help="nodes of one proof")
    parser.add_argument("--out", type=Path, default=FILE)
    parser.add_argument("--resume", action="store_true", help="keep what OUT holds")
    args = parser.parse_args()
    had = [Study(**row) for row in json.loads(args.out.read_text("utf-8"))] if args.resume else []

    def keep(found: list[Study]) -> None:
        rows = ",\n".join(json.dumps(asdict(study), ensure_ascii=False) for study in found)
        args.out.write_text(f"[\n{rows}\n]\n", "utf-8")

    found = make(args.seconds, args.seed, args.limit, had, keep)
    print(json.dumps({"studies": len(found), "by mate": dict(sorted(_count(found).items()))}))


if __name__ == "__main__":
    main()
