"""Steps a second of the live SimSiam, side by side with the bare loop and with lightly's: one table, ratios.

    python -m benchmarks.simsiam
    pip install --no-deps --target .cache/lightly lightly==1.6.0 torchvision==0.28.0 lightning-utilities lightly_utils
    python -m benchmarks.simsiam --lightly .cache/lightly

    live          what the tab runs: slices, a new network from the state each, frames by the page's schedule
    bare          the same network, augmentations and optimiser in a plain PyTorch loop that measures nothing
    lightly       lightly's heads and loss around the same encoder, both views one by one as in its documentation, on
                  our augmented batches: the training step alone
    lightly full  the same fed as lightly's documentation does, by its SimSiamTransform in a DataLoader

Variants take turns every ten steps, so that a busy machine slows all of them alike; the ratio is of all their time.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from PIL import Image

from shared import accelerator
from spaces.simsiam import augment
from spaces.simsiam.data import load
from spaces.simsiam.live import advance_here, start
from spaces.simsiam.model import FEATURES, HIDDEN, SimSiam, convnet
from spaces.simsiam.settings import Settings

SLICE = 10  # steps between two pictures: about a quarter of a second


def live(settings: Settings) -> Iterator[None]:
    state = start(settings)
    while True:
        state, _ = advance_here(state, settings, SLICE)
        yield


def bare(settings: Settings) -> Iterator[None]:
    images, generator = load(settings.dataset).train, torch.Generator().manual_seed(settings.seed)
    model = SimSiam(settings, *images.shape[1:3]).to(memory_format=torch.channels_last)
    optimizer = _sgd(model, settings)
    while True:
        for _ in range(SLICE):
            chosen = torch.randperm(len(images), generator=generator)[: settings.batch_size]
            views = augment.views(images[chosen], settings, generator)
            with _autocast():
                _, p, target = model(views)
            _update(optimizer, model.loss(p, target))
        yield


def _sgd(model: torch.nn.Module, settings: Settings) -> torch.optim.SGD:
    parameters = model.parameters()
    return torch.optim.SGD(parameters, lr=settings.rate, momentum=0.9, weight_decay=settings.weight_decay)


def _autocast() -> torch.autocast:
    fast = accelerator.autocast_dtype()
    return torch.autocast("cpu", fast, enabled=fast is not None)


def _update(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def lightly_step(settings: Settings) -> tuple[Callable[[torch.Tensor, torch.Tensor], None], tuple[int, int]]:
    """One training step of lightly's SimSiam around our encoder, with heads as wide as ours."""
    from lightly.loss import NegativeCosineSimilarity
    from lightly.models.modules.heads import ProjectionHead

    norm, relu, d = torch.nn.BatchNorm1d, torch.nn.ReLU(), settings.dim
    channels, side = load(settings.dataset).train.shape[1:3]
    encoder = convnet(channels, side)
    projector = ProjectionHead([(FEATURES, HIDDEN, norm(HIDDEN), relu), (HIDDEN, d, None, None)])
    predictor = ProjectionHead([(d, HIDDEN // 2, norm(HIDDEN // 2), relu), (HIDDEN // 2, d, None, None)])
    model = torch.nn.ModuleList([encoder, projector, predictor]).to(memory_format=torch.channels_last)
    optimizer, criterion = _sgd(model, settings), NegativeCosineSimilarity()

    def step(x0: torch.Tensor, x1: torch.Tensor) -> None:
        with _autocast():
            z0, z1 = projector(encoder(x0)), projector(encoder(x1))
            p0, p1 = predictor(z0), predictor(z1)
        loss = 0.5 * (criterion(p0, z1.detach()) + criterion(p1, z0.detach()))
        _update(optimizer, loss)

    return step, (channels, side)


def lightly(settings: Settings) -> Iterator[None]:
    step, _ = lightly_step(settings)
    images, generator = load(settings.dataset).train, torch.Generator().manual_seed(settings.seed)
    while True:
        for _ in range(SLICE):
            chosen = torch.randperm(len(images), generator=generator)[: settings.batch_size]
            step(*augment.views(images[chosen], settings, generator).chunk(2))
        yield


class _Pictures(torch.utils.data.Dataset):
    def __init__(self, settings: Settings, side: int):
        from lightly.transforms import SimSiamTransform

        pixels = load(settings.dataset).train.permute(0, 2, 3, 1).numpy()
        self.pictures = [Image.fromarray(np.broadcast_to(p, (*p.shape[:2], 3)).copy()) for p in pixels]
        self.transform = SimSiamTransform(input_size=side)

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> list[torch.Tensor]:
        return self.transform(self.pictures[index])


def lightly_full(settings: Settings) -> Iterator[None]:
    step, (channels, side) = lightly_step(settings)
    options: dict[str, Any] = {"batch_size": settings.batch_size, "shuffle": True, "drop_last": True}
    loader, done = torch.utils.data.DataLoader(_Pictures(settings, side), **options), 0
    while True:
        for x0, x1 in loader:
            step(x0[:, :channels], x1[:, :channels])
            done += 1
            if done % SLICE == 0:
                yield


def import_lightly(folder: str) -> None:
    """lightly wants torchvision, whose PyPI wheel is built for CUDA: its operators, which nothing here uses, are
    declared without kernels so that its Python part can be imported beside a CPU build of torch."""
    sys.path.insert(0, folder)
    if torch.version.cuda is None:
        real = torch.library.register_fake
        torch.library.register_fake = lambda name, *rest, **options: (
            (lambda function: function) if str(name).startswith("torchvision::") else real(name, *rest, **options)
        )
        torch.library.Library("torchvision", "DEF").define("nms(Tensor a, Tensor b, float c) -> Tensor")
    import lightly.transforms  # noqa: F401


def race(variants: dict[str, Callable[[Settings], Iterator[None]]], settings: Settings) -> dict[str, float]:
    """Seconds that each variant took for all its steps."""
    running = {name: make(settings) for name, make in variants.items()}
    spent = dict.fromkeys(running, 0.0)
    for _ in range(0, settings.steps, SLICE):
        for name, run in running.items():
            began = time.perf_counter()
            next(run)
            spent[name] += time.perf_counter() - began
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=Settings().steps)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lightly", metavar="FOLDER", help="where lightly and torchvision are installed")
    options = parser.parse_args()
    torch.set_num_threads(accelerator.threads())
    variants: dict[str, Callable] = {"live": live, "bare": bare}
    if options.lightly:
        import_lightly(options.lightly)
        variants |= {"lightly": lightly, "lightly full": lightly_full}
    race(variants, Settings(steps=SLICE))  # warm-up
    rounds = [race(variants, Settings(steps=options.steps)) for _ in range(options.rounds)]
    total = {name: sum(spent[name] for spent in rounds) for name in variants}
    print(f"{torch.get_num_threads()} threads, autocast {accelerator.autocast_dtype()}, batch {Settings().batch_size}")
    print("| variant | steps/s | its time over live's | over the rounds |\n| --- | --- | --- | --- |")
    for name, seconds in total.items():
        ratios = sorted(spent[name] / spent["live"] for spent in rounds)
        rate = options.steps * options.rounds / seconds
        print(f"| {name} | {rate:.1f} | {seconds / total['live']:.2f} | {ratios[0]:.2f} … {ratios[-1]:.2f} |")


if __name__ == "__main__":
    main()
