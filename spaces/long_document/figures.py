"""The tab's figures: readings, deletion, moving, positions, the confusion of a head. Data in, JSON out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from shared.i18n import pick, tr
from shared.plots import ACCENT, COUNTER, GREY, INK, axis, bars, cells, figure, line, points, rule
from spaces.long_document.evidence import BELIEVED, DRAWS, Evidence
from spaces.long_document.head import Head
from spaces.long_document.moving import Moved
from spaces.long_document.readings import Reading
from spaces.long_document.similarity import Window

READING_NAMES = {
    "512": tr("截断到 512", "cut to 512"),
    "sliding": tr("滑动窗口", "sliding window"),
    "whole": tr("整篇（层次位置）", "whole (hierarchical)"),
    "performer": tr("整篇，Performer", "whole, Performer"),
    "taylor": tr("整篇，二阶 Taylor", "whole, Taylor order 2"),
    "performer+": tr("整篇，Performer 微调后", "whole, Performer fine-tuned"),
    "taylor+": tr("整篇，二阶 Taylor 微调后", "whole, Taylor fine-tuned"),
}
COLOURS = {
    "512": GREY,
    "sliding": COUNTER,
    "whole": ACCENT,
    "performer": "class-2",
    "taylor": "class-3",
    "performer+": "class-4",
    "taylor+": "class-5",
}
WAY_NAMES = {
    "tile": tr("循环", "tile"),
    "clamp": tr("停在最后一个", "clamp"),
    "random": tr("随机", "random"),
    "zero": tr("零", "zero"),
}
MOST_LABELS = 8
ALIKE = 0.02  # confidences that differ by less make no difference
ENGLISH = {  # the default's labels
    "北京": "Beijing", "上海": "Shanghai", "重庆": "Chongqing", "广东": "Guangdong", "山东": "Shandong",
    "河南": "Henan", "浙江": "Zhejiang", "史书": "histories", "白话小说": "novels", "经子儒学": "classics",
    "志怪笔记": "tales", "医药养生": "medicine", "类书政书": "handbooks", "兵法军事": "warfare",
    "诗文评论": "criticism", "戏曲": "drama", "术数命理": "divination", "地理游记": "travels", "佛道": "religion",
}  # fmt: skip


def named(label: str, most: int = 400) -> str:
    """A label in both languages, cut to `most` characters; a visitor's own stays as it is."""
    cut = lambda word: word if len(word) <= most else word[: most - 1] + "…"  # noqa: E731
    return tr(cut(label), cut(ENGLISH[label])) if label in ENGLISH else cut(label)


def reading_name(name: str) -> str:
    """What the page calls a reading; any number of tokens is a cut."""
    return READING_NAMES.get(name, tr(f"截断到 {name}", f"cut to {name}"))


def readings_figure(readings: Sequence[Reading]) -> str:
    """Probability of the likeliest labels, each reading's bars side by side."""
    best: dict[str, float] = {}
    for reading in readings:
        for label, p in reading.scores.items():
            best[label] = max(best.get(label, 0), p)
    labels = sorted(best, key=lambda label: -best[label])[:MOST_LABELS]
    width = 0.8 / max(1, len(readings))
    layers = [
        bars(
            range(len(labels)),
            [r.scores.get(label, 0) for label in labels],
            reading_name(r.name),
            COLOURS.get(r.name, INK),
            width=width,
            offset=(i - (len(readings) - 1) / 2) * width,
        )
        for i, r in enumerate(readings)
    ]
    caption = tr(
        "同一篇、同一个模型，读法不同，结论可以不同。",
        "One text and one model: another way of reading may say otherwise.",
    )
    if not readings:
        caption = tr("按“读”，每种读法的概率画在这里。", "Press “Read”: the probabilities of each reading appear here.")
    ticks = {"ticks": list(range(len(labels))), "names": [named(label, 10) for label in labels]}
    across = axis("", (-0.6, max(len(labels), 1) - 0.4), **ticks)
    return figure("readings", across, axis(tr("概率", "probability"), (0, 1)), layers, caption=caption, aspect=0.5)


def deletion_figure(found: Evidence | None) -> str:
    """p(label) as the tokens that an explanation names are hidden, beside as many random ones."""
    layers, caption = [], tr("遮住被点名的词元，标签该掉下来。", "Hide what is named, and the label should fall.")
    if found and found.curve:
        share = [100 * s for s in found.curve["share"]]
        layers = [
            line(share, found.curve["random"], tr(f"随机遮住（{DRAWS} 次平均）", f"random (mean of {DRAWS})"), GREY),
            line(share, found.curve["named"], tr("遮住点名的", "the named ones"), ACCENT),
            points(share, found.curve["named"], color=ACCENT),
        ]
        score = f"{found.faithfulness:+.2f}".replace("-", "−")
        caption = tr(
            f"忠实度 {score}：遮住点名的词元比随机遮住多掉这么多概率（平均）；不超过 {BELIEVED:g} 就别信它。",
            f"Faithfulness {score}: so much more probability is lost than by random hiding, on average; do not "
            f"believe it unless above {BELIEVED:g}.",
        )
    across = axis(tr("遮住的词元（%）", "tokens hidden (%)"), (0, 20.5))
    return figure(
        "faithfulness", across, axis(tr("p（标签）", "p(label)"), (0, 1)), layers, caption=caption, aspect=0.5
    )


def moved_figure(moved: Moved | None) -> str:
    """Confidence against the place of the passage, with the edges between blocks."""
    layers, of, top = [], tr("p（标签）", "p(label)"), 1.0
    caption = tr(
        "把一段关键的话从头挪到尾，看信心怎么变；竖线是 512 的整数倍。",
        "Slide a key passage from beginning to end and watch the confidence; the lines are multiples of 512.",
    )
    if moved and moved.places:
        layers = [rule("hline", moved.without, tr("没有这一段", "without it"), GREY, dash=True)]
        edges = range(moved.block, moved.tokens, moved.block * max(1, moved.tokens // moved.block // 12))
        layers += [rule("vline", edge, "", GREY, dash=True) for edge in edges]
        layers += [
            line(moved.places, moved.confidence, tr("放在这里", "with it here"), ACCENT),
            points(moved.places, moved.confidence, color=ACCENT),
        ]
        low = int(np.argmin(moved.confidence))
        at, p = moved.places[low], moved.confidence[low]
        near = min(at % moved.block, -at % moved.block)  # of all edges: of a long text few are drawn
        tail = ("，贴着块边", ", at an edge") if near <= 32 and at > 32 else ("", "")
        highest = max(moved.confidence)
        if highest - p < ALIKE:
            caption = tr(
                f"放在哪里都一样：p 在 {p:.2f} 与 {highest:.2f} 之间；没有这一段时 {moved.without:.2f}。",
                f"Its place makes no difference: p from {p:.2f} to {highest:.2f}; {moved.without:.2f} without it.",
            )
        else:
            caption = tr(
                f"最没信心处：前面 {at} 个词元（p = {p:.2f}{tail[0]}）；没有这一段时 p = {moved.without:.2f}。",
                f"Least sure with {at} tokens before it (p = {p:.2f}{tail[1]}); p = {moved.without:.2f} without it.",
            )
        name, top = named(moved.label, 10), min(1.0, 1.3 * max(highest, moved.without, 0.1))
        of = tr(f"p（{pick(name, 'zh')}）", f"p({pick(name, 'en')})")
    most = moved.tokens if moved else 2048
    return figure(
        "moved",
        axis(tr("这一段前面的词元数", "tokens before the passage"), (0, most)),
        axis(of, (0, top)),
        layers,
        caption=caption,
        aspect=0.5,
    )


def similarity_figure(found: Window, n: int) -> str:
    """The heat map of q, with the edges between blocks where they can be told apart."""
    places = found.positions
    span = int(places[-1] - places[0])
    heat = cells(places, places, found.similarity, tr("余弦", "cosine"), (-1, 1), low=COUNTER, high=ACCENT)
    step = n * max(1, span // n // 8)
    edges = range((int(places[0]) // step + 1) * step, int(places[-1]), step)
    rules = [rule(kind, edge - 0.5, "", INK, width=0.5) for edge in edges for kind in ("vline", "hline")]
    caption = tr(
        f"位置 {places[0]:,} … {places[-1]:,} 两两的余弦；点一下放大。α = {found.alpha:g}。",
        f"Cosines of positions {places[0]:,} … {places[-1]:,}; click to zoom in. α = {found.alpha:g}.",
    )
    across = axis(tr("位置", "position"), (int(places[0]), int(places[-1])), **_thousand_ticks(*places[[0, -1]]))
    return figure("similarity", across, across, [heat, *rules], caption=caption, aspect=0.86)


def _thousand_ticks(low: int, high: int) -> dict:
    """Ticks at multiples of 1,024 with short names, where the window is wide."""
    if high - low < 8192:
        return {}
    step = 2 ** (int(math.log2(high - low)) - 2)
    ticks = list(range(-(-int(low) // step) * step, int(high) + 2, step))
    return {"ticks": ticks, "names": [_thousands(tick) for tick in ticks]}


def sweep_figure(found: dict[str, list[float]], alpha: float) -> str:
    """Distances against α: mirrored positions meet at a half."""
    layers = [
        line(found["alpha"], found["mirror"], tr("(i,j) 与 (j,i) 最近处", "(i,j) to (j,i), the nearest"), ACCENT),
        line(found["alpha"], found["least"], tr("最近的两个（至多）", "the nearest two (at most)"), INK, dash=True),
        line(
            found["alpha"], found["median"], tr("随机位置到最近者（中位）", "to the nearest of all (median)"), COUNTER
        ),
        rule("vline", 0.5, tr("α = ½：分不清", "α = ½: mirrored"), GREY, dash=True),
        rule("vline", alpha, "α", INK),
    ]
    caption = tr(
        "距离为零就是同一个位置：α = ½ 时 (i, j) 与 (j, i) 重合，n² 个位置只剩一半。",
        "At distance zero two positions are one: at α = ½ (i, j) meets (j, i), and half of the n² are lost.",
    )
    return figure(
        "alpha",
        axis("α", (0, 1)),
        axis(tr("距离", "distance"), (0, None)),
        layers,
        caption=caption,
        aspect=0.62,
    )


def measured_figures(measured: dict) -> list[str]:
    """Accuracy by place and by length for each way of continuing, from measured.json."""
    captions = (
        tr(
            f"同样的 512 个词元，当作站在更远处来读：好的续法不掉。{measured['documents']} 篇，我们实测。",
            f"The same 512 tokens read as if they stood further on: a good continuation loses nothing. Measured by us "
            f"on {measured['documents']} documents.",
        ),
        tr("往下读到多少词元：好的续法越读越准。", "Reading on: a good continuation gains."),
    )
    drawn = []
    for name, where, caption, label in (
        ("by_place", measured["places"], captions[0], tr("起点（词元）", "first token's place")),
        ("by_length", measured["lengths"], captions[1], tr("读的词元数", "tokens read")),
    ):
        at = [math.log2(max(1, w)) if name == "by_length" else math.log2(max(128, w)) for w in where]
        ticks = {"ticks": at, "names": [_thousands(w) for w in where]}
        layers = [
            line(at, values, _way_name(way), _way_colour(way, i), dash=not way.startswith("α"))
            for i, (way, values) in enumerate(measured[name].items())
        ]
        drawn.append(
            figure(
                name,
                axis(label, None, **ticks),
                axis(tr("准确率", "accuracy"), (0, 1)),
                layers,
                caption=caption,
                aspect=0.7,
            )
        )
    return drawn


def _thousands(value: int) -> str:
    return str(value) if value < 1024 else f"{value / 1024:g}k"


def _way_name(way: str) -> str:
    return WAY_NAMES.get(way, way)


def _way_colour(way: str, number: int) -> str:
    return ACCENT if way == "α = 0.4" else f"class-{1 + number % 9}"


def confusion_figure(head: Head | None) -> str:
    """True labels down, given ones across, as shares of each true label."""
    axes = (tr("判为", "called"), tr("其实是", "true label"))
    if head is None:
        said = tr("混淆矩阵：没看过的文档被判成什么。", "The confusion matrix: what unseen documents are called.")
        blank = [axis(label, (0, 1), ticks=[]) for label in axes]
        return figure("confusion", *blank, [], caption=said, aspect=0.8)
    count = len(head.labels)
    counts = head.confusion[::-1]  # the first label's row on top
    heat = cells(
        range(count),
        range(count),
        (counts / np.maximum(1, counts.sum(1, keepdims=True))).round(2),
        tr("份额", "share"),
        (0, 1),
        low="surface",
        high=ACCENT,
        show_values=count <= 12,
        texts=[[str(int(n)) for n in row] for row in counts],
    )
    ticks, names = list(range(count)), [named(label, 6) for label in head.labels]
    limits = (-0.5, count - 0.5)
    caption = tr(
        f"格里是篇数，颜色是它占那一行的份额。{head.folds} 折交叉验证，{head.texts} 篇："
        f"准确率 {head.accuracy:.0%}，总猜最多的一类是 {head.guessing:.0%}。",
        f"Counts; colour: their share of the row. {head.folds}-fold cross-validation, {head.texts} texts: "
        f"{head.accuracy:.0%} right; always guessing the most frequent label, {head.guessing:.0%}.",
    )
    return figure(
        "confusion",
        axis(axes[0], limits, ticks=ticks, names=names),
        axis(axes[1], limits, ticks=ticks, names=names[::-1]),
        [heat],
        caption=caption,
        aspect=0.8,
    )


def spoken(names: Sequence[str], language: str) -> str:
    """Readings in one language, with its comma."""
    return ("、" if language == "zh" else ", ").join(pick(reading_name(name), language) for name in names)
