"""What a weighing looks like: the rows of the ledger as data, the grid of forms and the priors as tables. Pure."""

from __future__ import annotations

import html
import math
from typing import Any

from shared.i18n import markup, number, tr
from spaces.chat.shots import SEPARATORS, TEMPLATES
from spaces.chat.weighing import Weighed

NAMES = {" ": tr("空格", "space"), "\n": tr("换行", "line break")}


def rows(found: Weighed) -> dict[str, Any]:
    """The ledger: question, answer, whether it is on, its worth in nats (None: not known), and the largest worth."""
    known = [abs(w) for w in found.worth if w is not None]
    worth = found.worth or (None,) * len(found.on)
    listed = [
        [q, a, on, None if w is None else round(w, 3)]
        for (q, a), on, w in zip(found.prompt.shots, found.on, worth, strict=True)
    ]
    return {"rows": listed, "most": max(known, default=1.0) or 1.0, "question": found.prompt.question,
            "answer": found.answer}  # fmt: skip


def chance(log: float) -> str:
    """A probability from its natural logarithm: 43 %, 0.2 %, 0.005 %, 10⁻⁷."""
    if log > math.log(0.0995):
        return f"{math.exp(log):.0%}".replace("%", " %")
    if log > math.log(1e-5):
        return f"{100 * math.exp(log):.2g} %"
    exponent = math.floor(log / math.log(10))
    lead = round(math.exp(log - exponent * math.log(10)))
    if lead == 10:
        lead, exponent = 1, exponent + 1
    return f"{lead} × 10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def verdict(found: Weighed) -> str:
    """What the examples do to the answer, in a sentence."""
    if found.whole is None or found.none is None:
        return ""
    answer, count = html.escape(found.answer), sum(found.on)
    gain = found.whole - found.none
    kind = "good" if gain > 0 else "bad"
    off = len(found.on) - count
    also_zh = f"（关掉了 {off} 个；全开时 {chance(found.all_on)}）" if off else ""
    also_en = f" ({off} switched off; with all of them {chance(found.all_on)})" if off else ""
    known = [w for w in found.worth if w is not None]
    enough = gain > 0 and len(known) > 1 and max(known) <= 0
    enough_zh = "其中任何一个都可以少：剩下的已经定下格式，少一个反而更好。" if enough else ""
    enough_en = " Any one of them could go: the rest set the form, and one fewer does better." if enough else ""
    return markup(
        f"只有问题时，答“{answer}”的概率是 {chance(found.none)}；有 {count} 个例子时是 "
        f"<b class={kind}>{chance(found.whole)}</b>{also_zh}：例子值 <b>{number(gain, 1)} nat</b>，"
        f"即 {number(gain / math.log(2), 1)} 比特。{enough_zh}",
        f"With the question alone “{answer}” has a probability of {chance(found.none)}; with {count} examples "
        f"<b class={kind}>{chance(found.whole)}</b>{also_en}: they are worth <b>{number(gain, 1)} nats</b>, "
        f"{number(gain / math.log(2), 1)} bits.{enough_en}",
    )


def table_of_forms(found: Weighed) -> str:
    """Templates down, separators across: the same examples written otherwise."""
    if not found.grid:
        return ""
    flat = [value for row in found.grid for value in row]
    low, high = min(flat), max(flat)
    q, a = found.prompt.shots[0] if found.prompt.shots else (found.prompt.question, found.answer)
    head = "".join(f"<th>{NAMES.get(s) or html.escape(s.strip())}</th>" for s in SEPARATORS)
    lines = []
    for template, values in zip(TEMPLATES, found.grid, strict=False):
        shape = template.replace("{s}", "·").replace("{q}", q[:12]).replace("{a}", a[:12]).replace("\n", "↵")
        cells = "".join(_cell(value, low, high) for value in values)
        lines.append(f"<tr><th>{html.escape(shape)}</th>{cells}</tr>")
    caption = markup(
        f"同样的例子换个写法（· 是分隔）：最好 {chance(high)}，最差 {chance(low)}，差 {number(high - low, 1)} nat。",
        f"The same examples written otherwise (· is the separator): {chance(high)} at best, {chance(low)} at worst, "
        f"{number(high - low, 1)} nats apart.",
    )
    return _table("ch-forms", caption, f"<tr><th></th>{head}</tr>" + "".join(lines))


def _cell(value: float, low: float, high: float) -> str:
    share = (value - low) / (high - low) if high > low else 1.0
    best = " class=best" if value == high else ""
    return f'<td{best} style="--share:{share:.3f}">{chance(value)}</td>'


def table_of_priors(found: Weighed) -> str:
    """Candidates with and without what they owe to no question at all."""
    if not found.candidates:
        return ""
    first = max(found.candidates, key=lambda c: c.score)
    freed = max(found.candidates, key=lambda c: c.gain)
    lines = []
    for one in found.candidates:
        marks = [" class=best" if one is first else "", " class=best" if one is freed else ""]
        lines.append(
            f"<tr><th>{html.escape(one.text)}</th><td{marks[0]}>{chance(one.score)}</td><td>{chance(one.prior)}</td>"
            f"<td{marks[1]}>{number(one.gain, 1)} nat</td></tr>"
        )
    changed = first is not freed
    caption = markup(
        "有些答案不管问什么都容易说出口。减去“没有内容的问题”得到的先验："
        + (f"首选从“{html.escape(first.text)}”变成 <b>“{html.escape(freed.text)}”</b>。" if changed else "首选不变。"),
        "Some answers come easily whatever is asked. With the prior after questions without content taken off, "
        + (f"the first choice turns from “{html.escape(first.text)}” to <b>“{html.escape(freed.text)}”</b>."
           if changed else "the first choice stays."),
    )  # fmt: skip
    head = "".join(
        f"<th>{name}</th>"
        for name in (
            "",
            tr("问了之后", "after the question"),
            tr("没有内容时", "after no content"),
            tr("问题给的", "given by the question"),
        )
    )
    return _table("ch-priors", caption, f"<tr>{head}</tr>" + "".join(lines))


def _table(kind: str, caption: str, lines: str) -> str:
    table = f'<div class="kx-scroll"><table class="kx-table">{lines}</table></div>'
    return f'<div class="{kind}"><p>{caption}</p>{table}</div>'
