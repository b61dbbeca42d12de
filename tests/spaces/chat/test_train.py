"""A tiny model learns a batch by heart; a run that is cut off ends as one that is not; weights alone begin anew."""

import dataclasses
import json
import lzma
import math
import sys

import numpy as np
import pytest
import torch
from safetensors import safe_open
from transformers import GPT2LMHeadModel

from shared.accelerator import clock
from spaces.chat import train
from spaces.chat.model import WEIGHTS
from spaces.chat.tokenizer import CpmTokenizer
from spaces.chat.train import LEVEL, PACES, WARMUP, Plan, Run, rate

EOD, VOCABULARY = 6, 300


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """A pack of two small sources: documents that count upwards from a random id."""
    folder, rng = tmp_path_factory.mktemp("packed"), np.random.default_rng(0)
    for source in ("smilechat", "kdconv"):
        for split, number in (("train", 60), ("val", 6)):
            documents = [[EOD, *range(a := rng.integers(20, 200), a + rng.integers(10, 90))] for _ in range(number)]
            ids = np.concatenate(documents).astype(np.uint16)
            (folder / f"{source}.{split}.xz").write_bytes(lzma.compress(ids.tobytes()))
    meta = {
        "vocab_size": VOCABULARY, "eod": EOD, "sources": {"smilechat": {}, "kdconv": {}},
        "token_characters": [0] * 20 + [1] * (VOCABULARY - 20),
        "roles": {"用户": 10, "助手": 11, "问": 12, "答": 13, "：": 14, "\n": 15},
    }  # fmt: skip
    (folder / "meta.json").write_text(json.dumps(meta))
    return folder


@pytest.fixture
def plan(packed, tmp_path):
    return Plan(
        packed=packed, out=tmp_path / "out", state=tmp_path / "state.pt", minutes=0.05, lr=3e-3, dropout=0.1, batch=256,
        accumulate=2, validate_every=None, seed=1, size="tiny", start=None,
    )  # fmt: skip


def _equal(one: Run, two: Run) -> bool:
    pairs = zip(one.model.parameters(), two.model.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def _steps(run: Run, number: int) -> list[float]:
    run.model.train()
    run.progress = 0.1
    return [run.step().item() for _ in range(number)]


def test_rate_rises_stays_and_falls_to_zero():
    assert rate(0.0) == 0.01 and rate(WARMUP / 2) == pytest.approx(0.5)
    assert rate(WARMUP) == rate((WARMUP + LEVEL) / 2) == rate(LEVEL) == 1.0
    assert rate((1 + LEVEL) / 2) == pytest.approx(0.5) and rate(1.0) == 0.0


def test_a_device_has_its_pace_and_the_plan_the_last_word(plan):
    free = dataclasses.replace(plan, batch=None, accumulate=None, size="small")
    assert train._pace(free, torch.device("cuda")) == PACES["cuda"]
    assert train._pace(free, torch.device("cpu")) == train._pace(free, torch.device("mps")) == PACES["cpu"]
    mine = train._pace(dataclasses.replace(free, batch=7), torch.device("cpu"))
    assert mine == dataclasses.replace(PACES["cpu"], batch=7)
    further = train._pace(dataclasses.replace(free, start=plan.out), torch.device("cpu"))
    assert further == dataclasses.replace(PACES["cpu"], contexts=((0.0, 1024),))


def test_loss_begins_at_ln_v_and_a_batch_is_learned_by_heart(plan):
    run = Run(dataclasses.replace(plan, dropout=0.0, accumulate=1, lr=0.02))
    batch = run.batches.draw(2, 128)
    run.batches.draw = lambda rows, context: batch
    losses = _steps(run, 60)
    assert losses[0] == pytest.approx(math.log(VOCABULARY), rel=0.03)
    assert losses[-1] < 0.1


def test_a_run_cut_off_ends_as_one_that_is_not(plan, tmp_path):
    whole = Run(plan)
    losses = _steps(whole, 6)
    other = dataclasses.replace(plan, out=tmp_path / "other", state=tmp_path / "other.pt")
    first = Run(other)
    early = _steps(first, 3)
    first.checkpoint()
    second = Run(other)
    assert second.steps == 3 and _equal(first, second)
    assert early + _steps(second, 3) == losses
    assert _equal(whole, second) and second.batches.drawn == whole.batches.drawn


def test_weights_alone_are_taken_as_saved_and_begin_a_new_run(plan, tmp_path):
    run = Run(plan)
    _steps(run, 3)
    run.save()
    fresh = dataclasses.replace(plan, out=tmp_path / "new", state=tmp_path / "new.pt", start=plan.out)
    one, two = Run(fresh), Run(fresh)
    for mine, saved in zip(one.model.parameters(), run.model.parameters(), strict=True):
        assert torch.equal(mine, saved.bfloat16().float()) and mine.dtype == torch.float32
    assert one.steps == 0 and one.seconds == 0 and one.model.config.resid_pdrop == 0.1
    torch.manual_seed(5)
    losses = _steps(one, 3)
    torch.manual_seed(5)
    assert _steps(two, 3) == losses and _equal(one, two)


@pytest.mark.slow
def test_minutes_count_over_all_parts_of_a_run(plan):
    run = Run(plan)
    run.train(clock())
    assert run.progress == 1.0 and run.seconds == pytest.approx(3.0, abs=2.5)
    lines = [json.loads(line) for line in (plan.out / "log.jsonl").read_text().splitlines()]
    assert set(lines[-1]["bits"]) == {"smilechat", "kdconv"} and lines[-1]["step"] == run.steps
    again = Run(plan)
    again.train(clock())
    assert again.steps == run.steps  # its minutes are over
    longer = Run(dataclasses.replace(plan, minutes=0.1))
    longer.train(clock())
    assert longer.steps > run.steps and longer.seconds > run.seconds


def test_validation_counts_as_evaluate_does(plan):
    run = Run(dataclasses.replace(plan, dropout=0.0))
    run.validate()
    bits = json.loads((plan.out / "log.jsonl").read_text())["bits"]["kdconv"]
    rows, total, characters = run.validation["kdconv"], 0.0, 0
    assert sum(map(len, rows)) <= PACES["cpu"].validation_tokens
    with torch.no_grad():
        for row in rows:
            ids = torch.tensor([[EOD, *row.tolist()]])
            logs = run.model.eval()(ids).logits.log_softmax(-1)[0, :-1]
            total -= float(logs.gather(1, ids[0, 1:, None]).sum())
            characters += len(row)
    assert bits == pytest.approx(total / math.log(2) / characters, rel=0.01)  # bfloat16 where the processor has it


def test_the_best_weights_are_kept_in_bfloat16_and_tied(plan):
    run = Run(plan)
    run.validate()
    best = run.best
    model = GPT2LMHeadModel.from_pretrained(plan.out)
    assert model.lm_head.weight is model.transformer.wte.weight
    with safe_open(plan.out / "model.safetensors", "pt") as file:
        assert {file.get_tensor(name).dtype for name in file.keys()} == {torch.bfloat16}
    for p in run.model.parameters():
        p.data.mul_(3.0)  # worse
    run.validate()
    assert run.best == best
    after = GPT2LMHeadModel.from_pretrained(plan.out)
    assert torch.equal(model.transformer.wte.weight, after.transformer.wte.weight)


def test_command_trains_with_the_real_vocabulary(packed, tmp_path, monkeypatch):
    meta = json.loads((packed / "meta.json").read_text())
    assert CpmTokenizer(WEIGHTS).eod_id == meta["eod"]
    flags = {"packed": packed, "out": tmp_path / "out", "minutes": 0.03, "batch": 256}
    words = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
    monkeypatch.setattr(sys, "argv", ["train", *words, "--size", "tiny"])
    train.main()
    assert (tmp_path / "out_state.pt").is_file() and (tmp_path / "out" / "config.json").is_file()
