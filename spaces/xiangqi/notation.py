"""Moves as people write them: WXF (`C2=5`) and Chinese (炮二平五), both ways.

Files are counted from the mover's right, red's in Chinese numerals. Of two like pieces on one file the front one is
前 (`C+`), the rear one 后 (`C-`); three soldiers are 前 中 后, more 前 二 三 … 后; soldiers doubled on two files are
numbered through, from the right and from the front, in Chinese, and within their file in WXF (`15=6`: the first on
file 5). Reading accepts what is unambiguous: full or half width, simplified or traditional, numerals of either kind,
`.` for `=`.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict

from shared.experiment import InputError
from spaces.xiangqi.board import ADVISOR, ELEPHANT, HORSE, SOLDIER, iccs
from spaces.xiangqi.rules import Position

LETTERS = ".KAEHRCP"
FACES = (".帅仕相马车炮兵", ".将士象马车炮卒")
NUMERALS = "零一二三四五六七八九"
_ACTIONS = {"+": "进", "-": "退", "=": "平"}
_ORDERS = {"+": "前", "-": "后", ".": "中"}
_READ = str.maketrans({
    **dict.fromkeys("帅帥将將", "K"), **dict.fromkeys("仕士", "A"), **dict.fromkeys("相象", "E"),
    **dict.fromkeys("马馬傌", "H"), **dict.fromkeys("车車俥", "R"), **dict.fromkeys("炮砲包", "C"),
    **dict.fromkeys("兵卒", "P"), **dict.fromkeys("进進前", "+"), **dict.fromkeys("退后後", "-"),
    "平": "=", "中": ".", "N": "H", "B": "E", **{numeral: str(n) for n, numeral in enumerate(NUMERALS)},
})


def _file(s: int, turn: int) -> int:
    """1 … 9 from the mover's right."""
    return s % 9 + 1 if turn else 9 - s % 9


def _depth(s: int, turn: int) -> int:
    """Ranks from the mover's own back rank."""
    return 9 - s // 9 if turn else s // 9


def _action(kind: int, move: int, turn: int) -> str:
    """`+1`, `-2` or `=5`: advance, retreat or traverse; slanting moves name the file they reach."""
    origin, target = divmod(move, 90)
    ahead, file = _depth(target, turn) - _depth(origin, turn), str(_file(target, turn))
    if not ahead:
        return "=" + file
    slanting = kind in (HORSE, ELEPHANT, ADVISOR)
    return ("+" if ahead > 0 else "-") + (file if slanting else str(abs(ahead)))


class _Place:
    """How the piece on a square is told from its like: rank in its file (0: front), their number, numbers through."""

    def __init__(self, board: list[int], s: int, turn: int):
        columns: dict[int, list[int]] = defaultdict(list)
        for t, piece in enumerate(board):
            if piece == board[s]:
                columns[_file(t, turn)].append(t)
        for column in columns.values():
            column.sort(key=lambda t: -_depth(t, turn))
        self.kind, self.file = board[s] & 7, _file(s, turn)
        self.count, self.index = len(columns[self.file]), columns[self.file].index(s)
        doubled = [t for file in sorted(columns) if len(columns[file]) > 1 for t in columns[file]]
        self.files = sum(len(column) > 1 for column in columns.values())
        self.through = doubled.index(s) + 1 if s in doubled else 0

    def tandem(self) -> bool:
        """Whether the file alone does not name the piece; advisors and elephants are told by their action."""
        return self.count > 1 and self.kind not in (ADVISOR, ELEPHANT)

    def order(self) -> str:
        """`+`, `.`, `-`, or the number of one of many in a file."""
        if self.index in (0, self.count - 1):
            return "+-"[self.index > 0]
        return "." if self.count == 3 else str(self.index + 1)

    def readings(self) -> set[str]:
        """All beginnings that may mean this piece, the order first: `C2`, `+C`, `2P`, `25`."""
        letter, out = LETTERS[self.kind], {f"{LETTERS[self.kind]}{self.file}"}
        if self.count > 1:
            out.add(self.order() + letter)
        if self.kind == SOLDIER and self.count > 1:
            out |= {f"{self.index + 1}{self.file}", f"{self.through if self.files > 1 else self.index + 1}{letter}"}
        return out


def wxf(position: Position, move: int) -> str:
    """The WXF notation of a move that is legal in the position: `C2=5`."""
    place = _Place(position.board, move // 90, position.turn)
    letter, action = LETTERS[place.kind], _action(place.kind, move, position.turn)
    if not place.tandem():
        return f"{letter}{place.file}{action}"
    if place.count > 2 or place.files > 1:
        return f"{place.index + 1}{place.file}{action}"
    return letter + place.order() + action


def chinese(position: Position, move: int) -> str:
    """The Chinese notation of a move that is legal in the position: 炮二平五, black 炮8平5."""
    turn = position.turn
    place = _Place(position.board, move // 90, turn)
    sign, number = _action(place.kind, move, turn)
    face, count = FACES[turn][place.kind], (lambda n: n) if turn else (lambda n: NUMERALS[int(n)])
    if not place.tandem():
        name = face + count(str(place.file))
    elif place.files > 1:
        name = NUMERALS[place.through] + face
    else:
        order = place.order()
        name = (_ORDERS.get(order) or NUMERALS[int(order)]) + face
    return name + _ACTIONS[sign] + count(number)


def _normal(text: str) -> str:
    """A word in the letters of `_Place.readings`: order before piece, `=` for traversing."""
    word = unicodedata.normalize("NFKC", text).strip().upper().translate(_READ)
    word = word.replace("−", "-").replace("–", "-").replace("—", "-")
    if len(word) != 4:
        return ""
    start = word[1] + word[0] if word[1] in "+-." and word[0] in LETTERS[1:] else word[:2]
    return start + word[2].replace(".", "=") + word[3]


def parse_notation(position: Position, text: str, field: str = "moves") -> int:
    """The legal move that a WXF or Chinese word means here; InputError when none does, or more than one."""
    word = _normal(text) if isinstance(text, str) and len(text) <= 16 else ""
    board, turn, found = position.board, position.turn, []
    for move in position.legal_moves() if word else ():
        kind = board[move // 90] & 7
        if word[2:] == _action(kind, move, turn) and word[:2] in _Place(board, move // 90, turn).readings():
            found.append(move)
    if len(found) == 1:
        return found[0]
    shown = repr(text)[:24]
    if found:
        words = " / ".join(map(iccs, found))
        raise InputError(field, f"{shown} 有歧义：{words}。", f"{shown} is ambiguous: {words}.")
    raise InputError(field, f"{shown} 不是此局面的合法着法（如 炮二平五、C2=5）。",
                     f"{shown} is no legal move in this position (such as 炮二平五, C2=5).")
