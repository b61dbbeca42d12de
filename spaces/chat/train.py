"""Trains the small CPM on packed tokens: `python -m spaces.chat.train --minutes N`.

The packed tokens come from `python -m spaces.chat.data`. One JSON line a validation goes to OUT/log.jsonl and to the
screen: bits per character of every source on its held-out texts, counted as `spaces.chat.evaluate` counts them. OUT
gets the weights of the best validation in Hugging Face format, bfloat16, in shards under 16 MB.

The learning rate follows the clock: up, level, and linearly to zero when the minutes are over; rows grow longer on the
way. On a CPU the clock is the process's processor time, so that a busy machine changes nothing but the hour. A run that
is cut off loses at most five minutes: the same command goes on from the checkpoint until the minutes of all its parts
together are over, and more minutes lengthen a finished run. --from takes weights alone and begins a new schedule.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from transformers import GPT2LMHeadModel

from shared.accelerator import autocast_dtype, clock, keep_memory
from spaces.chat.batches import COPIES, Batches, shuffled
from spaces.chat.data import load, question_form, starts
from spaces.chat.evaluate import nats
from spaces.chat.model import SIZES, WEIGHTS, configuration, hidden_states
from spaces.chat.optim import optimisers
from spaces.chat.tokenizer import CpmTokenizer

WARMUP, LEVEL = 0.02, 0.30  # shares of the run: the rate rises until the first and falls from the second
# Bits per character to reach, by source: 0.8 or 0.9 of an order-8 PPMd's.
PPMD = {"smilechat": 3.46, "kdconv": 2.85, "literature": 7.19, "poems": 7.06, "tech": 4.27, "wiki": 7.14}
TARGETS = {source: bits * (0.8 if source in ("smilechat", "tech") else 0.9) for source, bits in PPMD.items()}
CHECKPOINT_EVERY = 300.0  # seconds


@dataclass(frozen=True)
class Pace:
    """What a device can do between two looks at the clock."""

    batch: int
    """Tokens, in rows of one context each."""
    accumulate: int
    """Batches an update."""
    validation_tokens: int
    """Of each source."""
    validate_every: float
    """Seconds."""
    reserve: float
    """Seconds kept back for the last validation and the weights; on a CPU that comes after the minutes."""
    contexts: tuple[tuple[float, int], ...]
    """Share of the run from which rows have that many tokens: on a CPU short rows cost less attention, but positions
    beyond them stay untrained, and texts read at full length are charged for that."""


# An update of 8,192 tokens takes a core three seconds, of which Muon has .2; a GPU does 196,608 in under one.
PACES = {
    "cuda": Pace(98_304, 2, 60_000, 75.0, 8.0, ((0.0, 1024),)),
    "cpu": Pace(2048, 4, 4000, 1800.0, 0.0, ((0.0, 256), (0.5, 512), (0.75, 1024))),
}


@dataclass(frozen=True)
class Plan:
    """What one run does; see --help for the fields."""

    packed: Path
    out: Path
    state: Path
    minutes: float
    lr: float
    dropout: float
    batch: int | None
    accumulate: int | None
    validate_every: float | None
    seed: int
    size: str
    start: Path | None


def rate(progress: float) -> float:
    """Learning rate as a share of its peak, at a progress from 0 to 1."""
    if progress < WARMUP:
        return max(progress / WARMUP, 0.01)
    return 1.0 if progress < LEVEL else max(0.0, (1 - progress) / (1 - LEVEL))


def precision(device: torch.device) -> torch.autocast:
    """bfloat16 autocast where the hardware has it, else float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=autocast_dtype() is not None)


class LossOfBatch(torch.nn.Module):
    """Mean −ln p of a batch's targets; one module, so that one graph holds layers, output and loss."""

    def __init__(self, model: GPT2LMHeadModel):
        super().__init__()
        self.model = model

    def forward(self, ids: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        with precision(ids.device):
            logits = self.model.lm_head(hidden_states(self.model, ids)).flatten(0, 1)
        return F.cross_entropy(logits.float(), targets.flatten())


class Run:
    """One training run: model, optimisers, batches, clock, log and checkpoints."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self.accelerator = Accelerator(mixed_precision="no")  # the loss sees to its own precision
        self.device = self.accelerator.device
        self.pace = _pace(plan, self.device)
        torch.manual_seed(plan.seed)
        torch.set_float32_matmul_precision("high")
        self.meta, streams, held_out = load(plan.packed)
        streams["questions"] = question_form(streams, self.meta)
        self.model = self._model()
        stream = shuffled(streams, self.meta["eod"], COPIES, plan.seed)
        seed = plan.seed + self.accelerator.process_index
        self.batches = Batches(stream, self.meta["eod"], self.device, seed)
        self.validation = {s: self._documents(ids) for s, ids in held_out.items() if len(ids)}
        optims = optimisers(self.model, plan.lr)
        self.loss, *self.optims = self.accelerator.prepare(LossOfBatch(self.model), *optims)
        if self.device.type == "cuda":
            self.loss.compile(dynamic=False)
        self.steps, self.seconds, self.progress, self.best = 0, 0.0, 0.0, math.inf
        plan.out.mkdir(parents=True, exist_ok=True)
        self._resume()

    def _model(self) -> GPT2LMHeadModel:
        """A new model, or the weights given, in float32 with this run's dropout."""
        # What a compiled graph takes best; SDPA's backward is slow on a CPU. Weights do not depend on it.
        how = {"attn_implementation": "sdpa" if self.device.type == "cuda" else "eager"}
        drop = {"resid_pdrop": self.plan.dropout, "embd_pdrop": self.plan.dropout, "attn_pdrop": 0.0}
        if self.plan.start:
            return GPT2LMHeadModel.from_pretrained(self.plan.start, dtype=torch.float32, **how, **drop).to(self.device)
        config = configuration(self.meta["vocab_size"], self.meta["eod"], self.plan.size)
        config.update(drop)
        return GPT2LMHeadModel._from_config(config, **how).to(self.device)

    def _documents(self, ids: np.ndarray) -> list[np.ndarray]:
        """The first held-out documents of one stream, without their <eod>."""
        edges = starts(ids, self.meta["eod"])
        edges = edges[edges <= max(self.pace.validation_tokens, edges[1])]
        return [ids[a + 1 : b].astype(np.int64) for a, b in zip(edges[:-1], edges[1:], strict=True)]

    def step(self) -> torch.Tensor:
        """One update from `accumulate` batches; returns the mean loss, still on the device."""
        for optimiser in self.optims:
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * rate(self.progress)
        total = torch.zeros((), device=self.device)
        for _ in range(self.pace.accumulate):
            loss = self.loss(*self.batches.draw(self.pace.batch // self.context, self.context)) / self.pace.accumulate
            self.accelerator.backward(loss)
            total += loss.detach()
        self.accelerator.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimiser in self.optims:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self.steps += 1
        return total

    @property
    def context(self) -> int:
        """Tokens of a row at this progress."""
        context = next(c for share, c in reversed(self.pace.contexts) if self.progress >= share)
        return min(context, self.model.config.n_positions)

    @torch.no_grad()
    def validate(self, **figures) -> None:
        """Log bits per character of every source and keep the weights if they are the best so far."""
        self.model.eval()
        bits = {}
        for source, rows in self.validation.items():
            with precision(self.device):
                total = nats(self.model, rows, self.meta["eod"]).sum() / math.log(2)
            bits[source] = round(float(total) / self._characters(rows), 4)
        self.model.train()
        ratio = sum(bits[s] / TARGETS[s] for s in TARGETS if s in bits) / max(1, sum(s in bits for s in TARGETS))
        line = {"step": self.steps, "progress": round(self.progress, 4), **figures, "bits": bits}
        line |= {"mean_ratio_to_target": round(ratio, 4), "passes": round(self.batches.passes(), 3)}
        if self.accelerator.is_main_process:
            print(json.dumps(line), flush=True)
            with open(self.plan.out / "log.jsonl", "a") as log:
                log.write(json.dumps(line) + "\n")
        if ratio < self.best:
            self.best = ratio
            self.save()

    def _characters(self, rows: list[np.ndarray]) -> int:
        """Characters of the rows: the sum over their tokens, a byte piece counting where a character begins."""
        table = np.array(self.meta["token_characters"])
        return int(sum(table[row].sum() for row in rows))

    def save(self) -> None:
        """Weights in bfloat16 to OUT, in shards, with their configurations and the tokeniser."""
        if not self.accelerator.is_main_process:
            return
        state = {name: p.detach().to("cpu", torch.bfloat16) for name, p in self.model.state_dict().items()}
        state.pop("lm_head.weight")  # tied to the word embedding
        self.model.save_pretrained(self.plan.out, state_dict=state, max_shard_size="16MB")
        CpmTokenizer(WEIGHTS).save(self.plan.out)

    def checkpoint(self) -> None:
        """All that resuming needs, in one file that is replaced as a whole."""
        state = {
            "model": self.model.state_dict(), "optims": [o.state_dict() for o in self.optims], "steps": self.steps,
            "seconds": self.seconds, "best": self.best, "drawn": self.batches.drawn,
            "random": [torch.get_rng_state(), self.batches.generator.get_state()],
        }  # fmt: skip
        if self.accelerator.is_main_process:
            self.plan.state.parent.mkdir(parents=True, exist_ok=True)
            new = self.plan.state.with_suffix(".new")
            torch.save(state, new)
            new.replace(self.plan.state)

    def _resume(self) -> None:
        """Go on from the checkpoint where there is one."""
        if not self.plan.state.is_file():
            return
        state = torch.load(self.plan.state, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        for optimiser, saved in zip(self.optims, state["optims"], strict=True):
            optimiser.load_state_dict(saved)
        self.steps, self.seconds, self.best = state["steps"], state["seconds"], state["best"]
        self.batches.drawn = state["drawn"]
        torch.set_rng_state(state["random"][0].cpu())
        self.batches.generator.set_state(state["random"][1].cpu())

    def train(self, begun: float) -> None:
        """Steps until the minutes are over, from `begun` (on `clock`) and with those of earlier parts."""
        budget, earlier = max(1.0, 60 * self.plan.minutes - self.pace.reserve), self.seconds
        end = begun + budget - earlier
        self.progress = first = earlier / budget
        if first >= 1:
            return
        self.model.train()
        loss = self.step().item()  # compiles: the schedule's clock starts behind it
        drawn, since = self.batches.drawn, clock()
        checked = validated = since
        while self.progress < 1:
            mean = self.step()
            if self.steps % 10 == 0 or self.device.type == "cpu":
                loss = mean.item()  # waits for the device, so that the clock is honest
            now = clock()
            self.seconds = earlier + now - begun
            self.progress = min(1.0, first + (1 - first) * (now - since) / max(1.0, end - since))
            if now - validated >= self.pace.validate_every and end - now > self.pace.validate_every / 4:
                self.validate(loss=round(loss, 4), **self._speed(drawn, since))
                validated = clock()
            if now - checked >= CHECKPOINT_EVERY:
                self.checkpoint()
                checked = clock()
        self.checkpoint()  # the last validation may take long
        self.validate(loss=round(loss, 4), **self._speed(drawn, since))
        self.checkpoint()

    def _speed(self, drawn: int, since: float) -> dict[str, float]:
        tokens = (self.batches.drawn - drawn) * self.accelerator.num_processes
        seconds = clock() - since
        return {"seconds": round(seconds, 1), "tokens_per_second": round(tokens / seconds)}


def _pace(plan: Plan, device: torch.device) -> Pace:
    """The device's pace with what the plan says otherwise."""
    pace = PACES.get(device.type, PACES["cpu"])
    given = {name: getattr(plan, name) for name in ("batch", "accumulate", "validate_every")}
    if plan.start:  # weights that know all positions: the longest rows throughout
        given["contexts"] = ((0.0, pace.contexts[-1][1]),)
    return replace(pace, **{name: value for name, value in given.items() if value is not None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packed", type=Path, default=Path(".carry/chat"))
    parser.add_argument("--out", type=Path, default=Path("runs/chat"))
    parser.add_argument("--state", type=Path, help="checkpoint to resume from (OUT_state.pt)")
    parser.add_argument("--minutes", type=float, default=60.0, help="with earlier parts; on a CPU, of its time")
    parser.add_argument("--lr", type=float, default=3e-3, help="peak learning rate")
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--batch", type=int, help="tokens that go through at once (98,304 on a GPU, 2,048 on a CPU)")
    parser.add_argument("--accumulate", type=int, help="batches an update (2 on a GPU, 4 on a CPU)")
    parser.add_argument("--validate-every", type=float, help="seconds (75 on a GPU, 1800 on a CPU)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", choices=SIZES, default="small", help="medium wants a GPU, tiny is for tests")
    parser.add_argument("--from", dest="start", type=Path, help="folder of weights to begin with")
    keep_memory()
    args = parser.parse_args()
    args.state = args.state or args.out.with_name(args.out.name + "_state.pt")
    begun = clock()
    Run(Plan(**vars(args))).train(begun)


if __name__ == "__main__":
    main()
