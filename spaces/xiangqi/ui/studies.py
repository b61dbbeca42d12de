"""The Studies view: mates made by our own generator, played against the longest defence, ticked off in the browser."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from shared.component import component
from shared.experiment import InputError
from shared.i18n import prose, tr
from shared.page import Page, complain, guard, verdict
from spaces.xiangqi.board import KINDS, iccs, parse_iccs
from spaces.xiangqi.notation import FACES, NUMERALS, chinese, wxf
from spaces.xiangqi.record import play
from spaces.xiangqi.rules import Position
from spaces.xiangqi.studies import Study, answer, by_number, key, moves_of, studies
from spaces.xiangqi.ui.answers import QUIET, answered
from spaces.xiangqi.ui.board import FOLDER, Arrow, board, scene
from spaces.xiangqi.ui.table import Table

ALL = "all"
LEVELS = ((tr("容易", "easy"), 1), (tr("中等", "medium"), 2), (tr("难", "hard"), 3))

EXPLANATION = prose(
    "**从哪里来。** 全部由本项目的生成器随机摆子、穷举证明而得，没有一局取自棋书："
    "红先，n 着之内必胜（困毙也算），更快不行；第一着只有一种走法；去掉红方任何一子都不成。"
    "每一局都让 fairy-stockfish 复核过：走了第一着，它也看到同样长的杀。黑方由穷举应对，总走撑得最久的那一着。"
    "难度是量出来的：见子就吃的棋手、看棋盘的模型是否一眼看中第一着，以及杀要几着。",
    """**Where they come from.** All were made by this project's generator, from random positions, proved exhaustively;
none is taken from a book. Red moves and wins within the number of moves given, whatever black does (stalemate counts),
and no faster; only one first move does it; without any one of red's pieces it fails. fairy-stockfish has checked each:
after the first move it sees a mate of the same length. Black answers by exhaustive search, always with what holds out
longest. Difficulty is measured: whether the greedy player and the sighted model pick the first move at a glance, and
the length of the mate.""",
)


@dataclass(frozen=True)
class Chosen:
    """The study that a link names."""

    study: int = 1

    def __post_init__(self):
        by_number(self.study)


@dataclass
class Attempt:
    """A visitor at a study; who thinks about a move does so outside `lock`, and what came in between stands."""

    number: int = 1
    moves: list[int] = field(default_factory=list)
    said: str = ""
    arrows: list[Arrow] = field(default_factory=list)
    helped: bool = False
    over: bool = False

    def __post_init__(self):
        self.lock = threading.RLock()  # no field: gradio copies the fields of a State's first value

    def __deepcopy__(self, memo) -> Attempt:
        return Attempt()  # gradio copies a State's first value for each session

    @property
    def study(self) -> Study:
        return by_number(self.number)

    @property
    def left(self) -> int:
        """Red's moves left, the next one counted."""
        return self.study.mate - len(self.moves) // 2

    def open(self, number: object) -> None:
        by_number(number)
        with self.lock:
            self.number = number
            self.restart()

    def restart(self) -> None:
        with self.lock:
            self.moves, self.arrows, self.said, self.helped, self.over = [], [], "", False, False

    def position(self) -> Position:
        with self.lock:
            return play(self.study.fen, self.moves)

    def move(self, word: object) -> bool:
        """Make red's move and black's answer; True when the study is solved just now."""
        move = parse_iccs(word, "move")
        with self.lock:
            before, position, left = self.moves, self.position(), self.left
        if self.over or move not in position.legal_moves():
            raise InputError("move", f"{iccs(move)} 在此局面不合规则，局面未变。",
                             f"{iccs(move)} is not legal here; the position stays.")
        mine = chinese(position, move), wxf(position, move)
        position.push(move)
        reply, needed = answer(position, left - 1)
        with self.lock:
            return self.moves is before and self._answered(position, move, mine, reply, needed)

    def _answered(self, position: Position, move: int, mine: tuple[str, str], reply: int | None,
                  needed: int | None) -> bool:
        left = self.left
        if reply is None:
            self.moves, self.arrows, self.over = [*self.moves, move], [], True
            self.said = tr(f"红方 {mine[0]}，胜！" + ("（用了提示，不打勾）" if self.helped else ""),
                           f"{mine[1]}, red wins! " + ("(with a hint: no tick)" if self.helped else ""))
            return not self.helped
        its = chinese(position, reply), wxf(position, reply)
        if needed is None or left == 1:
            self.arrows = [Arrow(iccs(move), 0.4, "", "muted"),
                           Arrow(iccs(reply), 0.6, tr("黑", "black"), "counter")]
            rest = ("没有将死", "no mate")
            if left > 1:
                rest = (f"余下 {left - 1} 着赢不了", f"no mate within the {left - 1} left")
            self.said = tr(f"{mine[0]} 不够快：黑方 {its[0]}，{rest[0]}。再想想。",
                           f"{mine[1]} is too slow: {its[1]}, {rest[1]}. Think again.")
            return False
        self.moves, self.arrows = [*self.moves, move, reply], []
        self.said = tr(f"好！黑方应 {its[0]}，还有 {self.left} 着。",
                       f"Good! Black answers {its[1]}: {self.left} to go.")
        return False

    def hint(self) -> None:
        """The move that wins, as an arrow."""
        with self.lock:
            before, position, left = self.moves, self.position(), self.left
        move = None if self.over else key(position, left)
        with self.lock:
            if move is None or self.moves is not before:
                return
            self.arrows, self.helped = [Arrow(iccs(move), 0.7, "", "accent")], True
            self.said = tr("箭头就是正着。用过提示的这一次不打勾。",
                           "The arrow is the key. With a hint there is no tick.")

    def solve(self) -> None:
        """The whole line, as it was proved."""
        with self.lock:
            self.moves, self.arrows, self.helped, self.over = moves_of(self.study), [], True, True
            words, position = ([], []), play(self.study.fen, [])
            for move in self.moves:
                words[0].append(chinese(position, move))
                words[1].append(wxf(position, move))
                position.push(move)
            self.said = tr(f"正解：{'，'.join(words[0])}。", f"The solution: {' '.join(words[1])}.")


def known(solved: Any) -> list[str]:
    """What the browser kept, as far as it names studies."""
    kept = solved if isinstance(solved, list) else []
    mine = {one.fen for one in studies()}
    return [fen for fen in dict.fromkeys(f for f in kept if isinstance(f, str)) if fen in mine]


def faces(material: str) -> str:
    """`RN-AB` as 车马 – 士象."""
    sides = ("".join(FACES[side][KINDS.index(letter)] for letter in letters)
             for side, letters in enumerate(material.split("-")))
    return " – ".join(side or "孤将" for side in sides)


def listed(attempt: Attempt, solved: list[str], level: Any, hide: bool) -> str:
    """The chips, by length."""
    groups: dict[int, list[str]] = {}
    for number, one in enumerate(studies(), 1):
        if level in (1, 2, 3) and one.level != level or hide and one.fen in solved and number != attempt.number:
            continue
        here = ' aria-current="true"' if number == attempt.number else ""
        done = "done" if one.fen in solved else ""
        groups.setdefault(one.mate, []).append(
            f'<button data-n="{number}" class="{done}" title="{faces(one.material)}"{here}>{number}'
            f"<i>{'•' * one.level}</i></button>")
    out = []
    for mate, chips in groups.items():
        count = sum(one.mate == mate for one in studies())
        done = sum(one.mate == mate and one.fen in solved for one in studies())
        head = tr(f"{NUMERALS[mate]}步杀", f"Mate in {mate}")
        out.append(f'<h4>{head}<small>{done} / {count}</small></h4><div class="xs-chips">{"".join(chips)}</div>')
    none = tr("没有符合条件的残局。", "No study fits.")
    return f'<div class="xs-list">{"".join(out) or f"<p class=xs-none>{none}</p>"}</div>'


def sentence(attempt: Attempt) -> str:
    """What is asked, or what just happened."""
    one = attempt.study
    asked = tr(f"第 {attempt.number} 局（{faces(one.material)}）：红先，{one.mate} 着之内取胜。",
               f"No. {attempt.number}: red to move wins within {one.mate}.")
    return attempt.said or asked


def picture(attempt: Attempt, refused: bool = False) -> str:
    position = attempt.position()
    legal = () if attempt.over else position.legal_moves()
    return scene(position, legal=legal, arrows=attempt.arrows, refused=refused)


def show(attempt: Attempt, solved: Any, level: Any, hide: Any, refused: bool = False) -> list[Any]:
    """Board, sentence, list, memory."""
    solved = known(solved)
    return [picture(attempt, refused), sentence(attempt), listed(attempt, solved, level, bool(hide)), solved]


def on_move(attempt: Attempt, solved: Any, level: Any, hide: Any, event: gr.EventData) -> list[Any]:
    """A move of the board; whatever else the page sends is refused in one sentence."""
    data, solved, before, fen = event._data, known(solved), len(attempt.moves), attempt.study.fen
    try:
        if attempt.move(data.get("move") if isinstance(data, dict) else None):
            solved = [*solved, fen]
    except InputError as error:
        complain(error)
    return show(attempt, solved, level, hide, refused=len(attempt.moves) == before)


def follow(attempt: Attempt, solved: Any, level: Any, hide: Any, number: Any) -> list[Any]:
    """The study that a link names; a forged event may name anything."""
    attempt.open(number)
    return show(attempt, solved, level, hide)


def to_table(table: Table, attempt: Attempt) -> Iterator[None]:
    """The study's position on the table of the Play view."""
    table.read(attempt.position().fen())
    yield


def build(page: Page, tabs: gr.Tabs, tab: gr.Tab, table: gr.State, kept: gr.BrowserState, outputs: list) -> None:
    """Draw the view."""
    attempt = gr.State(Attempt(), time_to_live=6 * 3600)
    solved = gr.BrowserState([], storage_key="scientific-spaces-xiangqi-studies",
                             secret="not a secret, but it must stay")
    first = show(Attempt(), [], ALL, False)
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320):
            shown = board(first[0], elem_id="studies-board")
        with gr.Column(scale=6, min_width=320):
            said = verdict(first[1], elem_id="studies-said")
            with gr.Row(elem_classes="kx-try"):
                hint = gr.Button(tr("提示", "Hint"), size="sm", elem_id="studies-hint")
                again = gr.Button(tr("重来", "Start again"), size="sm", elem_id="studies-again")
                solution = gr.Button(tr("看正解", "Solution"), size="sm", elem_id="studies-solution")
                after = gr.Button(tr("下一局未解的", "Next unsolved"), size="sm", elem_id="studies-next")
                take = gr.Button(tr("拿到棋盘上", "Onto the board"), size="sm")
                link = page.link_button("studies")
            with gr.Row():
                level = gr.Radio([(tr("全部", "all"), ALL), *LEVELS], value=ALL, label=tr("难度", "Difficulty"),
                                 elem_id="studies-level", scale=3)
                hide = gr.Checkbox(False, label=tr("只看未解的", "unsolved only"), elem_id="studies-hide")
            chips = component(FOLDER, "studies.js", "studies.css", "${value}", "", first[2], elem_id="studies-list")
    with gr.Accordion(tr("这些残局从哪里来", "Where the studies come from"), open=False):
        gr.Markdown(EXPLANATION)
    number = gr.Number(1, precision=0, visible=False)
    inputs, drawn = [attempt, solved, level, hide], [shown, said, chips, solved]

    def acted(change: Any) -> Any:
        def handler(attempt: Attempt, *rest: Any) -> list[Any]:
            change(attempt, *rest)
            return [*show(attempt, *rest), attempt.number]
        return guard(handler)

    def pick(attempt: Attempt, solved: Any, level: Any, hide: Any, event: gr.EventData) -> list[Any]:
        attempt.open(event._data.get("n") if isinstance(event._data, dict) else None)
        return [*show(attempt, solved, level, hide), attempt.number]

    def unsolved(attempt: Attempt, solved: Any, level: Any, hide: Any) -> None:
        done, count = known(solved), len(studies())
        order = ((attempt.number + i - 1) % count + 1 for i in range(1, count + 1))
        attempt.open(next((n for n in order if by_number(n).fen not in done
                           and (level == ALL or by_number(n).level == level)), attempt.number % count + 1))

    shown.move(on_move, inputs, drawn, **QUIET)
    chips.pick(guard(pick), inputs, [*drawn, number], **QUIET)
    for button, change in ((hint, lambda a, *_: a.hint()), (again, lambda a, *_: a.restart()),
                           (solution, lambda a, *_: a.solve()), (after, unsolved)):
        button.click(acted(change), inputs, [*drawn, number], **QUIET)
    for knob in (level, hide):
        knob.input(acted(lambda *_: None), inputs, [*drawn, number], **QUIET)
    tab.select(acted(lambda *_: None), inputs, [*drawn, number], **QUIET)
    take.click(answered(to_table), [table, kept, attempt], outputs, **QUIET).success(
        lambda: gr.Tabs(selected="play"), None, tabs, **QUIET)
    page.view("studies", Chosen, {"study": number}, link, tabs=tabs, redraw=(guard(follow), [*inputs, number], drawn))
