"""Drop-in: train with softmax, swap the attention, see the damage, fine-tune, see how much comes back.

    state = start(Dropin())
    state, frames = advance(state, settings, 50)       # {variant: [Frame, …]}

The claim (archives/7921): a trained model's softmax cannot simply be replaced by Performer; it takes fine-tuning.
Nothing is shipped: the Transformer learns its task in front of the visitor (spaces/attention/tasks.py), then every
variant goes on from the same weights with the same batches. Controls: softmax that goes on, and linear attention from
scratch with as many steps as the fine-tuning.

Try first: `python -m spaces.attention.dropin --task recall`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F

from shared import accelerator
from shared.experiment import choice, choices, number
from shared.random_features import DRAWS, KINDS, Features
from shared.threads import one_thread
from spaces.attention.small import Small
from spaces.attention.tasks import TASKS, Batch, draw, held_out, vocabulary

SCRATCH = "_scratch"
VARIANTS = ("softmax", *KINDS, "taylor", "positive" + SCRATCH, "taylor" + SCRATCH)
CHOICES = {"task": TASKS, "draw": DRAWS}
LIMITS = {
    "pairs": (4, 64),
    "features": (2, 1024),
    "pretrain": (1, 3000),
    "finetune": (1, 3000),
    "batch_size": (4, 128),
    "rate": (1e-5, 0.1),
    "seed": (0, 2**31 - 1),
}
STRUCTURE = ("task", "variants", "pairs", "features", "draw", "pretrain", "seed")
EVERY = 5
COUNTS = (16, 32, 64, 128, 256, 512, 1024)
DAMAGE_SEEDS = 3


@dataclass(frozen=True)
class Dropin:
    """The task, what takes softmax's place, and how long each phase is."""

    task: str = "recall"
    variants: tuple[str, ...] = ("softmax", "positive", "taylor", "positive" + SCRATCH)
    """Some of VARIANTS; those that end in _scratch begin untrained."""
    pairs: int = 16
    """Of recall: as many questions as pairs."""
    features: int = 64
    """m of each head (of 16 dimensions)."""
    draw: str = "orthogonal"
    pretrain: int = 150
    """Steps with softmax."""
    finetune: int = 60
    """Steps after the swap."""
    batch_size: int = 32
    rate: float = 0.002
    """Of Adam, in both phases."""
    seed: int = 0

    def __post_init__(self):
        for name, options in CHOICES.items():
            choice(name, getattr(self, name), options)
        object.__setattr__(self, "variants", choices("variants", self.variants, VARIANTS))
        for name, limits in LIMITS.items():
            object.__setattr__(self, name, number(name, getattr(self, name), limits))
        Features("hyperbolic", "iid", self.features)  # even

    @property
    def steps(self) -> int:
        """Of both phases."""
        return self.pretrain + self.finetune

    def but(self, **changes: Any) -> Dropin:
        """These settings with some fields changed."""
        return replace(self, **changes)


@dataclass(frozen=True)
class Frame:
    """One variant at one step, on what it is never trained on."""

    step: int
    loss: float
    accuracy: float


@dataclass(frozen=True)
class State:
    """Everything a run needs to go on; CPU data only. Until the swap there is "softmax" alone."""

    step: int
    settings: Dropin
    weights: dict[str, dict[str, torch.Tensor]]
    optimizers: dict[str, dict]
    trained: dict[str, torch.Tensor] | None = None
    """The weights at the swap."""


def make(settings: Dropin, weights: dict[str, torch.Tensor] | None = None) -> Small:
    """A network, fresh from the seed unless weights are given."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = Small(*vocabulary(settings.task))
    if weights is not None:
        network.load_state_dict(weights)
    return network


def how(variant: str, settings: Dropin) -> dict[str, Any]:
    """The arguments that make a network attend in a variant's way."""
    name = variant.removesuffix(SCRATCH)
    if name in ("softmax", "taylor"):
        return {"backend": "auto" if name == "softmax" else "taylor"}
    return {"backend": "performer", "features": Features(name, settings.draw, settings.features, settings.seed)}


def start(settings: Dropin) -> State:
    """An untrained network."""
    return State(0, settings, {"softmax": _copied(make(settings).state_dict())}, {})


@accelerator.run(duration=60)
def advance(state: State, settings: Dropin, steps: int) -> tuple[State, dict[str, list[Frame]]]:
    """So many more steps, across the swap if it lies there; the old state stays as it was."""
    frames: dict[str, list[Frame]] = {}
    with one_thread():
        lanes = {name: _Lane(name, state, settings) for name in state.weights}
        trained, tested = state.trained, held_out(settings.task, settings.pairs, settings.seed)
        for step in range(state.step + 1, state.step + steps + 1):
            if step == settings.pretrain + 1:
                trained = _copied(lanes["softmax"].network.state_dict())
                lanes = _swapped(trained, lanes["softmax"], settings)
                for name, lane in lanes.items():
                    frames.setdefault(name, []).append(lane.frame(step - 1, tested))
            batch = draw(settings.task, settings.batch_size, settings.pairs, settings.seed, step)
            for name, lane in lanes.items():
                lane.step(batch)
                if step % EVERY == 0 or step == settings.steps:
                    frames.setdefault(name, []).append(lane.frame(step, tested))
    weights = {name: _copied(lane.network.state_dict()) for name, lane in lanes.items()}
    optimizers = {name: _copied(lane.optimizer.state_dict()) for name, lane in lanes.items()}
    return State(state.step + steps, settings, weights, optimizers, trained), frames


class _Lane:
    """One variant brought to life for one slice."""

    def __init__(self, name: str, state: State, settings: Dropin):
        self.how, self.device = how(name, settings), accelerator.device()
        self.network = make(settings, state.weights[name]).to(self.device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), settings.rate, foreach=True)
        if name in state.optimizers:
            self.optimizer.load_state_dict(_copied(state.optimizers[name]))
            self.optimizer.param_groups[0]["lr"] = settings.rate

    def step(self, batch: Batch) -> None:
        """Train on one batch."""
        labels = batch.labels.to(self.device)
        scores = self.network(batch.tokens.to(self.device), labels.shape[1], **self.how)
        loss = F.cross_entropy(scores.flatten(0, 1), labels.flatten())
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()

    def frame(self, step: int, batch: Batch) -> Frame:
        """Loss and accuracy on a batch."""
        return Frame(step, *score(self.network, batch, self.how))


@torch.no_grad()
def score(network: Small, batch: Batch, arguments: dict[str, Any]) -> tuple[float, float]:
    """Loss (nats) and accuracy."""
    device = next(network.parameters()).device
    labels = batch.labels.to(device)
    scores = network(batch.tokens.to(device), labels.shape[1], **arguments)
    loss = F.cross_entropy(scores.flatten(0, 1), labels.flatten())
    return float(loss), float((scores.argmax(-1) == labels).float().mean())


def _swapped(trained: dict[str, torch.Tensor], softmax: _Lane, settings: Dropin) -> dict[str, _Lane]:
    """A lane for each variant: from the trained weights, or from scratch; softmax goes on with its optimiser."""
    lanes = {}
    for name in settings.variants:
        weights = make(settings).state_dict() if name.endswith(SCRATCH) else trained
        fresh = State(settings.pretrain, settings, {name: weights}, {})
        lanes[name] = softmax if name == "softmax" else _Lane(name, fresh, settings)
    return lanes


@accelerator.run(duration=60)
def damage(state: State, report: Callable[[float], None] = lambda share: None) -> dict[str, list[list[float]]]:
    """Accuracy without fine-tuning: kind → for each of COUNTS one value a draw; and "softmax", "taylor", one value."""
    settings, out = state.settings, {}
    network = make(settings, state.trained or state.weights["softmax"]).to(accelerator.device())
    tested, done = held_out(settings.task, settings.pairs, settings.seed), 0
    with one_thread():
        for name in ("softmax", "taylor"):
            out[name] = [[score(network, tested, how(name, settings))[1]]]
        for kind in KINDS:
            out[kind] = []
            for count in COUNTS:
                found = []
                for seed in range(DAMAGE_SEEDS):
                    features = Features(kind, settings.draw, count, settings.seed + 100 * seed)
                    found.append(score(network, tested, {"backend": "performer", "features": features})[1])
                    done += 1
                    report(done / (len(KINDS) * len(COUNTS) * DAMAGE_SEEDS))
                out[kind].append(found)
    return out


def _copied(value: Any) -> Any:
    """A state dictionary with its tensors copied to the CPU."""
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().clone()
    return {k: _copied(v) for k, v in value.items()} if isinstance(value, dict) else value


def main() -> None:
    """Print the run: accuracy before, at the swap, and after; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=TASKS, default="recall")
    parser.add_argument("--features", type=int, default=Dropin.features)
    parser.add_argument("--pretrain", type=int, default=Dropin.pretrain)
    parser.add_argument("--finetune", type=int, default=Dropin.finetune)
    parser.add_argument("--variants", default=",".join(VARIANTS))
    parser.add_argument("--seeds", type=int, default=1)
    asked = parser.parse_args()
    rows = []
    for seed in range(asked.seeds):
        given = {name: getattr(asked, name) for name in ("task", "features", "pretrain", "finetune")}
        settings = Dropin(variants=tuple(asked.variants.split(",")), seed=seed, **given)
        state, frames = advance(start(settings), settings, settings.steps)
        for name in settings.variants:
            path = [f for f in frames[name] if f.step >= settings.pretrain]
            at = next(f for f in reversed(path) if f.step == settings.pretrain)
            rows.append({"seed": seed, "variant": name, "swap": at.accuracy, "after": path[-1].accuracy})
            print(
                f"seed {seed} {name:20s} at the swap {at.accuracy:6.1%}, at the end {path[-1].accuracy:6.1%}",
                flush=True,
            )
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
