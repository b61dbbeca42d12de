"""Games in and out as text: PGN with tags, or bare moves, in ICCS, WXF or Chinese.

`read_game` takes what people paste: `1. 炮二平五 马8进7`, `h2e2 h9g7`, `h2e2h9g7`, a PGN with comments and variations
(which are passed over), or a FEN alone. Every move is checked; the first that is malformed or illegal is named.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field

from shared.experiment import InputError
from spaces.xiangqi.board import START_FEN, iccs, parse_iccs
from spaces.xiangqi.notation import chinese, parse_notation, wxf
from spaces.xiangqi.outcome import outcome
from spaces.xiangqi.rules import Position

MOST_CHARACTERS, MOST_PLIES, MOST_TAGS = 100_000, 1_000, 40
RESULTS = ("1-0", "0-1", "1/2-1/2", "*")
NOTATIONS = ("ICCS", "WXF", "Chinese")

# Blanks, not \s: that runs on over empty lines, anew from each of them.
_TAG = re.compile(r'^[ \t]*\[[ \t]*(\w{1,40})[ \t]+"([^"\n]{0,400})"[ \t]*\][ \t]*$', re.MULTILINE)
_NUMBER = re.compile(r"^\d{1,4}(?:\.+|…)")
_ICCS = re.compile(r"[a-i]\d-?[a-i]\d", re.IGNORECASE)
_FEN = re.compile(r"[\s\ufeff]*[^\s{(;\[]*(?:/[^\s/]*){3}")


@dataclass(frozen=True)
class Record:
    """A game: its first position as FEN, legal moves from there (90·from + to), result and PGN tags."""

    fen: str = START_FEN
    moves: tuple[int, ...] = ()
    result: str = "*"
    tags: dict[str, str] = field(default_factory=dict)

    def position(self) -> Position:
        """The position after the last move."""
        return play(self.fen, self.moves)


def play(fen: str, moves: tuple[int, ...] | list[int]) -> Position:
    """The position after legal moves from a FEN (empty for the start); InputError at the first that is not."""
    position = Position(fen or START_FEN)
    for move in moves:
        _push(position, move)
    return position


def _push(position: Position, move: int) -> None:
    if move not in position.legal_moves():
        raise InputError("moves", f"第 {len(position.moves) + 1} 着 {iccs(move)} 不合规则。",
                         f"move {len(position.moves) + 1}, {iccs(move)}, is not legal.")
    position.push(move)


def is_fen(text: str) -> bool:
    """Whether a text begins with several ranks: what is wrong with them is `Position`'s to say."""
    return _FEN.match(text) is not None


def _without_asides(text: str) -> str:
    """The text without {comments}, ;comments and (variations), however deep."""
    out, depth, comment = [], 0, ""
    for letter in text:
        if comment:
            comment = "" if letter == comment else comment
        elif letter in "{;":
            comment = "}" if letter == "{" else "\n"
        elif letter == "(":
            depth += 1
        elif letter == ")":
            depth = max(0, depth - 1)
        elif not depth:
            out.append(letter)
            continue
        out.append(" ")
    return "".join(out)


def _words(text: str) -> Iterator[str]:
    """Moves and result, one by one."""
    for token in unicodedata.normalize("NFKC", _without_asides(text)).split():
        token = _NUMBER.sub("", token)
        if not token or token.startswith("$") or token.strip(".…") == "":
            continue
        if _ICCS.match(token) and _ICCS.sub("", token) == "":
            yield from _ICCS.findall(token)
        elif token not in RESULTS and not token.isascii() and len(token) > 4 and len(token) % 4 == 0:
            yield from (token[i : i + 4] for i in range(0, len(token), 4))
        else:
            yield token


def _read_word(position: Position, word: str) -> int:
    number = len(position.moves) + 1
    try:
        return parse_iccs(word) if _ICCS.fullmatch(word) else parse_notation(position, word)
    except InputError as error:
        raise InputError("moves", f"第 {number} 着：{error.zh}", f"move {number}: {error.en}") from None


def read_game(text: str) -> Record:
    """The first game of a PGN, a line of moves, or a FEN; InputError names what is wrong and where."""
    if not isinstance(text, str) or len(text) > MOST_CHARACTERS:
        raise InputError("game", f"棋谱应为不超过 {MOST_CHARACTERS} 字的文本。",
                         f"a game must be text of at most {MOST_CHARACTERS} characters.")
    text = text.replace("\r\n", "\n").strip().lstrip("\ufeff")
    if is_fen(text):
        return Record(fen=Position(text).start_fen)
    tags, end = {}, 0
    for match in _TAG.finditer(text):
        if text[end : match.start()].strip():
            break
        tags[match[1]], end = match[2], match.end()
    if len(tags) > MOST_TAGS:
        raise InputError("game", f"棋谱最多 {MOST_TAGS} 个标签。", f"a game has at most {MOST_TAGS} tags.")
    position = Position(tags.get("FEN") or START_FEN)
    for word in _words(text[end:]):
        if word in RESULTS:
            return Record(position.start_fen, tuple(position.moves), word, tags)
        if len(position.moves) >= MOST_PLIES:
            raise InputError("moves", f"最多 {MOST_PLIES} 着。", f"at most {MOST_PLIES} moves are read.")
        _push(position, _read_word(position, word))
    result = tags.get("Result", "*")
    return Record(position.start_fen, tuple(position.moves), result if result in RESULTS else "*", tags)


def spelled(record: Record, notation: str = "ICCS") -> list[str]:
    """The moves of a record as words of one of NOTATIONS."""
    if notation not in NOTATIONS:
        raise InputError("notation", f"记谱法应为 {'、'.join(NOTATIONS)} 之一。",
                         f"the notation must be one of {', '.join(NOTATIONS)}.")
    position, words = Position(record.fen), []
    for move in record.moves:
        word = {"ICCS": lambda m: iccs(m).upper()[:2] + "-" + iccs(m).upper()[2:], "WXF": lambda m: wxf(position, m),
                "Chinese": lambda m: chinese(position, m)}[notation](move)
        words.append(word)
        position.push(move)
    return words


def write_pgn(record: Record, notation: str = "ICCS") -> str:
    """The record as PGN, with its tags and its result, adjudicated where it has none."""
    position = record.position()
    end = outcome(position)
    result = end.result if record.result == "*" and end else record.result
    tags = {"Game": "Chinese Chess", "Event": "?", "Date": "????.??.??", "Red": "?", "Black": "?"} | record.tags
    tags |= {"Result": result, "Format": notation}
    if record.fen != START_FEN:
        tags["FEN"] = record.fen
    first, lines = Position(record.fen), []
    words = ["..."] * first.turn + spelled(record, notation)
    for number, at in enumerate(range(0, len(words), 2), first.first_ply // 2 + 1):
        lines.append(f"{number}. {' '.join(words[at : at + 2])}")
    head = "\n".join(f'[{key} "{_quoted(value)}"]' for key, value in tags.items())
    return f"{head}\n\n" + "\n".join([*lines, result]) + "\n"


def _quoted(value: str) -> str:
    return re.sub(r'["\n\r]', "'", str(value))[:400]
