"""What the five views share: where they draw, and how the models are heard slice by slice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from shared import page as parts
from shared.i18n import tr
from spaces.xiangqi.study import Study
from spaces.xiangqi.voices import MODELS, Saying, hear, shares

Update = dict[Any, Any]


@dataclass
class Lens:
    """One view: what it draws on, how, and which of its knobs and figures change the study.

    draw(study) yields {component: value}; knobs: fields of Study; picks: figures whose x is a ply.
    """

    draw: Callable[[Study], Iterator[Update]]
    outputs: list
    knobs: dict[str, Any] = field(default_factory=dict)
    picks: list = field(default_factory=list)
    choosers: list[tuple[gr.HTML, str]] = field(default_factory=list)
    """(figure, knob): a click's y is the knob's value."""


def listen(study: Study) -> Iterator[tuple[float, dict[str, dict[int, Saying]]]]:
    """(share done, {model: {ply: what it says}}), the present ply at once, then slice by slice; all is remembered."""
    said: dict[str, dict[int, Saying]] = {model: {} for model in MODELS}
    parts_of_game = shares(len(study.line), study.at)
    for done, plies in enumerate(parts_of_game, 1):
        for model, sayings in hear(study.line, plies, study.style).items():
            said[model] |= dict(zip(plies, sayings, strict=True))
        yield done / len(parts_of_game), said


def busy(share: float, zh: str, en: str) -> str:
    """The status while something is computed."""
    return parts.progress(share, tr(f"{zh} {share:.0%}", f"{en} {share:.0%}"))
