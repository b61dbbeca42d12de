"""Boards by vectorised replay against the rules, in the mover's view."""

import random

import torch

from spaces.xiangqi.replay import (
    MIRROR_MOVE,
    MOVE_TOKEN,
    START_BOARD,
    legal_in_view,
    legal_mask,
    mover_board,
    mover_move,
    replay,
    turn_round,
)
from spaces.xiangqi.rules import ALL_MOVES, Position


def _games(count: int):
    rng, games = random.Random(0), []
    for _ in range(count):
        position, boards, legal = Position(), [], []
        for _ in range(rng.randrange(5, 60)):
            boards.append(mover_board(position.board, position.turn))
            legal.append({mover_move(m, position.turn) for m in position.legal_moves()})
            position.push(rng.choice(position.legal_moves()))
        games.append((position.moves, boards, legal))
    return games


def test_replay_agrees_with_the_rules():
    games = _games(20)
    moves = torch.tensor([m for game in games for m in game[0]], dtype=torch.int16)
    boards, seen = replay(moves, torch.tensor([len(game[0]) for game in games]))
    assert boards.tolist() == [board for game in games for board in game[1]]
    assert seen.tolist() == [mover_move(m, ply % 2) for game in games for ply, m in enumerate(game[0])]
    assert [set(row.nonzero().flatten().tolist()) for row in legal_mask(boards)] == [
        moves for game in games for moves in game[2]]


def test_the_start_looks_the_same_from_both_sides():
    board = torch.tensor(START_BOARD, dtype=torch.uint8)
    assert torch.equal(turn_round(board), board)
    assert len(legal_in_view(START_BOARD)) == 44


def test_mirror_is_its_own_inverse_and_keeps_legality():
    assert torch.equal(MIRROR_MOVE[MIRROR_MOVE], torch.arange(8100))
    assert (MOVE_TOKEN[MIRROR_MOVE[list(ALL_MOVES)]] >= 0).all()
    board = torch.tensor(_games(1)[0][1][-1])
    mirrored = board.view(10, 9).flip(-1).flatten()
    assert sorted(MIRROR_MOVE[legal_in_view(board.tolist())].tolist()) == sorted(legal_in_view(mirrored.tolist()))
