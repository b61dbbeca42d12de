"""One stage of training: a budget of seconds, a step size that follows it, a moving average, a way back."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor
from transformers import BertForSequenceClassification

from shared.accelerator import clock
from spaces.long_document.batches import Mix, Sampler, hide
from spaces.long_document.data import LABELS, Document, columns
from spaces.long_document.lexicon import Lexicon
from spaces.long_document.losses import Trainee, parameter_groups, smoothed_targets

WARMUP = 0.06
EAGER = 1024  # tokens up to which torch's plain attention trains faster on a CPU than its fused kernel in bf16


@dataclass(frozen=True)
class Stage:
    """What a stage does; its part of the time is `share`, and a loss whose weight is 0 is not computed."""

    name: str
    start: str  # the stage whose weights it begins with
    share: float
    rate: float
    mix: Mix
    layer_decay: float = 1.0
    hidden: float = 0.15  # of the words of every text
    words: float = 0.0  # weight of the hidden words' loss
    labels: float = 1.0
    evidence: float = 0.0  # weight of the loss of what each token speaks for
    sums: bool = False  # at its end the label is built: what all tokens speak for (classifier.sum_up)
    smoothing: float = 0.05
    weight_decay: float = 0.02
    average: float = 0.995  # of the weights, a step; 0 keeps the last ones


def schedule(done: float) -> float:
    """The step size at a fraction of the stage: linear warm-up, then half a cosine to zero."""
    if done < WARMUP:
        return done / WARMUP
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (done - WARMUP) / (1 - WARMUP))))


class Trainer:
    """Trains one classifier (extended already) for one stage; `folder` keeps the place to resume."""

    def __init__(
        self,
        accelerator: Accelerator,
        stage: Stage,
        classifier: BertForSequenceClassification,
        folder: Path,
        seed: int,
        attention: str | None = None,
        lexicons: dict[str, Lexicon] | None = None,
    ):
        """`lexicons`: task → what its words speak for, where the stage wants evidence."""
        self.lexicons = lexicons or {}
        self.accelerator, self.stage, self.folder, self.seed = accelerator, stage, folder, seed
        self.attention = attention  # None: the fastest exact one
        trainee = Trainee(classifier)
        groups = parameter_groups(trainee, stage.layer_decay, stage.weight_decay)
        fused = accelerator.device.type == "cuda"
        optimiser = torch.optim.AdamW(groups, lr=stage.rate, betas=(0.9, 0.98), eps=1e-6, fused=fused)
        self.trainee, self.optimiser = accelerator.prepare(trainee, optimiser)
        self.classifier = accelerator.unwrap_model(self.trainee).classifier
        self.parameters = list(self.classifier.parameters())
        self.average = [p.detach().clone() for p in self.parameters] if stage.average else []
        self.steps, self.spent = 0, 0.0

    def restore(self, steps: int, spent: float) -> None:
        """Go on where `checkpoint` was."""
        self.accelerator.load_state(str(self.folder / "step"))
        device = self.accelerator.device
        self.average = torch.load(self.folder / "average.pt", map_location=device, weights_only=True)
        self.steps, self.spent = steps, spent

    def checkpoint(self) -> dict:
        """Write weights, optimiser and average; returns what `restore` wants."""
        self.accelerator.save_state(str(self.folder / "step"))
        if self.accelerator.is_main_process:
            torch.save(self.average, self.folder / "average.pt")
        return {"stage": self.stage.name, "steps": self.steps, "spent": self.spent}

    def fit(
        self,
        documents: list[Document],
        budget: float,
        every: float,
        report: Callable[..., None],
        save: Callable[[dict], None],
    ) -> BertForSequenceClassification:
        """Train for `budget` seconds; `report` gets ten lines, `save` a place to resume every `every` s."""
        seed = zlib.crc32(f"{self.stage.name} {self.seed} {self.steps} {self.accelerator.process_index}".encode())
        sampler, generator = Sampler(documents, self.stage.mix, seed), torch.Generator().manual_seed(seed)
        saved, tally = clock(), Tally(self.accelerator.device)
        begin = saved - self.spent
        self.trainee.train()
        while (done := self._elapsed(begin) / budget) < 1:
            for group in self.optimiser.param_groups:
                group["lr"] = self.stage.rate * group["scale"] * schedule(done)
            tally.add(*self.step(sampler, generator))
            if tally.seconds > budget / 10:
                report(step=self.steps, of_budget=round(done, 3), **tally.take())
            if clock() - saved > every:
                save(self.checkpoint())
                saved = clock()
        return self.finish()

    def _elapsed(self, begin: float) -> float:
        """Seconds of this stage: the slowest process's, so that all stop at the same step."""
        self.spent = clock() - begin
        if self.accelerator.num_processes > 1:
            mine = torch.tensor([self.spent], device=self.accelerator.device)
            self.spent = float(self.accelerator.gather(mine).max())
        return self.spent

    def _put(self, tensor: torch.Tensor) -> torch.Tensor:
        """To the device without waiting for what it still computes."""
        device = self.accelerator.device
        return (tensor.pin_memory() if device.type == "cuda" else tensor).to(device, non_blocking=True)

    def step(self, sampler: Sampler, generator: torch.Generator) -> tuple[torch.Tensor, int]:
        """One batch; returns its three losses on the device, and the number of tokens."""
        stage = self.stage
        ids, labels, tasks = sampler.next()
        vocabulary = self.classifier.config.vocab_size
        damaged, *hidden = (self._put(x) for x in hide(ids, stage.hidden, vocabulary, generator))
        if self.attention:
            self.classifier.set_attn_implementation(self.attention)
        elif self.accelerator.device.type == "cpu":
            self.classifier.set_attn_implementation("eager" if ids.shape[1] <= EAGER else "sdpa")
        targets = self._put(smoothed_targets(labels, stage.smoothing)) if stage.labels else None
        evidence = tuple(map(self._put, evidence_of(ids, tasks, self.lexicons))) if stage.evidence else None
        with self.accelerator.autocast():
            losses = self.trainee(damaged, hidden if stage.words else None, targets, evidence)
        self.accelerator.backward(
            stage.labels * losses.label + stage.words * losses.word + stage.evidence * losses.evidence
        )
        self.accelerator.clip_grad_norm_(self.trainee.parameters(), 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.steps += 1
        if self.average:
            keep = min(stage.average, self.steps / (self.steps + 10))
            torch._foreach_lerp_(self.average, [p.detach() for p in self.parameters], 1 - keep)
        return torch.stack([loss.detach().float() for loss in losses]), ids.numel()

    def finish(self) -> BertForSequenceClassification:
        """The classifier with the averaged weights, free of the accelerator."""
        if self.average:
            for parameter, mean in zip(self.parameters, self.average, strict=True):
                parameter.data.copy_(mean)
        classifier = self.classifier
        self.accelerator.free_memory()
        return classifier


def evidence_of(ids: Tensor, tasks: list[str], lexicons: dict[str, Lexicon]) -> tuple[Tensor, Tensor]:
    """ids (B, L) → what every token speaks for (B, L, labels), and which labels that is known of (B, labels)."""
    evidence = torch.zeros(*ids.shape, len(LABELS))
    known = torch.zeros(len(ids), len(LABELS))
    for row, task in enumerate(tasks):
        own = columns(task)
        evidence[row, 1:-1, own] = torch.from_numpy(lexicons[task].evidence(ids[row, 1:-1].numpy()))
        known[row, own] = 1
    return evidence, known


class Tally:
    """Mean losses and speed since the last report; the losses stay on the device until then."""

    def __init__(self, device: torch.device):
        self.device = device
        self._clear()

    def _clear(self) -> None:
        self.start, self.steps, self.tokens = clock(), 0, 0
        self.sums = torch.zeros(3, device=self.device)

    @property
    def seconds(self) -> float:
        return clock() - self.start

    def add(self, losses: torch.Tensor, tokens: int) -> None:
        self.sums += losses
        self.steps, self.tokens = self.steps + 1, self.tokens + tokens

    def take(self) -> dict:
        """label_loss, word_loss, evidence_loss, tokens_per_second; and begin again."""
        label, word, evidence = (self.sums / max(1, self.steps)).tolist()
        speed = round(self.tokens / self.seconds)
        self._clear()
        losses = {"label_loss": round(label, 4), "word_loss": round(word, 4), "evidence_loss": round(evidence, 4)}
        return losses | {"tokens_per_second": speed}
