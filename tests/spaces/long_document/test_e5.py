"""Q4_0 against its definition, the tokenizer against its rules, the real weights where the data folder exists."""

import numpy as np
import torch

from spaces.long_document.e5 import build_tokenizer, dequantise, load_e5, load_pieces

PIECES = [
    ("<s>", 0.0),
    ("<pad>", 0.0),
    ("</s>", 0.0),
    ("<unk>", 0.0),
    ("▁", -2.0),
    ("a", -3.0),
    ("▁a", -3.5),
    ("条例", -5.0),
]


def test_dequantise_one_block():
    block = np.zeros(18, dtype=np.uint8)
    block[:2] = np.array([0.5], dtype=np.float16).view(np.uint8)
    block[2], block[17] = 0xF0, 0x19  # weights 0 and 16: nibbles 0 and 15; weights 15 and 31: 9 and 1
    weights = dequantise(np.stack([block, block]))
    assert weights.shape == (2, 32)
    assert weights[0, [0, 16, 15, 31, 1]].tolist() == [-4.0, 3.5, 0.5, -3.5, -4.0]


def test_tokenizer_rules():
    tokenizer = build_tokenizer(PIECES)
    assert tokenizer("a").input_ids == [0, 6, 2]
    assert tokenizer("条例").input_ids == [0, 4, 7, 2]
    assert tokenizer("ａ a").input_ids == tokenizer("a\na").input_ids == [0, 6, 6, 2]
    assert tokenizer("a \u3000\n a").input_ids == tokenizer("a  a").input_ids == [0, 6, 4, 6, 2]
    assert tokenizer("龘").input_ids == [0, 4, 3, 2]
    assert tokenizer("a a a a", truncation=True, max_length=4).input_ids == [0, 6, 6, 2]
    assert tokenizer.decode([0, 6, 6, 2], skip_special_tokens=True) == "a a"


def test_real_weights_know_what_belongs_together(data):
    model, tokenizer = load_e5(), build_tokenizer(load_pieces())
    texts = ["query: 深度学习模型的训练方法", "query: 如何训练一个神经网络", "query: 昨晚的足球比赛谁赢了"]
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        hidden = model(**batch).last_hidden_state
    keep = batch.attention_mask[..., None]
    vectors = torch.nn.functional.normalize((hidden * keep).sum(1) / keep.sum(1), dim=-1)
    near, far = vectors[0] @ vectors[1], vectors[0] @ vectors[2]
    assert near > 0.92 and far < 0.85
