"""The rules of xiangqi: exact legal moves, check, mate, stalemate = loss.

Known values: 44, 1,920, 79,666 and 3,290,240 positions after 1, 2, 3 and 4 plies from the start (`perft`).
A mailbox with precomputed tables: pseudo-legal moves first, and the own king's exposure (the flying general
included) is tested only for the moves that can change it. Try first: `Position().legal_moves()`.
"""

from __future__ import annotations

from shared.experiment import InputError
from spaces.xiangqi.board import (
    ADVISOR,
    ALLOWED,
    CANNON,
    ELEPHANT,
    HORSE,
    KING,
    MOVE_FROM,
    MOVE_TO,
    ROOK,
    SOLDIER,
    START_FEN,
    format_fen,
    parse_fen,
)

ORTHOGONAL = ((1, 0), (-1, 0), (0, 1), (0, -1))
_DIAGONAL = ((1, 1), (1, -1), (-1, 1), (-1, -1))


def _square(rank: int, file: int) -> int | None:
    return 9 * rank + file if 0 <= rank < 10 and 0 <= file < 9 else None


def ray_of(s: int, dr: int, df: int) -> tuple[int, ...]:
    out, at = [], _square(s // 9 + dr, s % 9 + df)
    while at is not None:
        out.append(at)
        at = _square(at // 9 + dr, at % 9 + df)
    return tuple(out)


def _steps(s: int, directions, piece: int, length: int = 1) -> tuple[int, ...]:
    """Squares `length` steps away on which the piece may stand."""
    ends = (_square(s // 9 + length * dr, s % 9 + length * df) for dr, df in directions)
    return tuple(t for t in ends if t in ALLOWED[piece])


def _horse(s: int) -> tuple[tuple[int, int], ...]:
    """(leg, target) of the up to eight horse moves from s."""
    out = []
    for dr, df in ORTHOGONAL:
        for side in (-1, 1):
            t = _square(s // 9 + 2 * dr + side * df, s % 9 + 2 * df + side * dr)
            if t is not None:
                out.append((s + 9 * dr + df, t))
    return tuple(out)


def _soldier(s: int, black: int) -> tuple[int, ...]:
    """Targets of a soldier: forward, and sideways across the river."""
    forward = -1 if black else 1
    crossed = s // 9 <= 4 if black else s // 9 >= 5
    directions = [(forward, 0)] + ([(0, 1), (0, -1)] if crossed else [])
    return _steps(s, directions, SOLDIER + 8 * black)


RAYS = [tuple(r for d in ORTHOGONAL if (r := ray_of(s, *d))) for s in range(90)]
HORSE_MOVES = [_horse(s) for s in range(90)]
KING_MOVES = [[_steps(s, ORTHOGONAL, KING + 8 * c) for s in range(90)] for c in (0, 1)]
ADVISOR_MOVES = [[_steps(s, _DIAGONAL, ADVISOR + 8 * c) for s in range(90)] for c in (0, 1)]
ELEPHANT_MOVES = [
    [tuple(((s + t) // 2, t) for t in _steps(s, _DIAGONAL, ELEPHANT + 8 * c, 2)) for s in range(90)]
    for c in (0, 1)
]
SOLDIER_MOVES = [[_soldier(s, c) for s in range(90)] for c in (0, 1)]
# (leg, from) of the horses, and the squares of the soldiers of the other side, that attack s.
HORSE_ATTACKS = [tuple((leg, f) for f in range(90) for leg, t in HORSE_MOVES[f] if t == s) for s in range(90)]
SOLDIER_ATTACKS = [
    [tuple(f for f in range(90) if s in SOLDIER_MOVES[1 - c][f]) for s in range(90)] for c in (0, 1)
]


def _all_moves() -> tuple[int, ...]:
    moves = set()
    for s in range(90):
        targets = {t for ray in RAYS[s] for t in ray} | {t for _, t in HORSE_MOVES[s]}
        for c in (0, 1):
            if s in ALLOWED[ADVISOR + 8 * c]:
                targets |= set(ADVISOR_MOVES[c][s])
            if s in ALLOWED[ELEPHANT + 8 * c]:
                targets |= {t for _, t in ELEPHANT_MOVES[c][s]}
        moves |= {90 * s + t for t in targets}
    return tuple(sorted(moves))


ALL_MOVES = _all_moves()
"""The 2,086 moves that some piece can make on an otherwise empty board, sorted."""


def pseudo_legal(board: list[int], turn: int) -> list[int]:
    """Every move of the side to move, its king's safety not asked."""
    out: list[int] = []
    add = out.append
    for s, piece in enumerate(board):
        if not piece or piece >> 3 != turn:
            continue
        kind, base = piece & 7, 90 * s
        if kind == ROOK:
            for ray in RAYS[s]:
                for t in ray:
                    q = board[t]
                    if q:
                        if q >> 3 != turn:
                            add(base + t)
                        break
                    add(base + t)
        elif kind == CANNON:
            for ray in RAYS[s]:
                screen = False
                for t in ray:
                    q = board[t]
                    if screen:
                        if q:
                            if q >> 3 != turn:
                                add(base + t)
                            break
                    elif q:
                        screen = True
                    else:
                        add(base + t)
        elif kind == HORSE or kind == ELEPHANT:
            for leg, t in HORSE_MOVES[s] if kind == HORSE else ELEPHANT_MOVES[turn][s]:
                if not board[leg]:
                    q = board[t]
                    if not q or q >> 3 != turn:
                        add(base + t)
        else:
            table = SOLDIER_MOVES if kind == SOLDIER else ADVISOR_MOVES if kind == ADVISOR else KING_MOVES
            for t in table[turn][s]:
                q = board[t]
                if not q or q >> 3 != turn:
                    add(base + t)
    return out


def attacked(board: list[int], s: int, turn: int) -> bool:
    """Whether the king of side `turn`, standing on s, is attacked or faces the other king."""
    enemy = 8 - 8 * turn
    king, rook, cannon = enemy + KING, enemy + ROOK, enemy + CANNON
    horse, soldier = enemy + HORSE, enemy + SOLDIER
    for ray in RAYS[s]:
        screen = False
        for t in ray:
            q = board[t]
            if q:
                if screen:
                    if q == cannon:
                        return True
                    break
                if q == rook or q == king:
                    return True
                screen = True
    for leg, f in HORSE_ATTACKS[s]:
        if board[f] == horse and not board[leg]:
            return True
    for f in SOLDIER_ATTACKS[turn][s]:
        if board[f] == soldier:
            return True
    return False


def _sensitive(board: list[int], s: int, turn: int) -> set[int]:
    """Squares whose occupation matters to the king on s: lines to far pieces, legs of horses."""
    enemy = 8 - 8 * turn
    far, cannon, horse = (enemy + ROOK, enemy + KING), enemy + CANNON, enemy + HORSE
    out: set[int] = set()
    for ray in RAYS[s]:
        pieces, last = 0, 0
        for i, t in enumerate(ray, 1):
            q = board[t]
            if q:
                pieces += 1
                if (q in far and pieces < 3) or q == cannon:
                    last = i
                if pieces == 3:
                    break
        if last:
            out.update(ray[:last])
    for leg, f in HORSE_ATTACKS[s]:
        if board[f] == horse:
            out.add(leg)
    return out


def legal_moves(board: list[int], turn: int, king: int) -> list[int]:
    """The legal moves of side `turn`, whose king stands on `king`."""
    moves = pseudo_legal(board, turn)
    if attacked(board, king, turn):
        return [m for m in moves if _safe(board, m, turn, king)]
    sensitive = _sensitive(board, king, turn)
    sensitive.add(king)
    return [
        m for m in moves
        if not (MOVE_FROM[m] in sensitive or MOVE_TO[m] in sensitive) or _safe(board, m, turn, king)
    ]


def _safe(board: list[int], move: int, turn: int, king: int) -> bool:
    """Whether the own king is unattacked after the move (the board is left as it was)."""
    f, t = MOVE_FROM[move], MOVE_TO[move]
    taken = board[t]
    board[t], board[f] = board[f], 0
    safe = not attacked(board, t if f == king else king, turn)
    board[f], board[t] = board[t], taken
    return safe


class Position:
    """A game of xiangqi at one ply: the board, whose turn it is, and the moves that led here.

    >>> len(Position().legal_moves())
    44
    """

    def __init__(self, fen: str = START_FEN):
        self.board, self.turn, self.clock, number = parse_fen(fen)
        self.first_ply = 2 * (number - 1) + self.turn
        self.start_fen = format_fen(self.board, self.turn, self.clock, number)
        self.kings = [self.board.index(KING), self.board.index(KING + 8)]
        self.moves: list[int] = []
        self._undo: list[tuple[int, int]] = []
        self._refuse_impossible()

    def _refuse_impossible(self) -> None:
        red, black = sorted(self.kings)
        if red % 9 == black % 9 and not any(self.board[red + 9 : black : 9]):
            raise InputError("fen", "将帅不能照面。", "the two kings must not face each other.")
        if attacked(self.board, self.kings[1 - self.turn], 1 - self.turn):
            raise InputError("fen", "不轮到走的一方不能正被将军。",
                             "the side not to move must not be in check.")

    def legal_moves(self) -> list[int]:
        """All legal moves, 90·from + to; empty when the side to move has lost (mate, or stalemate)."""
        return legal_moves(self.board, self.turn, self.kings[self.turn])

    def in_check(self) -> bool:
        return attacked(self.board, self.kings[self.turn], self.turn)

    def push(self, move: int) -> None:
        """Make a move that is known to be legal."""
        f, t = MOVE_FROM[move], MOVE_TO[move]
        board, piece = self.board, self.board[f]
        self._undo.append((board[t], self.clock))
        self.clock = 0 if board[t] else self.clock + 1
        board[t], board[f] = piece, 0
        if piece & 7 == KING:
            self.kings[self.turn] = t
        self.moves.append(move)
        self.turn ^= 1

    def pop(self) -> int:
        """Take back the last move and return it."""
        move = self.moves.pop()
        f, t = MOVE_FROM[move], MOVE_TO[move]
        board, piece = self.board, self.board[t]
        self.turn ^= 1
        board[f] = piece
        board[t], self.clock = self._undo.pop()
        if piece & 7 == KING:
            self.kings[self.turn] = f
        return move

    @property
    def captured(self) -> list[int]:
        """The piece that each of `moves` took, 0 for none."""
        return [taken for taken, _ in self._undo]

    def fen(self) -> str:
        """The FEN of the present position."""
        ply = self.first_ply + len(self.moves)
        return format_fen(self.board, self.turn, self.clock, ply // 2 + 1)


def perft(position: Position, depth: int) -> int:
    """The number of legal lines of `depth` plies."""
    moves = position.legal_moves()
    if depth <= 1:
        return len(moves) if depth else 1
    total = 0
    for move in moves:
        position.push(move)
        total += perft(position, depth - 1)
        position.pop()
    return total
