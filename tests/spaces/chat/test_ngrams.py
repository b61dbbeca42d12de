"""The counts beside the network: known values, sums to one, the mixture, the file."""

import json
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from shared.experiment import InputError
from spaces.chat import counting, ngrams
from spaces.chat.answer import answer
from spaces.chat.counting import count, evidence, fit, held_out
from spaces.chat.decode import Decoder
from spaces.chat.engines import Speaker
from spaces.chat.evaluate import nats
from spaces.chat.model import load
from spaces.chat.ngrams import FILE, MIXTURE, STEP, SURENESS, NGrams, WithCounts, sureness
from spaces.chat.sampling import Sampling
from tests.spaces.chat.tiny import tiny

EOD, V = 0, 12


@pytest.fixture(scope="module")
def text():
    """Documents that say 3 4 5 often, 3 4 6 twice, and noise."""
    rng = np.random.default_rng(0)
    parts = []
    for _ in range(200):
        parts += [[EOD], rng.integers(1, V, 6), [3, 4, 5] * 2, rng.integers(1, V, 3)]
    return np.concatenate([*parts, [EOD, 3, 4, 6], [EOD, 3, 4, 6]]).astype(np.uint16)


def test_probabilities_sum_to_one_and_follow_the_counts(text):
    made = count(text, V, EOD)
    for ids in ([EOD], [3], [3, 4], [1, 3, 4], [7, 7, 7], [], [2, 9, 3, 4]):
        p, known = made.probabilities(ids)
        assert p.min() > 0 and p.sum() == pytest.approx(1, abs=1e-5) and known <= min(len(ids), 4)
    p, known = made.probabilities([4, 5, 3, 4])
    assert known == 4 and p.argmax() == 5 and p[5] > 0.9
    assert made.chance([4, 5, 3, 4], 5) == (pytest.approx(p[5]), 4)


def test_shares_are_discounted_relative_frequencies(text):
    made = count(text, V, EOD, fewest=(1,))  # pairs alone: nothing longer counts them by what stood before
    pairs = Counter(zip(text[:-1].tolist(), text[1:].tolist(), strict=True))
    discount = counting._discounts(np.array(list(pairs.values())))[3]
    level = made.levels[0]
    share = math.exp(-STEP * level.share[level.find(4, 5)])
    wanted = (pairs[4, 5] - discount) / sum(n for (first, _), n in pairs.items() if first == 4)
    assert wanted * math.exp(-STEP) <= share <= wanted  # rounded down by less than a step


def test_discounts_by_chen_and_goodman():
    counts = np.repeat([1, 2, 3, 4, 9], [10, 4, 2, 1, 5])
    assert counting._discounts(counts) == pytest.approx([0, 5 / 9, 7 / 6, 17 / 9])


def test_rare_grams_are_dropped_and_nothing_reaches_over_a_document(text):
    few, all_ = count(text, V, EOD, (1, 1, 3)), count(text, V, EOD, (1, 1, 1))
    assert len(few.levels[2].token) < len(all_.levels[2].token) and len(few.levels[1].token) == len(
        all_.levels[1].token
    )
    assert all_.probabilities([EOD, 3, 4])[1] == 3 and few.probabilities([EOD, 3, 4])[1] == 2
    pair = all_.levels[0].find(5, EOD)  # a document ends with it: known, but not as a context
    assert pair == -1 or all_.levels[1].followers(pair).start == all_.levels[1].followers(pair).stop


def test_what_is_saved_is_loaded(text, tmp_path):
    made = count(text, V, EOD)
    made.weights = torch.rand(made.weights.shape)
    made.save(tmp_path)
    again = NGrams.load(tmp_path)
    assert torch.allclose(again.weights, made.weights, atol=1e-4) and again.nbytes == made.nbytes
    for ids in ([EOD], [5, 3, 4], [3, 4]):
        assert np.array_equal(again.probabilities(ids)[0], made.probabilities(ids)[0])
    assert NGrams.beside(tmp_path / "nowhere") is None


@pytest.mark.parametrize("harm", ["cut", "bomb", "no mixture", "nonsense"])
def test_a_damaged_file_is_one_sentence(text, tmp_path, monkeypatch, harm):
    count(text, V, EOD).save(tmp_path)
    data = (tmp_path / FILE).read_bytes()
    if harm == "no mixture":
        (tmp_path / MIXTURE).unlink()
    elif harm == "bomb":
        monkeypatch.setattr(ngrams, "MOST_BYTES", 100)
    else:
        (tmp_path / FILE).write_bytes(data[:-40] if harm == "cut" else b"nonsense")
    with pytest.raises(InputError, match="cannot be read"):
        NGrams.load(tmp_path)


def test_the_mixture_is_the_weighted_mean(text):
    made = count(text, V, EOD)
    torch.manual_seed(0)
    logits, ids = 3 * torch.randn(V), [5, 3, 4]
    p, known = made.probabilities(ids)
    made.weights[known, sureness(logits.log_softmax(0))] = 0.3
    wanted = 0.3 * logits.softmax(0) + 0.7 * torch.from_numpy(p)
    assert torch.allclose(made.mixed(logits, ids).exp(), wanted, atol=1e-6)
    assert made.nats(logits[None], torch.tensor([6]), [ids]).item() == pytest.approx(-math.log(wanted[6]), abs=1e-5)


def test_sureness_is_the_entropys_interval():
    even, sure = torch.zeros(V).log_softmax(0), torch.tensor([50.0] + [0.0] * (V - 1)).log_softmax(0)
    assert sureness(sure) == 0 and sureness(even) == sum(math.log(V) > edge for edge in SURENESS)


def test_fit_finds_the_better_one():
    rng = np.random.default_rng(1)
    cells = rng.integers(0, 2, 4000)
    good, bad = rng.uniform(0.5, 0.9, 4000), rng.uniform(0.0, 0.1, 4000)
    weights = fit(cells, np.where(cells == 0, good, bad), np.where(cells == 0, bad, good), 3)
    assert weights[0] > 0.95 and weights[1] < 0.05 and weights[2] == pytest.approx(0.5)


@dataclass
class Shelf:
    """What shared.models lends, as far as a speaker looks."""

    model: torch.nn.Module
    folder: Path
    tokenizer: None = None


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny network and counts of two sentences beside it."""
    path = tmp_path_factory.mktemp("counted")
    _, tokenizer = load(tiny(path))
    said = [tokenizer.eod_id, *tokenizer.encode("春风又绿江南岸，明月何时照我还。")] * 3
    made = count(np.array(said, np.uint16), tokenizer.size, tokenizer.eod_id)
    made.weights[:] = 0.2
    made.save(path)
    return path


def test_an_engine_with_counts_is_the_mixture_however_it_reads(folder):
    model, tokenizer = load(folder)
    made = NGrams.load(folder)
    plain, counted = Decoder(model), WithCounts(Decoder(model), made)
    ids = [tokenizer.eod_id, *tokenizer.encode("春风又绿江南")]
    wanted = torch.stack(
        [made.mixed(row, ids[: i + 1]) for i, row in enumerate(plain.read(ids, plain.cache(), len(ids)))]
    )
    cache = counted.cache()
    assert torch.allclose(counted.read(ids[:-2], cache, 3), wanted[-5:-2], atol=1e-4)
    stepped = [counted.step([token], [cache])[0] for token in ids[-2:]]
    assert torch.allclose(torch.stack(stepped), wanted[-2:], atol=1e-4)


def test_a_speaker_remembers_what_it_counted(folder):
    model, _ = load(folder)
    speaker = Speaker.of(Shelf(model, folder))
    alone = Speaker.of(Shelf(model, folder), counted=False)
    assert isinstance(speaker.engine, WithCounts) and not isinstance(alone.engine, WithCounts)
    greedy = Sampling(temperature=0.0, max_new_tokens=6)
    *_, last = answer(speaker, "春风又绿江南", greedy)
    *_, other = answer(alone, "春风又绿江南", greedy)
    assert last.text.startswith("岸，明月") and last.text != other.text


def test_evaluation_counts_each_token_once_with_the_mixture(folder):
    model, tokenizer = load(folder)
    made = NGrams.load(folder)
    rows = [tokenizer.encode("明月何时照我还。" * n) for n in (1, 30)]  # the second longer than the context
    engine = WithCounts(Decoder(model), made)
    ids = [tokenizer.eod_id, *rows[0]]
    logs = engine.read(ids[:-1], engine.cache(), len(rows[0]))
    wanted = -logs[torch.arange(len(rows[0])), torch.tensor(rows[0])].sum().item()
    both = nats(model, rows, tokenizer.eod_id, ngrams=made)
    assert both[0] == pytest.approx(wanted, rel=1e-4)
    assert both[1] < nats(model, rows, tokenizer.eod_id)[1] / 2


def test_the_command_counts_fits_and_writes(folder, tmp_path, monkeypatch, capsys):
    path = tmp_path / "weights"
    _, tokenizer = load(tiny(path))
    said = np.array([tokenizer.eod_id, *tokenizer.encode("春风又绿江南岸，明月何时照我还。")] * 4, np.uint16)
    packed = ({"eod": tokenizer.eod_id, "vocab_size": tokenizer.size}, {"poems": said}, {"poems": said})
    monkeypatch.setattr(counting, "load", lambda _: packed)
    monkeypatch.setattr(counting, "COUNTED", ("poems",))
    monkeypatch.setattr(counting, "FITTED", ("poems",))
    monkeypatch.setattr("sys.argv", ["counting", "--packed", "x", "--weights", str(path)])
    counting.main()
    told = json.loads(capsys.readouterr().out)["bits_per_token"]
    assert told["counts"] < told["mixture"] < 0.1 * told["network"]  # four texts: λ does not trust them wholly yet
    assert NGrams.load(path).weights.min() < 0.1


def test_half_of_the_held_out_documents_are_left_to_measure_on():
    ids = np.array([EOD, 1, 2, EOD, 3, EOD, 4, 5, 6, EOD, 7])
    assert [row.tolist() for row in held_out(ids, EOD, 100)] == [[1, 2], [4, 5, 6]]
    assert [row.tolist() for row in held_out(ids, EOD, 1)] == [[1, 2]]


def test_evidence_is_of_every_token_that_the_context_holds(folder):
    model, tokenizer = load(folder)
    rows = [tokenizer.encode("明月"), list(range(20, 20 + model.config.n_positions + 9))]
    cells, network, counts = evidence(model, NGrams.load(folder), rows, tokenizer.eod_id)
    assert len(cells) == len(network) == len(counts) == len(rows[0]) + model.config.n_positions - 1
    assert network.min() > 0 and counts.min() > 0
