"""Teach the extended encoder to read laws and classical chapters, in the minutes it is given.

    python -m spaces.long_document.data --pack .carry/long
    python -m spaces.long_document.train --packed .carry/long --out runs/long --minutes 7
    python -m spaces.long_document.train --packed .carry/long --publish runs/long spaces/long_document/weights

1. Masked words on both sets, windows of 512 to 4,096 tokens: the encoder learns the continued positions and
   the language of its texts.
2. Two rounds on windows and whole texts, the label and masked words together, the second from the first's
   weights with more words hidden; each ends in the moving average of its weights.
3. The mean of both rounds' weights ("soup"). The best of the three on the validation splits is kept; log.jsonl
   holds all of them.

--cores is the recipe for CPU cores and some hours: the encoder's lower four layers, bf16. They learn what each token
speaks for (lexicon.py: a target at every token, where a label is one a window; the embeddings begin with it), on
windows (a token costs a third of one in a whole text), then on whole texts; the layers above, which make a label of
it, are built, not trained. With --from the windows are left out.

--attention performer --from DIR lets trained weights recover from other attention: the last step alone, and nothing
but the attention's own weights; published to weights_performer (what differs from DIR), the tab reads with it beside
the damaged one.

Each task's logits are scaled so that validation documents are as probable as can be: confidence that can be believed.
--judge does that alone, to --from, in a --state of its own.

Resumable: the same command goes on from --state (every --save-every seconds); --from DIR starts from a
classifier and leaves step 1 out. OUT holds the log, config.json and bf16 weights in parts under 16 MiB.
Try first: --tiny --minutes 1, on a CPU.
"""

from __future__ import annotations

import argparse
import copy
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import BertConfig, BertForSequenceClassification, BertModel

from shared.accelerator import autocast_dtype, clock, keep_memory
from shared.attention import register
from spaces.long_document.batches import EVIDENCE_MIX, MLM_MIX, TASK_MIX, WHOLE_MIX, Sampler
from spaces.long_document.classifier import build_classifier, set_gains, sum_up
from spaces.long_document.data import TASKS, Document, Pack, read_pack
from spaces.long_document.e5 import e5_config, load_e5, load_pieces
from spaces.long_document.kernels import fastest_kernels
from spaces.long_document.lexicon import Lexicon, inscribe, lexicons
from spaces.long_document.parts import publish, publish_changes, save_parts
from spaces.long_document.phrases import reworded
from spaces.long_document.positions import extend_positions
from spaces.long_document.trainer import Stage, Trainer
from spaces.long_document.validate import score, validate

WORDS = Stage("words", "e5", 0.26, 4e-4, MLM_MIX, hidden=0.2, words=1.0, labels=0.0, average=0.0)
VARIANTS = (
    Stage("first", "words", 0.37, 1.5e-4, TASK_MIX, layer_decay=0.9, words=0.1),
    Stage("second", "first", 0.37, 1.5e-4, TASK_MIX, layer_decay=0.95, hidden=0.25, words=0.1, smoothing=0.1),
)
CORES = (
    Stage("evidence", "e5", 0.4, 6e-4, EVIDENCE_MIX, labels=0.0, evidence=1.0, average=0.99),
    Stage("whole", "evidence", 0.6, 3e-4, WHOLE_MIX, hidden=0.0, labels=0.0, evidence=1.0, average=0.99, sums=True),
)
CORES_LAYERS = 4  # of the encoder
INSCRIBED = 1.0  # the norm of what embeddings are told, as a share of their own


class Run:
    """A whole run: stages on disk, the log, the place to resume, the best so far."""

    def __init__(self, arguments: argparse.Namespace):
        self.arguments, self.out, self.state = arguments, Path(arguments.out), Path(arguments.state)
        self.accelerator = Accelerator(
            mixed_precision="bf16" if autocast_dtype() is torch.bfloat16 else "no",
            kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
        )
        for folder in (self.out, self.state):
            folder.mkdir(parents=True, exist_ok=True)
        self.place = self.state / "progress.json"
        fresh = {"used": 0.0, "done": [], "best": -1.0, "stage": None}
        self.progress = json.loads(self.place.read_text()) if self.place.exists() else fresh
        self.start = clock() - self.progress["used"]
        self.pack = read_pack(arguments.packed)
        self.kernels, speeds = fastest_kernels(self.accelerator.device)
        order = [kernel.name for kernel in self.kernels]
        self.log(device=str(self.accelerator.device), kernels=order, milliseconds=speeds)

    @property
    def used(self) -> float:
        """Seconds since the start, those before an interruption included."""
        return clock() - self.start

    def log(self, **entry: object) -> None:
        """One line of log.jsonl, on the screen as well."""
        if self.accelerator.is_main_process:
            line = json.dumps({"seconds": round(self.used, 1), **entry}, ensure_ascii=False)
            print(line, flush=True)
            with open(self.out / "log.jsonl", "a", encoding="utf-8") as file:
                file.write(line + "\n")

    def remember(self, **changes: object) -> None:
        """Write down how far the run is."""
        self.progress |= changes | {"used": self.used}
        if self.accelerator.is_main_process:
            self.place.write_text(json.dumps(self.progress))

    @cached_property
    def lexicons(self) -> dict[str, Lexicon]:
        """What tokens speak for: a minute of a core, once for all stages."""
        return lexicons(self.pack.of("train"), len(load_pieces(self.pack.folder)))

    def budget(self, stages: list[Stage]) -> float:
        """Seconds for the first of the stages left, when time is kept to validate them and the soup."""
        once = self.arguments.cores or self.arguments.attention
        validated = 1 if once else sum(stage.labels > 0 for stage in stages) + 1
        left = self.arguments.minutes * 60 - self.used - self.arguments.reserve * validated
        return max(1.0, left * stages[0].share / sum(stage.share for stage in stages))

    def first_model(self) -> BertForSequenceClassification:
        """What the run begins with: a classifier, e5 from the pack, or (--tiny) two layers at random."""
        if self.arguments.weights:
            model = BertForSequenceClassification.from_pretrained(self.arguments.weights, dtype=torch.float32)
            set_gains(model, dict.fromkeys(TASKS, 1.0))
            return model
        torch.manual_seed(self.arguments.seed)
        if self.arguments.tiny:
            return build_classifier(BertModel(e5_config(layers=2), add_pooling_layer=False))
        folder = self.pack.folder
        encoder = reworded(load_e5(folder), load_pieces(folder, "e5_pieces.tsv"), load_pieces(folder))
        if self.arguments.cores:
            encoder = lower_layers(encoder, CORES_LAYERS)
            inscribe(encoder, self.lexicons, INSCRIBED)
        return build_classifier(encoder)

    def load(self, name: str) -> BertForSequenceClassification:
        """What a finished stage left, or what the run begins with."""
        if name not in self.progress["done"]:
            return self.first_model()
        return BertForSequenceClassification.from_pretrained(self.state / name, dtype=torch.float32)

    def train(self, stage: Stage, later: list[Stage]) -> BertForSequenceClassification:
        """One stage, resumed where it was interrupted."""
        classifier = extend_positions(self.load(stage.start))
        arguments = self.arguments
        known = self.lexicons if stage.evidence else None
        if arguments.attention:
            for name, parameter in classifier.named_parameters():
                parameter.requires_grad_(".attention." in name)
        trainer = Trainer(self.accelerator, stage, classifier, self.state, arguments.seed, arguments.attention, known)
        budget = self.budget([stage, *later])
        if self.progress["stage"] == stage.name:
            trainer.restore(self.progress["steps"], self.progress["spent"])
            budget = self.progress["budget"]
        self.log(stage=stage.name, budget=round(budget, 1), settings=asdict(stage))
        splits = ("train",) if stage.labels else ("train", "unlabelled")
        with sdpa_kernel(self.kernels, set_priority=True):
            model = trainer.fit(
                self.pack.of(*splits),
                budget,
                arguments.save_every,
                lambda **line: self.log(stage=stage.name, **line),
                lambda where: self.remember(**where, budget=budget),
            )
        if stage.sums:
            ids, *_ = Sampler(self.pack.of(*splits), replace(stage.mix, tokens=32768)).next()
            sum_up(model, ids.to(model.device))
        if self.accelerator.is_main_process:
            model.save_pretrained(self.state / stage.name)
        self.accelerator.wait_for_everyone()
        return model

    def judge(self, name: str, model: BertForSequenceClassification) -> None:
        """Validate as it would be shipped (bf16 where fast); the best is kept, as sure as it is right.

        Weights that recover from other attention stay as sure as those they began with: the readings are compared.
        """
        if not self.accelerator.is_main_process:
            return
        device = self.accelerator.device
        shipped = copy.deepcopy(model).to(device, autocast_dtype() or torch.float32)
        shipped.set_attn_implementation(self.arguments.attention or "sdpa")
        with sdpa_kernel([SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]):
            report, gains = validate(shipped, validation(self.pack, self.arguments.validate))
        better = score(report) > self.progress["best"]
        self.log(variant=name, score=round(score(report), 4), kept=better, validation=report, gains=gains)
        if better:
            if self.arguments.attention:
                gains = getattr(BertConfig.from_pretrained(self.arguments.weights), "gains", {})
            set_gains(model, gains)
            save_parts(model.state_dict(), model.config, self.out)
            self.remember(best=score(report))

    def stages(self) -> Iterator[tuple[Stage, list[Stage]]]:
        """(stage, the stages after it), those that are done left out."""
        stages = [*(() if self.arguments.weights else (WORDS,)), *VARIANTS]
        stages = [*CORES[1 if self.arguments.weights else 0 :]] if self.arguments.cores else stages
        if self.arguments.attention:
            stages = [replace(stages[-1], sums=False)]
        if self.arguments.tiny:
            stages = [replace(s, mix=replace(s.mix, tokens=2048, longest=1024)) for s in stages]
        for number, stage in enumerate(stages):
            if stage.name not in self.progress["done"]:
                yield stage, stages[number + 1 :]

    def all(self) -> None:
        """Every stage, then the soup; with --judge only the verdict on what there is."""
        if self.arguments.judge:
            return self.judge("as it is", extend_positions(self.first_model()))
        for stage, later in self.stages():
            model = self.train(stage, later)
            if not later or (stage.labels and not self.arguments.cores):  # judging costs a core half an hour
                self.judge(stage.name, model)
            self.remember(done=[*self.progress["done"], stage.name], stage=None)
        if not (self.arguments.cores or self.arguments.attention):
            self.judge("soup", soup([self.load(stage.name) for stage in VARIANTS]))
        self.log(finished=True)


def lower_layers(encoder: BertModel, count: int) -> BertModel:
    """The encoder without the layers above the first `count`: faster, and its words are still in them."""
    encoder.encoder.layer = encoder.encoder.layer[:count]
    encoder.config.num_hidden_layers = count
    return encoder


def validation(pack: Pack, most: int) -> dict[str, list[Document]]:
    """At most `most` documents of every validation split, in the pack's order (by hash)."""
    return {split: pack.of(split)[:most] for split in ("laws", "chapters", "books")}


def soup(models: list[BertForSequenceClassification]) -> BertForSequenceClassification:
    """The mean of the models' weights, extended on the fly."""
    states = [model.state_dict() for model in models]
    mean = {name: torch.stack([state[name] for state in states]).mean(0) for name in states[0]}
    models[0].load_state_dict(mean)
    return extend_positions(models[0])


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--packed", required=True, help="the folder that spaces.long_document.data wrote")
    parser.add_argument("--out", default="runs/long", help="the log and the best weights")
    parser.add_argument("--state", default="runs/long_state", help="where the run keeps its place")
    parser.add_argument("--minutes", type=float, default=7, help="for everything; on a CPU, of its time")
    parser.add_argument("--save-every", type=float, default=120, help="seconds between two saved places")
    parser.add_argument("--reserve", type=float, default=20, help="seconds to validate one variant")
    parser.add_argument("--validate", type=int, default=300, help="documents of a validation split at most")
    parser.add_argument("--from", dest="weights", help="a classifier to go on from, instead of e5")
    parser.add_argument("--judge", action="store_true", help="no training: validate --from, and set how sure it is")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tiny", action="store_true", help="two random layers, small batches, to try it")
    parser.add_argument("--attention", choices=("performer", "taylor"), help="teach it this one (with --from)")
    parser.add_argument("--cores", action="store_true", help="the recipe for CPU cores and some hours")
    parser.add_argument("--publish", nargs=2, metavar=("OUT", "DIR"),
                        help="only join OUT's weights; with --from, those that differ from the ones there")
    arguments = parser.parse_args(argv)
    for name in ("judge", "attention"):
        if getattr(arguments, name) and not arguments.weights:
            parser.error(f"--{name} needs --from DIR: the classifier that it starts from")
    return arguments


def main(argv: list[str] | None = None) -> None:
    """Train, or publish what was trained."""
    arguments = parse(argv)
    register()
    if arguments.publish and arguments.weights:
        publish_changes(*map(Path, (*arguments.publish, arguments.weights)))
    elif arguments.publish:
        publish(*map(Path, arguments.publish), Path(arguments.packed))
    else:
        keep_memory()
        Run(arguments).all()


if __name__ == "__main__":
    main()
