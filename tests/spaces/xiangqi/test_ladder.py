"""The ladder: games kept and counted, colours paired, an interval that knows pairs from games."""

import argparse

import pytest

from benchmarks import xiangqi_ladder as ladder
from spaces.xiangqi.board import parse_iccs
from spaces.xiangqi.engine import Engine, installed


def _games(*scores: float, **other) -> list[dict]:
    game = {"a": "random", "b": "greedy", "models": ["", ""], "seconds": 1.0, "mean_ms": 1, "most_ms": 2} | other
    return [game | {"opening": i // 2, "red": "ab"[i % 2], "score": score} for i, score in enumerate(scores)]


def test_the_interval_of_independent_games_is_wilsons():
    p, low, high = ladder.interval(_games(*[1.0, 0.0] * 50))  # pairs that cancel: no variance between them
    assert p == 0.5 and (low, high) == pytest.approx((0.40383, 0.59617), abs=1e-5)
    p, low, high = ladder.interval(_games(*[1.0] * 50, *[0.0] * 50))  # a pair is worth one game
    assert p == 0.5 and high - low == pytest.approx(2 * 1.96 * 0.5 / (49 + 1.96**2) ** 0.5, rel=0.01)
    assert ladder.interval(_games(*[1.0] * 100))[1:] == pytest.approx((0.963, 1), abs=1e-3)


def test_kept_games_are_of_this_pairing_seconds_and_weights(monkeypatch):
    weights = {"thinking": "new"}
    monkeypatch.setattr(ladder, "fingerprint_of", lambda name: weights.get(name, ""))
    game = {"a": "thinking", "b": "depth1", "models": ["new", ""], "seconds": 1.0}
    assert ladder.same(game, "thinking", "depth1", 1.0)
    assert not ladder.same(game, "thinking", "depth2", 1.0) and not ladder.same(game, "thinking", "depth1", 0.2)
    weights["thinking"] = "newer"
    assert not ladder.same(game, "thinking", "depth1", 1.0)
    assert not ladder.same({key: game[key] for key in ("a", "b", "seconds")}, "thinking", "depth1", 1.0)


def test_a_fingerprint_is_asked_of_who_asks_a_model(monkeypatch):
    monkeypatch.setattr(ladder.api, "weights", lambda level: level)
    monkeypatch.setattr(ladder, "fingerprint", str.upper)
    ask = ladder.fingerprint_of.__wrapped__
    assert [ask(name) for name in ("article", "thinking-policy", "thinking")] == ["ARTICLE", "THINKING", "THINKING"]
    assert [ask(name) for name in ("thinking-both", "random", "depth4")] == ["", "", ""]


def test_a_match_is_played_once_colours_paired():
    done, options = [], argparse.Namespace(games=4, seconds=1.0)
    starts = [(parse_iccs("h2e2"),), (parse_iccs("b2e2"),)]
    for _ in range(2):
        assert ladder.match("greedy", "random", options, starts, done, done.append)
    assert [(g["opening"], g["red"]) for g in done] == [(0, "a"), (0, "b"), (1, "a"), (1, "b")]
    assert "| greedy | random | 4 |" in ladder.table(done, [("greedy", "random")], 1.0)


@pytest.mark.skipif(not installed(), reason="fairy-stockfish is not installed")
def test_a_rival_plays_and_is_sent_home(monkeypatch):
    sent = []
    monkeypatch.setattr(Engine, "close", lambda self, close=Engine.close: sent.append(close(self)))
    monkeypatch.setattr(ladder, "MOST_PLIES", 4)
    options, done = argparse.Namespace(games=2, seconds=1.0), []
    assert ladder.match("depth1", "greedy", options, [()], done, done.append) and len(sent) == 1
    assert len(done) == 2
