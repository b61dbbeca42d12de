"""The settings of a flow: the same object drives the tab, the link and the API.

The defaults show the article's point at once: with spectral radius 0.9 the simple RNN forgets like 0.9^n, the LSTM and
the GRU like their forget gates, and the first step's share of the gradient is gone long before the total is.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from shared.experiment import InputError, boolean, choice, choices, number

CELLS = ("rnn", "rnn_relu", "lstm", "gru", "su", "transformer")
CHOICES = {"activation": ("tanh", "relu", "sigmoid", "linear"), "input": ("noise", "constant", "text")}
LIMITS = {
    "hidden": (1, 256),
    "length": (2, 1000),
    "gain": (0.0, 10.0),
    "spectral_radius": (0.0, 10.0),
    "forget_bias": (-10.0, 10.0),
    "offset": (-10.0, 10.0),
    "input_scale": (0.0, 100.0),
    "clip": (0.0, 1e6),
    "seed": (0, 2**31 - 1),
}
MOST_TEXT = 1000  # characters


@dataclass(frozen=True)
class Flow:
    """Which cells, how they are drawn at random, and what they read."""

    cells: tuple[str, ...] = ("rnn", "lstm", "gru")
    """Some of CELLS."""
    hidden: int = 64
    """H."""
    length: int = 200
    """T."""
    gain: float = 1.0
    """Entries of U are drawn with standard deviation gain/√H: for a large H this is U's spectral radius."""
    spectral_radius: float = 0.9
    """If positive, each gate's U is scaled to have it, whatever the gain."""
    forget_bias: float = 3.0
    """Bias of the lstm's forget gate, and minus that of the update gate z of gru and su: what is kept is σ of it."""
    activation: str = "tanh"
    """The candidate's, in rnn, lstm, gru and su."""
    offset: float = 0.0
    """Added to each candidate's Wx + b."""
    input: str = "noise"
    """noise: normal, drawn anew each step; constant: one such vector; text: a fixed vector for each character."""
    text: str = "青青园中葵，朝露待日晞。"
    """What is read where input is text, over and over until the length is reached."""
    input_scale: float = 1.0
    """Standard deviation of each gate's Wx."""
    spectral: bool = False
    """Whether the spectral norm is computed too, by power iteration."""
    clip: float = 0.0
    """Threshold at which ∂L/∂θ is clipped by its norm; 0: not at all."""
    seed: int = 0

    def __post_init__(self):
        for field in fields(Flow):
            object.__setattr__(self, field.name, _checked(field.name, getattr(self, field.name)))

    def but(self, **changes: Any) -> Flow:
        """These settings with some fields changed."""
        return replace(self, **changes)

    def to_json(self) -> str:
        """One JSON object of all fields; `shared.experiment.from_json` reads it."""
        return json.dumps(asdict(self), ensure_ascii=False)


def _checked(name: str, value: Any) -> Any:
    if name == "cells":
        return choices(name, value, CELLS)
    if name == "spectral":
        return boolean(name, value)
    if name == "text":
        return _text(value)
    return choice(name, value, CHOICES[name]) if name in CHOICES else number(name, value, LIMITS[name])


def _text(value: Any) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= MOST_TEXT:
        raise InputError("text", f"须为 1 到 {MOST_TEXT} 个字。", f"must have 1 to {MOST_TEXT} characters.")
    return value
