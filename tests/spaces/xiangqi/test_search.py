"""Alpha–beta finds what there is to find; thinking uses the model, keeps its time, and does not check for ever."""

import threading
import time

import pytest
import torch

from spaces.xiangqi import alphabeta
from spaces.xiangqi.alphabeta import BY_RULE, MATE, MOST, memory, search
from spaces.xiangqi.board import iccs, parse_iccs
from spaces.xiangqi.model import SightedConfig, SightedModel
from spaces.xiangqi.native import LIMIT, NODES, desk, make
from spaces.xiangqi.rules import Position
from spaces.xiangqi.search import POLICY_LEAST, VALUE_MOST, VALUE_SHARE, Thinking, cp_of, value_of
from spaces.xiangqi.sight import Sight, View
from spaces.xiangqi.tasks import SIGHTED_SIZES

MATE_IN_TWO = "4k4/9/9/9/9/9/9/9/R8/1R1K5 w"
HANGING = "4k4/9/9/p2r5/9/P8/9/4p4/9/R2R1K3 w"


class Blank:
    """A sight that knows nothing; `policy` and `value`, P(win) of who made a move, may be set for some."""

    def __init__(self, policy=None, value=None):
        self.policy, self.value = policy or {}, value or {}

    def look(self, position, style=2, legal=None):
        return self.glance([(position, legal or position.legal_moves())])[0]

    def glance(self, leaves):
        out = []
        for leaf, legal in leaves:
            win = self.value.get(leaf.moves[-1], 0.3) if leaf.moves else 0.3
            weight = {m: self.policy.get(m, 0.01) for m in legal}
            total = sum(weight.values())
            out.append(View({m: w / total for m, w in weight.items()}, (0.6 - win, 0.4, win)))
        return out


def score(fen: str, depth: int, moves: str = "") -> int:
    position = Position(fen)
    for word in moves.split():
        position.push(parse_iccs(word))
    table, mind = desk(position), memory()
    table.state[LIMIT] = 10**9
    return search(table, mind, depth, -MOST, MOST, 0, 1)


def test_mate_is_counted_in_plies():
    assert score(MATE_IN_TWO, 4) == MATE - 3
    assert score("5k3/R8/9/9/9/9/9/9/9/1R1K5 w", 2) == MATE - 1
    assert score("5k3/R8/9/9/9/9/9/9/9/1R1K5 b", 3) > -MATE  # black is not mated yet


def test_a_free_rook_is_taken():
    table, mind = desk(Position(HANGING)), memory()
    table.state[LIMIT] = 10**9
    assert search(table, mind, 3, -MOST, MOST, 0, 1) > 500
    with_it = Thinking(None, 60, 3, policy=False, value=False).analyse(Position(HANGING))
    assert iccs(with_it.best) == "d0d6"


def test_repetition_is_a_draw_and_by_perpetual_check_lost():
    """Black's king steps back: the position has been before; red checked at every move, so black has won."""
    fen, moves = "3k5/9/9/9/9/9/9/9/R8/5K3 w", "a1d1 d9e9 d1e1 e9d9 e1d1"
    position = Position(fen)
    for word in moves.split():
        position.push(parse_iccs(word))
    table = desk(position)
    make(table, parse_iccs("d9e9"))
    assert alphabeta.repeated(table, 1) - 1 - MOST == -(BY_RULE - 1)  # red is to move, and has lost by rule
    quiet = Position("4k4/9/9/9/9/9/9/9/8R/3K5 w")
    for word in "i1i2 e9f9 i2i1 f9e9".split():
        quiet.push(parse_iccs(word))
    assert alphabeta.repeated(desk(quiet), 0) - 1 - MOST == 0


def test_one_signature_or_the_cache_crashes():
    """numba issue 6061."""
    alphabeta.compile_all()
    Thinking(Blank(), 0.05).analyse(Position())
    assert len(alphabeta.search.signatures) == len(alphabeta.quiesce.signatures) == 1


def test_thinking_proves_mate_in_two_knowing_nothing():
    analysis = Thinking(Blank(), 60).analyse(Position(MATE_IN_TWO))
    assert analysis.value == 1.0 and len(analysis.line) == 3
    position = Position(MATE_IN_TWO)
    for move in analysis.line:
        assert move in position.legal_moves()
        position.push(move)
    assert not position.legal_moves()


def test_thinking_does_not_check_for_ever():
    position = Position("3k5/9/9/9/9/9/9/9/R8/5K3 w")
    for word in "a1d1 d9e9 d1e1 e9d9 e1d1 d9e9 d1e1 e9d9".split():
        position.push(parse_iccs(word))
    analysis = Thinking(Blank(), 60, 3).analyse(position)
    assert iccs(analysis.best) != "e1d1" and analysis.score[parse_iccs("e1d1")] <= -BY_RULE


def test_thinking_keeps_its_time():
    ticks = iter(range(10**6))
    analysis = Thinking(Blank(), 50, clock=lambda: next(ticks)).analyse(Position())
    assert sum(analysis.policy.values()) == pytest.approx(1) and next(ticks) <= 53


def test_policy_guides():
    """Of moves between which a shallow search sees next to no difference, the model's favourite is played."""
    bare = Thinking(None, 60, 1, policy=False, value=False).analyse(Position())
    first, liked = sorted(bare.score, key=bare.score.__getitem__, reverse=True)[:2]
    assert bare.best == first and 0 <= bare.score[first] - bare.score[liked] < -POLICY_LEAST
    favour = Thinking(Blank(policy={liked: 5.0}), 60, 1).analyse(Position())
    assert favour.best == liked and favour.policy[liked] == max(favour.policy.values())
    without = Thinking(Blank(policy={liked: 5.0}), 60, 1, policy=False).analyse(Position())
    assert without.best == first


def test_value_corrects_what_the_tables_see():
    liked, position = parse_iccs("g3g4"), Position()
    bonus = {}
    for win in (0.4, 0.3):
        player = Thinking(Blank(value={liked: win}), 60, policy=False)
        tries, _ = player._tries(position, desk(position), memory())
        bonus[win] = {t.move: t.bonus for t in tries}
    assert bonus[0.4].pop(liked) > bonus[0.3].pop(liked) and bonus[0.4] == bonus[0.3]
    assert all(abs(b) <= VALUE_SHARE * VALUE_MOST for b in bonus[0.4].values())
    tries, _ = Thinking(Blank(), 60, policy=False, value=False)._tries(position, desk(position), memory())
    assert {t.bonus for t in tries} == {0.0}


def test_the_position_stays_as_it_was():
    torch.manual_seed(0)
    sight = Sight(SightedModel(SightedConfig(**SIGHTED_SIZES["tiny"])).eval())
    position = Position()
    position.push(parse_iccs("h2e2"))
    before = position.fen(), list(position.moves)
    player = Thinking(sight, 60, 3)
    analysis = player.analyse(position)
    assert (position.fen(), position.moves) == before and player.depth == 3 and player.nodes > 100
    assert analysis.best in position.legal_moves() and 0 < analysis.illegal_mass < 1


@pytest.mark.parametrize("value", [-0.9, -0.3, 0.0, 0.5, 0.95])
def test_values_and_centipawns(value):
    assert value_of(cp_of(value)) == pytest.approx(value, abs=1e-6)
    assert value_of(MATE - 5) == 1.0 and value_of(-MATE + 5) == -1.0 and cp_of(0.0) == 0.0


def test_nodes_are_bound():
    table, mind = desk(Position()), memory()
    table.state[LIMIT] = 5_000
    search(table, mind, 30, -MOST, MOST, 0, 1)
    assert table.state[NODES] < 7_000


def test_two_who_come_at_once_compile_once(monkeypatch):
    runs = []
    monkeypatch.setattr(alphabeta.subprocess, "run", lambda *_, **__: (runs.append(1), time.sleep(0.2)))
    alphabeta._warm.cache_clear()
    threads = [threading.Thread(target=alphabeta.warm) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert runs == [1]
