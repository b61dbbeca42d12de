"""Trains the character models: `python -m spaces.gradient_flow.train --cells lstm gru --characters 3 --minutes 20`.

Every cell reads as many characters at the same rates, the recurrent ones the same windows in the same order: what
differs in the end is the cell. The rate follows the characters read: up, level, and linearly to zero. `--minutes` (of
the clock, for each cell) only interrupts: a checkpoint is written every three minutes, and the same command goes on
from it. `--from` begins a new schedule with the weights of a folder, and with `--characters 0` only measures them. The
last line printed is one JSON object: for each cell bits per character of the held-out documents, overall and by the
last 1, 2, 4, … characters alone.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save_file
from torch import Tensor

from shared.accelerator import autocast_dtype
from spaces.gradient_flow.characters import WEIGHTS, CharacterModel, Vocabulary, read, save
from spaces.gradient_flow.corpus import DATA, Corpus, bigram_bits, corpus, pair_table, unigram_bits
from spaces.gradient_flow.pairs import Start, learn, prime
from spaces.gradient_flow.settings import CELLS
from spaces.gradient_flow.sweep import flushed

SHAPES = {"": (16, 128), "transformer": (6, 341)}
"""Windows of a batch and characters of a window: as many characters, and for the transformer all positions in use."""
FITTED = 64  # windows on which the read-out is fitted before training
WARMUP, LEVEL = 0.03, 0.4  # shares of the run: the rate rises until the first and falls from the second
CHUNK = 512  # characters whose logits are held at once: (512, 4096) stays in the cache
CHECKPOINT_EVERY = 180.0  # seconds
LAGS = (1, 2, 4, 8, 16, 32, 64, 128)
TARGETS = 1500


@dataclass(frozen=True)
class Plan:
    """What one run does; see --help for the fields."""

    cells: tuple[str, ...]
    characters: float
    minutes: float
    rate: float
    data: Path
    out: Path
    state: Path
    start: Path | None
    seed: int


class ReadOut(torch.autograd.Function):
    """Mean −ln p of the targets, its gradients made in the forward pass, so that no (N, V) tensor is ever whole."""

    @staticmethod
    def forward(ctx, vectors: Tensor, embedding: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
        """vectors (N, E), embedding (V, E), bias (V,), targets (N,) → a scalar."""
        fast = autocast_dtype() or torch.float32
        words, offset, n, total = embedding.to(fast), bias.to(fast), len(targets), vectors.new_zeros(())
        grads = [torch.empty_like(vectors), torch.zeros_like(embedding), torch.zeros_like(bias)]
        for begin in range(0, n, CHUNK):
            part, wanted = vectors[begin : begin + CHUNK].to(fast), targets[begin : begin + CHUNK, None]
            p = torch.addmm(offset, part, words.T).softmax(-1)
            total -= p.gather(1, wanted).float().clamp_min(1e-30).log().sum()
            p.scatter_add_(1, wanted, p.new_full(wanted.shape, -1.0))  # p − 1 at the target: the gradient
            grads[0][begin : begin + CHUNK] = p @ words
            grads[1] += p.T @ part
            grads[2] += (p.new_ones(1, len(p)) @ p)[0]
        ctx.save_for_backward(*(grad.div_(n) for grad in grads))
        return total / n

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        vectors, embedding, bias = ctx.saved_tensors
        return grad * vectors, grad * embedding, grad * bias, None


def rate(progress: float) -> float:
    """Learning rate as a share of its peak, at a progress from 0 to 1."""
    if progress < WARMUP:
        return max(progress / WARMUP, 0.01)
    return 1.0 if progress < LEVEL else max(0.0, (1 - progress) / (1 - LEVEL))


class Run:
    """The training of one cell: model, optimiser, order of windows, clock and checkpoint."""

    def __init__(self, cell: str, plan: Plan, text: Corpus, pairs: Start | None):
        self.plan, self.text, self.pairs, self.file = plan, text, pairs, plan.state / f"{cell}.pt"
        self.accelerator = Accelerator(mixed_precision="no")  # ReadOut sees to its own precision
        torch.manual_seed(plan.seed)
        self.shape = SHAPES.get(cell, SHAPES[""])
        model, self.earlier, self.seconds = self._start(cell)
        how = {"lr": plan.rate, "betas": (0.9, 0.98), "weight_decay": 0.01, "fused": True}
        optimiser = torch.optim.AdamW(model.parameters(), **how)
        self.model, self.optimiser = self.accelerator.prepare(model, optimiser)
        self.batch = 0
        self.batches = round(plan.characters * 1e6 / math.prod(self.shape))
        self._resume()

    def _start(self, cell: str) -> tuple[CharacterModel, float, float]:
        """A new model or the weights given; millions of characters and seconds that these have had."""
        if self.plan.start is None:
            model = CharacterModel(cell, len(self.text.vocabulary))
            prime(model, self.pairs, torch.from_numpy(self.windows(np.random.default_rng(0), FITTED)))
            return model, 0.0, 0.0
        model, trained = read(self.plan.start / cell)
        return model.train().requires_grad_(True), trained.get("characters", 0.0), trained.get("seconds", 0.0)

    def draw(self) -> Tensor:
        """The next windows (B, T + 1), cut at places that depend on the seed and the batch's number alone."""
        random = np.random.default_rng((self.plan.seed, round(self.earlier * 1e6), self.batch))
        return torch.from_numpy(self.windows(random, self.shape[0])).to(self.accelerator.device)

    def windows(self, random: np.random.Generator, rows: int) -> np.ndarray:
        """Rows (B, T + 1) of the training text, other ones in each process."""
        processes, length = self.accelerator.num_processes, self.shape[1] + 1
        places = random.integers(0, len(self.text.train) - length, rows * processes)
        cut = [self.text.train[p : p + length] for p in places[self.accelerator.process_index :: processes]]
        return np.stack(cut).astype(np.int64)

    def step(self) -> float:
        """One update; returns its loss in bits per character."""
        ids = self.draw()
        for group in self.optimiser.param_groups:
            group["lr"] = self.plan.rate * rate(self.batch / self.batches)
        vectors = self.model(ids[:, :-1]).flatten(0, 1)
        loss = ReadOut.apply(vectors, self.bare.embedding, self.bare.bias, ids[:, 1:].flatten())
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.batch += 1
        return loss.item() / math.log(2)

    def train(self) -> dict:
        """Steps until the characters are read or the minutes over; saves the weights and returns their measures."""
        begun = checked = time.monotonic()
        before, mean = self.seconds, None
        while self.batch < self.batches and time.monotonic() - begun < 60 * self.plan.minutes:
            with flushed():
                loss = self.step()
            mean = loss if mean is None else 0.98 * mean + 0.02 * loss
            self.seconds = before + time.monotonic() - begun
            if time.monotonic() - checked > CHECKPOINT_EVERY:
                checked = time.monotonic()
                self.checkpoint()
                print(json.dumps(self._line(mean)), flush=True)
        self.checkpoint()
        return self.finish()

    @property
    def bare(self) -> CharacterModel:
        return self.accelerator.unwrap_model(self.model)

    def _line(self, loss: float) -> dict:
        millions = self.earlier + self.batch * math.prod(self.shape) * self.accelerator.num_processes / 1e6
        figures = {"characters": round(millions, 3), "seconds": round(self.seconds), "bits": round(loss, 3)}
        return {"cell": self.bare.name, **figures}

    def finish(self) -> dict:
        """Measure on the held-out documents and write the weights."""
        line = self._line(bits(self.bare, self.text.validation))
        line["bits_after"] = bits_by_context(self.bare, self.text.validation)
        if self.accelerator.is_main_process:
            save(self.bare, self.plan.out / self.bare.name, line)
            print(json.dumps(line), flush=True)
        return line

    def checkpoint(self) -> None:
        """All that resuming needs, in one file that is replaced as a whole."""
        if not self.accelerator.is_main_process:
            return
        self.file.parent.mkdir(parents=True, exist_ok=True)
        new = self.file.with_suffix(".new")
        torch.save({"model": self.bare.state_dict(), "optimiser": self.optimiser.state_dict(), "batch": self.batch,
                    "batches": self.batches, "earlier": self.earlier, "seconds": self.seconds}, new)  # fmt: skip
        new.replace(self.file)

    def _resume(self) -> None:
        """Go on from the checkpoint of an unfinished run of the same length."""
        if not self.file.is_file():
            return
        state = torch.load(self.file, map_location=self.accelerator.device, weights_only=True)
        if (state["batches"], state["earlier"]) != (self.batches, self.earlier) or state["batch"] >= self.batches:
            return
        self.bare.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.batch, self.seconds = state["batch"], state["seconds"]


@torch.no_grad()
def bits(model: CharacterModel, ids: np.ndarray, rows: int = 32) -> float:
    """Bits per character of a stream, in windows of LAGS[-1] characters from the zero state."""
    length, total = LAGS[-1], 0.0
    windows = ids[: (len(ids) - 1) // length * length].reshape(-1, length), ids[1:]
    targets = windows[1][: windows[0].size].reshape(-1, length)
    for begin in range(0, len(targets), rows):
        x, y = (torch.from_numpy(w[begin : begin + rows].astype(np.int64)) for w in (windows[0], targets))
        total += float(_surprise(model, model(x.to(model.embedding.device)).flatten(0, 1), y.flatten()).sum())
    return total / targets.size


@torch.no_grad()
def bits_by_context(model: CharacterModel, ids: np.ndarray) -> dict[str, float]:
    """Bits per character when the same TARGETS characters are foretold from the last 1, 2, 4, … 128 alone."""
    places = np.linspace(LAGS[-1], len(ids) - 1, TARGETS).astype(int)
    wanted, found = torch.from_numpy(ids[places].astype(np.int64)), {}
    for lag in LAGS:
        x = torch.from_numpy(np.stack([ids[p - lag : p] for p in places]).astype(np.int64))
        last = torch.cat([model(part.to(model.embedding.device))[:, -1] for part in x.split(128)])
        found[str(lag)] = round(float(_surprise(model, last, wanted).mean()), 3)
    return found


def _surprise(model: CharacterModel, vectors: Tensor, targets: Tensor) -> Tensor:
    """−log2 p of each target: (N, E), (N,) → (N,)."""
    parts = zip(vectors.split(CHUNK), targets.to(vectors.device).split(CHUNK), strict=True)
    log_p = [model.logits(v).log_softmax(-1).gather(1, t[:, None])[:, 0] for v, t in parts]
    return torch.cat(log_p) / -math.log(2)


def prepared(plan: Plan) -> Corpus:
    """The encoded text, from STATE/text.npz where an earlier run left it; the vocabulary is OUT's, made once."""
    file, known = plan.state / "text.npz", plan.out / "vocabulary.json"
    vocabulary = Vocabulary.load(plan.out) if known.is_file() else None
    if file.is_file() and vocabulary:
        with np.load(file) as kept:
            if str(kept["characters"]) == vocabulary.characters:
                return Corpus(kept["train"], kept["validation"], vocabulary)
    text = corpus(plan.data, vocabulary)
    for folder in (plan.out, plan.state):
        folder.mkdir(parents=True, exist_ok=True)
    text.vocabulary.save(plan.out)
    np.savez(file, train=text.train, validation=text.validation, characters=text.vocabulary.characters)
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", nargs="+", choices=CELLS, default=CELLS)
    parser.add_argument("--characters", type=float, default=3.0, help="millions that each cell reads")
    parser.add_argument("--minutes", type=float, default=60.0, help="after which a cell's run is interrupted")
    parser.add_argument("--rate", type=float, default=5e-3, help="peak learning rate")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the texts")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="folder of the weights")
    parser.add_argument("--state", type=Path, default=Path("runs/gradient_flow"), help="folder of the checkpoints")
    parser.add_argument("--from", dest="start", type=Path, help="folder of weights to begin with")
    parser.add_argument("--seed", type=int, default=1)
    plan = Plan(**vars(parser.parse_args()))
    text = prepared(plan)
    table = pair_table(text.train, len(text.vocabulary))
    counts = {
        "unigram_bits": round(unigram_bits(text.train, text.validation, len(table)), 3),
        "bigram_bits": round(bigram_bits(table, text.validation), 3),
    }
    (plan.out / "baselines.json").write_text(json.dumps(counts) + "\n")
    pairs = None if plan.start else learned(plan, table, text)
    print(json.dumps(counts | {"cells": {cell: Run(cell, plan, text, pairs).train() for cell in plan.cells}}))


def learned(plan: Plan, table: np.ndarray, text: Corpus) -> Start:
    """What pairs teach, from STATE/pairs.safetensors where an earlier run left it."""
    file = plan.state / "pairs.safetensors"
    if file.is_file():
        return Start(**load_file(file))
    start = learn(table, text.train)
    save_file({name: tensor.contiguous() for name, tensor in vars(start).items()}, file)
    return start


if __name__ == "__main__":
    main()
