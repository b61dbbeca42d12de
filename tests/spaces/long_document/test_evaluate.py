"""The command on a tiny checkpoint: its JSON, its sample, its errors."""

import json
import shutil

import pytest
import torch
from transformers import BertConfig, BertModel

from spaces.long_document.classifier import build_classifier
from spaces.long_document.data import PROVINCES, share
from spaces.long_document.e5 import build_tokenizer
from spaces.long_document.evaluate import choose, main
from spaces.long_document.reader import load_named
from tests.spaces.long_document import tiny

PIECES = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *((c, -3.0) for c in "甲乙丙丁")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("reader")
    config = BertConfig(
        vocab_size=9,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=16,
    )
    build_classifier(BertModel(config, add_pooling_layer=False)).save_pretrained(folder / "model")
    build_tokenizer([*PIECES, ("<mask>", 0.0)], 256).save_pretrained(folder / "model")
    rows = [{"province": p, "text": "甲乙丙丁"[i % 4] * (5 + 3 * i)} for i, p in enumerate([*PROVINCES, None] * 2)]
    (folder / "laws.jsonl").write_text("\n".join(json.dumps(r, ensure_ascii=False) for r in rows), encoding="utf-8")
    return folder


def test_json_of_the_command(folder, capsys):
    main([str(folder / "laws.jsonl"), "--model", str(folder / "model"), "--readings", "8,whole"])
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert report["task"] == "province" and report["documents"] == 14
    assert set(report["accuracy"]) == set(report["macro_f1"]) == {"8", "whole"}
    assert all(0 <= value <= 1 for value in report["accuracy"].values())


def test_a_stranger_is_asked_for_its_own_labels(folder, tmp_path, capsys):
    """A checkpoint without our tasks has one, "labels": the provinces by another name, or nothing of use."""
    config = json.loads((folder / "model" / "config.json").read_text(encoding="utf-8"))
    for labels in ([*PROVINCES, *"abcdefghijkl"], [str(i) for i in range(19)]):
        model = shutil.copytree(folder / "model", tmp_path / labels[0])
        own = config | {"tasks": ["province"], "id2label": dict(enumerate(labels))}
        (model / "config.json").write_text(json.dumps(own, ensure_ascii=False), encoding="utf-8")
        command = [str(folder / "laws.jsonl"), "--model", str(model), "--readings", "8,whole"]
        if labels[0] == PROVINCES[0]:
            main(command)
            assert json.loads(capsys.readouterr().out.splitlines()[-1])["documents"] == 14
            continue
        with pytest.raises(SystemExit):
            main(command)
        assert "none of these documents' labels" in capsys.readouterr().err


def test_sample_is_fixed_by_the_texts(folder):
    _, every = choose(folder / "laws.jsonl")
    _, some = choose(folder / "laws.jsonl", 5)
    assert some == every[:5] and [share(t) for t, _ in every] == sorted(share(t) for t, _ in every)
    assert all(label in PROVINCES for _, label in every)


def test_reader_reads_beyond_its_positions_and_says_its_limit(folder):
    reader = load_named(str(folder / "model"))
    scores = tiny.classify(reader, "甲" * 200, "genre")
    assert sum(scores.values()) == pytest.approx(1) and len(scores) == 12
    assert reader.encode("甲乙丙" * 9, 8).shape == (1, 8)
    assert reader.tasks["province"] == (list(PROVINCES), slice(0, 7))
    with pytest.raises(ValueError, match="at most 256"):
        reader.encode("甲" * 300)


@pytest.mark.parametrize("wrong", [["laws.jsonl", "--readings", "512,all"], ["nowhere.jsonl"]])
def test_errors_are_one_sentence(folder, wrong, capsys):
    with pytest.raises(SystemExit):
        main([str(folder / wrong[0]), *wrong[1:], "--model", str(folder / "model")])
    assert "error:" in capsys.readouterr().err
