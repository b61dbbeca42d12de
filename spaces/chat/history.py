"""A conversation as a tree: editing or retrying a turn makes a branch, and nothing said is lost.

A tree is data, kept in the visitor's browser as JSON, and goes out and in as JSON or as Markdown (Markdown: the branch
in view). What comes in was written by anybody: every field is checked, and everything is bounded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from shared.experiment import InputError

ROLES = ("user", "model")
ROOT = -1
VERSION = 1
MOST_TURNS, MOST_CHARACTERS, MOST_BYTES = 2000, 100_000, 8_000_000
MOST_IN_ALL = 1_000_000
"""Characters of all turns together."""
HEADINGS = {"user": "## 问 · You", "model": "## 答 · Model"}
TURN = re.compile(r"^## (问 · You|答 · Model)(?: · (.*))?$", re.MULTILINE)


@dataclass(frozen=True)
class Turn:
    """What one side said, after which turn, and for an answer which model said it."""

    parent: int
    role: str
    text: str
    model: str = ""


@dataclass(frozen=True)
class Conversation:
    """All turns in the order they were said, and the last one of the branch in view."""

    turns: tuple[Turn, ...] = ()
    current: int = ROOT

    def branch(self) -> list[int]:
        """The turns in view, the first one first."""
        path, at = [], self.current
        while at != ROOT:
            path.append(at)
            at = self.turns[at].parent
        return path[::-1]

    def say(self, role: str, text: str, model: str = "") -> Conversation:
        """With a turn after the one in view."""
        return self._with(Turn(self.current, role, text, model))

    def again(self, turn: int, text: str, model: str = "") -> Conversation:
        """With another version of a turn beside it (an edited question, a retried answer), now in view."""
        old = self._at(turn)
        return self._with(Turn(old.parent, old.role, text, model))

    @property
    def room(self) -> int:
        """Characters that one more turn may have."""
        left = MOST_IN_ALL - sum(len(turn.text) for turn in self.turns)
        return max(0, min(MOST_CHARACTERS, left)) if len(self.turns) < MOST_TURNS else 0

    def versions(self, turn: int) -> list[int]:
        """The turns that stand at the same place, this one among them."""
        here = self._at(turn)
        return self.places()[here.parent, here.role]

    def places(self) -> dict[tuple[int, str], list[int]]:
        """All turns by what they follow and who says them: the versions of each place."""
        found: dict[tuple[int, str], list[int]] = {}
        for i, turn in enumerate(self.turns):
            found.setdefault((turn.parent, turn.role), []).append(i)
        return found

    def show(self, turn: int) -> Conversation:
        """The branch through a turn in view, to its newest end."""
        self._at(turn)
        while following := [i for i, other in enumerate(self.turns) if other.parent == turn]:
            turn = following[-1]
        return replace(self, current=turn)

    def back_to(self, turn: int) -> Conversation:
        """The branch in view ends with this turn, or is empty (ROOT); the others stay."""
        if turn != ROOT:
            self._at(turn)
        return replace(self, current=turn)

    def _with(self, turn: Turn) -> Conversation:
        conversation = Conversation((*self.turns, turn), len(self.turns))
        _check(conversation, len(self.turns))
        return conversation

    def _at(self, turn: int) -> Turn:
        if not isinstance(turn, int) or isinstance(turn, bool) or not 0 <= turn < len(self.turns):
            raise InputError("turn", "对话里没有这一轮。", "is not in the conversation.")
        return self.turns[turn]

    def to_json(self) -> str:
        """All branches."""
        turns = [[turn.parent, turn.role, turn.text, turn.model] for turn in self.turns]
        return json.dumps({"version": VERSION, "current": self.current, "turns": turns}, ensure_ascii=False)

    def to_markdown(self) -> str:
        """The branch in view; lines that look like headings of turns get a backslash."""
        parts = []
        for turn in (self.turns[i] for i in self.branch()):
            model = f" · {turn.model}" if turn.model else ""
            text = re.sub(r"^(\\*## )", r"\\\1", turn.text, flags=re.M)
            parts.append(f"{HEADINGS[turn.role]}{model}\n\n{text}\n")
        return "\n".join(parts)


def from_json(text: str) -> Conversation:
    """A conversation from its JSON; raises InputError for anything else."""
    if not isinstance(text, str) or len(text.encode("utf-8", "replace")) > MOST_BYTES:
        raise _broken(f"至多 {MOST_BYTES // 10**6} MB", f"must be at most {MOST_BYTES // 10**6} MB")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):  # also a number of thousands of digits
        raise _broken("不是合法的 JSON", "is not valid JSON") from None
    if not isinstance(value, dict) or value.get("version") != VERSION or not isinstance(value.get("turns"), list):
        raise _broken("不是这里导出的对话", "is no conversation exported here")
    turns = tuple(_turn(row) for row in value["turns"])
    conversation = Conversation(turns, value.get("current"))
    _check(conversation)
    return conversation


def _turn(row: Any) -> Turn:
    if not isinstance(row, list) or len(row) != 4:
        raise _broken("有一轮不完整", "has an incomplete turn")
    return Turn(*row)


def from_markdown(text: str) -> Conversation:
    """The one branch in a Markdown export; text before the first heading is not ours and refused."""
    if not isinstance(text, str) or len(text) > MOST_BYTES:
        raise _broken(f"至多 {MOST_BYTES // 10**6} MB", f"must be at most {MOST_BYTES // 10**6} MB")
    text = text.replace("\r\n", "\n")
    found = list(TURN.finditer(text))
    if not found or text[: found[0].start()].strip():
        raise _broken("开头须是“## 问 · You”", 'must begin with "## 问 · You"')
    conversation = Conversation()
    for heading, following in zip(found, [*found[1:], None], strict=True):
        body = text[heading.end() : following.start() if following else len(text)].strip("\n")
        role = "user" if heading[1] == "问 · You" else "model"
        body = re.sub(r"^\\(\\*## )", r"\1", body, flags=re.M)
        conversation = conversation.say(role, body, heading[2] or "")
    return conversation


def _check(conversation: Conversation, known: int = 0) -> None:
    """Raise InputError for what could not have been said here; the first `known` turns are checked already."""
    turns, current = conversation.turns, conversation.current
    if len(turns) > MOST_TURNS:
        raise _broken(f"至多 {MOST_TURNS} 轮", f"must have at most {MOST_TURNS} turns")
    if not _place(current, len(turns)):
        raise _broken("当前位置不存在", "names a turn that is not there")
    for i, turn in enumerate(turns[known:], known):
        if not _place(turn.parent, i) or turn.role not in ROLES:
            raise _broken(f"第 {i + 1} 轮的位置或角色不对", f"has a wrong place or role in turn {i + 1}")
        if not all(isinstance(part, str) for part in (turn.text, turn.model)) or "\n" in turn.model:
            raise _broken(f"第 {i + 1} 轮不是文本", f"has no text in turn {i + 1}")
        if len(turn.text) > MOST_CHARACTERS or len(turn.model) > 200:
            zh, en = f"第 {i + 1} 轮超过 {MOST_CHARACTERS} 字", f"has more than {MOST_CHARACTERS} characters in turn"
            raise _broken(zh, f"{en} {i + 1}")
        if not unicode(turn.text + turn.model):
            raise _broken(f"第 {i + 1} 轮不是合法的 Unicode", f"has no valid Unicode in turn {i + 1}")
    if sum(len(turn.text) for turn in turns) > MOST_IN_ALL:
        zh, en = f"全部至多 {MOST_IN_ALL} 字", f"must have at most {MOST_IN_ALL} characters in all"
        raise _broken(zh, en)


def unicode(text: str) -> bool:
    """Whether a text can be sent at all: half a surrogate pair cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _place(value: Any, below: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and ROOT <= value < below


def _broken(zh: str, en: str) -> InputError:
    return InputError("history", f"{zh}；原来的对话没有变。", f"{en}; your conversation is unchanged.")


@dataclass(frozen=True)
class Written:
    """A conversation as the model reads it, and how many turns at its beginning fell out of the context."""

    prompt: str
    fallen: int


def as_prompt(turns: Sequence[Turn], measure, room: int) -> Written:
    """问/答 text that ends where the model answers: as many of the last turns as fit.

    measure: text → tokens; room: tokens for the prompt. The last turn stays, however long (answer.py cuts it).
    """
    lines, total = [], measure("答：")  # the last turn first
    for turn in reversed(turns):
        line = ("问：" if turn.role == "user" else "答：") + turn.text.strip() + "\n"
        total += measure(line)
        if lines and total > room:
            break
        lines.append(line)
    fallen = least = len(turns) - len(lines)
    # An answer whose question fell out would stand alone.
    while fallen < len(turns) - 1 and turns[fallen].role == "model":
        fallen += 1
    return Written("".join(lines[::-1][fallen - least :]) + "答：", fallen)
