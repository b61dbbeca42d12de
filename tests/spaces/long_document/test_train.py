"""The training command from pack to checkpoint, interrupted once, on two random layers."""

import json

import numpy as np
import pytest
from safetensors.torch import load_file

from spaces.long_document.data import Document, save_documents
from spaces.long_document.reader import CHANGES
from spaces.long_document.train import VARIANTS, main
from spaces.long_document.trainer import schedule


def test_schedule():
    assert schedule(0) == 0 and schedule(0.06) == pytest.approx(1) and schedule(1) == pytest.approx(0)
    assert schedule(0.53) == pytest.approx(0.5)


def test_stages_share_the_time_and_begin_with_earlier_ones():
    names = ["words"]
    for stage in VARIANTS:
        assert stage.start in names
        names.append(stage.name)


@pytest.fixture
def pack(tmp_path):
    random = np.random.default_rng(0)
    splits = {"province": ("train", "laws"), "genre": ("train", "chapters", "books")}
    documents = [
        Document(random.integers(4, 99, 600).astype(np.uint16), task, 7 * (task == "genre"), split, "")
        for task, names in splits.items()
        for split in names
        for _ in range(3)
    ]
    (tmp_path / "pack").mkdir()
    save_documents(documents, tmp_path / "pack")
    (tmp_path / "pack" / "pieces.tsv").write_text("<s>\t0\n<pad>\t0\n</s>\t0\n<unk>\t0\n<mask>\t0\n", encoding="utf-8")
    return tmp_path


@pytest.mark.slow
def test_a_run_is_interrupted_and_finished(pack, monkeypatch):
    command = ["--packed", str(pack / "pack"), "--out", str(pack / "out"), "--state", str(pack / "state")]
    command += ["--tiny", "--minutes", "0.06", "--reserve", "0", "--validate", "1", "--save-every", "0"]
    with monkeypatch.context() as broken:
        broken.setattr("spaces.long_document.train.Run.judge", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            main(command)
    assert json.loads((pack / "state" / "progress.json").read_text())["stage"] == "first"
    main(command)
    lines = [json.loads(line) for line in (pack / "out" / "log.jsonl").read_text().splitlines()]
    assert [line["variant"] for line in lines if "variant" in line] == ["first", "second", "soup"]
    assert sum(line.get("stage") == "words" and "budget" in line for line in lines) == 1
    main(["--packed", str(pack / "pack"), "--publish", str(pack / "out"), str(pack / "published")])
    assert (pack / "published" / "tokenizer.json").exists() and (pack / "published" / "model.safetensors").exists()
    config = json.loads((pack / "published" / "config.json").read_text())
    judged = ["--from", str(pack / "published"), "--judge", "--state", str(pack / "again")]
    main([*command[:2], "--out", str(pack / "judged"), *judged, *command[6:]])
    verdict = json.loads((pack / "judged" / "log.jsonl").read_text().splitlines()[-1])
    assert verdict["gains"] == pytest.approx(config["gains"], rel=0.05)  # the same model, its weights rounded twice
    recover(pack, command[6:])


def recover(pack, options):
    """Other attention is learnt by the attention's own weights alone, and only they are published."""
    own = ["--packed", str(pack / "pack"), "--from", str(pack / "published")]
    where = ["--out", str(pack / "taylor"), "--state", str(pack / "taylor_state"), "--attention", "taylor"]
    main([*own, *where, *options])
    main([*own, "--publish", str(pack / "taylor"), str(pack / "weights_taylor")])
    changed = load_file(pack / "weights_taylor" / CHANGES)
    assert changed and all(".attention." in name for name in changed)


def _interrupt(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize("choice", [["--judge"], ["--attention", "taylor"]])
def test_what_starts_from_a_classifier_wants_one(choice, capsys):
    with pytest.raises(SystemExit):
        main(["--packed", "pack", *choice])
    assert f"{choice[0]} needs --from DIR" in capsys.readouterr().err
