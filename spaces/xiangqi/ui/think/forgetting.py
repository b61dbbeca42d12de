"""Amnesia: the same position by another way, and what each model makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import fmean

import gradio as gr

from shared import page as parts
from shared.i18n import prose, tr
from shared.live import watched
from spaces.xiangqi import think_figures as figures
from spaces.xiangqi.amnesia import DRAWS, MOST_DETOUR, WAYS, Forgetting, changed, forget
from spaces.xiangqi.board import iccs
from spaces.xiangqi.notation import chinese, wxf
from spaces.xiangqi.record import play
from spaces.xiangqi.rules import Position
from spaces.xiangqi.study import Study
from spaces.xiangqi.ui.think import lists
from spaces.xiangqi.ui.think.lens import Lens, Update
from spaces.xiangqi.ui.think.pictures import picture, picture_board, policy_arrows
from spaces.xiangqi.voices import MODELS, Saying

NAMES = {
    "played": tr("照原样走来", "as played"),
    "transposed": tr("换个次序走来", "by a transposition"),
    "detour": tr("绕一段乱走的弯路", "by a random detour"),
    "fen": tr("只给局面（FEN）", "as FEN only"),
}
EXPLANATION = prose(
    "**怎么看。** 棋盘上是同一个局面，最后一着也相同（FEN 除外），只有来路不同。看局面下棋的，回答应当一样。"
    "“换个次序”把各方自己的着法打乱，步步合法，终点相同；“弯路”在最后一着之前插进一段随机着法："
    "双方各走几步闲着，再原路退回。faithful 没法“只看局面”：FEN 不在它的字母表里，"
    "那一行给它的是空棋谱，看它闭着眼说什么。总变差（TV）：两份概率有多大的份额说法不同"
    "（0 % 完全一样，100 % 毫无重合）；KL 以比特计。"
    f"换次序与弯路各抽 {DRAWS} 次，表里是平均值和范围，棋盘画第一次。",
    f"""**How to read it.** The boards show one position, with the same last move (but for a FEN); only the way there
differs. Whoever plays the position answers the same. A transposition shuffles each side's own moves, all legal, to the
same end; a detour puts random moves before the last one: each side makes some idle moves and takes them back. faithful
cannot be given a position alone: its alphabet has no FEN, so that row gives it an empty game, to see what it says with
its eyes shut. Total variation (TV) is the share on which two policies disagree (0 %: alike, 100 %: nothing in common);
KL is in bits. Transposition and detour are drawn {DRAWS} times: the table has mean and range, the boards show the first
draw.""",
)


def build() -> Lens:
    """Draw the view."""
    default = Study()
    way = gr.Radio([(NAMES[w], w) for w in WAYS], value=default.way,
                   label=tr("怎么来到这个局面", "how the position came about"))
    with gr.Row():
        length = parts.slider(4, MOST_DETOUR, value=default.detour, step=4,
                              label=tr("弯路的着数", "plies of the detour"))
        seed = gr.Number(default.seed, label=tr("随机种子", "random seed"))
    said = parts.verdict()
    titles, boards, here = {}, {}, {}
    with gr.Row(equal_height=False):
        for model in MODELS:
            with gr.Column(min_width=300):
                titles[model] = lists.html(lists.title(model))
                boards[model] = picture_board(picture(Position()), elem_id=f"amnesia-{model}")
                here[model] = lists.html()
    numbers = lists.html()
    gr.Markdown(EXPLANATION)

    def draw(study: Study) -> Iterator[Update]:
        found = None
        for _, found in watched(lambda report: forget(study.moves, study.style, study.detour, study.seed)):
            if found is None:
                yield {"share": 0.5}
        position = play("", study.moves)
        way = study.way if study.way in found.heard else "played"
        update: Update = {said: verdict(study, found), numbers: distances(found, position)}
        for model in MODELS:
            saying = found.heard[way][model].saying
            update[boards[model]] = picture(position, policy_arrows(saying, figures.COLOURS[model]))
            update[here[model]] = lists.says(model, saying, position, None)
            update[titles[model]] = lists.title(model, NAMES[way])
        yield update | {"share": 1.0}

    return Lens(draw, [said, numbers, *boards.values(), *here.values(), *titles.values()],
                knobs={"way": way, "detour": length, "seed": seed})


def verdict(study: Study, found: Forgetting) -> str:
    """The way chosen, and how far each model's answer moved."""
    if study.way not in found.heard:
        return tr("这里没有这样的来路：着数太少，或着法互相牵制。棋盘画的是原来的走法。",
                  "There is no such way here: too few moves, or they depend on one another. The boards show the game "
                  "as played.")
    if study.way == "played":
        tv = found.apart
        return tr(f"原来的走法。作比较：两个模型之间的总变差是 {lists.percent(tv)}。",
                  f"The game as played. For scale: between the two models total variation is {lists.percent(tv)}.")
    line = found.lines[study.way]
    moved = [fmean(d.tv for d in found.heard[study.way][model].distances) for model in MODELS]
    apart = lists.percent(found.apart)
    numbers = " · ".join(f"{model} {lists.percent(tv)}" for model, tv in zip(MODELS, moved, strict=True))
    words = " ".join(map(iccs, line[-60:])) if line else ""
    if study.way == "transposed":
        count = changed(study.moves, line)
        zh, en = (f"{len(line)} 着里有 {count} 着换了位置：{words}。",
                  f"{count} of {len(line)} plies changed places: {words}.")
    elif study.way == "detour":
        extra = len(line) - len(study.moves)
        zh, en = f"最后一着之前多走 {extra} 着：{words}。", f"{extra} plies more before the last one: {words}."
    else:
        zh, en = ("没有来路，只有局面（faithful：空棋谱）。",
                  "No way at all, only the position (faithful: an empty game).")
    return tr(f"{zh}回答变了多少（总变差）：{numbers}；两个模型之间是 {apart}。",
              f"{en} The answer moved by (total variation): {numbers}; between the models it is {apart}.")


def distances(found: Forgetting, position: Position) -> str:
    """Every way and model: distance from the game as played, illegal mass, favourite."""
    heads = [tr("来路", "way")]
    for model in MODELS:
        heads += [f"{model} TV", "KL", tr("犯规", "illegal"), tr("首选", "favourite")]
    rows = []
    for way, heard in found.heard.items():
        row = [NAMES[way]]
        for model in MODELS:
            one = heard[model]
            row += [_spread([d.tv for d in one.distances], lists.percent),
                    _spread([d.kl for d in one.distances], lambda v: f"{v:.2f}"),
                    lists.percent(one.saying.illegal_mass), _favourite(one.saying, position)]
        rows.append(row)
    return lists.table(heads, rows)


def _favourite(saying: Saying, position: Position) -> str:
    if not saying.legal:
        return "–"
    best, p = saying.top(1)[0]
    return tr(f"{chinese(position, best)} {lists.percent(p)}", f"{wxf(position, best)} {lists.percent(p)}")


def _spread(values: list[float], word: Callable[[float], str]) -> str:
    """The mean, and the range where there are several."""
    if len(values) == 1:
        return word(values[0])
    return f"{word(fmean(values))}<br><small>{word(min(values))} – {word(max(values))}</small>"
