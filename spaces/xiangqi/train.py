"""Train the sighted and the faithful model in one stretch after another, on a GPU or on a CPU.

    python -m spaces.xiangqi.train --size small --windows 32 --attention eager --minutes 90 --resume

The learning rate warms up once and then stays, so that `--resume` goes on as if nothing had happened; it falls to
zero only within the last --cooldown-minutes of a stretch that asks for them. What is validated and kept is the
running average of the weights. Every evaluation prints one JSON line (and appends it to OUT/log.jsonl); OUT/MODEL
holds the best weights so far, in Hugging Face format, and the checkpoint folder what it takes to go on. SIGTERM
ends a stretch early, with its last evaluation and checkpoint. `--from DIR` begins from weights alone. Through
accelerate, in bf16; several GPUs by `accelerate launch`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save_file

from shared.accelerator import clock, keep_memory
from spaces.xiangqi.batches import Corpus
from spaces.xiangqi.data import read_games, unpack
from spaces.xiangqi.optim import optimizers
from spaces.xiangqi.tasks import SIGHTED_SIZES, FaithfulTask, SightedTask, save

WARMUP_STEPS, LOG_SECONDS = 100, 30
AVERAGE = 0.995


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=["sighted", "faithful", "both"], default="sighted")
    parser.add_argument("--size", choices=list(SIGHTED_SIZES), default="full", help="small: for a CPU; tiny: for tests")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/xiangqi"), help="the folder of the games")
    parser.add_argument("--packed", type=Path, help="the folder of `data --pack`, instead of --data")
    parser.add_argument("--out", type=Path, default=Path("runs/xiangqi"))
    parser.add_argument("--checkpoint", type=Path, help="default: OUT/checkpoint")
    parser.add_argument("--minutes", type=float, default=60, help="of this stretch; processor time on a CPU")
    parser.add_argument("--cooldown-minutes", type=float, default=0, help="of them, with the rate falling to zero")
    parser.add_argument("--share", type=float, default=0.8, help="of the minutes, for sighted when training both")
    parser.add_argument("--from", dest="start", type=Path, help="a folder with MODEL/ to begin from, weights alone")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint where there is one")
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--precision", choices=["bf16", "no"], default="bf16")
    parser.add_argument("--windows", type=int, default=256, help="in a step, of 32 plies each, small: 16 (sighted)")
    parser.add_argument("--games", type=int, default=64, help="of up to 127 plies in a step (faithful)")
    parser.add_argument("--labelled-share", type=float, default=0.45, help="of the sighted windows")
    parser.add_argument("--validation-windows", type=int, default=192)
    parser.add_argument("--eval-minutes", type=float, default=10)
    parser.add_argument("--save-minutes", type=float, default=5)
    parser.add_argument("--shard-mb", type=float, default=1000)
    parser.add_argument("--attention", default="sdpa", help="attn_implementation; eager pays on a CPU in bf16")
    parser.add_argument("--compile", action="store_true", help="torch.compile the pieces' transformers")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--few", action="store_true", help="only few games, to try the machinery")
    return parser.parse_args()


class Log:
    """JSON lines on the screen and in a file."""

    def __init__(self, path: Path, begun: float):
        self.path, self.begun = path, begun
        path.parent.mkdir(parents=True, exist_ok=True)

    def __call__(self, **figures) -> None:
        line = json.dumps({"minutes": round((clock() - self.begun) / 60, 2)} | figures)
        print(line, flush=True)
        with self.path.open("a") as file:
            file.write(line + "\n")


def learning_rate(peak: float, step: int, remaining: float, cooldown: float) -> float:
    """Warm-up over the first steps, then constant; linear to zero in the last `cooldown` seconds."""
    fall = min(1.0, max(0.0, remaining) / cooldown) if cooldown else 1.0
    return peak * min(1.0, (step + 1) / WARMUP_STEPS) * fall


class Average:
    """The running average of a model's weights, over about 1 / (1 − AVERAGE) steps."""

    def __init__(self, model: torch.nn.Module):
        self.params = list(model.parameters())
        self.mean = [p.detach().clone() for p in self.params]

    def update(self, step: int) -> None:
        """Let the weights after `step` steps in; the first steps are forgotten faster."""
        torch._foreach_lerp_(self.mean, [p.detach() for p in self.params], 1 - min(AVERAGE, (1 + step) / (10 + step)))

    def swap(self) -> None:
        """Exchange the weights and their average; twice is nothing."""
        for p, mean in zip(self.params, self.mean, strict=True):
            p.data, mean.data = mean.data, p.data


def save_checkpoint(folder: Path, task, optims, average: Average, state: dict) -> None:
    """Weights in float32, their average, the optimizers' tensors, and the counters; replaced as a whole."""
    new = folder.with_name(folder.name + ".new")
    new.mkdir(parents=True, exist_ok=True)
    tensors = {f"model.{key}": value.detach().contiguous() for key, value in task.model.state_dict().items()}
    for number, optim in enumerate(optims):
        for index, slots in optim.state_dict()["state"].items():
            tensors |= {f"optim.{number}.{index}.{key}": torch.as_tensor(value) for key, value in slots.items()}
    tensors |= {f"average.{index}": mean for index, mean in enumerate(average.mean)}
    tied = {}
    save_file({key: value.clone() if tied.setdefault(value.data_ptr(), key) != key else value
               for key, value in tensors.items()}, new / "checkpoint.safetensors")
    (new / "state.json").write_text(json.dumps(state))
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)


def load_checkpoint(folder: Path, task, optims, average: Average) -> dict:
    """Restore what `save_checkpoint` wrote and return the counters."""
    tensors = load_file(folder / "checkpoint.safetensors")
    task.model.load_state_dict({key[6:]: value for key, value in tensors.items() if key.startswith("model.")})
    for index, mean in enumerate(average.mean):
        mean.copy_(tensors[f"average.{index}"])
    for number, optim in enumerate(optims):
        state: dict[int, dict] = {}
        for key, value in tensors.items():
            if key.startswith(f"optim.{number}."):
                _, _, index, slot = key.split(".")
                state.setdefault(int(index), {})[slot] = value
        optim.load_state_dict({"state": state, "param_groups": optim.state_dict()["param_groups"]})
    return json.loads((folder / "state.json").read_text())


def train(task, seconds: float, args: argparse.Namespace, accelerator: Accelerator, log: Callable) -> None:
    """Train one task for so many seconds from now, keeping the best weights in OUT/NAME."""
    folder = (args.checkpoint or args.out / "checkpoint") / task.name
    task.to(accelerator.device)
    optims, average = optimizers(task.model, args.lr), Average(task.model)
    state = {"step": 0, "seconds": 0.0, "best": float("inf")}
    if args.resume and (folder / "state.json").exists():
        state = load_checkpoint(folder, task, optims, average)
        log(model=task.name, resumed=state)
    if args.compile:
        task.compile()
    ready, *optims = accelerator.prepare(task, *optims)
    now = logged = clock()
    end, earlier, begun = now + seconds, state["seconds"], now
    next_eval, next_save = now + LOG_SECONDS, now + 60 * args.save_minutes
    sums, steps, ended = {}, 0, Ended()
    while now < end and not ended.asked:
        lr = learning_rate(args.lr, state["step"], end - now, 60 * args.cooldown_minutes)
        figures = train_step(task, ready, optims, lr, accelerator)
        sums = {key: sums.get(key, 0) + value for key, value in figures.items()}
        average.update(state["step"])
        now, steps = clock(), steps + 1
        state |= {"step": state["step"] + 1, "seconds": earlier + now - begun}
        if now > logged + LOG_SECONDS:
            means = {key: round(value.item() / steps, 4) for key, value in sums.items()}
            pace = (clock() - logged) / steps
            log(model=task.name, step=state["step"], lr=round(lr, 6), seconds_a_step=round(pace, 4), **means)
            sums, steps, logged = {}, 0, clock()
        if now > next_eval:
            evaluate(task, average, accelerator, args, state, log)
            logged = clock()
            next_eval, sums, steps = logged + 60 * args.eval_minutes, {}, 0
        if now > next_save:
            save_checkpoint(folder, task, optims, average, state)
            next_save = clock() + 60 * args.save_minutes
    evaluate(task, average, accelerator, args, state, log)
    save_checkpoint(folder, task, optims, average, state)
    log(model=task.name, step=state["step"], best_score=state["best"], report=task.report())


class Ended:
    """Whether SIGTERM has asked to end the stretch."""

    def __init__(self):
        self.asked = False
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, number: int, frame: object) -> None:
        self.asked = True


def train_step(task, ready, optims, lr: float, accelerator: Accelerator) -> dict[str, torch.Tensor]:
    """One step of both optimizers; the figures stay on the device."""
    for optim in optims:
        for group in optim.param_groups:
            group["lr"] = lr
    task.train()
    loss, figures = ready(task.draw())
    accelerator.backward(loss)
    accelerator.clip_grad_norm_(task.parameters(), 1.0)
    for optim in optims:
        optim.step()
        optim.zero_grad()
    return {key: value.detach() for key, value in figures.items()}


def evaluate(task, average: Average, accelerator: Accelerator, args: argparse.Namespace, state: dict,
             log: Callable) -> None:
    """Validate the averaged weights without compilation, and keep them when they are the best so far."""
    task.eval()
    average.swap()
    with torch.compiler.set_stance("force_eager"), accelerator.autocast():
        figures = task.validate()
    better = figures["score"] < state["best"]
    log(model=task.name, step=state["step"], validation=figures, best=better)
    if better:
        state["best"] = figures["score"]
        save(task.model, str(args.out / task.name), args.shard_mb)
    average.swap()


def corpora(args: argparse.Namespace, device: torch.device) -> dict[str, Corpus]:
    """Training and validation corpora on the device: human, labelled, human_unseen, labelled_unseen."""
    if args.packed:
        games = unpack(args.packed)
    else:
        games = (read_games(args.data / "games.jsonl.xz"), read_games(args.data / "labelled.jsonl.xz"))
    out = {}
    for name, part in zip(("human", "labelled"), games, strict=True):
        if args.few:
            few = part.validation.copy()
            few[:400] = True
            part = part.select(few)
        out[name] = Corpus(part.select(~part.validation), device)
        out[name + "_unseen"] = Corpus(part.select(part.validation), device)
    return out


def main() -> None:
    begun, args = clock(), arguments()
    keep_memory()
    torch.set_flush_denormal(True)
    accelerator = Accelerator(mixed_precision=args.precision)
    torch.manual_seed(args.seed + accelerator.process_index)
    if torch.cuda.is_available():
        torch.set_float32_matmul_precision("high")
        torch.backends.cuda.enable_cudnn_sdp(False)  # builds a plan per shape; flash needs none
        torch._dynamo.config.suppress_errors = True  # a failed compilation costs speed, never the run
    log = Log(args.out / "log.jsonl", begun)
    data = corpora(args, accelerator.device)
    log(device=str(accelerator.device), plies={name: len(corpus.board) for name, corpus in data.items()},
        labels=len(data["labelled"].labels), torch=torch.__version__)
    names = ["sighted", "faithful"] if args.model == "both" else [args.model]
    for name in names:
        kind = SightedTask if name == "sighted" else FaithfulTask
        model = kind.build(str(args.start / name) if args.start else None, args.size, args.attention)
        model.to(accelerator.device)
        if name == "sighted":
            task = SightedTask(model, data["human"], data["labelled"], args.windows, args.labelled_share)
        else:
            task = FaithfulTask(model, data["human"], args.games)
        task.prepare_validation(data["human_unseen"], data["labelled_unseen"], args.validation_windows)
        share = args.share if len(names) == 2 and name == "sighted" else 1.0
        remaining = args.minutes * 60 * share - (clock() - begun)
        log(model=name, parameters=sum(p.numel() for p in model.parameters()), seconds=round(remaining))
        train(task, remaining, args, accelerator, log)
    log(done=True)


if __name__ == "__main__":
    main()
