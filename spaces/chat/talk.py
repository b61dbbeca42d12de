"""One visitor's conversations: asked, answered by one model or two side by side, retried, edited, branched, kept.

A conversation is a tree (history.py). Answers stream beside it and enter it when they end, however they end: a second
model's answer stands beside the first one's, and the visitor goes on with either. `keep` and `recall` are the memory in
the visitor's browser.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from shared.experiment import InputError
from spaces.chat.answer import Reply, checked
from spaces.chat.history import MOST_CHARACTERS, ROOT, Conversation, Turn, from_json
from spaces.chat.sampling import Sampling
from spaces.chat.voices import Answering, Voice, described

VERSION = 1
SHELF = 8
"""Conversations that are kept beside the present one."""
MOST_KEPT = 1_500_000
"""Characters that a browser is asked to keep; of more the oldest conversations go."""


@dataclass
class Live:
    """An answer under way: whose it is, under which name."""

    voice: Voice
    label: str
    reply: Reply = Reply()
    fallen: int = 0


class Talk:
    """What one browser session holds; `lock` guards it, and `turn` counts what the visitor did."""

    def __init__(self):
        self.lock = threading.RLock()
        self.conversation = Conversation()
        self.shelf: list[Conversation] = []
        self.live: list[Live] = []
        self._branch: list[int] = []
        """The turns that are being answered."""
        self.costs: dict[int, dict[str, Any]] = {}
        """Of answers given since the page was opened, by turn."""
        self.since = ROOT
        """The first turn that the last answer still saw; ROOT: all."""
        self.fresh, self.turn = True, 0
        self.unkept = 0
        """Conversations that the browser has no room for."""

    def __deepcopy__(self, memo) -> Talk:
        return Talk()  # gradio copies a State's first value for each session

    @property
    def busy(self) -> bool:
        """Whether somebody is answering."""
        return bool(self.live)

    # ---- what survives a reload

    def keep(self) -> str:
        """All conversations as JSON text for the visitor's browser, the present one first."""
        with self.lock:
            kept, room = [], MOST_KEPT
            for one in (self.conversation, *self.shelf):
                text = one.to_json()
                if len(text) <= room:
                    kept.append(json.loads(text))
                    room -= len(text)
            self.unkept = 1 + len(self.shelf) - len(kept)
            return json.dumps({"version": VERSION, "conversations": kept}, ensure_ascii=False)

    def recall(self, kept: object) -> None:
        """Take up what `keep` wrote, unless there is a conversation already; InputError where it is damaged."""
        with self.lock:
            if not self.fresh or not kept:
                return
            self.fresh = False
            try:
                data = json.loads(kept) if isinstance(kept, str) and len(kept) <= 2 * MOST_KEPT else {}
                rows = data["conversations"] if data.get("version") == VERSION else None
                found = [from_json(json.dumps(row)) for row in rows[: SHELF + 1]]
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
                if isinstance(error, InputError):
                    raise
                zh, en = "浏览器里保存的对话读不出来。", "kept in your browser cannot be read."
                raise InputError("history", zh, en) from None
            if found:
                self.conversation, self.shelf = found[0], found[1:]

    # ---- what a visitor does

    def stop(self) -> None:
        """Whoever answers is heard no longer; what was said so far is the answer."""
        with self.lock:
            self.turn += 1
            self._enter(self.live)

    def ask(self, text: str) -> None:
        """Say something, to be answered."""
        _fits(text)
        self._say(lambda: self.conversation.say("user", text))

    def edit(self, turn: int, text: str) -> None:
        """Say something else in the place of an earlier turn, to be answered; a branch."""
        _fits(text)
        self._at(turn, "user")
        self._say(lambda: self.conversation.again(turn, text))

    def again(self, turn: int) -> None:
        """Have a turn answered once more: the answer itself, or a question without one."""
        said = self._at(turn)
        asked = said.parent if said.role == "model" else turn
        if asked == ROOT:
            raise InputError("turn", "这个回答前面没有问题。", "has no question before it.")
        self._say(lambda: self.conversation.back_to(asked))

    def show(self, turn: int) -> None:
        """The branch through a turn."""
        self._at(turn)
        self._say(lambda: self.conversation.show(turn))

    def back(self, turn: int) -> None:
        """Go on from this turn: what came after it stays as a branch."""
        self._at(turn)
        self._say(lambda: self.conversation.back_to(turn))

    def begin(self) -> None:
        """An empty conversation; the present one goes to the shelf."""
        with self.lock:
            self.stop()
            self._shelve()
            self._take(Conversation())

    def fetch(self, index: int) -> None:
        """A conversation from the shelf; the present one takes its place."""
        with self.lock:
            if not 0 <= index < len(self.shelf):
                raise InputError("index", "没有这段旧对话。", "there is no such conversation.")
            wanted = self.shelf.pop(index)
            self.stop()
            self._shelve()
            self._take(wanted)

    def read(self, conversation: Conversation) -> None:
        """A conversation from a file."""
        with self.lock:
            self.stop()
            self._shelve()
            self._take(conversation)

    def forget(self) -> None:
        """All conversations gone, in the browser too."""
        with self.lock:
            self.stop()
            self.shelf = []
            self._take(Conversation())

    def _say(self, change) -> None:
        with self.lock:
            self.stop()
            self.conversation, self.fresh = change(), False

    def _take(self, conversation: Conversation) -> None:
        self.conversation, self.costs, self.since, self.fresh = conversation, {}, ROOT, False

    def _shelve(self) -> None:
        if self.conversation.turns:
            self.shelf = [self.conversation, *self.shelf][:SHELF]

    def _at(self, turn: int, role: str = "") -> Turn:
        if not 0 <= turn < len(self.conversation.turns) or role not in ("", self.conversation.turns[turn].role):
            raise InputError("turn", "对话里没有这一轮。", "is not in the conversation.")
        return self.conversation.turns[turn]

    # ---- what models answer

    def answers(self, heard: Sequence[Voice], sampling: Sampling, form: str = "text") -> Iterator[None]:
        """Answer the last question, each voice beside the others; yields when there is more to see."""
        with self.lock:
            self.stop()
            if not self.conversation.room:
                raise InputError("history", "已经写满了，请开一段新对话。", "is full: begin a new conversation.")
            mine, asked = self.turn, self.conversation.current
            self._branch = self.conversation.branch()
            turns = [self.conversation.turns[i] for i in self._branch]
            tries = sum(turn.parent == asked for turn in self.conversation.turns)
            draws = [sampling.later(tries + i) for i in range(len(heard))]
            live = self.live = [Live(*one) for one in zip(heard, _labels(heard), strict=True)]
        yield
        try:
            streams = [voice.talk(turns, draw, form) for voice, draw in zip(heard, draws, strict=True)]
            with closing(together(streams)) as replies:
                for i, answering in replies:
                    with self.lock:
                        if self.turn != mine:
                            break
                        live[i].reply, live[i].fallen = answering.reply, answering.fallen
                    yield
        finally:
            with self.lock:
                if self.live is live:
                    self._enter(live)
        yield

    def _enter(self, live: list[Live]) -> None:
        """Put what was said into the tree; the first answer is the one in view."""
        self.live, first = [], None
        for one in live:
            if not (text := one.reply.text.strip("\n")[: self.conversation.room]):
                continue
            at = self.conversation.back_to(self._branch[-1])
            self.conversation = at.say("model", text, one.label)
            turn = self.conversation.current
            first = turn if first is None else first
            cost = described(one.reply, one.voice.memory(one.reply.prompt_tokens + one.reply.count))
            finish = "stopped" if one.reply.finish == "running" else one.reply.finish
            self.costs[turn] = cost | {"finish": finish, "cut": one.reply.cut}
        if first is not None:
            self.conversation = self.conversation.back_to(first)
            self.since = self._branch[live[0].fallen] if live[0].fallen else ROOT


def _labels(heard: Sequence[Voice]) -> list[str]:
    """The voices' labels; one that answers twice is told apart by a number."""
    labels = [voice.label for voice in heard]
    before = [labels[:i].count(label) for i, label in enumerate(labels)]
    return [f"{label[:190]} #{n + 1}" if n else label for label, n in zip(labels, before, strict=True)]


def _fits(text: str) -> None:
    """Raise InputError for what is no turn of a conversation."""
    if len(checked(text)) > MOST_CHARACTERS:
        zh, en = f"至多 {MOST_CHARACTERS:,} 字，长文请用“续写”。", f"must have at most {MOST_CHARACTERS:,} characters."
        raise InputError("text", zh, en)


def together(streams: Sequence[Iterator[Answering]]) -> Iterator[tuple[int, Answering]]:
    """(which, what) of several answers as they come, each at its own pace; closed early, all of them end."""
    if len(streams) == 1:
        with closing(streams[0]) as stream:
            for one in stream:
                yield 0, one
        return
    line: queue.Queue = queue.Queue(maxsize=4 * len(streams))
    left = threading.Event()
    workers = [threading.Thread(target=_pump, args=(i, s, line, left), daemon=True) for i, s in enumerate(streams)]
    for worker in workers:
        worker.start()
    try:
        running = len(streams)
        while running:
            i, one, error = line.get()
            if error is not None:
                raise error
            if one is None:
                running -= 1
            else:
                yield i, one
    finally:
        left.set()


def _pump(i: int, stream: Iterator[Answering], line: queue.Queue, left: threading.Event) -> None:
    def put(item: tuple) -> None:
        while not left.is_set():
            try:
                return line.put(item, timeout=0.1)
            except queue.Full:
                continue

    try:
        with closing(stream):
            for one in stream:
                put((i, one, None))
                if left.is_set():
                    return
        put((i, None, None))
    except BaseException as error:  # told to whoever reads
        put((i, None, error))
