"""Players know mate, repetition and captures; whatever a random model says, their moves are legal."""

import random

import pytest
import torch

from spaces.xiangqi.board import iccs, parse_iccs
from spaces.xiangqi.model import SightedConfig, SightedModel
from spaces.xiangqi.player import Article, Greedy, Random, Sighted, SightedValue, mate_in_one
from spaces.xiangqi.rules import Position
from spaces.xiangqi.search import Thinking
from spaces.xiangqi.sight import Sight, View
from spaces.xiangqi.tasks import SIGHTED_SIZES, FaithfulTask

MATE = "5k3/R8/9/9/9/9/9/9/9/1R1K5 w"
MATE_IN_TWO = "4k4/9/9/9/9/9/9/9/R8/1R1K5 w"


@pytest.fixture(scope="module")
def sight():
    torch.manual_seed(0)
    return Sight(SightedModel(SightedConfig(**SIGHTED_SIZES["tiny"])).eval())


class Blank:
    """A sight that knows nothing: equal policy, equal chances."""

    def look(self, position, style=2, legal=None):
        return self.glance([(position, position.legal_moves())])[0]

    def glance(self, leaves):
        return [View(dict.fromkeys(legal, 1 / len(legal)), (0.3, 0.4, 0.3)) for _, legal in leaves]


def _players(sight):
    article = Article(FaithfulTask.build(None, "tiny", "sdpa").eval())
    return [Random(0), Greedy(0), article, Sighted(sight), SightedValue(sight), Thinking(sight, 60, most_depth=2)]


def test_every_player_plays_legal_moves(sight):
    rng, position = random.Random(0), Position()
    for _ in range(12):
        for player in _players(sight):
            fen, history, legal = position.fen(), list(position.moves), position.legal_moves()
            analysis = player.analyse(position)
            assert analysis.best in legal and set(analysis.policy) <= set(legal), player.name
            assert 0 <= analysis.illegal_mass <= 1 and (position.fen(), position.moves) == (fen, history)
        for _ in range(4):
            position.push(rng.choice(position.legal_moves()))


def test_article_is_the_summed_log_probability(sight):
    position = Position()
    position.push(parse_iccs("h2e2"))
    analysis = _players(sight)[2].analyse(position)
    assert sum(analysis.policy.values()) + analysis.illegal_mass == pytest.approx(1, abs=1e-5)
    assert analysis.best == max(analysis.policy, key=analysis.policy.__getitem__)


def test_article_reads_the_end_of_a_long_game(sight):
    position = Position()
    for word in 40 * ["a0a1", "a9a8", "a1a0", "a8a9"]:
        position.push(parse_iccs(word))
    assert _players(sight)[2].analyse(position).best in position.legal_moves()


def test_greedy_mates_else_takes_the_most():
    assert iccs(Greedy(0).analyse(Position(MATE)).best) == "b0b9"
    fen = "4k4/9/9/p2r5/9/P8/9/4p4/9/R2R1K3 w"
    assert iccs(Greedy(0).analyse(Position(fen)).best) == "d0d6"


@pytest.mark.parametrize("player", [SightedValue, lambda sight: Thinking(sight, 60)])
def test_mate_is_exact(sight, player):
    analysis = player(sight).analyse(Position(MATE))
    position = Position(MATE)
    position.push(analysis.best)
    assert analysis.value == 1.0 and not position.legal_moves()


def test_value_sees_the_opponents_mate():
    position = Position("3k5/9/9/9/9/9/9/9/r8/1r3K3 w")
    values = SightedValue(Blank()).values(position, position.legal_moves())
    for move, value in values.items():
        position.push(move)
        assert (value == -1.0) == (mate_in_one(position, position.legal_moves()) is not None)
        position.pop()


def test_value_knows_repetition():
    """The third occurrence draws, by perpetual check it loses."""
    position = Position("4k4/9/9/9/9/9/9/9/8R/3K5 w")
    for word in "i1i2 e9f9 i2i1 f9e9 i1i2 e9f9 i2i1".split():
        position.push(parse_iccs(word))
    values = SightedValue(Blank()).values(position, position.legal_moves())
    assert values[parse_iccs("f9e9")] == 0.0
    position = Position("3k5/9/9/9/9/9/9/9/R8/5K3 w")
    for word in "a1d1 d9e9 d1e1 e9d9 e1d1 d9e9 d1e1 e9d9".split():
        position.push(parse_iccs(word))
    values = SightedValue(Blank()).values(position, position.legal_moves())
    assert values[parse_iccs("e1d1")] == -1.0, "perpetual check loses"


def test_value_knows_the_reply_that_repeats():
    """The move itself makes a position for the second time, the reply one for the third: perpetual check loses."""
    position = Position("3k5/9/9/9/9/9/9/9/4R4/5K3 w")
    for word in "e1d1 d9e9 d1e1 e9d9 e1d1 d9e9".split():
        position.push(parse_iccs(word))
    before, values = position.fen(), SightedValue(Blank()).values(position, position.legal_moves())
    assert values[parse_iccs("d1e1")] == -1.0 and values[parse_iccs("d1d5")] > -1.0
    assert position.fen() == before


class Fond:
    """A sight with one favourite, which thinks itself ahead."""

    def __init__(self, word: str):
        self.move = parse_iccs(word)

    def look(self, position, style=2, legal=None):
        moves = position.legal_moves()
        rest = 0.1 / len(moves)
        return View({m: rest + 0.9 * (m == self.move) for m in moves}, (0.6, 0.3, 0.1))


def test_sighted_does_not_check_for_ever_nor_repeat_when_ahead():
    position = Position("3k5/9/9/9/9/9/9/9/R8/5K3 w")
    for word in "a1d1 d9e9 d1e1 e9d9 e1d1 d9e9 d1e1 e9d9".split():
        position.push(parse_iccs(word))
    lost, again = parse_iccs("e1d1"), Sighted(Fond("e1d1")).analyse(position)
    assert again.best != lost and again.score[lost] < 0 and again.policy[lost] > 0.9
    position = Position("4k4/9/9/9/9/9/9/9/8R/3K5 w")
    for word in "i1i2 e9f9 i2i1 f9e9".split():
        position.push(parse_iccs(word))
    before = position.fen()
    assert iccs(Sighted(Fond("i1i2")).analyse(position).best) != "i1i2" and position.fen() == before
    assert iccs(Sighted(Fond("i1i3")).analyse(position).best) == "i1i3"


class Leaning(Blank):
    """Likes h2e2; thinks that whoever has answered anything but that stands badly, so that the rest looks better."""

    def look(self, position, style=2, legal=None):
        moves = position.legal_moves()
        policy = dict.fromkeys(moves, 0.01) | {parse_iccs("h2e2"): 0.5, parse_iccs("b2e2"): 0.1}
        return View(policy, (0.3, 0.4, 0.3))

    def glance(self, leaves):
        liked = [iccs(leaf.moves[0]) == "h2e2" for leaf, _ in leaves]
        return [View(dict.fromkeys(legal, 1 / len(legal)), (0.4, 0.3, 0.3) if own else (0.3, 0.3, 0.4))
                for own, (_, legal) in zip(liked, leaves, strict=True)]


def test_value_does_not_choose_what_the_policy_hardly_considers():
    analysis = SightedValue(Leaning()).analyse(Position())
    assert iccs(analysis.best) == "b2e2"  # looks better than the favourite, and a fifth as likely; the others are not
    mate = SightedValue(Leaning()).analyse(Position(MATE))
    assert mate.score[mate.best] == 1  # however unlikely
