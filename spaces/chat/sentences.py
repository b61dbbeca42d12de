"""Few-shot prompts cut from real sentences of the training texts: extraction as it is met outside templates.

What is asked for is found by rule: the name of a person, of a place, a title, a year, a number, a Latin word, the
first or last clause; people and places are what jieba's tagger calls nr and ns. The tagger errs, so these prompts train
and the template tasks measure.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator

from spaces.chat.tasks import Pair
from spaces.chat.tasks.facts import SURNAMES

CUT = re.compile(r"(?<=[。！？；\n])")
FOUND = {  # kind -> what one and only one match of stands in the sentence
    "title": re.compile(r"《([^《》]{1,15})》"),
    "quoted": re.compile(r"“([^“”]{1,12})”"),
    "year": re.compile(r"(?<!\d)(\d{4}年)"),
    "number": re.compile(r"(?<![\d.,])(\d+)(?![\d.,])"),
    "latin": re.compile(r"(?<![A-Za-z])([A-Za-z]{3,15})(?![A-Za-z])"),
}
TAGGED = {"nr": "person", "ns": "place"}
HEADS = {
    "person": ("人名", "人物", "谁"), "place": ("地名", "地点", "在哪里"), "title": ("书名", "作品", "名称"),
    "quoted": ("引文", "引用"), "year": ("年份", "时间", "哪一年"), "number": ("数字", "数量", "多少"),
    "latin": ("英文", "单词"), "first": ("前半句", "开头"), "last": ("后半句", "结尾"), "copy": ("复述", "原句"),
}  # fmt: skip
FORMS = (
    "{q} {a}\n", "{q}：{a}\n", "{q}\n{a}\n\n", "{q} -> {a}\n", "{q} => {a}\n", "{q}→{a}\n", "{q}\n{h}：{a}\n",
    "句子：{q}\n{h}：{a}\n", "问：{q}{h}？\n答：{a}\n", "{q} {h}：{a}\n", "{q}\n答：{a}\n", "输入：{q}\n输出：{a}\n",
    "原文：{q}\n{h}：{a}\n\n", "{q}\t{a}\n", "{q}（{a}）\n",
)  # fmt: skip


def pairs(text: str) -> Iterator[tuple[str, Pair]]:
    """(kind, (sentence, answer)) for the sentences of a text, 8 to 60 characters long."""
    import rjieba

    for sentence in CUT.split(text):
        sentence = sentence.strip().removeprefix("用户：").removeprefix("助手：")
        if not 8 <= len(sentence) <= 60 or "\n" in sentence:
            continue
        yield from ((kind, (sentence, m[0])) for kind, rule in FOUND.items() if len(m := rule.findall(sentence)) == 1)
        tagged = rjieba.tag(sentence)
        for tag, kind in TAGGED.items():
            named = [word for word, its in tagged if its == tag and len(word) > 1]
            if len(named) == 1 and (kind != "person" or named[0][0] in SURNAMES):
                yield kind, (sentence, named[0])
        clauses = re.split("[，：]", sentence.rstrip("。！？；"))
        if len(clauses) > 1 and clauses[0] and clauses[-1]:
            yield "first", (sentence, clauses[0])
            yield "last", (sentence, clauses[-1])
        if len(sentence) < 25:
            yield "copy", (sentence, sentence)


def prompts(texts: Iterable[str], seed: int, most: dict[str, int]) -> Iterator[str]:
    """Training prompts of 3 to 8 shots of one kind; of a kind no more sentences than `most` says."""
    rng = random.Random(seed)
    found: dict[str, list[Pair]] = {}
    for text in texts:
        for kind, pair in pairs(text):
            found.setdefault(kind, []).append(pair)
    for kind, rows in sorted(found.items()):
        rng.shuffle(rows)
        rows = rows[: most.get(kind, most["other"])]
        while rows:
            shots, rows = rows[: (n := rng.randint(3, 8))], rows[n:]
            form, head = rng.choice(FORMS), rng.choice(HEADS[kind])
            yield "".join(form.format(q=q, a=a, h=head) for q, a in shots).rstrip("\n")
