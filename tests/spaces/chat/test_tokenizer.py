"""CPM's recipe: any text comes back, transformers' pieces agree, the inspector shows November 2020's bug."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import CpmTokenizer as Published

from shared.experiment import InputError
from spaces.chat.model import WEIGHTS
from spaces.chat.tokenizer import CpmTokenizer, segment, words

TEXTS = [
    "美国的首都是华盛顿\n法国的首都是巴黎\n日本的首都是东京\n中国的首都是",
    "狗\tdog\n猫\tcat\n猪\tpig\n鸟\t",
    "今天天气不错 是吧\n\n好的，明天见",
    "张红,体重,140斤",
]


@pytest.fixture(scope="module")
def ours():
    return CpmTokenizer(WEIGHTS)


@pytest.fixture(scope="module")
def real(data):
    return CpmTokenizer(data / "cpm_tokenizer")


@settings(max_examples=300, deadline=None)
@given(text=st.text() | st.text(alphabet=" \n▁▂▃⁇\r\t\u3000\x00<0xA>eod中文😀"))
def test_any_text_comes_back(ours, text):
    ids = ours.encode(text)
    assert ours.decode(ids) == text
    assert all(0 <= i < ours.size for i in ids)


@settings(max_examples=100, deadline=None)
@given(text=st.text())
def test_words_joined_are_the_text(text):
    assert "".join(words(text)) == text


def test_recipe_of_white_space():
    assert segment("今天天气不错 是吧\n好的") == "今天天气 不错 ▂ 是 吧 ▃ 好 的"


def test_half_a_surrogate_pair_is_refused(ours):
    with pytest.raises(InputError, match="surrogate"):
        ours.encode("好\ud800")


def test_special_tokens_of_both_vocabularies_have_their_ids(ours, real):
    assert (real.unk_id, real.sep_id, real.pad_id, real.mask_id, real.eod_id, real.size) == (0, 4, 5, 6, 7, 30_000)
    assert [real.sp.id_to_piece(i) for i in (3, 8, 10)] == ["▃", "▁", "▂"]
    assert ours.size == 8000 and ours.has_bytes and not real.has_bytes
    assert ours.decode([ours.eod_id, ours.sep_id, ours.pad_id, ours.mask_id]) == ""


@pytest.mark.parametrize("text", TEXTS)
def test_real_vocabulary_agrees_with_transformers_on_segmented_text(real, text):
    # transformers 5 cuts no words of its own accord: on the raw text its pieces differ
    published = Published(vocab_file=str(real.path))
    ids = real.encode(text)
    assert ids == published.encode(segment(text), add_special_tokens=False)
    assert ids != published.encode(text, add_special_tokens=False)


def test_real_vocabulary_brings_text_back_but_narrows_full_width_signs_and_tabs(real):
    for text in TEXTS:
        assert real.decode(real.encode(text)) == text.replace("，", ",").replace("\t", "")


def test_what_the_real_vocabulary_lacks_is_unknown(real):
    assert real.unk_id in real.encode("😀") and "⁇" in real.decode(real.encode("😀"))


def test_inspector_joins_to_the_encoding(ours, real):
    for tokenizer in (ours, real):
        rows = tokenizer.inspect(TEXTS[0])
        assert "".join(row.text for row in rows) == TEXTS[0]
        assert [i for row in rows for i in row.ids] == tokenizer.encode(TEXTS[0])
        assert all(tokenizer.sp.piece_to_id(p) == i for row in rows for p, i in zip(row.pieces, row.ids, strict=True))


def test_line_breaks_were_unknown_before_22_november_2020(real):
    now, then = (real.inspect("猫\n狗", newline_known=known) for known in (True, False))
    assert [row.ids for row in now] == [(1950,), (8, 3), (1377,)]
    assert [row.ids for row in then] == [(1950,), (8, real.unk_id), (1377,)]
    assert then[1].pieces == ("▁", "<unk>") and now[0] == then[0] and now[2] == then[2]


def test_saved_tokeniser_is_read_back_and_by_transformers(ours, tmp_path):
    ours.save(tmp_path)
    again, published = CpmTokenizer(tmp_path), Published.from_pretrained(tmp_path)
    assert again.encode(TEXTS[0]) == ours.encode(TEXTS[0])
    assert published.eos_token_id == ours.eod_id and published.pad_token_id == ours.pad_id


def test_a_folder_without_a_tokeniser_is_named(tmp_path):
    with pytest.raises(InputError, match="no tokeniser model"):
        CpmTokenizer(tmp_path)
