"""A game as a tree: played, taken back, branched, resigned, kept as JSON.

Node 0 is the first position, every other node a legal move from its parent. The *line* is the path from the root
through the node shown (`at`) and on along the branches last visited, so undo and redo lose nothing, and another move
makes a branch. What comes back from a browser goes through `Game.from_json`, which plays every move again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from shared.experiment import InputError
from spaces.xiangqi.board import BLACK, RED, SQUARES, START_FEN, format_fen, iccs, parse_fen, parse_iccs
from spaces.xiangqi.notation import chinese, wxf
from spaces.xiangqi.outcome import REASONS, RESULT, outcome
from spaces.xiangqi.record import MOST_TAGS, Record
from spaces.xiangqi.rules import Position

VERSION = 1
MOST_NODES, MOST_CHARACTERS = 2_000, 200_000
GIFTS = {  # what the giver leaves off the board, as red's squares: black's mirror them through the centre
    "horse": ("b0",), "horses": ("b0", "h0"), "rook": ("a0",), "rook_horse": ("a0", "b0"), "rooks": ("a0", "i0"),
}


@dataclass(frozen=True)
class Ending:
    """How a game ended: winner RED, BLACK or None, and why, in Chinese and in English."""

    winner: int | None
    zh: str
    en: str


@dataclass
class Node:
    """A move and what is known of the position it leads to; `value` is red's expected result, −1 … 1."""

    parent: int = -1
    move: int = -1
    words: tuple[str, str] = ("", "")
    """In Chinese and WXF."""
    value: float | None = None
    children: list[int] = field(default_factory=list)
    chosen: int | None = None
    """The child visited last."""


def handicap_fen(giver: int, gift: str) -> str:
    """The first position of a game in which one side gives pieces; red moves first.

    >>> handicap_fen(0, "rooks").split()[0]
    'rnbakabnr/9/1c5c1/p1p1p1p1p/9/9/P1P1P1P1P/1C5C1/9/1NBAKABN1'
    """
    if gift not in GIFTS or giver not in (RED, BLACK):
        names = ", ".join(GIFTS)
        raise InputError("handicap", f"让子应为 {names} 之一。", f"the handicap must be one of {names}.")
    board = parse_fen(START_FEN)[0]
    for name in GIFTS[gift]:
        board[89 - SQUARES[name] if giver else SQUARES[name]] = 0
    return format_fen(board, RED)


class Game:
    """A game with its branches; `at` is the node shown, whose position, legal moves and ending are at hand."""

    def __init__(self, fen: str = START_FEN, tags: dict[str, str] | None = None, result: str = "*"):
        self.position = Position(fen or START_FEN)
        self.fen, self.tags, self.result = self.position.start_fen, dict(tags or {}), result
        self.nodes, self.at = [Node()], 0
        self.ends = 0
        """The node to which `result` belongs."""
        self.resigned: tuple[int, int] | None = None
        """(node, side) of a resignation."""
        self._arrive(0)

    @classmethod
    def from_record(cls, record: Record) -> Game:
        """A game of one line, shown at its end."""
        game = cls(record.fen, record.tags, record.result)
        for move in record.moves:
            game._add(move, None)
        game.ends = game.at
        game._arrive(game.at)
        return game

    @property
    def turn(self) -> int:
        """The side to move at the node shown."""
        return self.position.turn

    @property
    def given_up(self) -> bool:
        """Whether somebody resigned at the node shown."""
        return self.resigned is not None and self.resigned[0] == self.at

    @property
    def ending(self) -> Ending | None:
        """How the game ended at the node shown, None where it goes on."""
        if self.given_up:
            loser = self.resigned[1]
            return Ending(1 - loser, "黑方认输" if loser else "红方认输", f"{('red', 'black')[loser]} resigned")
        if self._outcome is None:
            return None
        return Ending(self._outcome.winner, *REASONS[self._outcome.reason])

    def path(self, node: int | None = None) -> list[int]:
        """The nodes from the root to a node (by default the one shown), root left out."""
        node, out = self.at if node is None else node, []
        while node > 0:
            out.append(node)
            node = self.nodes[node].parent
        return out[::-1]

    def line(self) -> list[int]:
        """The path to the node shown and on along the branches last visited."""
        out, node = self.path(), self.at
        while (node := self.nodes[node].chosen) is not None:
            out.append(node)
        return out

    def siblings(self, node: int) -> list[int]:
        """The other moves tried in place of a node's."""
        return [child for child in self.nodes[self.nodes[node].parent].children if child != node]

    def play(self, move: int) -> None:
        """Make a move where the game stands; a move made before is visited again, a new one makes a branch."""
        if (end := self.ending) is not None:
            raise InputError("move", f"这一局已结束（{end.zh}）；请悔棋或开新局。",
                             f"this game is over ({end.en}): take a move back, or start another.")
        if move not in self.legal:
            raise InputError("move", f"{iccs(move)} 在此局面不合规则，局面未变。",
                             f"{iccs(move)} is not legal here; the position stays.")
        self._add(move, None)
        self._arrive(self.at)

    def travel(self, node: Any) -> None:
        """Show a node."""
        if type(node) is not int or not 0 <= node < len(self.nodes):
            raise InputError("node", f"对局里没有这一着（0 到 {len(self.nodes) - 1}）。",
                             f"there is no such move in this game (0 to {len(self.nodes) - 1}).")
        self._arrive(node)

    def undo(self, plies: int = 1) -> None:
        """Go back; a resignation is taken back before the move."""
        if self.given_up:
            self.resigned = None
            return
        if not self.at:
            raise InputError("undo", "已在开局，没有可悔的棋。", "this is the first position: nothing to take back.")
        path = [0, *self.path()]
        self._arrive(path[max(0, len(path) - 1 - plies)])

    def redo(self, plies: int = 1) -> None:
        """Go on along the line."""
        line = [0, *self.line()]
        here = line.index(self.at)
        if here == len(line) - 1:
            raise InputError("redo", "后面没有着法了。", "no move follows.")
        self._arrive(line[min(here + plies, len(line) - 1)])

    def need_room(self, moves: int) -> None:
        """InputError where so many new moves are too many."""
        if len(self.nodes) - 1 + moves > MOST_NODES:
            raise InputError("move", f"一局最多 {MOST_NODES} 着（含分支）；请开新局。",
                             f"a game holds at most {MOST_NODES} moves with its branches: start another.")

    def resign(self, side: int) -> None:
        """A side gives up where the game stands."""
        if self.ending is not None:
            raise InputError("resign", "这一局已经结束。", "this game is over already.")
        self.resigned = (self.at, side)

    def judge(self, value: float, node: int | None = None) -> None:
        """Keep red's expected result, −1 … 1, of a node."""
        self.nodes[self.at if node is None else node].value = max(-1.0, min(1.0, round(float(value), 4)))

    def record(self) -> Record:
        """The whole line, with its result where it ends the game."""
        line = self.line()
        moves = tuple(self.nodes[node].move for node in line)
        last = line[-1] if line else 0
        end, told = self.ending if self.at == last else None, self.result if self.ends == last else "*"
        return Record(self.fen, moves, RESULT[end.winner] if end else told, self.tags)

    def _add(self, move: int, value: float | None) -> None:
        """Visit the child with this move, which is legal at `at`, making it if there is none."""
        parent = self.nodes[self.at]
        child = next((c for c in parent.children if self.nodes[c].move == move), None)
        if child is None:
            self.need_room(1)
            words = chinese(self.position, move), wxf(self.position, move)
            child = len(self.nodes)
            self.nodes.append(Node(self.at, move, words, value))
            parent.children.append(child)
        parent.chosen = child
        self.position.push(move)
        self.at = child

    def _arrive(self, node: int) -> None:
        """Show a node: its position, legal moves and outcome, and the line that leads there."""
        self.position = Position(self.fen)
        for step in self.path(node):
            self.position.push(self.nodes[step].move)
            self.nodes[self.nodes[step].parent].chosen = step
        self.at, self.legal = node, self.position.legal_moves()
        self._outcome = outcome(self.position, self.legal)

    def to_json(self) -> dict:
        """The game as plain data: `from_json` reads it back."""
        nodes = [[iccs(n.move), n.parent, *([n.value] if n.value is not None else [])] for n in self.nodes[1:]]
        chosen = {str(i): n.chosen for i, n in enumerate(self.nodes) if n.chosen is not None and len(n.children) > 1}
        return {"version": VERSION, "fen": self.fen, "tags": self.tags, "result": self.result, "moves": nodes,
                "value": self.nodes[0].value, "chosen": chosen, "at": self.at, "resigned": self.resigned,
                "ends": self.ends}

    @classmethod
    def from_json(cls, data: Any) -> Game:
        """The game of `to_json`, from data that anybody may have changed; InputError when it is not one."""
        try:
            return _read(cls, data)
        except InputError:
            raise
        except (TypeError, ValueError, KeyError, IndexError, AttributeError, RecursionError, OverflowError):
            raise InputError("game", "保存的对局已损坏。", "the saved game is damaged.") from None


def _read(kind: type[Game], data: dict) -> Game:
    if data["version"] != VERSION:
        raise InputError("game", f"保存的对局是另一版本（应为 {VERSION}）。",
                         f"the saved game is of another version (not {VERSION}).")
    if len(data["moves"]) > MOST_NODES or len(json.dumps(data)) > MOST_CHARACTERS or len(data["tags"]) > MOST_TAGS:
        raise InputError("game", f"保存的对局过长（最多 {MOST_NODES} 着）。",
                         f"the saved game is too long (at most {MOST_NODES} moves).")
    tags = {str(name)[:40]: str(value)[:400] for name, value in data["tags"].items()}
    game = kind(data["fen"], tags, data["result"] if data["result"] in ("1-0", "0-1", "1/2-1/2") else "*")
    _grow(game, data["moves"])
    if data["value"] is not None:
        game.judge(data["value"], 0)
    for parent, child in data["chosen"].items():
        if type(child) is not int or child not in game.nodes[int(parent)].children:
            raise ValueError
        game.nodes[int(parent)].chosen = child
    game.travel(data["at"])
    game.ends = data.get("ends", 0)  # games kept by an earlier version have none
    if type(game.ends) is not int:
        raise ValueError
    if data["resigned"] is not None:
        node, side = data["resigned"]
        if not {type(node), type(side)} == {int} or not 0 <= node < len(game.nodes) or side not in (RED, BLACK):
            raise ValueError
        game.resigned = (node, side)
    return game


def _grow(game: Game, moves: list) -> None:
    """Play the moves of a saved tree in their order, each from its parent, refusing what is illegal."""
    for number, (word, parent, *value) in enumerate(moves, 1):
        if type(parent) is not int or not 0 <= parent < number:
            raise ValueError
        if parent != game.at:
            _jump(game, parent)
        move = parse_iccs(word)
        if move not in game.position.legal_moves():
            raise InputError("game", f"保存的对局中 {iccs(move)} 不合规则。",
                             f"the saved game has an illegal move, {iccs(move)}.")
        game._add(move, None)
        if game.at != number:
            raise ValueError  # the same move twice from one node
        if value and value[0] is not None:
            game.judge(value[0], number)


def _jump(game: Game, node: int) -> None:
    """Take the position to another node without looking for its ending."""
    game.position, game.at = Position(game.fen), node
    for step in game.path(node):
        game.position.push(game.nodes[step].move)
