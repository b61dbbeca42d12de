"""The author's open question: does E‖F(T(x)) − F(x̄)‖², x̄ = E T(x), collapse? Run it, over seeds.

    python -m spaces.simsiam.open_question              # about 20 minutes on one core
    python -m spaces.simsiam.open_question --seeds 1 --steps 50

Each line: medians over seeds of std × √d (direction: 1 spread, 0 collapsed) and of the size of the output, its
standard deviation over images without normalising, as a share of what it was at the start; then the number of
seeds collapsed at the end (either below 0.1), effective rank and k-NN accuracy. The squared distance sees the size,
the cosine does not. "view" is SimSiam's own target, for comparison.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from statistics import median

from spaces.simsiam.checkup import COMPLETE as COLLAPSED
from spaces.simsiam.live import Frame, advance, outputs, start
from spaces.simsiam.settings import Settings


@dataclass(frozen=True)
class Run:
    """One seed: measurements at step 0 and at the quarters of the run."""

    frames: list[Frame]
    size: list[float]  # of the output, as a share of the start's

    @property
    def collapsed(self) -> bool:
        return min(self.frames[-1].std, self.size[-1]) < COLLAPSED


@dataclass(frozen=True)
class Answer:
    """One way to put the question, and what came of it."""

    target: str
    distance: str
    stop_gradient: bool
    predictor: str
    runs: list[Run]


def run(settings: Settings) -> Run:
    """Train and measure at step 0 and at each quarter."""
    state, frames, size = start(settings), [], []
    size.append(float(outputs(state).std(0).mean()))
    for _ in range(4):
        state, more = advance(state, settings, settings.steps // 4, settings.steps // 4)
        frames += more
        size.append(float(outputs(state).std(0).mean()))
    return Run(frames, [value / size[0] for value in size])


def answers(base: Settings, seeds: int) -> Iterator[Answer]:
    """Every target, distance, stop-gradient and predictor."""
    for choice in product(("mean", "view"), ("squared", "cosine"), (False, True), ("none", "mlp")):
        target, distance, stop_gradient, predictor = choice
        chosen = base.but(target=target, distance=distance, stop_gradient=stop_gradient, predictor=predictor)
        yield Answer(*choice, [run(chosen.but(seed=seed)) for seed in range(seeds)])


def line(answer: Answer) -> str:
    """One row of the table, in Markdown."""
    std = zip(*([frame.std for frame in run.frames] for run in answer.runs), strict=True)
    size = zip(*(run.size for run in answer.runs), strict=True)
    paths = [" → ".join(f"{median(values):.3f}" for values in part) for part in (std, size)]
    last = [run.frames[-1] for run in answer.runs]
    rank, knn = median(f.effective_rank for f in last), median(f.knn for f in last)
    stopped, count = "yes" if answer.stop_gradient else "no", sum(run.collapsed for run in answer.runs)
    return (
        f"| {answer.target} | {answer.distance} | {stopped} | {answer.predictor} | {paths[0]} | {paths[1]} "
        f"| {count}/{len(last)} | {rank:.1f} | {knn:.3f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--optimizer", default="sgd")
    parser.add_argument("--batch-norm", default="hidden")
    options = parser.parse_args()
    base = Settings(steps=options.steps, optimizer=options.optimizer, batch_norm=options.batch_norm)
    print("| target | distance | stop-gradient | predictor | std × √d | size | collapsed | effective rank | k-NN |")
    print("| --- " * 9 + "|")
    for answer in answers(base, options.seeds):
        print(line(answer), flush=True)


if __name__ == "__main__":
    main()
