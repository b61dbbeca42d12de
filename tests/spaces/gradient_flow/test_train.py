"""Training: its loss is cross-entropy with the right gradient, it resumes exactly, and it learns."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from spaces.gradient_flow import train
from spaces.gradient_flow.characters import UNKNOWN, CharacterModel, Vocabulary, baselines, read
from spaces.gradient_flow.corpus import Corpus, bigram_bits, pair_table, unigram_bits
from spaces.gradient_flow.pairs import Start, learn, prime
from spaces.gradient_flow.settings import CELLS

VOCABULARY = Vocabulary("abcdefgh")
SIZE = len(VOCABULARY)


def text(n: int = 12_000) -> Corpus:
    """Every character is the one before plus one or two, modulo eight; so 1 bit, and unigram 3 bits."""
    steps = np.random.default_rng(0).integers(1, 3, n)
    ids = (2 + np.cumsum(steps) % 8).astype(np.int16)
    return Corpus(ids[: n * 9 // 10], ids[n * 9 // 10 :], VOCABULARY)


@pytest.fixture(scope="module")
def start() -> Start:
    return learn(pair_table(text().train, SIZE), text().train, embedding=128, hidden=256, steps=20)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(train, "SHAPES", {"": (4, 32), "transformer": (2, 64)})
    monkeypatch.setattr(train, "FITTED", 16)
    monkeypatch.setattr(train, "TARGETS", 30)


def plan(tmp_path, **changes) -> train.Plan:
    fixed = {"cells": ("rnn",), "characters": 0.0026, "minutes": 5.0, "rate": 5e-3, "data": tmp_path, "out": tmp_path,
             "state": tmp_path / "state", "start": None, "seed": 1}  # fmt: skip
    return train.Plan(**fixed | changes)


def test_read_out_is_cross_entropy(monkeypatch):
    monkeypatch.setattr(train, "autocast_dtype", lambda: None)
    monkeypatch.setattr(train, "CHUNK", 7)
    torch.manual_seed(0)
    shapes = [(20, 5), (11, 5), (11,)]
    inputs = [torch.randn(shape, requires_grad=True) for shape in shapes]
    targets = torch.randint(0, 11, (20,))
    vectors, embedding, bias = inputs
    expected = F.cross_entropy(vectors @ embedding.T + bias, targets)
    loss = train.ReadOut.apply(*inputs, targets)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    for ours, theirs in zip(
        torch.autograd.grad(3 * loss, inputs), torch.autograd.grad(3 * expected, inputs), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


def test_rate_rises_stays_and_falls_to_zero():
    assert train.rate(0) < 0.05 and train.rate(train.WARMUP) == train.rate(train.LEVEL - 1e-9) == 1
    assert train.rate(0.7) == pytest.approx(0.5) and train.rate(1) == 0


def test_counts_of_a_known_source():
    known = text(40_000)
    table = pair_table(known.train, SIZE)
    np.testing.assert_allclose(table.sum(1), 1, rtol=1e-5)
    assert unigram_bits(known.train, known.validation, SIZE) == pytest.approx(3, abs=0.02)
    assert bigram_bits(table, known.validation) == pytest.approx(1, abs=0.02)


def test_pairs_learn_what_one_character_foretells(start):
    known = text()
    p = (start.vectors @ start.embedding.T + start.bias).log_softmax(-1) / -math.log(2)
    ids = torch.from_numpy(known.validation.astype(np.int64))
    assert p[ids[:-1], ids[1:]].mean() < 1.2
    model = CharacterModel("rnn", SIZE)
    untouched = train.bits(model, known.validation)
    prime(model, start, torch.from_numpy(known.train[:2048].astype(np.int64)).view(16, 128))
    assert train.bits(model, known.validation) < 2 < untouched
    assert torch.equal(model.embedding, start.embedding)


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_trains_and_saves(cell, start, tmp_path, small):
    line = train.Run(cell, plan(tmp_path), text(), start).train()
    assert line["bits"] < 2.5 and set(line["bits_after"]) == set(map(str, train.LAGS))
    model, trained = read(tmp_path / cell)
    assert trained == json.loads(json.dumps(line))
    assert model.name == cell and model.embedding.dtype == torch.float32
    assert train.bits(model, text().validation) == pytest.approx(line["bits"], abs=0.05)  # bf16 is near enough


def test_an_interrupted_run_goes_on_as_if_it_were_not(start, tmp_path, small, monkeypatch):
    whole = train.Run("lstm", plan(tmp_path / "a"), text(), start)
    whole.train()
    first = train.Run("lstm", plan(tmp_path / "b"), text(), start)
    for _ in range(7):
        first.step()
    first.checkpoint()
    second = train.Run("lstm", plan(tmp_path / "b"), text(), start)
    assert second.batch == 7
    second.train()
    for ours, theirs in zip(second.bare.parameters(), whole.bare.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


def test_weights_alone_begin_a_new_schedule(start, tmp_path, small):
    one = train.Run("gru", plan(tmp_path), text(), start).train()
    longer = train.Run("gru", plan(tmp_path, start=tmp_path), text(), None)
    assert longer.batch == 0 and longer.earlier == one["characters"]
    two = longer.train()
    assert two["characters"] == pytest.approx(2 * one["characters"], abs=0.002) and two["seconds"] >= one["seconds"]
    measured = train.Run("gru", plan(tmp_path, start=tmp_path, characters=0.0), text(), None).train()
    assert measured["characters"] == two["characters"]
    assert measured["bits"] == pytest.approx(two["bits"], abs=0.02)


def test_no_minutes_no_steps(start, tmp_path, small):
    run = train.Run("rnn", plan(tmp_path, minutes=0.0), text(), start)
    assert run.train()["characters"] == 0


def test_context_is_what_the_model_is_given(small):
    known = text()
    model = CharacterModel("lstm", SIZE)
    after = train.bits_by_context(model, known.validation)
    places = np.linspace(128, len(known.validation) - 1, 30).astype(int)
    with torch.no_grad():
        expected = [
            F.cross_entropy(
                model.logits(model(torch.from_numpy(known.validation[p - 4 : p].astype(np.int64))[None])[:, -1]),
                torch.tensor([int(known.validation[p])]),
            )
            for p in places
        ]
    assert after["4"] == pytest.approx(float(torch.stack(expected).mean()) / math.log(2), abs=1e-3)


def test_the_command_line(tmp_path, small, monkeypatch, capsys):
    monkeypatch.setattr(train, "corpus", lambda data, vocabulary: text())
    monkeypatch.setattr(train, "learn", lambda table, ids: learn(table, ids, steps=2))
    options = f"train --cells rnn su --characters 0.001 --out {tmp_path} --state {tmp_path / 'state'}"
    monkeypatch.setattr("sys.argv", options.split())
    train.main()
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(last["cells"]) == {"rnn", "su"} and last["unigram_bits"] == pytest.approx(3, abs=0.02)
    assert baselines(tmp_path) == {name: last[name] for name in ("unigram_bits", "bigram_bits")}
    monkeypatch.setattr(train, "corpus", None)  # a second run reads the text that the first one encoded
    train.main()
    assert Vocabulary.load(tmp_path).characters == VOCABULARY.characters and UNKNOWN == 0
