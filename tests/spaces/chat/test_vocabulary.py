"""A vocabulary is of the size asked for, has CPM's special tokens and all bytes, and keeps digits apart."""

import json
import lzma

import pytest

from spaces.chat.data import SOURCES
from spaces.chat.tasks.facts import IDIOMS
from spaces.chat.tokenizer import CpmTokenizer
from spaces.chat.vocabulary import sample, train


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Every source's file, with invented documents."""
    root = tmp_path_factory.mktemp("texts")
    for number, name in enumerate(sorted(SOURCES.values())):
        (root / name).parent.mkdir(exist_ok=True)
        with lzma.open(root / name, "wt") as file:
            for i in range(12):
                begin = 13 * number + 5 * i
                text = f"{number}{i:02d} " + "，".join(IDIOMS[begin : begin + 9]) + "\n"
                file.write(json.dumps({"text": text}) + "\n")
    return root


def test_vocabulary_has_bytes_special_tokens_and_single_digits(folder, tmp_path):
    (tmp_path / "spiece.model").write_bytes(train(sample(folder), 700))
    tokenizer = CpmTokenizer(tmp_path)
    assert tokenizer.size == 700 and tokenizer.has_bytes
    special = (tokenizer.unk_id, tokenizer.sep_id, tokenizer.mask_id, tokenizer.pad_id, tokenizer.eod_id)
    assert len(set(special)) == 5 and tokenizer.unk_id == 0
    assert [len(b) for b in tokenizer.token_bytes if b.isdigit() and len(b) > 1] == []
    text = "画蛇添足 2026\n😀"
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_sample_has_only_training_text(folder):
    from spaces.chat.data import documents

    held_out = [d.text for name in SOURCES.values() for d in documents(name, folder) if d.held_out]
    sampled = {line.replace(" ", "").translate(str.maketrans("▂▃", " \n")) for line in sample(folder)}
    assert held_out and not sampled & set(held_out)
    assert len(sampled) == 12 * len(SOURCES) - len(held_out)
