"""The character models: causal, alike but for the cell, and the same after saving."""

from __future__ import annotations

import json

import pytest
import torch

from shared.experiment import InputError
from spaces.gradient_flow import characters
from spaces.gradient_flow.characters import END, UNKNOWN, WEIGHTS, CharacterModel, Vocabulary, read, save
from spaces.gradient_flow.settings import CELLS

shipped = pytest.mark.skipif(not (WEIGHTS / "lstm").is_dir(), reason="the weights are not trained yet")


def model(cell: str) -> CharacterModel:
    torch.manual_seed(0)
    return CharacterModel(cell, 30, embedding=8, hidden=12).eval()


@pytest.mark.parametrize("cell", CELLS)
def test_no_model_sees_the_future(cell):
    ids = torch.randint(0, 30, (2, 9))
    other = ids.clone()
    other[:, 6:] = (other[:, 6:] + 1) % 30
    one, two = (model(cell)(x) for x in (ids, other))
    assert one.shape == (2, 9, 8)
    assert torch.allclose(one[:, :6], two[:, :6], atol=1e-6) and not torch.allclose(one[:, 6:], two[:, 6:], atol=1e-3)


@pytest.mark.parametrize("cell", CELLS)
def test_saved_weights_come_back_in_bf16(cell, tmp_path):
    before = model(cell)
    save(before, tmp_path / cell, {"bits": 6.5})
    after, trained = read(tmp_path / cell)
    assert trained == {"bits": 6.5} and after.name == cell
    for a, b in zip(before.parameters(), after.parameters(), strict=True):
        assert torch.equal(a.bfloat16().float(), b) and not b.requires_grad
    config = json.loads((tmp_path / cell / "config.json").read_text())
    assert config["vocabulary"] == 30 and config["cell"] == cell


def test_a_step_of_the_cell_is_a_step_of_the_model():
    lstm, ids = model("lstm"), torch.randint(0, 30, (7,))
    line = lstm.cell.run(lstm.embed(ids))
    assert torch.allclose(lstm.outputs(lstm.embed(ids)[None])[0], line.states[1:, 0], atol=1e-6)


@pytest.mark.parametrize("broken", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("how", [b"", b"{}", None])
def test_damaged_folders_are_named(broken, how, tmp_path):
    save(model("rnn"), tmp_path / "rnn", {})
    file = tmp_path / "rnn" / broken
    file.unlink() if how is None else file.write_bytes(how)
    with pytest.raises(InputError, match="weights: .*rnn"):
        read(tmp_path / "rnn")


def test_vocabulary_round_trip(tmp_path):
    vocabulary = Vocabulary("一二三\n")
    vocabulary.save(tmp_path)
    again = Vocabulary.load(tmp_path)
    assert len(again) == 6 and again.encode("三\n四") == [4, 5, UNKNOWN]
    assert [again.name(i) for i in (UNKNOWN, END, 2)] == ["", "■", "一"]


def test_baselines_may_be_missing(tmp_path):
    assert characters.baselines(tmp_path) == {}


@shipped
@pytest.mark.parametrize("cell", CELLS)
def test_shipped_models_beat_counts_of_pairs(cell):
    loaded, trained = characters.load(cell)
    assert loaded.sizes["vocabulary"] == len(Vocabulary.load())
    assert trained["bits"] < characters.baselines()["bigram_bits"]
    after = trained["bits_after"]
    assert after["1"] > after["4"] > after["16"]  # context pays
    ids = torch.tensor([Vocabulary.load().encode("他说：“今天天气很好，我们到河边去走一走")])
    likely = loaded.logits(loaded(ids))[0, -1].softmax(-1).topk(20).indices.tolist()
    assert Vocabulary.load().encode("。")[0] in likely or Vocabulary.load().encode("，")[0] in likely


@shipped
def test_shipped_weights_are_small():
    assert sum(file.stat().st_size for file in WEIGHTS.rglob("*") if file.is_file()) <= 12e6
