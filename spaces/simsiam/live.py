"""A run in slices: (state, settings) → (state, frames), so that each slice may live in its own process.

    state = start(Settings())
    state, frames = advance(state, settings, 10)      # settings may differ from slice to slice
    train(Settings(steps=100))                        # a whole run as lists

The state is plain CPU data and picklable. All randomness is a function of (seed, step): ten slices of 10
steps equal one of 100, and two runs from one seed share their start and batches, whatever else differs.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F

from shared import accelerator
from shared.experiment import InputError, from_json
from spaces.simsiam import augment, metrics
from spaces.simsiam.data import Images, load
from spaces.simsiam.model import SimSiam, direction, initialise, least_squares
from spaces.simsiam.optimisers import Stepper
from spaces.simsiam.settings import STRUCTURE, Settings

PROBE, BANK = 200, 400  # held-out images that each frame shows; images that its quick k-NN looks among
LONGEST = 300  # seconds that one call of `train` may take


@dataclass(frozen=True)
class Frame:
    """One measurement of a run. None: not measured at this step, or not defined."""

    step: int
    loss: float  # of the training batch of this step, before its update
    std: float  # std × √d of the l2-normalised output on the probe: 1 spread, 0 collapsed
    effective_rank: float  # of the output on the probe: 1 collapsed … d
    spectrum: np.ndarray  # (d,) log10 of the covariance's eigenvalues, largest first, at least −12
    knn: float | None  # accuracy of 5 nearest neighbours by cosine on the encoder's output, 0 … 1
    lag: float | None  # loss above that of the best linear predictor of the same batch
    speed: float | None  # change of the probe's unit outputs per step, root mean square
    embedding: np.ndarray  # (P, 2) the probe's unit outputs on their principal axes
    labels: np.ndarray | None  # (P,) classes of the probe


@dataclass(frozen=True)
class State:
    """Everything a run needs to go on; CPU data only. `images` is set for a visitor's own images."""

    step: int
    settings: Settings
    weights: dict[str, torch.Tensor]
    teacher: dict[str, torch.Tensor] | None
    optimizer: dict | None
    images: Images | None
    axes: torch.Tensor | None  # (d, 2)
    seen: tuple[int, torch.Tensor] | None  # step and unit outputs (P, d) of the last frame


def frame_at(step: int) -> bool:
    """The page's schedule: every step at first, where collapse happens, later every fifth and every tenth."""
    return step <= 10 or (step % 5 == 0 if step <= 60 else step % 10 == 0)


def knn_at(step: int) -> bool:
    """k-NN costs more than a step: now and then."""
    return step in (10, 25) or step % 50 == 0


def start(settings: Settings, images: Images | None = None) -> State:
    """A fresh network; `images` are a visitor's own, for dataset="images". Raises InputError."""
    data = images if settings.dataset == "images" and images is not None else load(settings.dataset)
    model = SimSiam(settings, *data.train.shape[1:3])
    for stream, part in enumerate((model.encoder, model.projector, model.predictor)):
        if part is not None:
            initialise(part, _generator(settings.seed, stream))
    kept = data if settings.dataset == "images" else None
    return State(0, settings, _cpu(model.state_dict()), None, None, kept, None, None)


def advance_here(state: State, settings: Settings, steps: int, every: int | None = None) -> tuple[State, list[Frame]]:
    """`advance` without taking a turn at the device, for code that holds one."""
    run = _Run(state, settings)
    frames = [run.frame(every)] if state.step == 0 else []
    for done in range(1, steps + 1):
        run.step()
        if (done % every == 0 or done == steps) if every else frame_at(run.now):
            frames.append(run.frame(every))
    return run.state(), frames


@accelerator.run(duration=60)
def advance(state: State, settings: Settings, steps: int, every: int | None = None) -> tuple[State, list[Frame]]:
    """Train `steps` more steps under these settings; the old state stays as it was.

    Frames come by the page's schedule (`frame_at`), or `every` so many steps and at the slice's end, each with
    k-NN; the first slice also has the frame of step 0. Raises InputError if a field of the network's structure
    changed.
    """
    return advance_here(state, settings, steps, every)


@accelerator.run(duration=30)
def measure(state: State) -> Frame:
    """The present state's frame, with k-NN over all images held out against all that it learns from."""
    run = _Run(state, state.settings)
    return replace(run.frame(), knn=run.knn(len(run.data.train), run._encode(run.data.held_out)))


@accelerator.run(duration=30)
def outputs(state: State) -> np.ndarray:
    """(M, d) float32: the outputs z of all images held out, as they are, for `checkup.examine`."""
    return _Run(state, state.settings).outputs().numpy()


def views(settings: Settings, images: Images | None = None, count: int = 6) -> np.ndarray:
    """(count, 3, S, S, C) uint8: some training images, each with its two views of step 0's kind."""
    data = images if settings.dataset == "images" and images is not None else load(settings.dataset)
    some = data.train[:count]
    pairs = augment.views(some, settings, _generator(settings.seed, 9)).unflatten(0, (2, -1))
    shown = torch.cat([some[None] / 255, pairs]).transpose(0, 1).permute(0, 1, 3, 4, 2)
    return (shown * 255).round().to(torch.uint8).numpy()


def train(settings: Settings, images: Images | None = None) -> dict[str, list]:
    """A whole run: {"steps", "loss", "std", "effective_rank", "knn"}, lists of equal length.

    About 20 rows, evenly spaced, and the last step; knn is null where the images have no labels. Raises
    InputError, also where the first steps tell that the run would take longer than five minutes.
    """
    every = max(1, settings.steps // 20)
    began = time.perf_counter()
    state, frames = advance(start(settings, images), settings, min(every, settings.steps), every)
    _check_duration(settings, every, time.perf_counter() - began)
    while state.step < settings.steps:
        state, more = advance(state, settings, min(every, settings.steps - state.step), every)
        frames += more
    rows = {name: [getattr(frame, name) for frame in frames] for name in ("loss", "std", "effective_rank", "knn")}
    return {"steps": [frame.step for frame in frames], **rows}


def simsiam_train(settings_json: str) -> dict[str, list]:
    """`train` for the API: the settings as a JSON object of some or all fields. Raises InputError."""
    return train(from_json(Settings, settings_json))


def _check_duration(settings: Settings, steps: int, seconds: float) -> None:
    possible = int(LONGEST / seconds * steps)
    if settings.steps > possible:
        raise InputError(
            "steps",
            f"此机器在 {LONGEST} 秒内约能走 {possible} 步。",
            f"this machine makes about {possible} such steps in the {LONGEST} s that a call may take.",
        )


def _generator(seed: int, stream: int, step: int = 0) -> torch.Generator:
    """A CPU generator for one step and purpose: 0–2 parts of the network, 3 batches, 4 search, 9 views."""
    word = int(np.random.SeedSequence([seed, stream, step]).generate_state(1)[0])
    return torch.Generator().manual_seed(word)


def _cpu(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}


class _Run:
    """A state brought to life on the device, for one slice."""

    def __init__(self, state: State, settings: Settings):
        _check_structure(state.settings, settings)
        self.settings, self.now, self.images = settings, state.step, state.images
        self.device, self.fast = accelerator.device(), accelerator.autocast_dtype()
        self.data = state.images or load(settings.dataset)
        self.model = self._network(state.weights)
        self.teacher = self._network(state.teacher or state.weights) if settings.target == "ema" else None
        same = all(getattr(state.settings, f) == getattr(settings, f) for f in ("optimizer", "predictor"))
        self.stepper = Stepper(self.model, settings, state.optimizer if same else None)
        self.axes, self.seen, self.outcome = state.axes, state.seen, None

    def _network(self, weights: dict[str, torch.Tensor]) -> SimSiam:
        """A network with these weights; a predictor that they lack is drawn from the seed."""
        model = SimSiam(self.settings, *self.data.train.shape[1:3])
        if model.predictor is not None and "predictor.0.weight" not in weights:
            initialise(model.predictor, _generator(self.settings.seed, 2))
        model.load_state_dict(weights, strict=False)
        # A quarter faster than contiguous on the CPU in bf16, but L-BFGS flattens gradients by a view.
        contiguous = self.settings.optimizer == "lbfgs"
        layout = torch.contiguous_format if contiguous else torch.channels_last
        return model.to(self.device, memory_format=layout)

    def state(self) -> State:
        teacher = _cpu(self.teacher.state_dict()) if self.teacher else None
        weights = _cpu(self.model.state_dict())
        return State(self.now, self.settings, weights, teacher, self.stepper.state(), self.images, self.axes, self.seen)

    def _batch(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Both views (2B, C, S, S) of this step's batch, and x̄ (B, C, S, S) where it is the target."""
        generator = _generator(self.settings.seed, 3, self.now)
        chosen = torch.randperm(len(self.data.train), generator=generator)[: self.settings.batch_size]
        images = self.data.train[chosen].to(self.device)
        pair = augment.views(images, self.settings, generator)
        return pair, augment.mean_view(images, self.settings, generator) if self.settings.target == "mean" else None

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, self.fast, enabled=self.fast is not None)

    def _evaluate(self, pair: torch.Tensor, center: torch.Tensor | None, held: torch.Tensor | None) -> torch.Tensor:
        """Loss of the batch. `held`: targets to keep instead of those of the present weights."""
        with self._autocast():
            z, p, target = self.model(pair, center, self.teacher)
        target = target if held is None else held
        self.outcome = z.detach(), p.detach(), target.detach()
        return self.model.loss(p, target)

    def step(self) -> None:
        """One step of the optimiser, and of the moving average."""
        batch = self._batch()
        noise = _generator(self.settings.seed, 4, self.now)
        self.stepper.step(lambda held: self._evaluate(*batch, held), lambda: self.outcome[2], noise)
        self.now += 1
        if self.teacher is not None:
            with torch.no_grad():
                ours = [*self.model.encoder.parameters(), *self.model.projector.parameters()]
                theirs = [*self.teacher.encoder.parameters(), *self.teacher.projector.parameters()]
                torch._foreach_lerp_(theirs, ours, 1 - self.settings.ema_rate)

    @torch.no_grad()
    def frame(self, every: int | None = None) -> Frame:
        """Measure now. Loss and lag are of the last batch; at step 0 of the first, before any update."""
        if self.outcome is None:
            self._evaluate(*self._batch(), None)
        loss, lag = self._lag()
        features = self._encode(self.data.held_out[:PROBE])
        knn = self.knn(BANK, features) if every is not None or knn_at(self.now) else None
        z = self._project(features)
        values = metrics.spectrum(z)
        unit = F.normalize(z, dim=1)
        speed = self._speed(unit)
        self.axes = metrics.principal_axes(unit, self.axes)
        self.seen = (self.now, unit)
        labels = self.data.held_out_labels
        return Frame(
            self.now, loss, metrics.spread(z), metrics.effective_rank(z),
            values.clamp(min=1e-12).log10().numpy(), knn, lag, speed,
            ((unit - unit.mean(0)) @ self.axes).numpy(), None if labels is None else labels[:PROBE].numpy(),
        )  # fmt: skip

    def _lag(self) -> tuple[float, float]:
        z, p, target = self.outcome
        loss = self.model.loss(p, target)
        best = direction(z, self.settings) @ least_squares(z, target, self.settings)
        return float(loss), float(loss - self.model.loss(best, target))

    def _speed(self, unit: torch.Tensor) -> float | None:
        if self.seen is None or self.seen[0] == self.now:
            return None
        change = (unit - self.seen[1]).pow(2).sum(1).mean().sqrt()
        return float(change) / (self.now - self.seen[0])

    @torch.no_grad()
    def _encode(self, images: torch.Tensor) -> torch.Tensor:
        """The encoder's features of uint8 images, on the device, by batches."""
        with self._autocast():
            parts = [self.model.encoder(part.to(self.device).float() / 255 - 0.5) for part in images.split(500)]
        return torch.cat(parts)

    @torch.no_grad()
    def _project(self, features: torch.Tensor) -> torch.Tensor:
        with self._autocast():
            return self.model.projector(features).float().cpu()

    def knn(self, bank: int, features: torch.Tensor) -> float | None:
        """k-NN accuracy of the first held-out images, given by their features, among so many training images."""
        data = self.data
        if data.train_labels is None:
            return None
        known, labels = self._encode(data.train[:bank]).float().cpu(), data.train_labels[:bank]
        return metrics.neighbours(known, labels, features.float().cpu(), data.held_out_labels[: len(features)])

    def outputs(self) -> torch.Tensor:
        """z (M, d) of all images held out."""
        return self._project(self._encode(self.data.held_out))


def _check_structure(before: Settings, after: Settings) -> None:
    for field in STRUCTURE:
        if getattr(before, field) != getattr(after, field):
            raise InputError(field, "运行中不能更改，请重新开始。", "cannot change during a run: start a new one.")
