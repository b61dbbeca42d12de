"""Readers by name: what strangers' checkpoints lack or claim is one sentence, and what is ours needs no name."""

from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import MegatronBertConfig, MegatronBertForSequenceClassification

from shared.experiment import InputError
from spaces.long_document import reader as readers
from spaces.long_document import readings
from spaces.long_document.blockwise import SQUARE
from spaces.long_document.positions import ON_THE_FLY, extend_positions, position_capacity
from spaces.long_document.reader import CHANGES, Reader, load_changed, load_named, tasks_of
from tests.spaces.long_document import tiny


def test_a_long_table_is_not_squared():
    """1,024 rows would be 2**20 positions, and two int64 buffers as long; 32,768 written out here would be 2**30."""
    model = extend_positions(tiny.model(positions=1024))
    assert position_capacity(model) == ON_THE_FLY == 2**18
    assert model.bert.embeddings.position_ids.shape == (1, 2**18)


def test_extending_twice_leaves_buffers_of_one_length():
    model = extend_positions(extend_positions(tiny.model()), length=100)
    assert model.config.max_position_embeddings == position_capacity(model) == 100
    assert {b.shape[1] for b in model.bert.embeddings.buffers()} == {100}


@pytest.mark.parametrize("tasks", [["province"], None, {"mood": ["good", "bad"]}, {"a": 3}, {"a": []}, "tasks"])
def test_a_strangers_tasks_are_not_ours(tasks):
    model = tiny.model()
    model.config.tasks = tasks
    assert tasks_of(model) == {"labels": (["北京", "上海", "史书", "佛道", "医药养生"], slice(0, 5))}


def test_a_pooler_that_is_not_in_the_files_is_named(tmp_path):
    file = tiny.saved(tmp_path / "model") / "model.safetensors"
    save_file({k: v for k, v in load_file(file).items() if "pooler" not in k}, file, {"format": "pt"})
    with pytest.raises(InputError, match="model.*pooler"):
        load_named(str(file.parent))


def test_a_tokenizer_that_cannot_place_its_tokens_is_named():
    with pytest.raises(InputError, match="model.*place its tokens"):
        Reader(None, SimpleNamespace(is_fast=False), {}).placed("甲乙")


def test_families_with_scores_of_their_own_are_cut_or_slid_over(monkeypatch):
    """Timed, cut and slid over within what they take; their whole is refused."""
    config = MegatronBertConfig(vocab_size=99, hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
                                intermediate_size=8, max_position_embeddings=64)  # fmt: skip
    model = extend_positions(MegatronBertForSequenceClassification(config).eval())
    reader = Reader(model, None, tasks_of(model), "megatron")
    monkeypatch.setattr(readings, "load_named", lambda name: reader)
    assert reader.capacity == SQUARE < position_capacity(model)
    assert readings.Clock().seconds(reader, "sliding", 3000) > 0
    ids = torch.randint(5, 99, (1, 1500))
    for name in ("512", "sliding"):
        assert list(readings.perform(reader, ids, "labels", name))[-1][1].label
    with pytest.raises(InputError, match="at most 1024 fit"):
        list(readings.perform(reader, ids, "labels", "whole"))


@pytest.mark.parametrize("features", ["many", {"width": 3}])
def test_a_strangers_features_are_named(features):
    reader = tiny.reader()
    reader.model.config.performer_features = features
    ids = reader.encode("甲乙丙")
    assert list(readings.perform(reader, ids, "genre", "whole"))[-1][1].label
    with pytest.raises(InputError, match="model.*performer_features"):
        list(readings.perform(reader, ids, "genre", "performer"))


def test_changes_replace_some_of_the_defaults_tensors_and_no_others(tmp_path, monkeypatch):
    monkeypatch.setenv("PUBLIC_PAGE", "1")  # they need no name
    monkeypatch.setattr(readers, "WEIGHTS", tiny.saved(tmp_path / "weights"))
    base = load_named().model
    name = "bert.encoder.layer.0.attention.self.query.weight"
    tuned = tmp_path / "weights_performer"
    tuned.mkdir()
    save_file({name: torch.full_like(base.state_dict()[name], 0.5)}, tuned / CHANGES)
    changed = load_changed(tuned)
    assert load_changed(tuned) is changed and changed.tasks == load_named().tasks
    for key, tensor in changed.model.state_dict().items():
        assert torch.equal(tensor, base.state_dict()[key]) is (key != name), key
    assert not (base.state_dict()[name] == 0.5).all()
    save_file({"somebody.else": torch.zeros(1)}, tuned / CHANGES)
    readers._changed.clear()
    with pytest.raises(ValueError, match="another model"):
        load_changed(tuned)
