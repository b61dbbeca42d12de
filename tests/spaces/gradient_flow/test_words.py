"""What a prediction depends on: one sweep for all rows equals autograd row by row, in every cell."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
import torch

from shared.experiment import InputError
from spaces.gradient_flow import words
from spaces.gradient_flow.characters import END, UNKNOWN, CharacterModel, Vocabulary, save
from spaces.gradient_flow.settings import CELLS

VOCABULARY = Vocabulary("，。一二三四五六七八九十天地人你我他<>=()imgonerrlt\"'")


def tiny(cell: str, seed: int = 0) -> CharacterModel:
    torch.manual_seed(seed)
    model = CharacterModel(cell, len(VOCABULARY), embedding=8, hidden=12)
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return model.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Weights of a tiny random model of each cell."""
    folder = tmp_path_factory.mktemp("weights")
    VOCABULARY.save(folder)
    for seed, cell in enumerate(CELLS):
        save(tiny(cell, seed), folder / cell, {"bits": 9.9})
    return folder


def by_autograd(model: CharacterModel, ids: torch.Tensor) -> torch.Tensor:
    """One gradient a prediction, each through a forward pass of its own over what came before."""
    norms = torch.zeros(len(ids), len(ids), dtype=torch.float64)
    for i in range(len(ids)):
        x = model.embed(ids[: i + 1]).clone().requires_grad_()
        log_p = model.logits(model.out(model.outputs(x[None]))[0, -1]).log_softmax(-1)
        target = ids[i + 1] if i + 1 < len(ids) else log_p.argmax()
        norms[i, : i + 1] = torch.autograd.grad(log_p[target], x)[0].norm(dim=-1)
    return norms


@pytest.mark.parametrize("cell", CELLS)
def test_one_sweep_is_autograd_row_by_row(cell):
    model, ids = tiny(cell).double(), torch.randint(2, len(VOCABULARY), (40,))
    norms, log_p = words.gradients(model, ids)
    expected = by_autograd(model, ids)
    assert norms.shape == (40, 40) and log_p.shape == (40, len(VOCABULARY))
    assert (norms - expected).abs().max() < 1e-6 * expected.max()
    assert norms.diagonal().min() > 0  # every prediction depends on the character just read
    assert norms.triu(1).abs().max() == 0


@pytest.mark.parametrize("cell", CELLS)
def test_rows_are_predictions_of_the_text(cell, folder):
    text = "天地人，你我他。一二三"
    found = words.depend(text, (cell,), folder)[cell]
    n = len(text)
    assert found.norms.shape == found.shares.shape == (n + 1, n)
    assert not found.norms[0].any() and math.isnan(found.bits[0]) and found.top[0] == ()
    assert np.triu(found.norms[:-1], 0).max() == 0  # row i sees characters before i only
    np.testing.assert_allclose(found.shares[1:].sum(1), 1)
    model = words.load(cell, folder)[0]
    p = model.logits(model(torch.tensor([VOCABULARY.encode(text)]))[0]).softmax(-1)
    assert found.bits[3] == pytest.approx(-math.log2(p[2, VOCABULARY.encode(text)[3]]), rel=1e-4)
    assert found.top[-1][0][1] == pytest.approx(float(p[-1].max()), rel=1e-4)
    assert found.bits[-1] == pytest.approx(-math.log2(p[-1].max()), rel=1e-4)
    assert len(found.top[1]) == words.TOP and all(len(c) <= 1 for c, _ in found.top[1])


def test_unknown_characters_are_named(folder):
    found = words.depend("天鑫地", ("rnn",), folder)["rnn"]
    assert found.unknown == (1,)
    assert VOCABULARY.encode("天鑫") == [VOCABULARY.encode("天")[0], UNKNOWN]
    assert VOCABULARY.name(UNKNOWN) == "" and VOCABULARY.name(END) == "■"


def test_shares_by_lag_of_a_known_matrix():
    n = 6
    norms = np.zeros((n + 1, n))
    for i in range(1, n + 1):
        norms[i, i - 1] = 3.0  # three quarters on the last character, a quarter on the one before
        norms[i, max(0, i - 2)] += 1.0
    found = words.Dependence("rnn", "一二三四五六", norms, np.zeros(n + 1), ((),) * (n + 1), ())
    np.testing.assert_allclose(found.by_lag(), [0.75, 0.25, 0.0])
    assert found.reach(0.5) == 1 and found.reach(0.9) == 2


@pytest.mark.parametrize("cell", CELLS)
def test_occlusion_is_a_change_of_log_probability(cell):
    model, ids = tiny(cell), torch.randint(2, len(VOCABULARY), (12,))
    changes = words.occlude(model, ids)
    other = ids.clone()
    other[4] = UNKNOWN
    log_p = [model.logits(model(x[None])[0]).log_softmax(-1)[8, ids[9]] for x in (ids, other)]
    assert changes[8, 4] == pytest.approx(float((log_p[1] - log_p[0]).abs()), abs=1e-5)
    assert changes.triu(1).abs().max() == 0


def test_faithfulness_finds_a_linear_model_faithful():
    model = tiny("rnn")
    model.W *= 0.05
    model.U *= 0.5
    found = words.faithfulness(model, [torch.randint(2, len(VOCABULARY), (30,)).tolist()])
    assert found["row"] > 0.5
    assert -1 <= found["lag"] <= 1


@pytest.mark.parametrize("text", ["", "一", "一" * 301, None, 7])
def test_a_text_out_of_bounds_is_refused(text, folder):
    with pytest.raises(InputError, match="text: .*300"):
        words.depend(text, CELLS, folder)


def test_weights_that_are_not_there_are_named(tmp_path):
    VOCABULARY.save(tmp_path)
    with pytest.raises(InputError, match="weights: .*lstm"):
        words.depend("一二", ("lstm",), tmp_path)
    with pytest.raises(InputError, match="vocabulary.json"):
        words.depend("一二", ("lstm",), tmp_path / "none")
    with pytest.raises(InputError, match="cells: "):
        words.depend("一二", ("mamba",), tmp_path)


def test_a_hundred_characters_through_full_sizes_take_seconds_at_most():
    ids = torch.randint(2, 4096, (100,))
    models = [CharacterModel(cell, 4096).requires_grad_(False) for cell in CELLS]
    begun = time.process_time()
    for model in models:
        words.gradients(model, ids)
    assert time.process_time() - begun < 10  # measured: about 1 s on a quiet core
