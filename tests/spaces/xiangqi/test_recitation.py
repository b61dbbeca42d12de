"""Counts of opening lines, the ply that leaves them, and the measurement around it."""

import numpy as np
import pytest
import torch
from transformers import GPT2LMHeadModel

from shared.experiment import InputError
from spaces.xiangqi.board import parse_iccs
from spaces.xiangqi.data import Games
from spaces.xiangqi.faithful import faithful_config
from spaces.xiangqi.fingerprint import fingerprint
from spaces.xiangqi.model import SightedConfig, SightedModel
from spaces.xiangqi.recitation import Openings, digests, figures, measure_all
from spaces.xiangqi.tasks import SIGHTED_SIZES

LINES = ["h2e2 h9g7 h0g2 i9h9", "b2e2 b9c7 g3g4", "h2e2 h9g7 h0g2 b9c7", "g3g4 h7g7", "c3c4 b7c7", "a3a4 a6a5"]
# The second is the mirror image of `h2e2 h9g7 c3c4`; the fifth of `g3g4 h7g7`; the last is for validation.


def _moves(line: str) -> list[int]:
    return [parse_iccs(word) for word in line.split()]


@pytest.fixture(scope="module")
def games():
    lines = [_moves(line) for line in LINES]
    none = np.zeros(sum(map(len, lines)), np.int16)
    return Games(np.array(sum(lines, []), np.int16), none - 1, none, np.array(list(map(len, lines)), np.int32),
                 np.zeros(len(lines), np.int8), np.array([False] * 5 + [True]))


@pytest.fixture(scope="module")
def known(games):
    return Openings.of(games)


def test_a_line_and_its_mirror_are_one():
    assert digests(_moves("b2e2 b9c7")) == digests(_moves("h2e2 h9g7"))
    assert len(set(digests(_moves(LINES[0])))) == 4
    assert digests(_moves(LINES[0]))[:2] == digests(_moves("h2e2 h9g7"))
    assert max(digests(_moves(LINES[0]))) < 2**48


def test_counts_of_training_games_alone(known):
    assert known.games == 5 and len(known.hashes) == 5  # three of the first line, two of g3g4 h7g7
    assert known.counts(_moves(LINES[0])) == [3, 3, 2, 0]
    assert known.counts(_moves(LINES[1])) == [3, 3, 0]
    assert known.counts(_moves(LINES[3])) == [2, 2] and known.left(_moves(LINES[3])) == 2
    assert known.left(_moves(LINES[5])) == 0 and known.left([]) == 0
    assert known.mistaken == pytest.approx(5 / 2**48)


def test_a_saved_file_reads_back(known, tmp_path):
    known.save(tmp_path / "openings.npz")
    again = Openings.load(tmp_path / "openings.npz")
    assert (again.hashes == known.hashes).all() and (again.numbers == known.numbers).all() and again.games == 5
    with pytest.raises(InputError, match="openings"):
        Openings.load(tmp_path / "none.npz")


def test_figures_of_a_known_policy():
    p = torch.zeros(8100)
    p[:4] = 0.125
    found = figures(p, [0, 1, 2, 3], 2)
    assert found["entropy"] == pytest.approx(2) and found["illegal_mass"] == pytest.approx(0.5)
    assert found["top1"] == float(int(p[:4].argmax()) == 2)


def test_the_curve_is_aligned_at_the_line(games, known):
    torch.manual_seed(0)
    models = {"faithful": GPT2LMHeadModel(faithful_config(n_embd=32, n_layer=1, n_head=2)).eval(),
              "sighted": SightedModel(SightedConfig(**SIGHTED_SIZES["tiny"])).eval()}
    unseen = Games(**{key: value for key, value in vars(games).items()})
    unseen.validation = np.ones(6, bool)
    result = measure_all(models, unseen, known, most_games=2, least=2)
    assert result["left"]["mean"] == 2.5 and result["games"] == 2  # lines of 4 and 3 plies, left after 3 and 2
    around = result["around"]["faithful"]
    assert around["at"] == [-2, -1, 0] and around["n"] == [2, 2, 2]
    assert result["met"]["sighted"]["at"] == [0, 1, 2] and result["gone"]["sighted"]["at"] == []
    assert result["models"]["faithful"] == fingerprint(models["faithful"])


def test_a_fingerprint_follows_the_weights():
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    name = fingerprint(model)
    assert name == fingerprint(model.bfloat16().float()) and len(name) == 12
    model.weight.data[0, 0] += 1
    assert fingerprint(model) != name
