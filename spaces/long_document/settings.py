"""What the tab's knobs may be; the same objects drive the page, the link and the API."""

from __future__ import annotations

from dataclasses import dataclass

from shared.experiment import InputError, choice, choices, number
from spaces.long_document.positions import ALPHA, check_alpha

READINGS = ("512", "sliding", "whole", "performer", "taylor")
WAYS_TO_EXPLAIN = ("gradient", "occlusion")
LIMITS = {"stride": (64, 512), "place": (0.0, 100.0), "share": (0.0, 50.0), "tokens": (512, 262_144),
          "steps": (5, 41), "budget": (8, 400)}  # fmt: skip
MOST_NAME = 400
HIDDEN = ("医药养生", "兵法军事", "佛道", "史书", "白话小说", "术数命理")  # genres that a composed book has evidence of


@dataclass(frozen=True)
class Example:
    """A made-up book with its evidence hidden in it."""

    tokens: int = 16_384
    place: float = 70.0
    """Where the evidence stands, per cent of the way through."""
    genre: str = "医药养生"
    share: float = 20.0
    """How much of it is evidence, per cent; one sentence at least."""
    seed: int = 0

    def __post_init__(self):
        choice("genre", self.genre, HIDDEN)
        for name in ("tokens", "place", "share"):
            object.__setattr__(self, name, number(name, getattr(self, name), LIMITS[name]))
        object.__setattr__(self, "seed", number("seed", self.seed, (0, 2**31 - 1)))


@dataclass(frozen=True)
class Read(Example):
    """One document, read in several ways; the book that is composed belongs to its link."""

    model: str = ""
    """A classifier: empty for the embedded default, a folder, or a name on the hub."""
    task: str = "genre"
    """One of the model's tasks; an unknown one is answered with the list."""
    readings: tuple[str, ...] = ("512", "sliding", "whole")
    stride: int = 256
    """Tokens between two windows of the sliding reading."""

    def __post_init__(self):
        super().__post_init__()
        _short("model", self.model)
        _short("task", self.task)
        object.__setattr__(self, "readings", choices("readings", self.readings, READINGS))
        object.__setattr__(self, "stride", number("stride", self.stride, LIMITS["stride"]))


@dataclass(frozen=True)
class Explain:
    """Where the evidence of a reading is."""

    way: str = "gradient"
    budget: int = 48
    """Readings that occlusion may take."""
    steps: int = 17
    """Places to which a passage is moved."""
    tokens: int = 2048
    """How much of the document a passage is moved through."""
    label: str = ""
    """The label to explain; empty for the model's own."""

    def __post_init__(self):
        choice("way", self.way, WAYS_TO_EXPLAIN)
        _short("label", self.label)
        for name in ("budget", "steps", "tokens"):
            object.__setattr__(self, name, number(name, getattr(self, name), LIMITS[name]))


@dataclass(frozen=True)
class Positions:
    """A window on the similarity of the continued positions."""

    alpha: float = ALPHA
    start: int = 0
    span: int = 1536

    def __post_init__(self):
        object.__setattr__(self, "alpha", check_alpha(number("alpha", self.alpha, (0.0, 1.0)), half=True))
        object.__setattr__(self, "start", number("start", self.start, (0, 262_143)))
        object.__setattr__(self, "span", number("span", self.span, (16, 262_144)))


def _short(name: str, value: str) -> None:
    if not isinstance(value, str) or len(value) > MOST_NAME:
        raise InputError(name, f"须为至多 {MOST_NAME} 个字符。", f"must be text of at most {MOST_NAME} characters.")
