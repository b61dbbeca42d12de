"""The lists and tables under the boards, as HTML; nothing of a visitor's text enters them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from statistics import fmean

import gradio as gr

from shared.i18n import tr
from spaces.xiangqi.board import KINDS, SQUARES, iccs
from spaces.xiangqi.breaks import RULES
from spaces.xiangqi.notation import FACES
from spaces.xiangqi.rules import Position
from spaces.xiangqi.think_figures import COLOURS
from spaces.xiangqi.ui.think.pictures import spoken
from spaces.xiangqi.voices import MODELS, Saying

STYLE = (Path(__file__).parent / "lists.css").read_text("utf-8")
LEGAL, WRONG = 5, 4
NAMED = {"faithful": tr("只读字符 faithful", "faithful"), "sighted": tr("看棋盘 sighted", "sighted")}


def html(value: str = "") -> gr.HTML:
    """A place for what the functions here return."""
    return gr.HTML(value, html_template="${value}", css_template=STYLE, js_on_load=None, apply_default_css=False)


def percent(p: float) -> str:
    """`12 %`, `0.4 %`, `< 0.01 %`."""
    if 0 < p < 1e-4:
        return "< 0.01 %"
    return f"{100 * p:.0f} %" if p >= 0.0995 else f"{100 * p:.1f} %" if p >= 0.00095 else f"{100 * p:.2f} %"


def title(model: str, note: str = "") -> str:
    """A model's name in its colour."""
    return f'<p class="xt-name" style="--mark: var(--kx-{COLOURS[model]})">{NAMED[model]}<small>{note}</small></p>'


def _bar(share: float, color: str) -> str:
    return f'<div class="xt-bar" style="--mark: var(--kx-{color})"><i style="width: {100 * share:.1f}%"></i></div>'


def says(model: str, saying: Saying, position: Position, played: int | None) -> str:
    """The likeliest legal moves with bars, then the likeliest illegal ones with the rule that each breaks."""
    top = saying.top(LEGAL)
    shown = [move for move, _ in top]
    if played is not None and played in saying.legal and played not in shown:
        top.append((played, saying.legal[played]))
    rows = []
    for move, p in top:
        kind = "xt-row played" if move == played else "xt-row"
        rows.append(f'<div class="{kind}"><b>{spoken(position, move)}<small>{iccs(move)}</small></b>'
                    f"{_bar(p, COLOURS[model])}<em>{percent(p)}</em></div>")
    head = tr("合法着法", "Legal moves")
    note = "" if played is None else tr(f"下划线：实际走的，第 {saying.rank(played)} 名",
                                        f"underlined: the move played, no. {saying.rank(played)}")
    return f'<div class="xt-list"><h4>{head}<small>{note}</small></h4>{"".join(rows)}{_wrong(saying, position)}</div>'


def _wrong(saying: Saying, position: Position) -> str:
    head = tr("不合规则的着法", "Illegal moves")
    total = tr(f"共 {percent(saying.illegal_mass)}", f"{percent(saying.illegal_mass)} in all")
    rows = [f'<div class="xt-row wrong"><b>{word}<small>{_face(position, word)}</small></b>'
            f"<span>{tr(*RULES[rule])}</span><em>{percent(p)}</em></div>" for word, p, rule in saying.illegal[:WRONG]]
    none = f"<span>{tr('没有一着超过 0.001 %。', 'None above 0.001 %.')}</span>" if not rows else ""
    return f"<h4>{head}<small>{total}</small></h4>{''.join(rows)}{none}"


def _face(position: Position, word: str) -> str:
    """The piece on the square that a word leaves, if there is one."""
    piece = position.board[SQUARES[word[:2]]]
    letter = KINDS[piece & 7]
    return tr(FACES[piece >> 3][piece & 7], letter.lower() if piece >> 3 else letter) if piece else ""


def broken(said: Mapping[str, Mapping[int, Saying]], at: int) -> str:
    """Illegal mass by rule: at this ply, and on average over the plies heard so far."""
    heads = [tr("违反的规则", "rule broken")]
    for model in MODELS:
        heads += [tr(f"{model}，此着", f"{model}, here"), tr("全局平均", "mean of the game")]
    rows = [_rule_row(tr(*names), said, at, lambda one, rule=rule: one.broken.get(rule, 0.0))
            for rule, names in RULES.items()]
    rows += [_rule_row(tr("其余（每着都太小）", "the rest, each too small to name"), said, at, lambda one: one.rest),
             _rule_row(tr("合计", "in all"), said, at, lambda one: one.illegal_mass)]
    return table(heads, rows, "totalled")


def _rule_row(name: str, said: Mapping, at: int, value: Callable[[Saying], float]) -> list[str]:
    cells = [name]
    for model in MODELS:
        here, mean = value(said[model][at]), fmean(map(value, said[model].values()))
        cells += [_cell(here, COLOURS[model]), _cell(mean, COLOURS[model])]
    return cells


def _cell(p: float, color: str) -> str:
    bar = f'<i style="--mark: var(--kx-{color}); width: {max(1, round(54 * p))}px"></i>' if p >= 5e-4 else ""
    return f"{bar}{percent(p) if p else '0'}"


def table(heads: Iterable[str], rows: Iterable[Iterable[str]], kind: str = "") -> str:
    """A table whose first column names its rows; of kind "totalled", the last is their sum."""
    head = "".join(f'<th scope="col">{h}</th>' for h in heads)
    body = "".join(f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>'
                   for first, *rest in rows)
    head, kind = f"<thead><tr>{head}</tr></thead>", f"xt-table {kind}".strip()
    return f'<div class="xt-scroll"><table class="{kind}">{head}<tbody>{body}</tbody></table></div>'
