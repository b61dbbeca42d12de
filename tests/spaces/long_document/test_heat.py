"""The heat map's places are JavaScript's, which counts an emoji and a rare character as two."""

import json

import numpy as np

from spaces.long_document.evidence import Evidence, document
from spaces.long_document.heat import cut_units, heat
from tests.spaces.long_document import tiny

TEXT = "甲乙😀丙。\n𠀀丁戊。甲甲。"


def test_places_survive_characters_of_two_units():
    doc = document(tiny.reader(), TEXT)
    data = json.loads(heat(doc, Evidence("佛道", np.ones(doc.ids.shape[1]))))
    tokens = [cut_units(TEXT, a, b) for a, b in zip(data["starts"], data["stops"], strict=True)]
    assert tokens == [TEXT[a:b] for a, b in doc.spans[doc.inner]]
    assert [cut_units(TEXT, a, b) for a, b, _ in data["sentences"]] == ["甲乙😀丙。\n", "𠀀丁戊。", "甲甲。"]
    assert data["paragraphs"][-1][1] == len(TEXT) + 2 == len(TEXT.encode("utf-16-le")) // 2
