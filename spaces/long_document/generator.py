"""A book on the spot: as many tokens as asked, from a small grammar of ours, with its evidence where you hide it.

The filling is neutral classical prose (travel, weather, guests, a little talk) from a few hundred word choices; the
evidence is a passage in the manner of a genre (manners.py). Both are written for this project and quote nobody.

Try first: `compose(reader, Example(tokens=262_144, place=70))`.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from spaces.long_document.manners import passage
from spaces.long_document.settings import Example

TIMES = "是日 明日 既夕 其夜 天将晓 日过午 居数月 又三日 春初 夏末 秋深 岁暮 雨后 雪中 久之 俄而".split()
PEOPLE = "客 主人 里人 邻翁 童子 故人 舟子 其兄 其弟 渔者 行者 少年 老妪 门者 其友".split()
PLACES = "溪上 桥边 庭中 村口 城南 渡头 山下 楼前 园中 道旁 檐下 林间 堂上 池畔".split()
DEEDS = "携酒而来 倚杖而立 扫叶煮茶 系马问路 负薪而归 对坐不语 举灯相视 推窗看雨 拾阶而上 抱琴而去".split()
SIGHTS = "云起于西 月出于东 微雨初歇 风动竹影 水声渐远 炊烟四散 鸟雀皆静 落花满地 寒星数点 草色青青".split()
WORDS = "今岁谷熟否 此去几何里 旧居尚在否 天寒可加衣 何时更来 昨夜安睡否 门外何声也 此树几年矣".split()
FEELINGS = "众皆笑 客默然 相顾久之 遂不复言 意甚欢 乃各散去 心亦安之 叹息而已 因留宿焉 复饮数杯".split()

def sentence(dice: random.Random) -> str:
    """One neutral sentence."""
    pick = dice.choice
    forms: tuple[Callable[[], str], ...] = (
        lambda: f"{pick(TIMES)}，{pick(PEOPLE)}{pick(DEEDS)}，{pick(SIGHTS)}。",
        lambda: f"{pick(PEOPLE)}与{pick(PEOPLE)}会于{pick(PLACES)}，{pick(FEELINGS)}。",
        lambda: f"{pick(PEOPLE)}问曰：“{pick(WORDS)}？”{pick(FEELINGS)}。",
        lambda: f"{pick(SIGHTS)}，{pick(SIGHTS)}，{pick(PEOPLE)}至{pick(PLACES)}，{pick(DEEDS)}。",
    )
    return pick(forms)()


def paragraph(dice: random.Random) -> str:
    """Four to nine sentences."""
    return "".join(sentence(dice) for _ in range(dice.randint(4, 9)))


def compose(count: Callable[[str], int], example: Example) -> tuple[str, tuple[int, int]]:
    """(the book, where its evidence stands [start, end) in characters), as close below `tokens` as sentences allow.

    count: a text → its tokens. The same example gives the same book.
    """
    dice = random.Random(example.seed)
    evidence = _grown(count, example.tokens * example.share / 100, lambda n: passage(example.genre, dice, n))
    sample = "\n".join(paragraph(dice) for _ in range(20))
    rate = count(sample) / len(sample)  # tokens a character
    room = int((example.tokens - count(evidence) - 8) / rate)
    dice = random.Random(example.seed + 1)
    parts, size = [], 0
    while size < room:
        parts.append(paragraph(dice))
        size += len(parts[-1]) + 1
    before = "\n".join(parts)[:room]
    before, after = _split_at_a_line(before, example.place / 100)
    while count(text := before + evidence + "\n" + after) > example.tokens:
        excess = int((count(text) - example.tokens) / rate) + 2
        keep = max(0, len(before) + len(after) - excess)
        before, after = _split_at_a_line((before + after)[:keep], example.place / 100)
    return text, (len(before), len(before) + len(evidence))


def _grown(count: Callable[[str], int], tokens: float, more: Callable[[int], str]) -> str:
    """Text of at least so many tokens, from `more` of so many characters at a time."""
    text = more(1)
    while (missing := tokens - count(text)) > 0:
        text += more(max(1, int(missing * len(text) / count(text) * 0.9)))
    return text


def _split_at_a_line(text: str, share: float) -> tuple[str, str]:
    """The text in two near the share, at a line's end."""
    at = round(share * len(text))
    if at >= len(text):
        return text.rstrip("\n") + "\n" if text else "", ""
    cut = text.rfind("\n", 0, at) + 1
    return text[:cut], text[cut:]
