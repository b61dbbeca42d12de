"""The commands: train both models, go on from the checkpoint and from weights, evaluate."""

import json
import lzma
import random
import subprocess
import sys

import pytest
import torch

from spaces.xiangqi.board import iccs, parse_iccs
from spaces.xiangqi.data import is_validation, read_games
from spaces.xiangqi.rules import Position
from spaces.xiangqi.train import WARMUP_STEPS, learning_rate


def _row(rng: random.Random) -> dict:
    position, words, best = Position(), [], []
    for _ in range(36):
        legal = position.legal_moves()
        if not legal:
            break
        best.append(iccs(rng.choice(legal)))
        words.append(iccs(legal[rng.randrange(len(legal))]))
        position.push(parse_iccs(words[-1]))
    return {"moves": " ".join(words), "best": best}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("data"), random.Random(0)
    human, labelled, unseen = [], [], 0
    while unseen < 3:
        row = _row(rng)
        unseen += is_validation(row["moves"].split())
        human.append({"moves": row["moves"], "result": rng.choice(["1-0", "0-1", "1/2-1/2", "*"])})
        labelled.append({"moves": row["moves"], "from": 6, "best": " ".join(row["best"][6:]),
                         "cp": [rng.randrange(-500, 500) for _ in row["best"][6:]]})
    for name, rows in (("games", human), ("labelled", labelled)):
        with lzma.open(folder / f"{name}.jsonl.xz", "wt") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
    return folder


def test_files_are_read_ply_by_ply(data):
    human, labelled = read_games(data / "games.jsonl.xz"), read_games(data / "labelled.jsonl.xz")
    assert (human.moves == labelled.moves).all() and (human.best == -1).all()
    first = labelled.best[: labelled.lengths[0]]
    assert (first[:6] == -1).all() and (first[6:] >= 0).all()
    assert human.validation.sum() == 3 and set(human.result.tolist()) <= {1, 0, -1, 2}


def test_learning_rate_warms_up_stays_and_cools_down_when_asked():
    assert learning_rate(1.0, 0, 1e4, 0) == 1 / WARMUP_STEPS
    assert learning_rate(1.0, 10**4, 0.1, 0) == learning_rate(1.0, 10**4, 60, 60) == 1.0
    assert learning_rate(1.0, 10**4, 30, 60) == pytest.approx(0.5)
    assert learning_rate(1.0, 10**4, 0, 60) == learning_rate(1.0, 10**4, -1, 60) == 0.0


def _run(*words) -> list[dict]:
    done = subprocess.run([sys.executable, "-m", *map(str, words)], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_train_resume_and_evaluate(data, tmp_path):
    flags = ["--data", data, "--out", tmp_path, "--size", "tiny", "--few",
             "--windows", 8, "--games", 4, "--validation-windows", 4]
    log = _run("spaces.xiangqi.train", "--model", "both", "--minutes", 0.1, *flags)
    assert log[-1]["done"] and {line["model"] for line in log if "validation" in line} == {"sighted", "faithful"}
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json", ".jsonl", ".safetensors"}
    before = json.loads((tmp_path / "checkpoint/sighted/state.json").read_text())
    log = _run("spaces.xiangqi.train", "--minutes", 0.2, "--resume", *flags)
    assert next(line for line in log if "resumed" in line)["resumed"] == before
    assert json.loads((tmp_path / "checkpoint/sighted/state.json").read_text())["step"] > before["step"]
    _run("spaces.xiangqi.train", "--model", "faithful", "--minutes", 0.05, "--from", tmp_path, *flags)
    result = _run("spaces.xiangqi.evaluate", data / "games.jsonl.xz", "--limit", 3, "--weights", tmp_path)[-1]
    for figures in result.values():
        assert figures["plies"] > 80 and 0 < figures["illegal_mass"] < 1
        assert 0 <= figures["top1"] <= figures["top5"] <= 1
        assert sum(part["plies"] for part in figures["by_phase"].values()) == figures["plies"]
    assert _run("spaces.xiangqi.evaluate", data / "labelled.jsonl.xz", "--weights", tmp_path)[-1] == {
        "sighted": {"plies": 0, "by_phase": {}}, "faithful": {"plies": 0, "by_phase": {}}}


def test_checkpoint_restores_every_tensor(tmp_path):
    from spaces.xiangqi.optim import optimizers
    from spaces.xiangqi.tasks import FaithfulTask
    from spaces.xiangqi.train import Average, load_checkpoint, save_checkpoint

    class Task:
        def __init__(self):
            self.model = FaithfulTask.build(None, "tiny", "sdpa")

    tasks = [Task(), Task()]
    optims = [optimizers(task.model, 1e-2) for task in tasks]
    averages = [Average(task.model) for task in tasks]
    tasks[0].model(torch.randint(1, 20, (2, 30))).logits.square().mean().backward()
    for optim in optims[0]:
        optim.step()
    save_checkpoint(tmp_path / "c", tasks[0], optims[0], averages[0], {"step": 1})
    assert load_checkpoint(tmp_path / "c", tasks[1], optims[1], averages[1]) == {"step": 1}
    for a, b in zip(*(task.model.parameters() for task in tasks), strict=True):
        assert torch.equal(a, b)
    for a, b in zip(averages[0].mean, averages[1].mean, strict=True):
        assert torch.equal(a, b)
    for mine, theirs in zip(*optims, strict=True):
        mine, theirs = mine.state_dict()["state"], theirs.state_dict()["state"]
        assert mine.keys() == theirs.keys() and len(mine) > 3
        for index, slots in mine.items():
            assert all(torch.equal(torch.as_tensor(slots[key]), torch.as_tensor(theirs[index][key])) for key in slots)
