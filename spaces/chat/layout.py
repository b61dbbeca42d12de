"""The article's first pitfall: CPM's weights fit GPT2_ML's layout without an error, and say nonsense there.

GPT-2 normalises what attention and MLP see and leaves the stream between the layers alone; a last norm stands before
the output. GPT2_ML normalises the stream itself: after the embedding and after each block (Att → Add → LN → FFN → Add →
LN, the second sum over what stood before its LN). Both have 2 × layers + 1 norms of the same size, so the
same weights load into either. A third reading leaves out GPT-2's last norm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from shared.experiment import InputError
from spaces.chat.answer import answer, checked, fit
from spaces.chat.decode import LAYOUTS, Decoder, readable
from spaces.chat.engines import Speaker
from spaces.chat.sampling import Sampling


@dataclass(frozen=True)
class Reading:
    """What a layout makes of a text: bits per character of its end, and how it goes on greedily."""

    layout: str
    bits_per_character: float
    continuation: str


def speakers(model, tokenizer, start: tuple[int, ...] = ()) -> dict[str, Speaker]:
    """The three layouts of a GPT-2 over the same weights; a small one's are copied for speed (products.py)."""
    if not readable(model):
        raise InputError("model", "须为 GPT-2 布局的模型。", "must be a model in GPT-2's layout.")
    return {layout: Speaker(Decoder(model, layout), tokenizer, start) for layout in LAYOUTS}


def compare(speakers: dict[str, Speaker], text: str, new_tokens: int = 24) -> list[Reading]:
    """The same text read in each layout; of a long one, the end that fits the context."""
    return [_reading(layout, speaker, text, new_tokens) for layout, speaker in speakers.items()]


def _reading(layout: str, speaker: Speaker, text: str, new_tokens: int) -> Reading:
    ids, _ = fit(speaker, checked(text), new_tokens)
    first = max(1, len(speaker.start))
    if len(ids) <= first:
        raise InputError("text", "至少两个词。", "must have two tokens at least.")
    logs = speaker.engine.read(ids, speaker.engine.cache(), len(ids)).log_softmax(1)
    nats = -sum(float(logs[i - 1, ids[i]]) for i in range(first, len(ids)))
    characters = len(speaker.tokenizer.decode(ids[first:]))
    *_, last = answer(speaker, text, Sampling(temperature=0.0, max_new_tokens=new_tokens))
    return Reading(layout, nats / math.log(2) / max(1, characters), last.text)
