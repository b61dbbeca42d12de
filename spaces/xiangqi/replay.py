"""Games as tensors: every board before every ply, from the mover's side of the table.

The side to move always sits at the bottom: when black moves, the board is turned by half a circle and the
colours change places, so that square s becomes 89 − s and move m becomes 8,099 − m. A cell is 0 when empty,
1 … 7 for the mover's K A B N R C P and 8 … 14 for the opponent's. Making moves asks no legality, so that all
games of a file are replayed at once: a step is one ply of every game.
"""

from __future__ import annotations

from itertools import accumulate

import torch

from spaces.xiangqi.board import KING, START_FEN, parse_fen
from spaces.xiangqi.rules import ALL_MOVES, legal_moves

NO_MOVE = len(ALL_MOVES)
"""Token of "no last move": the 2,086 geometrically possible moves come first."""

MOVE_TOKEN = torch.full((8100,), -1, dtype=torch.int64)
MOVE_TOKEN[list(ALL_MOVES)] = torch.arange(NO_MOVE)
MIRROR_SQUARE = torch.tensor([9 * (s // 9) + 8 - s % 9 for s in range(90)])
MIRROR_MOVE = 90 * MIRROR_SQUARE[torch.arange(8100) // 90] + MIRROR_SQUARE[torch.arange(8100) % 90]


def mover_board(board: list[int], turn: int) -> list[int]:
    """The 90 cells of `rules.Position.board` as the side to move sees them (0 … 14)."""
    if turn:
        return [(p & 7) + 7 * (p < 8) if p else 0 for p in reversed(board)]
    return [(p & 7) + 7 * (p >= 8) if p else 0 for p in board]


def mover_move(move: int, turn: int) -> int:
    """A move as the side `turn` sees it; its own inverse."""
    return 8099 - move if turn else move


START_BOARD = mover_board(*parse_fen(START_FEN)[:2])


def turn_round(boards: torch.Tensor) -> torch.Tensor:
    """The same boards, uint8 (…, 90), from the other side of the table."""
    flipped = boards.flip(-1)
    return torch.where(flipped > 7, flipped - 7, torch.where(flipped > 0, flipped + 7, flipped))


def replay(moves: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(boards, moves) before each ply of all games, in the mover's view.

    moves: integers (P,), absolute 90·from + to, the games one after another; lengths: (G,), their sum is P.
    Returns uint8 (P, 90) and int16 (P,) on the device of `moves`.
    """
    device = moves.device
    order = torch.argsort(lengths.cpu(), descending=True, stable=True)
    sizes = lengths.cpu()[order]
    starts = torch.tensor([0, *accumulate(lengths.tolist())], dtype=torch.int64)[:-1][order].to(device)
    boards = torch.empty(len(moves), 90, dtype=torch.uint8, device=device)
    seen = torch.empty(len(moves), dtype=torch.int16, device=device)
    now = torch.tensor(START_BOARD, dtype=torch.uint8, device=device).repeat(len(sizes), 1)
    for ply in range(int(sizes.max()) if len(sizes) else 0):
        alive = int((sizes > ply).sum())
        now, at = now[:alive], starts[:alive] + ply
        move = moves[at].long()
        move = 8099 - move if ply % 2 else move
        boards[at], seen[at] = now, move.to(torch.int16)
        rows = torch.arange(alive, device=device)
        now[rows, move % 90] = now[rows, move // 90]
        now[rows, move // 90] = 0
        now = turn_round(now)
    return boards, seen


def legal_in_view(board: list[int]) -> list[int]:
    """The legal moves of a board in the mover's view (cells 0 … 14), in the same view."""
    pieces = [cell + (cell > 7) for cell in board]
    return legal_moves(pieces, 0, pieces.index(KING))


def legal_mask(boards: torch.Tensor) -> torch.Tensor:
    """bool (N, 8100): the legal moves of boards (N, 90) in the mover's view."""
    mask = torch.zeros(len(boards), 8100, dtype=torch.bool)
    for row, board in zip(mask, boards.tolist(), strict=True):
        row[legal_in_view(board)] = True
    return mask.to(boards.device)
