"""A book on the spot: as many tokens as asked, from a small grammar of ours, with its evidence where you hide it.

The filling is neutral classical prose (travel, weather, guests, a little talk) from a few hundred word choices; the
evidence is one passage in the manner of a genre. Both are written for this project and quote nobody.

Try first: `compose(reader, Example(tokens=262_144, place=70))`.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from shared.experiment import choice
from spaces.long_document.settings import Example

TIMES = "是日 明日 既夕 其夜 天将晓 日过午 居数月 又三日 春初 夏末 秋深 岁暮 雨后 雪中 久之 俄而".split()
PEOPLE = "客 主人 里人 邻翁 童子 故人 舟子 其兄 其弟 渔者 行者 少年 老妪 门者 其友".split()
PLACES = "溪上 桥边 庭中 村口 城南 渡头 山下 楼前 园中 道旁 檐下 林间 堂上 池畔".split()
DEEDS = "携酒而来 倚杖而立 扫叶煮茶 系马问路 负薪而归 对坐不语 举灯相视 推窗看雨 拾阶而上 抱琴而去".split()
SIGHTS = "云起于西 月出于东 微雨初歇 风动竹影 水声渐远 炊烟四散 鸟雀皆静 落花满地 寒星数点 草色青青".split()
WORDS = "今岁谷熟否 此去几何里 旧居尚在否 天寒可加衣 何时更来 昨夜安睡否 门外何声也 此树几年矣".split()
FEELINGS = "众皆笑 客默然 相顾久之 遂不复言 意甚欢 乃各散去 心亦安之 叹息而已 因留宿焉 复饮数杯".split()

EVIDENCE = {
    "医药养生": "上为细末，炼蜜为丸，如梧桐子大，每服三十丸，空心温酒送下。治脾胃虚弱，饮食不进，腹胀便溏，脉沉细者。"
    "又方：当归、白芍、川芎各二钱，甘草一钱，姜三片，水煎服，忌生冷油腻。",
    "兵法军事": "凡用兵之法，先定营垒，次严号令，斥候远出，弓弩居前，骑分两翼，"
    "粮道必固。敌众我寡则据险，敌疲我逸则疾击，"
    "将不知地利者，其阵必乱，其军必败。",
    "佛道": "尔时世尊告诸比丘：一切诸法，皆从因缘而生，无有自性。善男子、善女人，"
    "若能受持读诵，广为人说，所得功德不可称量。"
    "诸比丘闻佛所说，欢喜奉行。",
    "史书": "二年春正月，以尚书左丞为刺史，加散骑常侍，封县侯，食邑千户。夏四月，"
    "诏免河北诸州租调。秋七月，寇边，遣将军率"
    "步骑二万讨之，斩首三千级，余众悉降。",
    "白话小说": "那汉子听了，心中大怒，跳起身来便骂道：“你这厮好没道理！”说罢提起棒来，望那人劈头便打。众人慌忙劝住，"
    "且听下回分解。",
    "术数命理": "甲木生于寅月，得令而旺，喜庚金劈之，丙火照之。日主强而财官两透，"
    "主富贵；若逢冲克，岁运不利。六爻动而用神空，"
    "求财不得，行人未归。",
}


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

    count: a text → its tokens. The same example gives the same book. InputError for a genre without a passage.
    """
    evidence = EVIDENCE[choice("genre", example.genre, list(EVIDENCE))]
    dice = random.Random(example.seed)
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


def _split_at_a_line(text: str, share: float) -> tuple[str, str]:
    """The text in two near the share, at a line's end."""
    at = round(share * len(text))
    if at >= len(text):
        return text.rstrip("\n") + "\n" if text else "", ""
    cut = text.rfind("\n", 0, at) + 1
    return text[:cut], text[cut:]
