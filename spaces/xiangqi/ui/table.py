"""One visitor's table: the game, who sits where, how the board looks, and what the page may ask for.

`Table.do` takes an event of the page, checks all of it, and says how many moves the models may make next. Whatever is
refused raises InputError and changes nothing. Everything that must survive a reload goes through `keep` and `recall`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace

from shared.experiment import InputError
from spaces.xiangqi.api import read_moves
from spaces.xiangqi.board import BLACK, RED, iccs, parse_iccs
from spaces.xiangqi.game import Game, handicap_fen
from spaces.xiangqi.player import Analysis
from spaces.xiangqi.record import Record, is_fen, play, read_game
from spaces.xiangqi.ui.board import Arrow, Look
from spaces.xiangqi.ui.opponents import ME, analyse, best, missing, seated

VERSION = 1
MOST_CHARACTERS = 380_000
WITHOUT_END = 10_000
HINTS = 3
SHELF, SHELF_CHARACTERS = 5, 150_000
"""So many games are kept when another begins, the older ones only while all have so few characters as JSON."""
SIDES = {"w": RED, "b": BLACK}


@dataclass(frozen=True)
class Opening:
    """A table as a link names it."""

    red: str = ME
    black: str = ""
    """Empty: the default opponent."""
    fen: str = ""
    """Empty: the usual start."""
    moves: str = ""
    """ICCS words from there."""

    def __post_init__(self):
        for name in (self.red, self.black):
            seated(name or ME)
        play(self.fen, read_moves(self.moves))


def default_opponent() -> str:
    """Whom a first visitor meets."""
    return best("sighted_value", "sighted", "article", "greedy")


class Table:
    """What one browser session holds; `lock` guards it, and `turn` counts the visitor's actions."""

    def __init__(self):
        self.lock = threading.RLock()
        self.game, self.seats, self.look = Game(), [ME, default_opponent()], Look()
        self.fresh, self.turn, self.busy, self.running = True, 0, "", False
        self.arrows: list[Arrow] = []
        self.shelf: list[dict] = []
        """Games that another one replaced, the latest first: {"game": …, "seats": …, "plies": of its line}."""

    def __deepcopy__(self, memo) -> Table:
        return Table()  # gradio copies a State's first value for each session

    # ---- what survives a reload

    def keep(self) -> str:
        """The table as JSON text for the visitor's browser."""
        with self.lock:
            return json.dumps({"version": VERSION, "game": self.game.to_json(), "seats": self.seats,
                               "look": asdict(self.look), "shelf": self.shelf})

    def recall(self, kept: object) -> None:
        """Take up what `keep` wrote, unless this table is in use; InputError when it is damaged."""
        with self.lock:
            if not self.fresh or not kept:
                return
            self.fresh = False
            if not isinstance(kept, str) or len(kept) > MOST_CHARACTERS:
                raise InputError("game", "保存的对局已损坏。", "the saved game is damaged.")
            try:
                data = json.loads(kept)
                look = Look(**{f.name: data["look"][f.name] is True for f in fields(Look)})
                seats, game, version = list(data["seats"]), data["game"], data["version"]
                shelf = [_stored(one) for one in data.get("shelf", ())[:SHELF]]
            except (ValueError, TypeError, KeyError, RecursionError):
                raise InputError("game", "保存的对局已损坏。", "the saved game is damaged.") from None
            if version != VERSION or len(seats) != 2:
                raise InputError("game", "保存的对局是另一版本。", "the saved game is of another version.")
            game = Game.from_json(game)
            self.game, self.look, self.seats, self.shelf = game, look, _present(seats), shelf

    # ---- what the page asks for

    def do(self, event: object) -> tuple[int, int]:
        """Carry out an event: how many moves the models may make after it, and `turn`, with which that is over."""
        if not isinstance(event, dict) or event.get("do", "move") not in VERBS:
            raise InputError("event", f"页面只能要求 {'、'.join(VERBS)}。", f"the page may ask for {', '.join(VERBS)}.")
        with self.lock:
            verb = event.get("do", "move")
            moves = getattr(self, f"_{verb}")(event) or 0
            self.fresh = False
            if verb != "look":  # to turn the board does not interrupt whoever is thinking
                self._interrupt()
            return moves, self.turn

    def seat(self) -> str:
        """Who is to move."""
        return self.seats[self.game.turn]

    def _move(self, event: dict) -> int:
        if self.seat() != ME:
            raise InputError("move", "现在不轮到你走。", "it is not your turn.")
        self.game.play(parse_iccs(event.get("move"), "move"))
        return 1

    def _undo(self, event: dict) -> None:
        """Back to where the visitor is to move, if a model has answered since."""
        game = self.game
        answered = self.seat() == ME and self.seats[1 - game.turn] != ME and not game.given_up
        game.undo(2 if answered else 1)

    def _redo(self, event: dict) -> None:
        self.game.redo(2 if self.seat() == ME != self.seats[1 - self.game.turn] else 1)

    def _travel(self, event: dict) -> None:
        self.game.travel(event.get("node"))

    def _first(self, event: dict) -> None:
        self.game.travel(0)

    def _last(self, event: dict) -> None:
        line = self.game.line()
        self.game.travel(line[-1] if line else 0)

    def _resign(self, event: dict) -> None:
        side = self.game.turn if self.seat() == ME else 1 - self.game.turn
        if self.seats[side] != ME:
            raise InputError("resign", "你没有在下这一局。", "you are not playing in this game.")
        self.game.resign(side)

    def _new(self, event: dict) -> int:
        """Another game: `who` sits down as red, black, both or none, `gift` is the handicap (`w:horse`)."""
        side, _, gift = _word(event, "gift").partition(":")
        fen = handicap_fen(SIDES.get(side, -1), gift) if side else ""
        seats, who = list(self.seats), _word(event, "who")
        rival = next((name for name in (seats[1], seats[0]) if name != ME), default_opponent())
        if who or event.get("who"):
            pairs = {"red": [ME, rival], "black": [rival, ME], "both": [ME, ME],
                     "none": seats if ME not in seats else [rival, rival]}
            if who not in pairs:
                raise InputError("who", "应为 red、black、both 或 none。", "must be red, black, both or none.")
            seats = pairs[who]
        self._shelve()
        self.game, self.seats = (Game(fen) if fen else Game()), seats
        if who:
            self.look = replace(self.look, flip=seats[RED] != ME and seats[BLACK] == ME)
        return self._due()

    def _fetch(self, event: dict) -> None:
        """An earlier game back on the table; the one that lies there takes its place."""
        index = event.get("index")
        if type(index) is not int or not 0 <= index < len(self.shelf):
            raise InputError("index", "没有这一局旧棋。", "there is no such earlier game.")
        earlier = self.shelf[index]
        game, seats = Game.from_json(earlier["game"]), _present(earlier["seats"])
        del self.shelf[index]
        self._shelve()
        self.game, self.seats = game, seats

    def _shelve(self) -> None:
        """Keep the game on the table, if anything was played, so that another can begin."""
        if len(self.game.nodes) == 1:
            return
        one = {"game": self.game.to_json(), "seats": self.seats, "plies": len(self.game.line())}
        self.shelf = [one, *self.shelf][:SHELF]
        while len(self.shelf) > 1 and len(json.dumps(self.shelf)) > SHELF_CHARACTERS:
            self.shelf.pop()

    def _seat(self, event: dict) -> None:
        side = _word(event, "side")
        if side not in SIDES:
            raise InputError("side", "应为 w 或 b。", "must be w or b.")
        self.seats[SIDES[side]] = seated(event.get("player"))

    def _look(self, event: dict) -> None:
        name = _word(event, "name")
        if name not in {f.name for f in fields(Look)}:
            raise InputError("look", "没有这一项显示设置。", "there is no such setting of the board.")
        self.look = replace(self.look, **{name: not getattr(self.look, name)})

    def _run(self, event: dict) -> int:
        self._need_model()
        return self._due()

    def _step(self, event: dict) -> int:
        self._need_model()
        return 1

    def _pause(self, event: dict) -> None:
        """Nothing to do: a new action stops the models."""

    def _hint(self, event: dict) -> None:
        if self.game.ending is not None:
            raise InputError("hint", "这一局已经结束。", "this game is over already.")

    def _need_model(self) -> None:
        if self.game.ending is not None:
            raise InputError("run", "这一局已经结束。", "this game is over already.")
        if self.seat() == ME:
            raise InputError("run", "轮到你走；要让模型走，请先在座位上选它。",
                             "it is your move: seat a model on this side to let it play.")

    def _due(self) -> int:
        """How many moves the models may make now: without end where nobody else plays."""
        return WITHOUT_END if ME not in self.seats else int(self.seat() != ME)

    def read(self, text: str) -> None:
        """Take up a game or a position from text, to be gone through by hand."""
        record = read_game(text)
        if record == Record() and not is_fen(text):
            raise InputError("game", "没有读到着法、局面或标签。", "there is no move, position or tag in it.")
        self._take(Game.from_record(record))

    def open(self, opening: Opening) -> None:
        """Sit down at a table as a link names it."""
        moves = tuple(read_moves(opening.moves))
        self._take(Game.from_record(Record(play(opening.fen, ()).start_fen, moves)))
        self.seats = [opening.red or ME, opening.black or default_opponent()]

    def opening(self) -> Opening:
        """This table for a link, with the moves up to the position shown."""
        with self.lock:
            usual = self.game.fen == Game().fen
            black = "" if self.seats[1] == default_opponent() else self.seats[1]
            moves = " ".join(map(iccs, self.game.position.moves))
            return Opening(self.seats[0], black, "" if usual else self.game.fen, moves)

    def _take(self, game: Game) -> None:
        with self.lock:
            self._shelve()
            self.game, self.seats, self.fresh = game, [ME, ME], False
            self._interrupt()

    def _interrupt(self) -> None:
        """Whoever is thinking need not finish."""
        self.turn += 1
        self.busy, self.running, self.arrows = "", False, []

    # ---- the models' moves

    def replies(self, moves: int, mine: int) -> Iterator[None]:
        """Let the models move up to so often; yields when there is something new to see, ends when `turn` goes on."""
        try:
            yield from self._replies(moves, mine)
        finally:  # refused, broken off, or left by the page
            self._rest(mine)

    def _replies(self, moves: int, mine: int) -> Iterator[None]:
        for left in range(moves - 1, -1, -1):
            with self.lock:
                if self.turn != mine or self._idle():
                    break
                name, fen, path = self.seat(), self.game.fen, list(self.game.position.moves)
                self.busy, self.running = "wb"[self.game.turn], moves > 1
            yield
            analysis = analyse(name, fen, path)
            with self.lock:
                if self.turn != mine:
                    break
                value = self._judge(analysis)
                self.busy = ""
                self.game.play(analysis.best)
                if value is not None:  # what it expects of the move that it made
                    self.game.judge(value)
                self.running = left > 0 and not self._idle()
            yield
        if self.turn != mine:
            yield  # gradio sends what was yielded last once more: that must be the present table

    def _idle(self) -> bool:
        """Whether no model is to move."""
        return self.game.ending is not None or self.seat() == ME

    def hint(self, mine: int) -> Iterator[None]:
        """The strongest player's favourite moves as arrows, with their share of its policy; not once `turn` goes on."""
        with self.lock:
            if self.turn != mine:
                return
            fen, path, self.busy = self.game.fen, list(self.game.position.moves), "wb"[self.game.turn]
        try:
            yield
            analysis = analyse(best(), fen, path)
            with self.lock:
                if self.turn == mine:
                    self._judge(analysis)
                    self.arrows = arrows(analysis)
        finally:
            self._rest(mine)
        yield

    def _rest(self, mine: int) -> None:
        """Nobody thinks any more, unless on behalf of a later action."""
        with self.lock:
            if self.turn == mine:
                self.busy, self.running = "", False

    def _judge(self, analysis: Analysis) -> float | None:
        """Keep and return the value of the position shown, for red."""
        if analysis.value is None:
            return None
        value = -analysis.value if self.game.turn else analysis.value
        self.game.judge(value)
        return value


VERBS = ("move", "undo", "redo", "travel", "first", "last", "resign", "new", "seat", "look", "run", "step", "pause",
         "hint", "fetch")


def _stored(one: dict) -> dict:
    """A game of the shelf as the browser kept it, looked at more closely when it is fetched."""
    moves, seats = one["game"]["moves"], [str(name)[:20] for name in one["seats"]]
    if not isinstance(moves, list) or len(seats) != 2:
        raise ValueError
    plies = one.get("plies")
    return {"game": one["game"], "seats": seats, "plies": plies if type(plies) is int else len(moves)}


def _present(seats: list) -> list[str]:
    """The names of two who can play here, the default opponent for whoever cannot."""
    if len(seats) != 2:
        raise InputError("game", "保存的对局已损坏。", "the saved game is damaged.")
    return [name if isinstance(name, str) and not missing(name) else default_opponent() for name in seats]


def _word(event: dict, key: str) -> str:
    """A field of an event as text, empty where it is none."""
    value = event.get(key)
    return value if isinstance(value, str) else ""


def arrows(analysis: Analysis) -> list[Arrow]:
    """The likeliest moves and the one that would be played, as arrows; the latter in the accent colour."""
    likely = sorted(analysis.policy, key=analysis.policy.__getitem__, reverse=True)[:HINTS]
    chosen = [analysis.best, *(move for move in likely if move != analysis.best)][:HINTS]
    return [Arrow(iccs(move), max(0.1, share), f"{share:.0%}", "accent" if move == analysis.best else "counter")
            for move in chosen for share in [analysis.policy.get(move, 0.0)]]
