"""The board of xiangqi: squares, pieces, FEN and ICCS words.

A square is 9·rank + file, rank 0 is red's back rank, file 0 is `a`; a move is 90·from + to (0 … 8,099).
A piece is its kind (1 … 7 for K A B N R C P), plus 8 when black. `KINDS[piece & 7]` names it.
"""

from __future__ import annotations

from shared.experiment import InputError

KING, ADVISOR, ELEPHANT, HORSE, ROOK, CANNON, SOLDIER = range(1, 8)
RED, BLACK = 0, 1
KINDS = ".KABNRCP"
FILES = "abcdefghi"
START_FEN = "rnbakabnr/9/1c5c1/p1p1p1p1p/9/9/P1P1P1P1P/1C5C1/9/RNBAKABNR w - - 0 1"

MOVE_FROM = [move // 90 for move in range(8100)]
MOVE_TO = [move % 90 for move in range(8100)]
SQUARE_NAMES = [FILES[s % 9] + str(s // 9) for s in range(90)]
SQUARES = {name: s for s, name in enumerate(SQUARE_NAMES)}

_LIMITS = {KING: 1, ADVISOR: 2, ELEPHANT: 2, HORSE: 2, ROOK: 2, CANNON: 2, SOLDIER: 5}
_ZH = {KING: "将帅", ADVISOR: "士", ELEPHANT: "象", HORSE: "马", ROOK: "车", CANNON: "炮", SOLDIER: "兵卒"}
_EN = {KING: "king", ADVISOR: "advisor", ELEPHANT: "elephant", HORSE: "horse", ROOK: "rook",
       CANNON: "cannon", SOLDIER: "soldier"}
_LETTERS = {letter: kind for kind, letter in enumerate(KINDS)} | {"H": HORSE, "E": ELEPHANT, "G": KING}


def iccs(move: int) -> str:
    """The ICCS word of a move: 90·7 + 25 → `h0h2`-like, four characters."""
    return SQUARE_NAMES[move // 90] + SQUARE_NAMES[move % 90]


def parse_iccs(word: str, field: str = "moves") -> int:
    """The move of an ICCS word (`h2e2`, also `H2-E2`); InputError when it is not two different squares."""
    text = word.strip().lower().replace("-", "") if isinstance(word, str) else ""
    a, b = SQUARES.get(text[:2]), SQUARES.get(text[2:])
    if a is None or b is None or a == b:
        shown = repr(word)[:20]
        raise InputError(field, f"{shown} 不是 ICCS 着法（如 h2e2：列 a–i，行 0–9）。",
                         f"{shown} is not an ICCS move (such as h2e2: files a–i, ranks 0–9).")
    return 90 * a + b


def _zone(kind: int, rank: int, file: int) -> bool:
    """Whether a red piece of this kind can ever stand on (rank, file)."""
    if kind == KING:
        return rank <= 2 and 3 <= file <= 5
    if kind == ADVISOR:
        return (rank, file) in {(0, 3), (0, 5), (1, 4), (2, 3), (2, 5)}
    if kind == ELEPHANT:
        return (rank, file) in {(0, 2), (0, 6), (2, 0), (2, 4), (2, 8), (4, 2), (4, 6)}
    if kind == SOLDIER:
        return rank >= 5 or (rank >= 3 and file % 2 == 0)
    return True


# ALLOWED[piece] is the set of squares on which that piece can ever stand.
ALLOWED: dict[int, frozenset[int]] = {}
for _kind in range(1, 8):
    _red = frozenset(s for s in range(90) if _zone(_kind, s // 9, s % 9))
    ALLOWED[_kind] = _red
    ALLOWED[_kind + 8] = frozenset(89 - s for s in _red)


def _placement(text: str) -> list[int]:
    """The 90 pieces of FEN's first field."""
    rows = text.split("/")
    if len(rows) != 10:
        raise InputError("fen", f"FEN 应有 10 行（以 / 分隔），这里有 {len(rows)} 行。",
                         f"FEN needs 10 ranks separated by /, this has {len(rows)}.")
    board = [0] * 90
    for rank, row in zip(range(9, -1, -1), rows, strict=True):
        file = 0
        for letter in row:
            if letter in "123456789":
                file += int(letter)
                continue
            kind = _LETTERS.get(letter.upper()) if letter.isascii() else None
            if not kind:
                raise InputError("fen", f"FEN 中不认识的棋子 {letter!r}（可用 KABNRCP 与小写）。",
                                 f"FEN has an unknown piece {letter!r} (KABNRCP and lower case).")
            if file < 9:
                board[9 * rank + file] = kind + 8 * letter.islower()
            file += 1
        if file != 9:
            raise InputError("fen", f"FEN 第 {rank} 行应有 9 格，这里是 {file} 格。",
                             f"FEN's rank {rank} needs 9 files, this has {file}.")
    return board


def _check_pieces(board: list[int]) -> None:
    """InputError for a count or a square that no game can reach."""
    for colour, zh, en in ((0, "红方", "red"), (8, "黑方", "black")):
        for kind, limit in _LIMITS.items():
            squares = [s for s in range(90) if board[s] == kind + colour]
            if kind == KING and len(squares) != 1:
                raise InputError("fen", f"{zh}应恰有一个将帅，这里有 {len(squares)} 个。",
                                 f"{en} needs exactly one king, this has {len(squares)}.")
            if len(squares) > limit:
                raise InputError("fen", f"{zh}的{_ZH[kind]}最多 {limit} 个，这里有 {len(squares)} 个。",
                                 f"{en} has at most {limit} {_EN[kind]}s, this has {len(squares)}.")
            for s in squares:
                if s not in ALLOWED[kind + colour]:
                    raise InputError("fen", f"{zh}的{_ZH[kind]}不可能在 {SQUARE_NAMES[s]}。",
                                     f"{en}'s {_EN[kind]} can never stand on {SQUARE_NAMES[s]}.")
        home = [s % 9 for s in range(90) if board[s] == SOLDIER + colour and (s >= 45) == bool(colour)]
        if len(set(home)) < len(home):
            raise InputError("fen", f"{zh}未过河的兵卒，每一路最多一个。",
                             f"{en} has at most one soldier a file before the river.")


def parse_fen(fen: str) -> tuple[list[int], int, int, int]:
    """(board, turn, plies without capture, move number) of a FEN; InputError when malformed or impossible.

    Whether the kings face each other or the side not to move is in check is left to `rules.Position`.
    """
    if not isinstance(fen, str) or not fen.strip() or len(fen) > 200:
        raise InputError("fen", "FEN 应为 1 到 200 个字符的一行。",
                         "FEN must be one line of 1 to 200 characters.")
    parts = fen.split()
    board = _placement(parts[0])
    _check_pieces(board)
    if len(parts) > 6 or set(parts[2:4]) - {"-"}:
        raise InputError("fen", "FEN 最多六段，第三、四段应为 -：棋子 走子方 - - 未吃子着数 回合。",
                         "FEN has at most six fields, the third and fourth are -: pieces side - - quiet-plies move.")
    side = parts[1] if len(parts) > 1 else "w"
    if side not in ("w", "r", "b"):
        raise InputError("fen", f"FEN 的走子方应为 w 或 b，这里是 {side[:10]!r}。",
                         f"FEN's side to move must be w or b, this is {side[:10]!r}.")
    numbers = [part if part.isascii() and part.isdigit() and len(part) < 5 else "" for part in parts[4:6]]
    if "" in numbers:
        raise InputError("fen", "FEN 末尾的两个计数应为 0 到 9999 的整数。",
                         "FEN's two counters at the end must be whole numbers from 0 to 9999.")
    clock, number = (int(part) for part in (*numbers, *("0", "1")[len(numbers):]))
    return board, BLACK if side == "b" else RED, clock, max(1, number)


def format_fen(board: list[int], turn: int, clock: int = 0, number: int = 1) -> str:
    """The FEN of a board, red at the bottom, `w` when red is to move."""
    rows = []
    for rank in range(9, -1, -1):
        row, gap = "", 0
        for piece in board[9 * rank : 9 * rank + 9]:
            if not piece:
                gap += 1
                continue
            letter = KINDS[piece & 7]
            row += (str(gap) if gap else "") + (letter.lower() if piece & 8 else letter)
            gap = 0
        rows.append(row + (str(gap) if gap else ""))
    return f"{'/'.join(rows)} {'wb'[turn]} - - {clock} {number}"
