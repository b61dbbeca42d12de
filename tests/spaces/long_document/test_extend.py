"""The command: a checkpoint goes in, an ordinary longer one comes out."""

import json

import pytest
import torch
from tokenizers import Tokenizer, models
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
)
from transformers import PreTrainedTokenizerFast as FastTokenizer

from spaces.long_document.extend import main


@pytest.fixture
def checkpoint(tmp_path):
    config = BertConfig(
        vocab_size=6,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        max_position_embeddings=4,
    )
    BertForSequenceClassification(config).to(torch.bfloat16).save_pretrained(tmp_path / "in")
    vocabulary = Tokenizer(models.WordLevel({c: i for i, c in enumerate("?abcde")}, unk_token="?"))
    FastTokenizer(tokenizer_object=vocabulary, model_max_length=4, unk_token="?").save_pretrained(tmp_path / "in")
    return tmp_path


def test_command_writes_an_ordinary_checkpoint(checkpoint, capsys):
    main([str(checkpoint / "in"), str(checkpoint / "out"), "--length", "10", "--alpha", "0.3"])
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["length"] == 10
    model = AutoModelForSequenceClassification.from_pretrained(checkpoint / "out", dtype="auto").eval()
    assert model.config.max_position_embeddings == 10 and model.dtype == torch.bfloat16
    assert AutoTokenizer.from_pretrained(checkpoint / "out").model_max_length == 10
    before = AutoModelForSequenceClassification.from_pretrained(checkpoint / "in", dtype="auto").eval()
    ids = torch.tensor([[1, 2, 3, 4]])
    assert torch.equal(model(ids).logits, before(ids).logits)
    assert model(torch.arange(10)[None] % 6).logits.isfinite().all()


@pytest.mark.parametrize("wrong", [["--length", "17"], ["--length", "8", "--alpha", "0.5"]])
def test_command_names_the_field(checkpoint, wrong, capsys):
    with pytest.raises(SystemExit) as stop:
        main([str(checkpoint / "in"), str(checkpoint / "out"), *wrong])
    assert stop.value.code == 2
    assert wrong[-2].strip("-") in capsys.readouterr().err
    assert not (checkpoint / "out").exists()


def test_nothing_is_overwritten_and_a_missing_folder_is_named(checkpoint, capsys):
    for source, out, field in (("./missing", "out", "model"), (str(checkpoint / "in"), "in", "out")):
        with pytest.raises(SystemExit):
            main([source, str(checkpoint / out), "--length", "8"])
        assert f"{field}: " in capsys.readouterr().err
