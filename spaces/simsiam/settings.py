"""The settings of one run: the same object drives the tab, the link and the API.

The defaults show the article's point beyond doubt: stop-gradient keeps the output spread (std × √d near 0.9),
and without it std × √d falls below 0.1 within 40 steps. Their BatchNorm sits in the hidden layers only: one
at the projector's end would hide the collapse, for it blows whatever is left up to unit variance.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from shared.experiment import InputError, boolean, choice, number

CHOICES = {
    "predictor": ("mlp", "none", "fixed", "least_squares"),
    "target": ("view", "ema", "mean"),
    "distance": ("cosine", "squared"),
    "batch_norm": ("none", "hidden", "default"),
    "optimizer": ("sgd", "adam", "lbfgs", "random_search"),
    "encoder": ("convnet", "vit"),
    "dataset": ("digits", "cifar10", "images"),
}
LIMITS = {
    "predictor_rate": (0.0, 100.0),
    "ema_rate": (0.0, 0.9999),
    "learning_rate": (0.0, 10.0),
    "weight_decay": (0.0, 0.1),
    "strength": (0.0, 1.0),
    "batch_size": (16, 512),
    "dim": (4, 256),
    "steps": (1, 2000),
    "seed": (0, 2**31 - 1),
}
AUGMENTATIONS = ("crop", "shift", "rotate", "flip", "contrast", "noise", "cutout")
RATES = {"sgd": 0.2, "adam": 2e-3, "lbfgs": 1.0, "random_search": 0.02}
"""The rate that each optimiser takes when `learning_rate` is 0."""
STRUCTURE = ("encoder", "dataset", "batch_norm", "dim", "seed")
"""The fields that a run cannot change on its way."""


@dataclass(frozen=True)
class Settings:
    """One run of SimSiam."""

    stop_gradient: bool = True
    """Whether the target is a constant to the gradient."""
    predictor: str = "mlp"
    """mlp; none: the identity; fixed: an mlp that does not learn (chosen on the way, it freezes the present
    one); least_squares: the linear optimum of each batch."""
    predictor_rate: float = 1.0
    """The mlp's learning rate as a multiple of the encoder's."""
    target: str = "view"
    """What one view's prediction is compared with. view: the other view's output; ema: that of a moving
    average of the network, which never gets a gradient (BYOL); mean: F(x̄), x̄ the mean of eight
    augmentations (the author's open question)."""
    ema_rate: float = 0.99
    """Share of the old average that each step keeps; used where target is ema."""
    distance: str = "cosine"
    """cosine: −cos(p, z), SimSiam's own; squared: the mean of (p − z)², the article's notation literally."""
    batch_norm: str = "hidden"
    """In projector and predictor. none; hidden: hidden layers only; default: and at the projector's end."""
    optimizer: str = "sgd"
    """sgd with momentum 0.9; adam; lbfgs: four iterations a step; random_search: keep a move if it helps."""
    learning_rate: float = 0.0
    """0: the optimiser's own in RATES. For random_search the size of a move relative to each tensor's rms."""
    weight_decay: float = 5e-4
    encoder: str = "convnet"
    augmentations: tuple[str, ...] = ("crop", "rotate", "contrast", "noise")
    """Some of AUGMENTATIONS; ("identity",) for two equal views."""
    strength: float = 0.5
    """0: no augmentation; 1: the strongest."""
    dataset: str = "digits"
    batch_size: int = 128
    dim: int = 64
    """d, the width of the output that is compared."""
    steps: int = 400
    seed: int = 0

    def __post_init__(self):
        for field in fields(self):
            object.__setattr__(self, field.name, _checked(field.name, getattr(self, field.name)))
        if self.optimizer == "lbfgs" and self.predictor_rate != 1:
            raise InputError(
                "predictor_rate",
                "L-BFGS 对所有参数只有一个步长，此项须为 1。",
                "must be 1 with lbfgs, which has one rate for all parameters.",
            )

    @property
    def rate(self) -> float:
        """The learning rate that is really used."""
        return self.learning_rate or RATES[self.optimizer]

    def but(self, **changes: Any) -> Settings:
        """These settings with some fields changed."""
        return replace(self, **changes)

    def to_json(self) -> str:
        """One JSON object of all fields; `shared.experiment.from_json` reads it."""
        return json.dumps(asdict(self), ensure_ascii=False)


def _checked(name: str, value: Any) -> Any:
    if name == "stop_gradient":
        return boolean(name, value)
    if name == "augmentations":
        return _augmentations(value)
    return choice(name, value, CHOICES[name]) if name in CHOICES else number(name, value, LIMITS[name])


def _augmentations(value: Any) -> tuple[str, ...]:
    names = tuple(value) if isinstance(value, list | tuple) else (value,)
    strings = all(isinstance(name, str) for name in names)
    if names in ((), ("identity",)):
        return ("identity",)
    if not strings or set(names) - set(AUGMENTATIONS) or len(set(names)) < len(names):
        options = ", ".join(AUGMENTATIONS)
        raise InputError(
            "augmentations",
            f"须为 identity，或下列若干项（不重复）：{options}。",
            f"must be identity alone, or some of {options}, each once.",
        )
    return names
