"""What does a classifier make of it? A small network for each normaliser, the same batches, the same start.

    state = start(Classifier())
    state, frames = advance(state, settings, 50)     # {normaliser: [Frame, …]}

Every run has its own split, initial weights and batches, shared by all normalisers: differences are paired. All
networks train at once, as one batched product. The data come with scikit-learn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from shared import accelerator
from shared.experiment import choice, choices, number
from shared.threads import one_thread
from spaces.attention.calibration import ece, ece_mass
from spaces.attention.normalisers import NORMALISERS, TINY, loss, probabilities

TASKS = ("digits", "breast_cancer", "wine")
LIMITS = {
    "hidden": (0, 256),
    "train_share": (0.05, 0.9),
    "noise": (0.0, 0.5),
    "steps": (10, 5000),
    "rate": (1e-5, 0.1),
    "batch_size": (4, 256),
    "runs": (2, 20),
    "seed": (0, 2**31 - 1),
}
STRUCTURE = ("task", "normalisers", "hidden", "train_share", "noise", "runs", "seed", "batch_size")
FRAMES = 50


@dataclass(frozen=True)
class Classifier:
    """Which task, which normalisers, how they are trained."""

    task: str = "digits"
    normalisers: tuple[str, ...] = ("softmax", "taylor2", "clamped2", "taylor4", "taylor6", "sparsemax")
    """Some of NORMALISERS."""
    hidden: int = 64
    """Units of the one hidden layer; 0: a linear classifier."""
    train_share: float = 0.3
    """Of the samples; the others test."""
    noise: float = 0.0
    """Part of the training labels that is drawn at random."""
    steps: int = 600
    rate: float = 0.003
    """Of Adam."""
    batch_size: int = 64
    runs: int = 5
    """Splits and initial weights."""
    seed: int = 0

    def __post_init__(self):
        choice("task", self.task, TASKS)
        object.__setattr__(self, "normalisers", choices("normalisers", self.normalisers, NORMALISERS))
        for name, limits in LIMITS.items():
            object.__setattr__(self, name, number(name, getattr(self, name), limits))

    def but(self, **changes: Any) -> Classifier:
        """These settings with some fields changed."""
        return replace(self, **changes)


@dataclass(frozen=True)
class Frame:
    """One normaliser at one step, every value (runs,) on the test samples."""

    step: int
    accuracy: np.ndarray
    nll: np.ndarray
    ece: np.ndarray
    ece_mass: np.ndarray
    confidence: np.ndarray
    """Mean of the largest probability."""
    sure_and_wrong: np.ndarray
    """Mean confidence where the answer is wrong; NaN where none is."""


@dataclass(frozen=True)
class State:
    """Everything a run needs to go on; CPU data only. Weights (normalisers · runs, …)."""

    step: int
    settings: Classifier
    weights: tuple[torch.Tensor, ...]
    optimizer: dict


@dataclass(frozen=True)
class Data:
    """x (runs, N, D) and y (runs, N), for training and testing."""

    train_x: torch.Tensor
    train_y: torch.Tensor
    test_x: torch.Tensor
    test_y: torch.Tensor
    classes: int


@lru_cache(maxsize=8)
def data(task: str, train_share: float, noise: float, runs: int, seed: int) -> Data:
    """The splits of all runs, standardised by their training samples."""
    from sklearn import datasets

    x, y = getattr(datasets, f"load_{task}")(return_X_y=True)
    classes, cut = int(y.max()) + 1, max(10, round(train_share * len(y)))
    parts = []
    for run in range(runs):
        random = np.random.default_rng([seed, run])
        order = random.permutation(len(y))
        xs, ys = x[order], y[order].copy()
        mean, std = xs[:cut].mean(0), xs[:cut].std(0)
        xs = (xs - mean) / np.where(std > 0, std, 1)
        wrong = random.random(cut) < noise
        ys[:cut][wrong] = random.integers(0, classes, int(wrong.sum()))
        parts.append((xs[:cut], ys[:cut], xs[cut:], ys[cut:]))
    stacked = [torch.from_numpy(np.stack(group)) for group in zip(*parts, strict=True)]
    return Data(stacked[0].float(), stacked[1].long(), stacked[2].float(), stacked[3].long(), classes)


def splits(settings: Classifier) -> Data:
    """The data of these settings."""
    return data(settings.task, settings.train_share, settings.noise, settings.runs, settings.seed)


def start(settings: Classifier) -> State:
    """Fresh networks, the same for every normaliser; He's initial weights, small ones before the scores."""
    found = splits(settings)
    random = torch.Generator().manual_seed(settings.seed)
    sizes = [found.train_x.shape[-1], *([settings.hidden] if settings.hidden else []), found.classes]
    weights = []
    for i, (inside, outside) in enumerate(zip(sizes, sizes[1:], strict=False)):
        last = i == len(sizes) - 2
        w = torch.randn(settings.runs, inside, outside, generator=random) * math.sqrt((1 if last else 2) / inside)
        weights += [w, torch.zeros(settings.runs, 1, outside)]
    copies = len(settings.normalisers)
    return State(0, settings, tuple(w.repeat(copies, 1, 1) for w in weights), {})


def scores(weights: tuple[torch.Tensor, ...], x: torch.Tensor, copies: int) -> torch.Tensor:
    """Scores (normalisers, runs, N, C) of x (runs, N, D)."""
    out = x.repeat(copies, 1, 1)
    for w, b in zip(weights[::2], weights[1::2], strict=True):
        out = torch.baddbmm(b, out if w is weights[0] else out.relu(), w)
    return out.unflatten(0, (copies, -1))


@accelerator.run(duration=60)
def advance(state: State, settings: Classifier, steps: int) -> tuple[State, dict[str, list[Frame]]]:
    """Train every network `steps` more steps; the old state stays as it was. Frames at about FRAMES places of a run."""
    names, found, device = settings.normalisers, splits(settings), accelerator.device()
    x, y = found.train_x.to(device), found.train_y.to(device)
    weights = tuple(w.to(device, copy=True).requires_grad_() for w in state.weights)
    optimizer = torch.optim.Adam(weights, settings.rate, foreach=True)
    if state.optimizer:
        optimizer.load_state_dict(_copied(state.optimizer))
        optimizer.param_groups[0]["lr"] = settings.rate
    frames: dict[str, list[Frame]] = {name: [] for name in names}
    runs, every = torch.arange(settings.runs)[:, None], max(1, settings.steps // FRAMES)
    with one_thread():
        for step in range(state.step + 1, state.step + steps + 1):
            random = torch.Generator().manual_seed(settings.seed * 1_000_003 + step)
            rows = torch.randint(x.shape[1], (settings.runs, min(settings.batch_size, x.shape[1])), generator=random)
            z, labels = scores(weights, x[runs, rows], len(names)), y[runs, rows]
            total = sum(loss(name, z[i], labels).mean(-1).sum() for i, name in enumerate(names))
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
            if step % every == 0 or step in (1, settings.steps):
                for name, frame in evaluate(weights, settings, step).items():
                    frames[name].append(frame)
    kept = tuple(w.detach().cpu() for w in weights)
    return State(state.step + steps, settings, kept, _copied(optimizer.state_dict())), frames


def evaluate(weights: tuple[torch.Tensor, ...], settings: Classifier, step: int) -> dict[str, Frame]:
    """Every normaliser's networks on their test samples."""
    found = splits(settings)
    labels = found.test_y.to(weights[0].device)
    frames = {}
    for name, p in predictions(weights, settings).items():
        sure, chosen = p.max(-1)
        right = (chosen == labels).float()
        wrong = 1 - right
        nll = -p.gather(-1, labels[..., None])[..., 0].clamp(min=TINY).log()
        values = (
            right.mean(-1),
            nll.mean(-1),
            ece(sure, right),
            ece_mass(sure, right),
            sure.mean(-1),
            (sure * wrong).sum(-1) / wrong.sum(-1),
        )
        frames[name] = Frame(step, *(v.cpu().double().numpy() for v in values))
    return frames


@torch.no_grad()
def predictions(weights: tuple[torch.Tensor, ...], settings: Classifier) -> dict[str, torch.Tensor]:
    """Probabilities (runs, N, C) of the test samples, by normaliser."""
    z = scores(weights, splits(settings).test_x.to(weights[0].device), len(settings.normalisers))
    return {name: probabilities(name, z[i]) for i, name in enumerate(settings.normalisers)}


def _copied(value: Any) -> Any:
    """A state dictionary with its tensors copied to the CPU."""
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().clone()
    return {k: _copied(v) for k, v in value.items()} if isinstance(value, dict) else value
