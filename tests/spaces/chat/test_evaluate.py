"""Bits per character equal a sum by brute force, windows count each token once, the command prints one JSON object."""

import json
import lzma
import math
import random
import sys

import numpy as np
import pytest
import torch
from transformers import GPT2LMHeadModel

from shared.experiment import InputError
from spaces.chat import evaluate
from spaces.chat.evaluate import interval, measure, nats, read, windows
from spaces.chat.model import WEIGHTS, configuration
from spaces.chat.tasks.facts import VERSES
from spaces.chat.tokenizer import CpmTokenizer

EOD = 6


@pytest.fixture(scope="module")
def tiny():
    torch.manual_seed(0)
    config = configuration(300, EOD, "tiny")
    config.update({"n_positions": 32, "initializer_range": 0.3})  # far from uniform, or mistakes would not show
    return GPT2LMHeadModel(config).eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of our vocabulary as training saves it."""
    root = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    GPT2LMHeadModel(configuration(8000, EOD, "tiny")).save_pretrained(root)
    return root


@pytest.mark.parametrize("length", [1, 5, 31, 32, 33, 47, 48, 49, 100, 257])
def test_windows_count_every_prediction_once_from_half_a_context(length):
    counted = []
    for start, end, scored in windows(length, 32):
        assert 0 <= start < end <= length and end - start <= 32
        counted += range(end - scored, end)
        assert start == 0 or end - scored - start >= 16
    assert counted == list(range(length))


def _brute_force(model, row: list[int], context: int) -> float:
    """−ln p token by token, each in a forward pass of its own, with the context that its window gives it."""
    ids, total = [EOD, *row], 0.0
    for position, wanted in enumerate(row):
        end = position + 1
        over = max(0, end - context)  # predictions past the first window advance by half a context
        start = -(-over // (context // 2)) * (context // 2)
        start = min(start, max(0, len(row) - context))
        logits = model(torch.tensor([ids[start:end]])).logits[0, -1]
        total -= float(torch.log_softmax(logits.double(), -1)[wanted])
    return total


def test_nats_are_the_sum_by_brute_force(tiny, monkeypatch):
    monkeypatch.setattr(evaluate, "BATCH_TOKENS", 100)  # several batches
    rng = random.Random(0)
    rows = [[rng.randrange(7, 300) for _ in range(n)] for n in (1, 9, 31, 32, 33, 48, 75, 0, 12)]
    with torch.no_grad():
        expected = [_brute_force(tiny, row, 32) for row in rows]
    assert nats(tiny, rows, EOD) == pytest.approx(expected, rel=1e-5)


def test_documents_are_independent_of_each_other(tiny):
    rng = random.Random(1)
    rows = [[rng.randrange(7, 300) for _ in range(n)] for n in (20, 60, 3)]
    alone = [float(nats(tiny, [row], EOD)[0]) for row in rows]
    assert nats(tiny, rows[::-1], EOD)[::-1] == pytest.approx(alone, rel=1e-5)


def test_every_character_counts_once_and_a_rare_one_by_its_bytes(folder):
    model, tokenizer = evaluate.load(folder)
    texts = ["床前明月光\n疑是地上霜", "😀𠮷"]
    result = measure(model, tokenizer, texts)
    tokens = [len(tokenizer.encode(text)) for text in texts]
    assert (result["characters"], result["documents"], result["tokens"]) == (13, 2, sum(tokens)) and tokens[1] >= 8
    total = sum(nats(model, [tokenizer.encode(text)], EOD)[0] for text in texts) / math.log(2)
    assert result["bits_per_character"] == pytest.approx(total / 13, abs=1e-4)
    assert result["bits_per_character"] == pytest.approx(sum(tokens), rel=0.05)  # 12.97 bits a token, 13 characters


def test_interval_covers_the_mean_as_often_as_it_says():
    rng, covered = np.random.default_rng(1), 0
    for _ in range(200):
        characters = rng.integers(50, 150, 60).astype(float)
        low, high = interval(characters * rng.normal(4.0, 1.0, 60), characters, draws=300)
        covered += low <= 4.0 <= high
    assert 175 <= covered <= 200
    assert interval(np.full(9, 300.0), np.full(9, 100.0)) == [3.0, 3.0]


def test_rows_without_text_are_passed_over_and_bad_files_named(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"text": "甲"}\n{"text": ""}\n{"other": 1}\n{"text": "乙"}\n')
    assert read(path, None) == ["甲", "乙"] and read(path, 1) == ["甲"]
    (tmp_path / "broken.jsonl").write_text("{\n")
    (tmp_path / "broken.jsonl.xz").write_bytes(b"no xz")
    (tmp_path / "list.jsonl").write_text("[1]\n")
    (tmp_path / "empty.jsonl").write_text('{"text": ""}\n')
    for name in ("broken.jsonl", "broken.jsonl.xz", "list.jsonl", "empty.jsonl", "missing.jsonl"):
        with pytest.raises(InputError, match=name):
            read(tmp_path / name, None)


def test_command_prints_one_json_object_last(folder, tmp_path, monkeypatch, capsys):
    path, texts = tmp_path / "texts.jsonl.xz", ["，".join(pair) for pair in VERSES[:20]]
    with lzma.open(path, "wt") as file:
        file.writelines(json.dumps({"text": text}) + "\n" for text in texts)
    monkeypatch.setattr(sys, "argv", ["evaluate", str(path), "--model", str(folder)])
    evaluate.main()
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    tokens = sum(len(CpmTokenizer(WEIGHTS).encode(text)) for text in texts)
    assert result["characters"] == sum(map(len, texts)) and result["tokens"] == tokens
    low, high = result["interval"]
    assert low < result["bits_per_character"] < high
    monkeypatch.setattr(sys, "argv", ["evaluate", str(path), "--model", str(tmp_path)])
    with pytest.raises(SystemExit, match="config.json"):
        evaluate.main()
