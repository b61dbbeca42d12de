"""Side by side: what both models would play in the same position, legal or not, and how that goes on along the game."""

from __future__ import annotations

from collections.abc import Iterator

import gradio as gr

from shared import page as parts
from shared.i18n import prose, tr
from spaces.xiangqi import think_figures as figures
from spaces.xiangqi.record import play
from spaces.xiangqi.rules import Position
from spaces.xiangqi.study import Study
from spaces.xiangqi.ui.think import lists
from spaces.xiangqi.ui.think.lens import Lens, Update, listen
from spaces.xiangqi.ui.think.pictures import picture, picture_board, policy_arrows
from spaces.xiangqi.voices import MODELS

NOTES = {"faithful": tr("只读棋谱的字，没见过棋盘", "reads letters, never saw a board"),
         "sighted": tr("每一着都看棋盘", "looks at the board at every ply")}
EXPLANATION = prose(
    "**怎么看。** 箭头越粗，概率越大；灰箭头不合规则。没有谁替这两个模型遮住不合规则的着法，"
    "所以概率里总有一份是“犯规”的：faithful 只读过棋谱的字，得自己从字里猜出子在哪里；sighted 看得见棋盘。"
    "每一着犯规都归到它违反的第一条规则（从“起点没有棋子”查到“走后被将军”）。"
    "faithful 还可能拼出根本不是着法的字。它逐字拼写；概率低于 0.05 % 的开头不再往下拼，"
    "合法着法则一着不漏，所以合计是准确的。",
    """**How to read it.** The thicker the arrow, the likelier the move; grey arrows are illegal. Nothing masks illegal
moves in either model, so a share of the probability breaks the rules: faithful has read the letters of games only and
must work out from them where the pieces stand; sighted sees the board. Every illegal move is filed under the first rule
that it breaks, from “no piece on the square left” to “king left in check”. faithful can also spell what is no move at
all. It spells letter by letter; beginnings below 0.05 % are not spelled out, but every legal move is, so the totals are
exact.""",
)


def build() -> Lens:
    """Draw the view."""
    boards, said_here = {}, {}
    with gr.Row(equal_height=False):
        for model in MODELS:
            with gr.Column(min_width=300):
                lists.html(lists.title(model, NOTES[model]))
                boards[model] = picture_board(picture(Position()), elem_id=f"think-{model}")
                said_here[model] = lists.html()
    with gr.Row(elem_classes="kx-grid"):
        illegal, entropy, rank = (parts.figure(pickable=True) for _ in range(3))
    rules = lists.html()
    gr.Markdown(EXPLANATION, latex_delimiters=parts.LATEX)

    def draw(study: Study) -> Iterator[Update]:
        position = play("", study.moves)
        played = study.line[study.at] if study.at < len(study.line) else None
        for number, (share, said) in enumerate(listen(study)):
            update: Update = {illegal: figures.illegal_curve(said, study.at, len(study.line)),
                              entropy: figures.entropy_curve(said, study.at, len(study.line)),
                              rank: figures.rank_curve(said, study.line, study.at, len(study.line)),
                              rules: lists.broken(said, study.at)}
            if number == 0:
                for model in MODELS:
                    here = said[model][study.at]
                    update[boards[model]] = picture(position, policy_arrows(here, figures.COLOURS[model]))
                    update[said_here[model]] = lists.says(model, here, position, played)
            yield update | {"share": share}

    return Lens(draw, [*boards.values(), *said_here.values(), illegal, entropy, rank, rules],
                picks=[illegal, entropy, rank])
