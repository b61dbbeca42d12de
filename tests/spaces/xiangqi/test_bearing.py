"""What bears on what: the pseudo-legal moves of the rules, attacks and guards, known relations of known boards."""

import random

import pytest
import torch

from spaces.xiangqi.bearing import AMONG, AROUND, BEARS, JUMP, LINE, SCREEN, SLOTS, STEPS, bearings, lay_out
from spaces.xiangqi.board import parse_fen
from spaces.xiangqi.replay import MOVE_TOKEN, START_BOARD, mover_board, turn_round
from spaces.xiangqi.rules import ALL_MOVES, Position, pseudo_legal


@pytest.fixture(scope="module")
def boards() -> list[list[int]]:
    """Every board of some random games, middlegames and endgames among them."""
    rng, out = random.Random(0), []
    for _ in range(12):
        position = Position()
        for _ in range(rng.randrange(60, 240)):
            legal = position.legal_moves()
            if not legal:
                break
            out.append(mover_board(position.board, position.turn))
            position.push(rng.choice(legal))
    return out


def _pseudo_legal(board: list[int]) -> list[int]:
    return sorted(pseudo_legal([cell + (cell > 7) for cell in board], 0))


def _square(name: str) -> int:
    return 9 * int(name[1]) + ord(name[0]) - ord("a")


def _bits(fen: str) -> torch.Tensor:
    return bearings(torch.tensor([mover_board(*parse_fen(fen)[:2])], dtype=torch.uint8))[0][0]


def test_pseudo_legal_moves_are_those_of_the_rules(boards):
    _, pseudo = bearings(torch.tensor(boards, dtype=torch.uint8))
    for board, row in zip(boards, pseudo, strict=True):
        assert [ALL_MOVES[i] for i in row.nonzero().flatten().tolist()] == _pseudo_legal(board)
    assert bearings(torch.tensor([START_BOARD]))[1].sum() == 44


def test_captures_are_what_bears_on_enemies_of_either_side(boards):
    board = torch.tensor(boards[::7], dtype=torch.uint8)
    bears = (bearings(board)[0] & BEARS).bool()
    for mine, enemies, row in zip(board, turn_round(board), bears, strict=True):
        for cells, own, view in ((mine, row, 0), (enemies, row.flip(0, 1), 1)):
            captures = {m for m in _pseudo_legal(cells.tolist()) if cells[m % 90]}
            pairs = (own & ((cells > 0) & (cells < 8))[:, None] & (cells > 7)).nonzero()
            assert {90 * f + t for f, t in pairs.tolist()} == captures, view


def test_lines_screens_and_jumps_of_a_known_board():
    bits = _bits("4k4/9/9/4p4/9/9/4C4/9/3NN4/4K4 w - - 0 1")
    assert bits[_square("e3"), _square("e6")] == LINE | STEPS  # the cannon needs a screen to take
    assert bits[_square("e3"), _square("e9")] & (BEARS | SCREEN) == BEARS | SCREEN
    assert bits[_square("e1"), _square("f3")] & (BEARS | JUMP) == BEARS | JUMP
    assert bits[_square("e1"), _square("c2")] == 0  # the other horse stands on its leg
    assert bits[_square("e1"), _square("e3")] & BEARS == 0 and bits[_square("e0"), _square("e1")] & BEARS


def test_pieces_are_listed_by_square_and_know_their_relations():
    pieces = lay_out(torch.tensor([START_BOARD, [0] * 90]))
    assert pieces.square[0].tolist() == [s for s, cell in enumerate(START_BOARD) if cell]
    assert pieces.cell[0].tolist() == [cell for cell in START_BOARD if cell]
    assert pieces.slot[0, _square("e0")] == 4 and pieces.slot[0, _square("e1")] == SLOTS
    assert (pieces.square[1] == 90).all() and not pieces.among[1].any() and not pieces.around[1].any()
    among, around = pieces.among[0].view(SLOTS, SLOTS, AMONG), pieces.around[0].view(90, SLOTS, AROUND)
    cannon, horse = pieces.slot[0, _square("b2")], pieces.slot[0, _square("b9")]
    assert among[cannon, horse].tolist() == [True, False, True, False, False, False]
    assert among[horse, cannon].tolist() == [False, False, True, False, True, False]
    # The cannon bears on b9 only: nearer squares of the file it reaches along a line.
    assert around[_square("b9"), cannon].tolist() == [True, False, True, False]
    assert around[_square("b5"), cannon].tolist() == [False, True, False, False]
    assert around[_square("c7"), horse, 0]


def test_a_board_with_too_many_pieces_is_laid_out_all_the_same():
    pieces = lay_out(torch.full((1, 90), 7))
    assert pieces.square[0].tolist() == list(range(SLOTS)) and (pieces.slot[0, SLOTS:] == SLOTS).all()


def test_every_pair_without_a_move_bears_nothing(boards):
    bits = bearings(torch.tensor(boards[:20], dtype=torch.uint8))[0].flatten(1)
    assert not bits[:, MOVE_TOKEN < 0].any()
