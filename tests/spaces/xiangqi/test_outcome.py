"""Endings of games: known cases, and pyffish as the judge of sampled cycles and long shuffles."""

import os
import random
from collections import Counter

import pytest

from spaces.xiangqi.board import BLACK, RED, iccs, parse_iccs
from spaces.xiangqi.chase import blockers, chased
from spaces.xiangqi.outcome import Outcome, outcome, repetition
from spaces.xiangqi.rules import Position

pyffish = pytest.importorskip("pyffish")


def _play(fen: str, words: str) -> Position:
    position = Position(fen)
    for word in words.split():
        assert outcome(position) is None
        position.push(parse_iccs(word))
    return position


@pytest.mark.parametrize(("fen", "words", "winner", "reason"), [
    ("3k5/9/9/9/9/9/9/9/R8/5K3 w", "a1d1 d9e9 d1e1 e9d9 e1d1 d9e9 d1e1 e9d9 e1d1", BLACK, "perpetual check"),
    ("4k4/9/9/9/n8/9/9/9/8R/3K5 w", "i1a1 a5b7 a1b1 b7a5 b1a1 a5b7 a1b1 b7a5 b1a1", BLACK, "perpetual chase"),
    ("4k4/9/9/9/9/9/9/9/8R/3K5 w", "i1i2 e9f9 i2i1 f9e9 i1i2 e9f9 i2i1 f9e9", None, "repetition"),
    ("4k4/9/9/9/9/9/9/9/R8/1R1K5 w", "a1a8 e9f9 b0b9", RED, "checkmate"),
    ("4k4/9/9/9/9/9/9/9/9/3R1K3 w - - 99 60", "d0d1", None, "quiet moves"),
    ("3k5/3R5/9/9/9/9/9/9/9/4K4 b", "d9d8", None, "material"),
])
def test_known_endings(fen, words, winner, reason):
    assert outcome(_play(fen, words)) == Outcome(winner, reason)


def test_stalemate_loses():
    assert outcome(Position("3k5/9/4P4/9/9/9/9/9/4R4/4K4 b - - 0 1")) is None
    position = Position("3k5/4P4/9/9/9/9/9/9/9/4K4 b - - 0 1")
    assert outcome(position) == Outcome(RED, "stalemate")


def test_only_new_and_worthy_threats_are_chases():
    board = Position("4k4/9/9/9/n3p4/9/9/9/8R/3K5 w").board
    assert chased(board, parse_iccs("i1a1")) == {45}
    assert chased(board, parse_iccs("i1i5")) == set(), "a soldier on its own side"
    guarded = Position("4k4/9/r8/9/n8/9/9/9/8R/3K5 w").board
    assert chased(guarded, parse_iccs("i1a1")) == set(), "protected"


def test_an_uncovered_elephant_looks_across_the_river_as_pyffish_has_it():
    position = Position("r2ak3r/5n3/2n1ba2b/2p6/4p3p/2B6/N1P2R2N/4c4/3cA4/3A1KB2 w - - 2 49")
    for word in 2 * "a3b5 c7a6 b5a3 a6c7".split():
        position.push(parse_iccs(word))
    assert _agree(position) == -1  # one of 91,635 verdicts


def test_blockers_of_rook_and_cannon():
    rook = Position("4k4/9/9/4p4/9/9/9/9/4R4/5K3 b").board
    assert blockers(rook, BLACK) == {58}
    cannon = Position("4k4/9/9/4p4/4n4/9/9/9/4C4/5K3 b").board
    assert blockers(cannon, BLACK) == {58, 49}


def _uci(move: int) -> str:
    word = iccs(move)
    return f"{word[0]}{int(word[1]) + 1}{word[2]}{int(word[3]) + 1}"


def _agree(position: Position) -> int | None:
    """The verdict of both, from the side to move, asserted equal: None, 1, 0 or −1."""
    over, value = pyffish.is_optional_game_end("xiangqi", position.start_fen, [_uci(m) for m in position.moves])
    theirs = (value > 0) - (value < 0) if over else None
    ended = outcome(position)
    if ended is not None and ended.reason in ("checkmate", "stalemate", "material"):
        return None
    ours = None if ended is None else 0 if ended.winner is None else 1 if ended.winner == position.turn else -1
    assert ours == theirs, (position.start_fen, " ".join(map(iccs, position.moves)))
    return ours


def _hunt(position: Position, rng: random.Random, follow: bool) -> int | None:
    """A quiet move: out of a chase, a check, a chase, or any."""
    quiet = [m for m in position.legal_moves() if not position.board[m % 90]]
    rng.shuffle(quiet)
    if follow and position.moves and rng.random() < 0.85:
        last = position.pop()
        hunted = chased(position.board, last)
        position.push(last)
        quiet.sort(key=lambda m: m // 90 not in hunted)
    elif rng.random() < 0.7:
        quiet[:12] = sorted(quiet[:12], key=lambda m: not (_checks(position, m) or chased(position.board, m)))
    return quiet[0] if quiet else None


def _checks(position: Position, move: int) -> bool:
    position.push(move)
    check = position.in_check()
    position.pop()
    return check


def _cycle(position: Position, rng: random.Random) -> list[int] | None:
    """Four plies that lead back: a move of each side, and both back."""
    start = len(position.moves)
    for follow in (False, True):
        move = _hunt(position, rng, follow)
        if move is None:
            return None
        position.push(move)
    for move in position.moves[start:]:
        back = 90 * (move % 90) + move // 90
        if back not in position.legal_moves() or position.board[back % 90]:
            return None
        position.push(back)
    return position.moves[start:]


def _judge_cycles(seeds: range) -> Counter:
    verdicts = Counter()
    for seed in seeds:
        rng, position = random.Random(seed), Position()
        for _ in range(rng.randrange(10, 160)):
            if legal := position.legal_moves():
                position.push(rng.choice(legal))
        history, fen = list(position.moves), position.fen()
        for attempt in range(10):
            position = Position(fen if attempt % 2 else Position().fen())
            for move in () if attempt % 2 else history:
                position.push(move)
            if cycle := _cycle(position, rng):
                for move in 2 * cycle:
                    if move not in position.legal_moves():
                        break
                    position.push(move)
                    verdicts[_agree(position)] += 1
    return verdicts


def test_repetition_agrees_with_pyffish():
    verdicts = _judge_cycles(range(24))
    assert verdicts[0] > 50 and verdicts[None] > 50 and verdicts[1] + verdicts[-1] >= 2, verdicts


@pytest.mark.slow
def test_more_repetition_agrees_with_pyffish():
    """XIANGQI_CYCLES=4000 asks for more than a hundred verdicts of perpetual check and chase (minutes)."""
    verdicts = _judge_cycles(range(1000, 1000 + int(os.environ.get("XIANGQI_CYCLES", "150"))))
    assert verdicts[1] + verdicts[-1] >= 10, verdicts


def _wander(rng: random.Random, checks: bool) -> Counter:
    """A long game of quiet moves among few pieces; with `checks`, of checks where there is one."""
    position, verdicts = Position("3akab2/9/4b4/2r6/9/6n2/9/4B4/4N4/2BAKAR2 w - - 0 1"), Counter()
    for _ in range(260):
        quiet = [m for m in position.legal_moves() if not position.board[m % 90]]
        if not quiet:
            break
        rng.shuffle(quiet)
        if checks:
            quiet.sort(key=lambda m: not _checks(position, m))
        position.push(quiet[0])
        if position.clock > 90 or rng.random() < 0.2:
            verdicts[_agree(position)] += 1
        if repetition(position):
            break
    return verdicts


def test_quiet_games_agree_with_pyffish():
    verdicts = sum((_wander(random.Random(seed), checks=seed % 2 == 1) for seed in range(12)), Counter())
    assert verdicts[0] > 20 and verdicts[None] > 100, verdicts
