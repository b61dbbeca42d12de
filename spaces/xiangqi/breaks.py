"""Which rule an illegal move breaks: every pair of squares is legal or breaks exactly one rule of a closed list.

A move may be wrong in several ways; it is filed under the first that applies, in the order of `RULES`: from what a
glance at one square shows, through how the piece moves, to what becomes of the own king. `breach` is None exactly for
the moves of `rules.legal_moves`. Try first: `breach(Position(), parse_iccs("b0d1"))`, a horse whose leg is held.
"""

from __future__ import annotations

from spaces.xiangqi.board import ADVISOR, ALLOWED, CANNON, ELEPHANT, HORSE, KING, ROOK
from spaces.xiangqi.rules import Position, attacked

RULES = {
    "word": ("不成着法：拼不出两个格子", "not a move: spells no two squares"),
    "empty": ("起点没有棋子", "no piece on the square left"),
    "theirs": ("起点是对方的棋子", "the piece is the opponent's"),
    "shape": ("这种棋子不能这样走", "the piece cannot move so"),
    "area": ("出九宫或象过河", "leaves the palace, or crosses the river"),
    "own": ("落点有自己的棋子", "the target holds an own piece"),
    "blocked": ("被挡：蹩马腿、塞象眼、车炮路上有子", "blocked: horse's leg, elephant's eye, rook's or cannon's line"),
    "screen": ("炮吃子要恰好隔一子", "a cannon captures over exactly one piece"),
    "facing": ("走后将帅照面", "the kings would face each other"),
    "check": ("走后自己被将军", "the own king is left in check"),
}
"""{rule: (Chinese, English)}; `word` is for a model that spells characters, and never `breach`'s."""


def breach(position: Position, move: int) -> str | None:
    """The rule that a move 90·from + to (0 … 8,099) breaks here, a key of RULES; None where it is legal."""
    board, turn, (origin, target) = position.board, position.turn, divmod(move, 90)
    piece = board[origin]
    if not piece:
        return "empty"
    if piece >> 3 != turn:
        return "theirs"
    if not _shape(piece & 7, turn, origin, target):
        return "shape"
    if target not in ALLOWED[piece]:
        return "area"
    if board[target] and board[target] >> 3 == turn:
        return "own"
    return _way(board, origin, target) or _king(position, origin, target)


def _shape(kind: int, turn: int, origin: int, target: int) -> bool:
    """Whether a piece of this kind goes from here to there on some board, palace and river not asked."""
    ranks, files = target // 9 - origin // 9, target % 9 - origin % 9
    steps = sorted((abs(ranks), abs(files)))
    if kind in (ROOK, CANNON):
        return steps[0] == 0 < steps[1]
    if kind in (KING, ADVISOR, ELEPHANT, HORSE):
        return steps == {KING: [0, 1], ADVISOR: [1, 1], ELEPHANT: [2, 2], HORSE: [1, 2]}[kind]
    ahead, crossed = (-ranks, origin // 9 <= 4) if turn else (ranks, origin // 9 >= 5)
    return steps == [0, 1] and (ahead == 1 or (ahead == 0 and crossed))


def _between(origin: int, target: int) -> range:
    """The squares between two of one rank or one file."""
    step = 1 if origin // 9 == target // 9 else 9
    return range(min(origin, target) + step, max(origin, target), step)


def _way(board: list[int], origin: int, target: int) -> str | None:
    """What stands in the way of a move that is right in shape."""
    kind = board[origin] & 7
    if kind in (ROOK, CANNON):
        pieces = sum(board[s] != 0 for s in _between(origin, target))
        if kind == CANNON and board[target]:
            return None if pieces == 1 else "screen"
        return "blocked" if pieces else None
    if kind == ELEPHANT:
        return "blocked" if board[(origin + target) // 2] else None
    if kind == HORSE:
        ranks, files = target // 9 - origin // 9, target % 9 - origin % 9
        leg = origin + (9 * (ranks // 2) if abs(ranks) == 2 else files // 2)
        return "blocked" if board[leg] else None
    return None


def _king(position: Position, origin: int, target: int) -> str | None:
    """What becomes of the own king."""
    board, turn = list(position.board), position.turn
    board[target], board[origin] = board[origin], 0
    king = target if origin == position.kings[turn] else position.kings[turn]
    if not attacked(board, king, turn):
        return None
    other = position.kings[1 - turn]
    same_file = king % 9 == other % 9 and target != other
    return "facing" if same_file and not any(board[s] for s in _between(king, other)) else "check"
