"""Made-up embeddings, one for each verdict of the check-up: a reader sees what each failure looks like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shared.experiment import choice

ROWS, DIM, CENTRES = 1000, 64, 10
KINDS = ("healthy", "complete", "partial", "dimensional", "local", "noise")


@dataclass(frozen=True)
class Sample:
    """Which made-up embeddings to look at."""

    kind: str = "dimensional"

    def __post_init__(self):
        choice("kind", self.kind, KINDS)


def draw(sample: Sample, seed: int = 0) -> np.ndarray:
    """Embeddings (1000, 64) of that kind."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(CENTRES, DIM))
    classes = centres[rng.integers(CENTRES, size=ROWS)]
    features = rng.normal(size=(ROWS, 16)) @ rng.normal(size=(16, DIM)) / 4  # 16 factors shared by all dimensions
    noise = rng.normal(size=(ROWS, DIM))
    made = {
        "healthy": classes + features + 0.1 * noise,
        "complete": centres[0] + 0.02 * noise,
        "partial": 4 * centres[0] + features + 0.5 * noise,
        "dimensional": rng.normal(size=(ROWS, 3)) @ rng.normal(size=(3, DIM)) + 0.02 * noise,
        "local": classes + 0.02 * noise,
        "noise": noise,
    }
    return made[sample.kind]
