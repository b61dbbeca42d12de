"""Which pieces a move chases: attacks that, made again and again, lose by the Asian rules (AXF).

A chase is a new threat to capture a piece that is not protected, or is worth more than its attacker; kings (that is
a check) and soldiers that have not crossed the river are fair game. A like piece that can strike back is not chased.
Protection by a pinned piece is none. The cases are those that pyffish's `xiangqi` adjudicates, which judges this file
in the tests; its simplifications are kept: only what changes with the move counts (the moved piece's attacks off its
line of movement, attacks that the move uncovers, new pins, and new threats of a discovered check), and an elephant
that a move uncovers threatens across the river.
"""

from __future__ import annotations

from spaces.xiangqi.board import ADVISOR, CANNON, ELEPHANT, HORSE, KING, ROOK, SOLDIER
from spaces.xiangqi.rules import ADVISOR_MOVES, ELEPHANT_MOVES, HORSE_MOVES, KING_MOVES, RAYS, SOLDIER_MOVES

_HEAVY = (ROOK, CANNON, HORSE)
Squares = set[int]


def reach(board: list[int], s: int) -> Squares:
    """The occupied squares, of either side, onto which the piece on s could move if it might capture."""
    piece = board[s]
    kind, side = piece & 7, piece >> 3
    if kind in (ROOK, CANNON):
        nth = 0 if kind == ROOK else 1
        stops = ([t for t in ray if board[t]] for ray in RAYS[s])
        return {stop[nth] for stop in stops if len(stop) > nth}
    if kind in (HORSE, ELEPHANT):
        legged = HORSE_MOVES[s] if kind == HORSE else ELEPHANT_MOVES[side][s]
        return {t for leg, t in legged if board[t] and not board[leg]}
    table = {KING: KING_MOVES, ADVISOR: ADVISOR_MOVES, SOLDIER: SOLDIER_MOVES}[kind]
    return {t for t in table[side][s] if board[t]}


def pieces(board: list[int], side: int) -> Squares:
    return {s for s, piece in enumerate(board) if piece and piece >> 3 == side}


def attackers(board: list[int], s: int, side: int) -> Squares:
    """The pieces of `side` that could move onto the occupied square s."""
    return {f for f in pieces(board, side) if s in reach(board, f)}


def _between(board: list[int], a: int, b: int) -> list[int]:
    """The occupied squares strictly between two squares of one line."""
    ray = next(ray for ray in RAYS[a] if b in ray)
    return [t for t in ray[: ray.index(b)] if board[t]]


def _legs(s: int, king: int) -> list[int]:
    return [leg for leg, t in HORSE_MOVES[s] if t == king]


def blockers(board: list[int], side: int) -> Squares:
    """The pieces of both sides without which, one moved away, `side`'s king would be attacked.

    The two pieces between a cannon and the king both are. Rooks and horses that wait for a blocker block no other.
    """
    king = board.index(KING + 8 * side)
    line = {t for ray in RAYS[king] for t in ray}
    waiting: dict[int, list[int]] = {}
    for s in pieces(board, 1 - side):
        kind = board[s] & 7
        if king in reach(board, s):
            continue
        if kind in (ROOK, CANNON) and s in line:
            waiting[s] = _between(board, s, king)
        elif kind == HORSE and _legs(s, king):
            waiting[s] = _legs(s, king)
    through = {s for s in waiting if board[s] & 7 != CANNON}
    out: Squares = set()
    for s, between in waiting.items():
        if board[s] & 7 == CANNON:
            out.update(between if len(between) == 2 else ())
        elif len(solid := [t for t in between if t not in through]) == 1:
            out.update(solid)
    return out


class _Chase:
    """The chased pieces of the side to move, gathered after the opponent's move."""

    def __init__(self, board: list[int], side: int):
        self.board, self.side, self.found = board, side, set()
        self.king, self.enemy_king = board.index(KING + 8 * side), board.index(KING + 8 - 8 * side)
        self.own = pieces(board, side)
        self.pins = blockers(board, side) | self._before_the_general()
        self.worthy = {s for s in self.own if board[s] & 7 != KING and (board[s] & 7 != SOLDIER or self._crossed(s))}

    def _crossed(self, s: int) -> bool:
        return s // 9 <= 4 if self.side else s // 9 >= 5

    def _before_the_general(self) -> Squares:
        """The only own piece on the file of both kings."""
        file = {s for s in self.own if s % 9 == self.enemy_king % 9}
        return file - {self.king} if self.king in file and len(file) <= 2 else set()

    def _kinds(self, squares: Squares, kinds: tuple[int, ...]) -> Squares:
        return {s for s in squares if self.board[s] & 7 in kinds}

    def add(self, attacker: int, attacks: Squares) -> None:
        """Those attacks of the piece on `attacker` that are chases."""
        if not attacks - self.found:
            return
        kind, attacks = self.board[attacker] & 7, attacks & self.worthy
        if kind in (HORSE, CANNON):
            self.found |= self._kinds(attacks, (ROOK,))
        if kind in (ELEPHANT, ADVISOR):
            self.found |= self._kinds(attacks, _HEAVY)
        alike = self._kinds(attacks, (kind,))
        if kind == HORSE and self._cramped(attacker):
            attacks = attacks - {s for s in alike if attacker in reach(self.board, s)}
        else:
            attacks = attacks - (alike - self.pins)
        self.found |= {s for s in attacks if self._unprotected(s, attacker)}

    def _cramped(self, s: int) -> bool:
        """Whether a piece stands diagonally next to s: then horses may attack one way only."""
        near = (s + 9 * dr + df for dr in (-1, 1) for df in (-1, 1) if 0 <= s % 9 + df < 9)
        return any(0 <= t < 90 and self.board[t] for t in near)

    def _unprotected(self, s: int, attacker: int) -> bool:
        after = list(self.board)
        after[attacker] = 0
        roots = attackers(after, s, self.side) - self.pins
        return not roots or roots == {self.king} and s in _rook_view(after, self.enemy_king)

    def pinned(self, new: Squares) -> None:
        """What the newly pinned pieces no longer protect."""
        tied = blockers(self.board, 1 - self.side)
        for s in new & self.own:
            for t in reach(self.board, s) & self.worthy:
                if attackers(self.board, t, 1 - self.side) - tied:
                    self.found.add(t)

    def discoverers(self, new: Squares) -> None:
        """What the pieces that now threaten a discovered check could take meanwhile."""
        by_king = set(KING_MOVES[self.side][self.king])
        for s in new - self.own:
            for t in reach(self.board, s) & self.own:
                after = list(self.board)
                after[s] = after[self.king] = 0
                if t not in by_king or attackers(after, t, 1 - self.side) - {s}:
                    self.found.add(t)


def _rook_view(board: list[int], s: int) -> Squares:
    """The first piece in each direction."""
    return {next((t for t in ray if board[t]), s) for ray in RAYS[s]}


def chased(before: list[int], move: int) -> Squares:
    """The squares of the pieces that this move, made on the board `before`, chases."""
    origin, target = divmod(move, 90)
    board, mover = list(before), before[origin] >> 3
    board[target], board[origin] = board[origin], 0
    chase, kind = _Chase(board, 1 - mover), board[target] & 7
    if kind not in (KING, SOLDIER):
        same_line = (lambda t: t // 9 == target // 9) if origin // 9 == target // 9 else (lambda t: t % 9 == target % 9)
        direct = reach(board, target) & chase.own
        chase.add(target, {t for t in direct if kind not in (ROOK, CANNON) or not same_line(t)})
    past = list(board)
    past[origin], past[target] = board[target], board[target] if before[target] else 0
    for s in _uncovered(board, mover, origin, target):
        past_s = list(past)
        past_s[s] = board[s]
        chase.add(s, (_uncovered_reach(board, s, origin) & chase.own) - reach(past_s, s))
    new = blockers(board, 1 - mover) - blockers(before, 1 - mover)
    chase.pinned(new)
    chase.discoverers(new)
    return chase.found


def _uncovered_reach(board: list[int], s: int, origin: int) -> Squares:
    """Where the piece on s may strike when `origin` empties: an elephant also across the river, as in pyffish."""
    if board[s] & 7 != ELEPHANT:
        return reach(board, s)
    rank, file = 2 * (origin // 9) - s // 9, 2 * (origin % 9) - s % 9
    return {9 * rank + file} if 0 <= rank < 10 and 0 <= file < 9 else set()


def _uncovered(board: list[int], mover: int, origin: int, target: int) -> list[int]:
    """Pieces whose attacks may change when `origin` empties and `target` fills."""
    def line(a: int, b: int) -> bool:
        return a != b and (a // 9 == b // 9 or a % 9 == b % 9)

    out = []
    for s in sorted(pieces(board, mover)):
        kind, rank, file = board[s] & 7, abs(s // 9 - origin // 9), abs(s % 9 - origin % 9)
        if (kind == HORSE and rank + file == 1 or kind == ELEPHANT and rank == file == 1
                or kind in (ROOK, CANNON) and line(s, origin) or kind == CANNON and line(s, target)):
            out.append(s)
    return out
