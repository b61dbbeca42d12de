"""Readers by name: what strangers' checkpoints lack or claim is one sentence, and what is ours needs no name."""

from types import SimpleNamespace

import pytest
from safetensors.torch import load_file, save_file

from shared.experiment import InputError
from spaces.long_document import reader as readers
from spaces.long_document.positions import ON_THE_FLY, extend_positions, position_capacity
from spaces.long_document.reader import Reader, load_named, tasks_of
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


def test_our_own_folders_need_no_name_on_a_public_page(tmp_path, monkeypatch):
    monkeypatch.setenv("PUBLIC_PAGE", "1")
    monkeypatch.setattr(readers, "WEIGHTS", tiny.saved(tmp_path / "weights"))
    tuned = tiny.saved(tmp_path / "weights_performer")
    assert load_named(embedded=tuned).model is not load_named().model
    with pytest.raises(InputError, match="public page"):
        load_named(str(tuned))
