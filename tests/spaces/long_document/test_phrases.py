"""A vocabulary of phrases: pieces become fewer, and what is known keeps its embedding."""

import pytest
import torch
from transformers import BertModel

from spaces.long_document.batches import BOS, EOS, MASK
from spaces.long_document.e5 import build_tokenizer, e5_config
from spaces.long_document.phrases import SPECIAL, learn_phrases, reworded

KNOWN = [(p, 0.0) for p in ("<s>", "<pad>", "</s>", "<unk>")]
KNOWN += [(p, -5.0) for p in "▁第一二三条本市人民政府应当Ａ，。龘"] + [("应当", -4.0), ("<mask>", 0.0)]
TEXTS = [f"第{n}条　本市人民政府应当{m}。\n本市人民政府，应当{m}" for n in "一二三" for m in ("应", "市")] * 40


@pytest.fixture(scope="module")
def pieces():
    return learn_phrases(TEXTS, 40, KNOWN)


def test_special_pieces_stand_where_batches_want_them(pieces):
    names = [piece for piece, _ in pieces]
    assert tuple(names[:5]) == SPECIAL and (BOS, EOS, MASK) == (0, 2, 4)
    assert len(names) == len(set(names))


def test_phrases_are_one_piece_and_rare_characters_are_still_read(pieces):
    old, new = build_tokenizer(KNOWN), build_tokenizer(pieces)
    text = "第一条 本市人民政府应当"
    assert len(new(text).input_ids) < len(old(text).input_ids)
    assert max(len(piece) for piece, _ in pieces) > 3
    assert 3 not in new("龘").input_ids  # in no text, but among the known characters
    assert new.decode(new(text).input_ids[1:-1]) == text


def test_known_pieces_keep_their_embedding_and_phrases_get_their_parts_mean(pieces):
    torch.manual_seed(0)
    encoder = BertModel(e5_config(len(KNOWN), 1), add_pooling_layer=False)
    old = encoder.get_input_embeddings().weight
    other = reworded(encoder, KNOWN, pieces)
    new = other.get_input_embeddings().weight
    places, known = ({piece: i for i, (piece, _) in enumerate(p)} for p in (pieces, KNOWN))
    assert torch.equal(new[places["<mask>"]], old[known["<mask>"]])
    assert torch.equal(new[places["龘"]], old[known["龘"]])
    phrase = next(piece for piece in places if len(piece) > 3 and piece not in SPECIAL and "应当" not in piece)
    assert torch.allclose(new[places[phrase]], old[[known[c] for c in phrase]].mean(0), atol=1e-6)
    assert torch.equal(other.encoder.layer[0].output.dense.weight, encoder.encoder.layer[0].output.dense.weight)
