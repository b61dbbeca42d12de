"""Training batches: labels fit their positions, mirrors are lawful, and one batch can be learnt by heart."""

import math
import random

import numpy as np
import pytest
import torch

from spaces.xiangqi.batches import Corpus, random_batch, wdl_of_cp
from spaces.xiangqi.data import NO_LABEL, Games, is_validation, pack, unpack
from spaces.xiangqi.optim import optimizers
from spaces.xiangqi.replay import NO_MOVE, legal_mask
from spaces.xiangqi.rules import Position
from spaces.xiangqi.styles import ENGINE, HUMAN, WINNER
from spaces.xiangqi.tasks import SightedTask


def _games(count: int, seed: int) -> Games:
    """Random play; the label is another legal move, its score tells the ply."""
    rng, moves, best, lengths = random.Random(seed), [], [], []
    for _ in range(count):
        position, first = Position(), rng.randrange(10)
        for ply in range(rng.randrange(20, 60)):
            legal = position.legal_moves()
            if not legal:
                break
            best.append(rng.choice(legal) if ply >= first else NO_LABEL)
            moves.append(rng.choice(legal))
            position.push(moves[-1])
        lengths.append(len(position.moves))
    cp = np.arange(len(moves)) % 500
    return Games(np.array(moves, np.int16), np.array(best, np.int16), cp.astype(np.int16),
                 np.array(lengths, np.int32), np.resize(np.array([1, 0, -1], np.int8), count), np.zeros(count, bool))


@pytest.fixture(scope="module")
def corpora():
    return Corpus(_games(12, 0), "cpu"), Corpus(_games(12, 1), "cpu")


def test_every_target_is_legal_even_mirrored(corpora):
    torch.manual_seed(0)
    batch = random_batch(*corpora, windows=40, plies=16, labelled_share=0.5, alone=8)
    target = batch.target.flatten()
    taught = target >= 0
    legal = legal_mask(batch.board.flatten(0, 1))
    assert legal[taught].gather(1, target[taught][:, None]).all()
    assert taught.float().mean() > 0.7
    assert {HUMAN, WINNER, ENGINE} == set(batch.style.flatten().tolist())


def test_last_move_is_where_a_piece_of_the_opponent_stands(corpora):
    torch.manual_seed(0)
    batch = random_batch(*corpora, windows=40, plies=16, labelled_share=0.5, alone=0)
    ends = SightedTask.build(None, "tiny", "sdpa").move_ends
    board, last = batch.board.flatten(0, 1), batch.last.flatten()
    known = last != NO_MOVE
    left, reached = ends[last[known]].T
    rows = torch.arange(int(known.sum()))
    assert (board[known][rows, left] == 0).all() and (board[known][rows, reached] > 7).all()
    assert 0 < (~known).float().mean() < 0.2


def test_winner_is_taught_only_when_he_moves(corpora):
    human = corpora[0]
    game = torch.arange(3)
    batch = human.batch(game, torch.zeros(3, dtype=torch.long), 8, torch.full((3,), WINNER))
    red, draw, black = (batch.target >= 0).tolist()
    assert red == [True, False] * 4 and not any(draw) and black == [False, True] * 4
    assert batch.weight.sum() == 0


def test_score_becomes_probabilities():
    wdl = wdl_of_cp(torch.tensor([0, 300, -300, 29990, -29990]))
    assert torch.allclose(wdl.sum(-1), torch.ones(5)) and (wdl >= 0).all()
    assert torch.allclose(wdl[1], wdl[2].flip(0)) and wdl[1, 0] > wdl[0, 0]
    assert wdl[3].tolist() == [1, 0, 0] and wdl[4].tolist() == [0, 0, 1]


def test_one_batch_can_be_learnt_by_heart(corpora):
    torch.manual_seed(0)
    task = SightedTask(SightedTask.build(None, "tiny", "sdpa"), *corpora, windows=2, labelled_share=0.5).train()
    task.alone = 0
    batch, optims = task.draw(), optimizers(task.model, 1e-2)
    for _ in range(40):
        loss, figures = task(batch)
        loss.backward()
        for optim in optims:
            optim.step()
            optim.zero_grad()
    assert figures["human"] < 0.3 and figures["engine"] < 0.3


def test_loss_of_the_rules_of_equal_logits_counts_the_moves(corpora):
    task = SightedTask(SightedTask.build(None, "tiny", "sdpa"), *corpora, windows=2, labelled_share=0.5).train()
    for parameter in (task.model.decoder.ends.weight, task.model.decoder.ends_of_trunk.weight,
                      task.model.decoder.place):
        torch.nn.init.zeros_(parameter)
    batch = corpora[0].batch(torch.tensor([0, 1]), torch.zeros(2, dtype=torch.long), 1, torch.full((2,), HUMAN))
    _, figures = task(batch)
    assert figures["rules"].item() == pytest.approx(math.log(2086 / 44), abs=1e-4)  # 44 first moves


def test_archive_returns_the_same_games(tmp_path):
    human, labelled = _games(3, 2), _games(2, 3)
    pack(human, labelled, tmp_path)
    for games, again in zip((human, labelled), unpack(tmp_path), strict=True):
        for key, value in vars(games).items():
            assert np.array_equal(value, getattr(again, key)) and value.dtype == getattr(again, key).dtype


def test_split_follows_the_opening():
    words = [f"{i}" for i in range(40)]
    assert is_validation(words) == is_validation(words[:30] + ["other"])
    share = sum(is_validation([str(i)] * 30) for i in range(5000)) / 5000
    assert 0.01 < share < 0.03
