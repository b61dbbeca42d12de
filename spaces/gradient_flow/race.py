"""A race in slices: (state, settings) → (state, frames), so that each slice may live in its own process.

    state = start(Race())
    state, frames = advance(state, settings, 10)      # {cell: [Frame, …]}; settings may differ from slice to slice

All cells get the same batches, a function of (seed, step): ten slices of 10 steps equal one of 100. The state is plain
CPU data. A cell whose loss or gradient is no longer finite has diverged: it stays where it was, the others go on.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
import torch

from shared import accelerator
from shared.experiment import InputError, choice, choices, number
from shared.threads import one_thread
from spaces.gradient_flow.racers import PATHS, Racer, make
from spaces.gradient_flow.settings import CELLS
from spaces.gradient_flow.sweep import flushed
from spaces.gradient_flow.tasks import MOST_DELAY, MOST_SYMBOLS, Batch, task

CHOICES = {"task": ("copy", "adding"), "optimizer": ("adam", "sgd"), "clip_by": ("norm", "value")}
LIMITS = {
    "delay": (1, MOST_DELAY),
    "symbols": (1, MOST_SYMBOLS),
    "hidden": (4, 128),
    "batch_size": (1, 256),
    "learning_rate": (0.0, 10.0),
    "clip": (0.0, 1e6),
    "forget_bias": (-10.0, 10.0),
    "gain": (0.0, 10.0),
    "steps": (1, 5000),
    "seed": (0, 2**31 - 1),
}
RATES = {"adam": 0.007, "sgd": 0.3}
"""The rate that each optimiser takes when `learning_rate` is 0."""
STRUCTURE = ("task", "cells", "hidden", "forget_bias", "gain", "seed")
"""The fields that a race cannot change on its way."""
CUTS = tuple(f"{cell}.{path}" for cell, paths in PATHS.items() for path in paths)


@dataclass(frozen=True)
class Race:
    """One race; the defaults show that the simple RNN stays at chance where the gated cells get everything right."""

    task: str = "copy"
    """copy: give the symbols back after the delay; adding: the sum of two marked numbers."""
    cells: tuple[str, ...] = ("rnn", "lstm", "gru", "su", "transformer")
    """Some of CELLS."""
    delay: int = 30
    """Steps between what must be remembered and its use."""
    symbols: int = 2
    """How many the copy task asks back."""
    hidden: int = 48
    """H."""
    batch_size: int = 64
    optimizer: str = "adam"
    """adam; sgd: with momentum 0.9."""
    learning_rate: float = 0.0
    """0: the optimiser's own in RATES."""
    clip: float = 1.0
    """Threshold of clipping; 0: none."""
    clip_by: str = "norm"
    """norm: a gradient longer than `clip` is shortened to it; value: each entry is cut off at ±clip."""
    forget_bias: float = 3.0
    """Of the lstm's forget gate, minus that of the update gate of gru and su: σ(3) = 0.95 is kept a step."""
    gain: float = 0.577
    """Entries of U have standard deviation gain/√H; 1/√3 is what torch.nn starts its cells with."""
    cut: tuple[str, ...] = ()
    """Paths of CUTS through which values flow and gradients do not, such as "lstm.forget"."""
    steps: int = 400
    seed: int = 0

    def __post_init__(self):
        for field in fields(self):
            object.__setattr__(self, field.name, _checked(field.name, getattr(self, field.name)))

    @property
    def rate(self) -> float:
        """The learning rate that is really used."""
        return self.learning_rate or RATES[self.optimizer]

    def but(self, **changes: Any) -> Race:
        """These settings with some fields changed."""
        return replace(self, **changes)

    def to_json(self) -> str:
        """One JSON object of all fields; `shared.experiment.from_json` reads it."""
        return json.dumps(asdict(self), ensure_ascii=False)


@dataclass(frozen=True)
class Frame:
    """One cell at one step, before that step's update; the batch was never seen before."""

    step: int
    loss: float
    relative: float  # loss as a multiple of that of the best answer that knows nothing
    accuracy: float  # 0 … 1
    before: float  # norm of the gradient of all parameters
    after: float  # and once clipped
    direction: float  # cosine between the two: 1 where only the length changed
    share: float  # of Σ_t ‖∂L/∂(input at t)‖, what reaches the steps that must be remembered
    half_life: float | None  # steps in which the state's Jacobian halves, inf if it does not; None: not measured
    diverged: bool = False  # the last frame of a cell whose loss or gradient is not finite


@dataclass(frozen=True)
class State:
    """Everything a race needs to go on; CPU data only."""

    step: int
    settings: Race
    weights: dict[str, dict[str, torch.Tensor]]
    optimizers: dict[str, dict]
    diverged: dict[str, int]  # the step at which a cell went out


def frame_at(step: int) -> bool:
    """The page's schedule."""
    return step <= 5 or step % 5 == 0


def half_life_at(step: int) -> bool:
    """Jacobians cost as much as a step: now and then."""
    return step == 1 or step % 20 == 0


def start(settings: Race) -> State:
    """Fresh networks."""
    return State(0, settings, {name: _cpu(make(name, settings).state_dict()) for name in settings.cells}, {}, {})


def advance_here(state: State, settings: Race, steps: int) -> tuple[State, dict[str, list[Frame]]]:
    """`advance` without taking a turn at the device, for code that holds one."""
    for field in STRUCTURE:
        if getattr(state.settings, field) != getattr(settings, field):
            raise InputError(field, "比赛途中不能更改，请重新开始。", "cannot change during a race: start a new one.")
    lanes = [_Lane(name, state, settings) for name in settings.cells if name not in state.diverged]
    with one_thread():  # two threads on busy cores: 32 s for 10 steps of five cells instead of 1.9 s
        for step in range(state.step + 1, state.step + steps + 1):
            batch = draw(settings, step)
            for lane in lanes:
                lane.step(step, batch)
    return _after(state, settings, steps, lanes), {lane.name: lane.frames for lane in lanes}


@accelerator.run(duration=60)
def advance(state: State, settings: Race, steps: int) -> tuple[State, dict[str, list[Frame]]]:
    """Train every cell `steps` more steps under these settings; the old state stays as it was.

    Frames come by the page's schedule (`frame_at`); a cell that has diverged has no more. Raises InputError if a
    field of STRUCTURE changed.
    """
    return advance_here(state, settings, steps)


def draw(settings: Race, step: int) -> Batch:
    """The batch of one step, the same for every cell."""
    word = int(np.random.SeedSequence([settings.seed, step]).generate_state(1)[0])
    random = torch.Generator().manual_seed(word)
    return task(settings.task, settings.symbols).draw(settings.delay, settings.batch_size, random)


def clip_(gradients: list[torch.Tensor], clip: float, by: str) -> tuple[float, float, float]:
    """Clip in place; the norm before and after, and the cosine between the two (NaN for a gradient of zero).

    By norm the direction never changes; by value it does. clip 0: nothing is done.
    """
    raw = torch.cat([g.flatten() for g in gradients]).double()  # float32 overflows from 1e19 on
    before = float(raw.norm())
    if not clip or not math.isfinite(before):
        return before, before, 1.0 if before else math.nan
    if by == "norm" and before > clip:
        torch._foreach_mul_(gradients, clip / before)
    elif by == "value":
        torch._foreach_clamp_min_(gradients, -clip)
        torch._foreach_clamp_max_(gradients, clip)
    clipped = torch.cat([g.flatten() for g in gradients]).double()
    after = float(clipped.norm())
    return before, after, float(raw @ clipped) / (before * after) if before and after else math.nan


class _Lane:
    """One cell of a race brought to life on the device, for one slice."""

    def __init__(self, name: str, state: State, settings: Race):
        self.name, self.settings, self.frames = name, settings, []
        self.task, self.device, self.out = task(settings.task, settings.symbols), accelerator.device(), 0
        self.cut = {path for cell, _, path in (cut.partition(".") for cut in settings.cut) if cell == name}
        self.racer: Racer = make(name, settings)
        self.racer.load_state_dict(state.weights[name])
        self.racer.to(self.device)
        same = state.settings.optimizer == settings.optimizer
        self.optimizer = _optimizer(self.racer, settings, state.optimizers.get(name) if same else None)

    def step(self, step: int, batch: Batch) -> None:
        """Train on one batch, and measure if it is time."""
        if self.out:
            return
        with flushed():  # vanishing gradients are denormal numbers before they are zero
            loss, accuracy, arrived = self._backward(batch)
            gradients = [p.grad for p in self.racer.parameters() if p.grad is not None]
            norms = clip_(gradients, self.settings.clip, self.settings.clip_by)
        finite = math.isfinite(norms[0]) and math.isfinite(loss)
        if frame_at(step) or not finite:
            share = _share(arrived, batch.needed.to(self.device))
            half_life = self.racer.half_life(batch.x[:, 0].to(self.device)) if half_life_at(step) else None
            relative = loss / self.task.baseline
            self.frames.append(Frame(step, loss, relative, accuracy, *norms, share, half_life, not finite))
        if finite:
            self.optimizer.step()
        else:
            self.out = step

    def _backward(self, batch: Batch) -> tuple[float, float, torch.Tensor]:
        """Loss, accuracy, and the gradient (T, B, …) where the inputs enter; those of the parameters are in place."""
        self.optimizer.zero_grad()
        z, driven = self.racer(batch.x.to(self.device), len(batch.y), self.cut)
        driven.retain_grad()
        loss, accuracy = self.task.score(z, batch.y.to(self.device))
        loss.backward()
        return float(loss.detach()), float(accuracy), driven.grad


def _optimizer(racer: Racer, settings: Race, state: dict | None) -> torch.optim.Optimizer:
    if settings.optimizer == "adam":
        optimizer = torch.optim.Adam(racer.parameters(), settings.rate, foreach=True)
    else:
        optimizer = torch.optim.SGD(racer.parameters(), settings.rate, momentum=0.9, foreach=True)
    if state is not None:
        optimizer.load_state_dict(_cpu(state))  # which does not copy by itself
        for group in optimizer.param_groups:
            group["lr"] = settings.rate
    return optimizer


def _share(gradient: torch.Tensor, needed: torch.Tensor) -> float:
    """Of the norms of gradients (T, B, …) where inputs enter, the part at the steps needed (T, B)."""
    norms = gradient.flatten(2).norm(dim=-1)
    total = float(norms.sum())
    return float(norms[needed].sum()) / total if total else math.nan


def _after(state: State, settings: Race, steps: int, lanes: list[_Lane]) -> State:
    weights = {lane.name: _cpu(lane.racer.state_dict()) for lane in lanes}
    optimizers = {lane.name: _cpu(lane.optimizer.state_dict()) for lane in lanes}
    diverged = {lane.name: lane.out for lane in lanes if lane.out}
    return State(
        state.step + steps, settings, state.weights | weights, state.optimizers | optimizers, state.diverged | diverged
    )


def _cpu(value: Any) -> Any:
    """A state dictionary with its tensors copied to the CPU."""
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().clone()
    return {k: _cpu(v) for k, v in value.items()} if isinstance(value, dict) else value


def _checked(name: str, value: Any) -> Any:
    if name == "cells":
        return choices(name, value, CELLS)
    if name == "cut":
        return choices(name, value, CUTS) if value not in ((), []) else ()
    return choice(name, value, CHOICES[name]) if name in CHOICES else number(name, value, LIMITS[name])
