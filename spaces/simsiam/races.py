"""Many runs at once: the point of no return, the optimiser race, the map of rates. Generators of partial results.

The article says that the answer must involve the optimiser. Measured on the default network and digits:
    point of no return   with SGD one step without stop-gradient is too many (std × √d 0.27 where it was 0.93: the
                         momentum carries on); with L-BFGS four are forgiven (0.83), sixteen are not (0.11)
    optimiser race       without stop-gradient SGD, Adam, L-BFGS and the exact predictor all collapse, random search
                         does not: it is a worse minimiser
    map of rates         without BatchNorm in the heads, a faster predictor and a slower encoder keep the output
                         spread: the article's argument, cell by cell

Every generator may be closed at any time; each `next` takes one turn at the device.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from shared import accelerator
from shared.experiment import InputError, number
from spaces.simsiam.data import Images
from spaces.simsiam.live import Frame, State, advance_here, start
from spaces.simsiam.settings import Settings

WAITS = (1, 2, 4, 8, 16, 32, 64)
ENCODER_RATES = (0.003, 0.01, 0.03, 0.1, 0.3)
PREDICTOR_RATES = (0.1, 1.0, 10.0, 100.0)
RACERS = {
    "sgd": {"optimizer": "sgd"},
    "adam": {"optimizer": "adam"},
    "lbfgs": {"optimizer": "lbfgs"},
    "exact": {"optimizer": "sgd", "predictor": "least_squares"},
    "random_search": {"optimizer": "random_search"},
}
"""Who takes part, each by its optimiser's own rate; exact: SGD with the least-squares predictor."""
PIECE = 10  # steps of one run between two pictures


@dataclass(frozen=True)
class Curve:
    """std × √d along the steps of one run."""

    steps: tuple[int, ...]
    std: tuple[float, ...]

    def joined(self, frames: Sequence[Frame]) -> Curve:
        """This curve with more frames at its end."""
        return Curve(self.steps + tuple(f.step for f in frames), self.std + tuple(f.std for f in frames))


@dataclass(frozen=True)
class Return:
    """A run that was without stop-gradient for `wait` steps; wait 0 is the run that never was."""

    wait: int
    off: int  # the step at which stop-gradient went
    curve: Curve
    at_return: float  # std × √d when stop-gradient came back
    final: float
    done: bool


@dataclass(frozen=True)
class Lane:
    """One racer, with or without stop-gradient, as far as it is."""

    racer: str
    stop_gradient: bool
    curve: Curve
    loss: float
    knn: float | None


@dataclass(frozen=True)
class Cell:
    """One run of the map; `settings` replay it."""

    row: int  # of PREDICTOR_RATES
    column: int  # of ENCODER_RATES
    settings: Settings
    std: float
    effective_rank: float


def _pieces(state: State, settings: Settings, steps: int, every: int) -> Generator[tuple[State, list[Frame]]]:
    """The run in pieces of PIECE steps, a frame `every` so many."""
    while steps > 0:
        state, frames = advance_here(state, settings, min(PIECE, steps), every)
        steps -= PIECE
        yield state, frames


@accelerator.run(duration=120)
def point_of_no_return(
    settings: Settings, off: int = 20, waits: Sequence[int] = WAITS, after: int = 100, images: Images | None = None
) -> Generator[Return]:
    """Stop-gradient goes at step `off` and comes back `wait` steps later, for each wait; `after` more steps follow.

    Yields each run several times as it grows, first the one that never lost it. Raises InputError.
    """
    waits = sorted(set(waits))
    number("off", off, (0, 500))
    number("after", after, (1, 500))
    for wait in waits:
        number("waits", wait, (1, 500))
    on, without = settings.but(stop_gradient=True), settings.but(stop_gradient=False)
    state, frames = advance_here(start(on, images), on, off, 2)
    lost, trunk, spent = state, Curve((), ()).joined(frames), 0
    for wait in [0, *waits]:
        lost, frames = advance_here(lost, without, wait - spent, 1)
        trunk, spent = trunk.joined(frames), wait
        yield from _come_back(lost, on, trunk, wait, off, after)


def _come_back(lost: State, on: Settings, trunk: Curve, wait: int, off: int, after: int) -> Generator[Return]:
    curve, at_return = trunk, trunk.std[-1]
    for state, frames in _pieces(lost, on, after, 5):
        curve = curve.joined(frames)
        yield Return(wait, off, curve, at_return, curve.std[-1], state.step >= off + wait + after)


@accelerator.run(duration=120)
def optimiser_race(settings: Settings, steps: int = 60, images: Images | None = None) -> Generator[Lane]:
    """Every racer with and without stop-gradient, from one seed on the same batches, PIECE steps by turns.

    A step of L-BFGS evaluates the loss up to five times, one of random search twice. Raises InputError.
    """
    number("steps", steps, (1, 500))
    plain = settings.but(learning_rate=0, predictor="mlp", predictor_rate=1)
    entries = [(name, on, plain.but(stop_gradient=on, **own)) for name, own in RACERS.items() for on in (True, False)]
    running = [
        (name, on, entry, _pieces(start(entry, images), entry, steps, PIECE // 2)) for name, on, entry in entries
    ]
    curves = {(name, on): Curve((), ()) for name, on, *_ in running}
    for _ in range(0, steps, PIECE):
        for name, on, _, pieces in running:
            _, frames = next(pieces)
            curves[name, on] = curves[name, on].joined(frames)
            if frames:
                yield Lane(name, on, curves[name, on], frames[-1].loss, frames[-1].knn)


@accelerator.run(duration=120)
def rate_map(
    settings: Settings,
    predictor_rates: Sequence[float] = PREDICTOR_RATES,
    encoder_rates: Sequence[float] = ENCODER_RATES,
    steps: int = 60,
    images: Images | None = None,
) -> Generator[Cell]:
    """Final std × √d for each predictor rate (a multiple of the encoder's) and encoder rate, the corners first.

    Most telling with batch_norm="none": BatchNorm in the heads keeps nearly every cell alive. Raises InputError.
    """
    number("steps", steps, (1, 500))
    if len(predictor_rates) * len(encoder_rates) > 200:
        raise InputError("rates", "地图不得超过 200 格。", "the map may have at most 200 cells.")
    cells = [
        (row, column, settings.but(predictor_rate=fast, learning_rate=slow, steps=steps))
        for row, fast in enumerate(predictor_rates)
        for column, slow in enumerate(encoder_rates)
    ]
    middle = (len(predictor_rates) - 1) / 2, (len(encoder_rates) - 1) / 2
    cells.sort(key=lambda cell: -abs(cell[0] - middle[0]) - abs(cell[1] - middle[1]))
    for row, column, chosen in cells:
        _, frames = advance_here(start(chosen, images), chosen, steps, steps)
        yield Cell(row, column, chosen, frames[-1].std, frames[-1].effective_rank)
