"""Spelled moves: the tree on one cache against one plain pass per candidate."""

import numpy as np
import pytest
import torch
from transformers import GPT2LMHeadModel

from spaces.xiangqi.batches import Corpus
from spaces.xiangqi.board import iccs, parse_iccs
from spaces.xiangqi.data import Games
from spaces.xiangqi.faithful import CONTEXT, PLIES, VOCABULARY, characters, faithful_config, spell_moves
from spaces.xiangqi.rules import Position
from spaces.xiangqi.tasks import FaithfulTask


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return GPT2LMHeadModel(faithful_config(n_embd=32, n_layer=2, n_head=2, initializer_range=0.3)).eval()


def test_vocabulary_spells_iccs():
    assert len(VOCABULARY) == 20
    ids = characters(torch.tensor([parse_iccs("h2e2"), parse_iccs("i9a0")]))
    assert ["".join(VOCABULARY[i] for i in word) for word in ids.tolist()] == ["h2e2", "i9a0"]
    assert 1 + 4 * PLIES + 3 == CONTEXT


def _plain(model, history: list[int], move: int) -> float:
    words = characters(torch.tensor([*history, move])).flatten()
    ids = torch.cat([torch.zeros(1, dtype=torch.long), words])
    log_p = model(ids[None]).logits[0].log_softmax(-1)
    return sum(log_p[i - 1, ids[i]].item() for i in range(len(ids) - 4, len(ids)))


def test_tree_agrees_with_plain_scoring(model):
    position, legal = Position(), []
    for word in ("h2e2", "h9g7", "h0g2", "i9h9"):
        legal.append(position.legal_moves())
        position.push(parse_iccs(word))
    with torch.inference_mode():
        scored = spell_moves(model, position.moves, legal, 0, plies_at_once=3)
        for ply, spelled in enumerate(scored):
            assert set(spelled.log_p) == set(legal[ply])
            for move in legal[ply][::7]:
                assert spelled.log_p[move] == pytest.approx(_plain(model, position.moves[:ply], move), abs=2e-3)
    assert [s.log_p for s in spell_moves(model, position.moves, legal[2:], 2)][0] == pytest.approx(
        scored[2].log_p, abs=2e-3)


def test_probabilities_of_all_words_sum_to_one(model):
    every = [90 * f + t for f in range(90) for t in range(90)]
    spelled = spell_moves(model, [], [every], 0)[0]
    # What is left are words with a digit for a file, a letter for a rank, or [PAD].
    assert 0 <= spelled.illegal_mass < 1
    subset = spell_moves(model, [], [every[:50]], 0)[0]
    assert subset.illegal_mass > spelled.illegal_mass


def test_raw_legality_is_the_greedy_word(model):
    ids = [0]
    with torch.inference_mode():
        for _ in range(4):
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
    word = "".join(VOCABULARY[i] for i in ids[1:])
    legal = Position().legal_moves()
    assert spell_moves(model, [], [legal], 0)[0].raw_legal == (word in set(map(iccs, legal)))


def test_longest_history_fits(model):
    assert len(spell_moves(model, [parse_iccs("a0a1")] * PLIES, [[parse_iccs("a1a0")]], PLIES)) == 1


def test_the_report_does_not_depend_on_the_attention_of_training(model):
    moves, position = [], Position()
    for _ in range(20):
        position.push(sorted(position.legal_moves())[-1 - len(moves) % 2])
        moves.append(position.moves[-1])
    none = np.zeros(20, np.int16)
    games = Games(np.array(moves, np.int16), none - 1, none, np.array([20], np.int32), np.zeros(1, np.int8),
                  np.ones(1, bool))  # fmt: skip
    reports = []
    for attention in ("sdpa", "eager"):
        model.set_attn_implementation(attention)
        task = FaithfulTask(model, Corpus(games, "cpu"), 1)
        task.prepare_validation(task.human, task.human, 1)
        reports.append(task.report())
        assert model.config._attn_implementation == attention
    assert reports[0] == reports[1] and 0 < reports[0]["illegal_mass"] < 1
