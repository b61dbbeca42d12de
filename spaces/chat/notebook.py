"""A text and everything that was written after it: continued, retried, undone, and forked at any piece of it.

The text of a `Notebook` is a prompt and a path through a tree of tokens (choices.py). Whoever deletes the end of the
path goes back along it; any other change makes a new prompt. Nothing written is lost: retries and forks stay in the
tree, and `undo` gives back every earlier text.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from shared.experiment import InputError
from spaces.chat.answer import Reply, checked
from spaces.chat.batching import Token
from spaces.chat.choices import ROOT, Tree
from spaces.chat.sampling import Sampling
from spaces.chat.stream import Text, Tokenizer, following
from spaces.chat.voices import Voice

MOST_UNDO = 50
MOST_PAST = 2_000_000
"""Characters of the prompts that undo brings back; of more the earliest texts go, but never the last one."""
MOST_BRANCHES = 40
MOST_DRAWS = 4
"""Seeds that one retry tries for something that is not in the tree yet."""


@dataclass(frozen=True)
class Page:
    """What stands in the notebook: a prompt, the tree after it, and where the text ends in it."""

    prompt: str = ""
    tree: Tree | None = None
    node: int = ROOT
    tokenizer: Tokenizer | None = None
    label: str = ""
    """The model that wrote the tree."""
    model: str = ""
    """The name that it was asked for by."""
    cut: int = 0
    """Characters at the prompt's beginning that the model did not read."""
    began: int = ROOT
    """The node after which the last stretch was written."""
    beyond: dict[int, int] = field(default_factory=dict)
    """A node before a stop string, and the node after it: to go on there is to go on after the stop."""

    @property
    def text(self) -> str:
        """Prompt and path as one text."""
        return self.prompt + self.written

    @property
    def written(self) -> str:
        """What the model wrote on the path."""
        return following(self.tokenizer, self.tree.prompt, self._ids()) if self.tree and self.tokenizer else ""

    @property
    def stretch(self) -> int:
        """The node after which the end of the text was written; of a branch gone to since, its last fork."""
        path = [ROOT, *self.tree.path(self.node)]
        if self.began in path:
            return self.began
        return next((node for node in reversed(path[:-1]) if len(self.tree.children(node)) > 1), ROOT)

    def _ids(self) -> list[int]:
        return [self.tree.nodes[i].token.id for i in self.tree.path(self.node)]


@dataclass(frozen=True)
class Mark:
    """A piece of the text that a model wrote, and the node of its (first) token."""

    text: str
    node: int


def marks(page: Page) -> list[Mark]:
    """The written pieces in order; bytes of one character are one piece."""
    if page.tree is None:
        return []
    speller, found, first = Text(page.tokenizer, before=page.tree.prompt), [], None
    for node in page.tree.path(page.node):
        first = node if first is None else first
        if piece := speller.add(page.tree.nodes[node].token.id):
            found.append(Mark(piece, first))
            first = None
    if (rest := speller.end()) and first is not None:
        found.append(Mark(rest, first))
    return found


class Notebook:
    """One visitor's notebook; `lock` guards it, and `turn` counts what he did: a newer deed ends the older run."""

    def __init__(self):
        self.lock = threading.RLock()
        self.page, self.reply, self.busy, self.turn = Page(), Reply(), False, 0
        self.cost: dict[str, Any] = {}
        self._past: list[Page] = []
        self._tries: Counter[int] = Counter()
        """Retries so far, by the hash of the ids that they came after."""

    def __deepcopy__(self, memo) -> Notebook:
        made = Notebook()  # gradio copies a State's first value for each session
        made.page = self.page
        return made

    @property
    def can_undo(self) -> bool:
        """Whether there is an earlier text."""
        return bool(self._earlier())

    @property
    def can_retry(self) -> bool:
        """Whether there is something to write otherwise."""
        return self.page.tree is not None

    # ---- what a visitor does

    def stop(self) -> None:
        """Whoever writes may end; what is written stays."""
        with self.lock:
            self.turn += 1
            if self.busy:
                self.busy, self.reply = False, replace(self.reply, finish="stopped")

    def undo(self) -> None:
        """The text before the last deed."""
        with self.lock:
            if not (past := self._earlier()):
                raise InputError("undo", "没有更早的文字了。", "there is no earlier text.")
            self.stop()
            *self._past, self.page = past
            self.reply = Reply(cut=self.page.cut)

    def put(self, text: str) -> None:
        """Another text in place of this one, as the visitor typed it; the old one can be had back."""
        checked(text)
        with self.lock:
            self.stop()
            self._turn_to(Page(text))
            self.reply = Reply()

    def visit(self, node: int) -> None:
        """The branch that ends in a node."""
        with self.lock:
            tree = self._tree()
            tree.path(node)  # whether there is such a node
            self.stop()
            self._turn_to(replace(self.page, node=node))
            self.reply = Reply(cut=self.page.cut)

    def edit(self, text: str) -> None:
        """Take what the visitor typed: the end of the path may be gone, or all of it be new."""
        checked(text)
        with self.lock:
            page = self.page
            if text == page.text:
                return
            self._turn_to(self._shortened(text) or Page(text))

    def _shortened(self, text: str) -> Page | None:
        """This page up to where the text ends, if that is between two of its tokens."""
        page = self.page
        if page.tree is None or not text.startswith(page.prompt):
            return None
        ends = [ROOT, *page.tree.path(page.node)]
        return next((p for p in (replace(page, node=end) for end in reversed(ends)) if p.text == text), None)

    def _turn_to(self, page: Page) -> None:
        if self.page.text:
            self._past = [*self._earlier(), self.page][-MOST_UNDO:]
            while sum(map(len, {page.prompt for page in self._past[:-1]})) > MOST_PAST:
                del self._past[0]
        self.page = page

    def _earlier(self) -> list[Page]:
        """What undo goes back through: not the pages at the end that show what stands here already."""
        past = self._past
        while past and _shows(self.page, past[-1]):
            past = past[:-1]
        return past

    def _tree(self) -> Tree:
        if self.page.tree is None:
            raise InputError("tree", "这里还没有续写。", "nothing has been written here yet.")
        return self.page.tree

    def _wrote(self, voice: Voice, model: str) -> bool:
        """Whether the page's tree is this voice's: of the same model, in the same precision."""
        return (self.page.model, self.page.label) == (model, voice.label)

    # ---- what a model does

    def go_on(self, voice: Voice, model: str, sampling: Sampling) -> Iterator[None]:
        """Write on from where the text ends; another model begins a tree of its own."""
        with self.lock:
            page = self.page
            if page.tree is None or not self._wrote(voice, model):
                prompt = voice.read(page.text, sampling.max_new_tokens)
                page = Page(page.text, Tree(prompt.ids), ROOT, voice.tokenizer, voice.label, model, prompt.cut)
            start = page.beyond.get(page.node, page.node)
        yield from self._write(voice, replace(page, node=start, began=start), [sampling])

    def retry(self, voice: Voice, model: str, sampling: Sampling) -> Iterator[None]:
        """Write the last stretch once more with the next seeds; the former one stays in the tree.

        Temperature 0 would write the same again: 1 is taken.
        """
        self._tree()
        sampling = replace(sampling, temperature=sampling.temperature or 1.0)
        with self.lock:
            if not self._wrote(voice, model):
                self._turn_to(Page(replace(self.page, node=self.page.stretch).text))
            else:
                start = self.page.stretch
                page = replace(self.page, node=start, began=start)
        if self.page.tree is None:
            yield from self.go_on(voice, model, sampling)
        else:
            yield from self._write(voice, page, self._draws(page, sampling))

    def _draws(self, page: Page, sampling: Sampling) -> Iterator[Sampling]:
        """The seeds that have not been tried yet after this page, MOST_DRAWS of them; then a note that none helped."""
        place = hash(tuple(page.tree.ids(page.node)))
        for _ in range(MOST_DRAWS):
            self._tries[place] += 1
            yield sampling.later(self._tries[place])
        zh = f"又抽了 {MOST_DRAWS} 次，没有新的写法：模型很有把握，调高温度也许不同。"
        en = f"drawn {MOST_DRAWS} more times, nothing new: the model is sure of it; a higher temperature may differ."
        self.reply = replace(self.reply, note=InputError("retry", zh, en))

    def choose(self, voice: Voice, model: str, node: int, token: int, sampling: Sampling) -> Iterator[None]:
        """Go on from another of a node's alternatives."""
        with self.lock:
            if not self._wrote(voice, model):
                zh, en = "换了模型：请先续写，再选。", "has changed: continue first, then choose."
                raise InputError("model", zh, en)
            tree, node = self._tree().fork(node, token)
            page = replace(self.page, tree=tree, node=node, began=node)
        yield from self._write(voice, page, [sampling])

    def _write(self, voice: Voice, page: Page, draws: Iterable[Sampling]) -> Iterator[None]:
        """Grow the page's path until a draw is new to its tree or a newer deed ends it; yields when there is more."""
        with self.lock:
            self.turn += 1
            mine = self.turn
            self._turn_to(page)
            self.busy, self.reply = True, Reply(cut=page.cut)
        yield
        try:
            for sampling in draws:
                yield from self._draw(voice, page, sampling, mine)
                if self.turn != mine or self.reply.note or len(self.page.tree.nodes) > len(page.tree.nodes):
                    break
        finally:
            with self.lock:
                if self.turn == mine:
                    self.busy = False
        yield

    def _draw(self, voice: Voice, page: Page, sampling: Sampling, mine: int) -> Iterator[None]:
        start = page.node
        with closing(voice.go_on(page.tree.ids(start), sampling, page.tokenizer)) as replies:
            for reply in replies:
                with self.lock:
                    if self.turn != mine:
                        break
                    self._take(page, start, replace(reply, cut=page.cut + reply.cut))
                    weights, cache = voice.memory(reply.prompt_tokens + reply.count)
                    self.cost = {"weights": weights, "cache": cache}
                yield

    def _take(self, page: Page, start: int, reply: Reply) -> None:
        """The page with a reply's tokens after the start; those of a stop string stay out of sight."""
        tree, end = _without_repeats(page.tree, start, reply.tokens)
        node = end
        if reply.finish == "stop":
            written = len(replace(page, tree=tree, node=start).text) + len(reply.text)
            while node != start and len(replace(page, tree=tree, node=node).text) > written:
                node = tree.nodes[node].parent
            page = replace(page, beyond=page.beyond | {node: end})
        self.page, self.reply = replace(page, tree=tree, node=node), reply


def _shows(page: Page, old: Page) -> bool:
    """Whether a page shows all that an old one does, and the same text."""
    if (page.prompt, page.node) != (old.prompt, old.node):
        return False
    nodes = old.tree.nodes if old.tree else ()
    return (page.tree.nodes if page.tree else ())[: len(nodes)] == nodes


def _without_repeats(tree: Tree, node: int, tokens: Sequence[Token]) -> tuple[Tree, int]:
    """The tree with these tokens after a node; where it has them already, the path that is there."""
    for i, token in enumerate(tokens):
        there = next((child for child in tree.children(node) if tree.nodes[child].token.id == token.id), None)
        if there is None:
            return tree.grow(node, tokens[i:])
        node = there
    return tree, node


# --- the tree as it is shown ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Branch:
    """A stretch of tokens without a fork, and the branches after it."""

    text: str
    node: int
    """Its last token's."""
    bits: float
    """−log2 of its probability; nan where a server tells none."""
    shown: bool
    """Whether the text in view goes through all of it."""
    branches: tuple[Branch, ...] = ()


def branches(page: Page) -> list[Branch]:
    """The tree after the prompt; of a fork with many branches the first MOST_BRANCHES."""
    if page.tree is None:
        return []
    children: dict[int, list[int]] = {}
    for i, node in enumerate(page.tree.nodes):
        children.setdefault(node.parent, []).append(i)
    path = set(page.tree.path(page.node))
    return [_branch(page, children, path, child) for child in children.get(ROOT, [])[:MOST_BRANCHES]]


def _branch(page: Page, children: dict[int, list[int]], path: set[int], node: int) -> Branch:
    run = [node]
    while len(after := children.get(run[-1], [])) == 1 and (run[-1] in path) == (after[0] in path):
        run.append(after[0])
    tokens = [page.tree.nodes[i].token for i in run]
    bits = -math.fsum(token.log_probability for token in tokens) / math.log(2)
    below = tuple(_branch(page, children, path, child) for child in children.get(run[-1], [])[:MOST_BRANCHES])
    before = page.tree.ids(page.tree.nodes[node].parent)
    text = following(page.tokenizer, before, [token.id for token in tokens])
    return Branch(text, run[-1], bits, run[0] in path, below)
