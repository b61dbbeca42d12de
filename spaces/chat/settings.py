"""What a visitor may set in each view, as a link carries it: the sampling of sampling.py beside a text and a model."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from shared.experiment import InputError, choice, number
from spaces.chat.engines import PRECISIONS
from spaces.chat.sampling import LIMITS, Sampling

LONGEST_LINK = 4000
"""Characters of a prompt in a link; longer ones stay on the page."""


def stops(text: str) -> tuple[str, ...]:
    r"""Stop strings as they are typed: separated by |, a line break as \n."""
    return tuple(part.replace(r"\n", "\n") for part in text.split("|") if part)


@dataclass(frozen=True)
class Voicing:
    """Which model says how; `sampling` is the engine's."""

    model: str = ""
    """Empty: the embedded default; a folder, a name on the hub, or "server"."""
    precision: str = "full"
    temperature: float = 0.0
    top_p: float = 0.95
    top_k: int = 0
    repetition_penalty: float = 1.0
    max_new_tokens: int = 16
    seed: int = 0
    stop: str = r"\n"
    r"""Stop strings separated by |, a line break as \n."""

    def __post_init__(self):
        if not isinstance(self.model, str):
            raise InputError("model", "须为文本。", "must be text.")
        choice("precision", self.precision, PRECISIONS)
        if not isinstance(self.stop, str):
            raise InputError("stop", "须为文本。", "must be text.")
        for name, limits in LIMITS.items():
            object.__setattr__(self, name, number(name, getattr(self, name), limits))
        _ = self.sampling  # checks the stop strings

    @property
    def sampling(self) -> Sampling:
        """How the engine draws."""
        drawn: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(Sampling) if f.name != "stop"}
        return Sampling(stop=stops(self.stop), **drawn)


@dataclass(frozen=True)
class Writing(Voicing):
    """A text to continue; the defaults are the article's end of line and 16 tokens, taking the likeliest."""

    prompt: str = ""

    def __post_init__(self):
        super().__post_init__()
        if not isinstance(self.prompt, str) or len(self.prompt) > LONGEST_LINK:
            zh, en = f"链接里至多 {LONGEST_LINK} 字。", f"must have at most {LONGEST_LINK} characters in a link."
            raise InputError("prompt", zh, en)


@dataclass(frozen=True)
class Talking(Voicing):
    """A conversation in 问/答 form; `second` answers beside the first model."""

    temperature: float = 0.8
    top_p: float = 0.9
    max_new_tokens: int = 128
    stop: str = r"\n问|\n答"
    second: str = ""
    """A further model's name, "default" for the embedded one; empty: there is none."""
    form: str = "text"
    """How a server gets the conversation: text (问/答, completions) or messages (chat completions)."""

    def __post_init__(self):
        super().__post_init__()
        choice("form", self.form, ("text", "messages"))
        if not isinstance(self.second, str):
            raise InputError("second", "须为文本。", "must be text.")
