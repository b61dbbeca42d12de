"""Recitation line: where the game leaves the openings that the models met, and what becomes of their certainty."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean

import gradio as gr

from shared import page as parts
from shared.i18n import markup, prose, tr
from spaces.xiangqi import think_figures as figures
from spaces.xiangqi.api import weights
from spaces.xiangqi.fingerprint import fingerprint
from spaces.xiangqi.recitation import curve, openings
from spaces.xiangqi.study import Study
from spaces.xiangqi.ui.think.lens import Lens, Update, listen
from spaces.xiangqi.voices import MODELS, Saying

NEAR = 6
"""Plies on either side that the sentence compares."""
EXPLANATION = prose(
    "**怎么看。** 训练集里至少两局（或其左右镜像）这样开头，就算“在谱里”；线的右边，没有两局这样走过。"
    "随软件附带的不是棋谱，而是每条开局线的 48 位散列和局数：把没见过的认成见过的，概率约 3·10⁻¹⁰。"
    "只出现过一局的走法不收：那一局可能被背下来了，这个统计看不出。"
    "棋越下越难，熵本来就会变，所以最后一张图在同一着数上比较“还在谱里”与“已离谱”的局。"
    "线上那一着（0）的一致率必然低：离谱的着法，按定义就是少见的着法。",
    """**How to read it.** A line is in the book when at least two training games, or their mirror images, begin so;
right of the line no two games went this way. What ships is no game but a 48-bit hash and a count for every opening
line: an unmet line passes for a met one with a probability of about 3·10⁻¹⁰. Lines of one game only are left out:
that game may have been memorised, and this count cannot tell. Games grow harder with age and entropy changes anyway,
so the last figure compares games in and out of the book at the same ply. At the line itself (0) agreement must fall: a
move that leaves the book is a rare one by definition.""",
)


def build() -> Lens:
    """Draw the view."""
    said = parts.verdict()
    with gr.Row(elem_classes="kx-grid"):
        counts, entropy = parts.figure(pickable=True), parts.figure(pickable=True)
    lost = parts.verdict()
    measured = []
    with gr.Column(visible=False) as averaged:
        for _ in range(2):
            with gr.Row(elem_classes="kx-grid"):
                measured += [parts.figure() for _ in range(2)]
    gr.Markdown(EXPLANATION)

    def draw(study: Study) -> Iterator[Update]:
        known = openings().counts(study.line)
        left, last = sum(n > 0 for n in known), len(study.line)
        update: Update = {counts: figures.openings_bars(known, left, study.at)}
        for share, heard in listen(study):
            update |= {entropy: figures.entropy_with_line(heard, left, study.at, last),
                       said: verdict(heard, left, known)}
            yield update | {"share": min(share, 0.99)}
        yield averages() | {"share": 1.0}

    def averages() -> Update:
        found = curve()
        fits = found and found["models"] == {name: fingerprint(weights(level))
                                             for name, level in zip(MODELS, ("article", "sighted"), strict=True)}
        if not fits:
            return {averaged: gr.update(visible=False), lost: tr(
                "验证局上的平均曲线是在另一组权重上量的，或还没有量，所以不画："
                "请运行 python -m spaces.xiangqi.recitation --curve。",
                "The averages over validation games were measured on other weights, or not yet, and are not drawn: run "
                "python -m spaces.xiangqi.recitation --curve.")}
        drawn = [figures.around_line(found, "entropy"), figures.around_line(found, "top1"),
                 figures.around_line(found, "illegal_mass"), figures.met_and_gone(found, "entropy")]
        return {averaged: gr.update(visible=True), lost: over(found), **dict(zip(measured, drawn, strict=True))}

    return Lens(draw, [said, counts, entropy, lost, averaged, *measured], picks=[counts, entropy])


def over(found: dict) -> str:
    """What was averaged, and what it shows."""
    low, middle, high = found["left"]["quartiles"]
    jumps = {}
    for model in MODELS:
        part = found["around"][model]
        mean = dict(zip(part["at"], part["entropy"]["mean"], strict=True))
        before, after = ([mean[k] for k in span if k in mean] for span in (range(-NEAR + 1, 1), range(1, NEAR + 1)))
        jumps[model] = f"{fmean(before):.2f} → <b>{fmean(after):.2f}</b>" if before and after else "–"
    numbers = "；".join(f"{model} {jump}" for model, jump in jumps.items())
    return markup(
        f"{found['games']} 局未见过的棋：一半在第 {low:.0f} 到 {high:.0f} 着之间离谱（中位数 {middle:.0f}）。"
        f"线前后各 {NEAR} 着的平均熵（比特）：{numbers}。",
        f"{found['games']} unseen games: half of them leave the book between ply {low:.0f} and {high:.0f} (median "
        f"{middle:.0f}). Mean entropy in bits over {NEAR} plies on either side: {numbers.replace('；', '; ')}.")


def verdict(heard: dict[str, dict[int, Saying]], left: int, counts: list[int]) -> str:
    """Where the game leaves the book, and entropy before and after."""
    if left == len(counts):
        return markup("这一局到目前为止都在谱里：后面没有离谱的着法可比。",
                      "The whole of this game is in the book: there is nothing out of it to compare.")
    parts_zh, parts_en = [], []
    for model in MODELS:
        before = [heard[model][p].entropy for p in range(max(0, left - NEAR + 1), left + 1) if p in heard[model]]
        after = [heard[model][p].entropy for p in range(left + 1, left + 1 + NEAR) if p in heard[model]]
        if before and after:
            parts_zh.append(f"{model} 由 {fmean(before):.2f} 到 <b>{fmean(after):.2f}</b> 比特")
            parts_en.append(f"{model} from {fmean(before):.2f} to <b>{fmean(after):.2f}</b> bits")
    met = counts[left - 1] if left else openings().games
    mean_zh = f"线前后各 {NEAR} 着的平均熵：{'，'.join(parts_zh)}。" if parts_zh else ""
    mean_en = f" Mean entropy of {NEAR} plies on either side: {', '.join(parts_en)}." if parts_en else ""
    return markup(
        f"第 <b>{left + 1}</b> 着离谱：之前的 {left} 着有 {met} 局训练对局走过。{mean_zh}",
        f"Move <b>{left + 1}</b> leaves the book: {met} training games went through the {left} plies before.{mean_en}")
