"""How the next token is drawn: repetition penalty, temperature, top-k, top-p, in the order and meaning of transformers.

The article drew with top-p 0.95 at temperature 1, at most 16 tokens, up to the end of the line. Temperature 0 takes the
likeliest token. The distribution is that of transformers' processors (tested by chi-square); only its head is sorted.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import torch

from shared.experiment import InputError, number

LIMITS = {
    "temperature": (0.0, 5.0),
    "top_p": (0.0, 1.0),
    "top_k": (0, 1000),
    "repetition_penalty": (0.5, 2.0),
    "max_new_tokens": (1, 1024),
    "seed": (0, 2**31 - 1),
}
STOPS, STOP_LENGTH = 8, 40
COLDEST = 1e-30  # what is colder draws like this: always the likeliest, and its quotients are still finite
HEAD = 256  # tokens that hold the nucleus nearly always; the whole vocabulary is sorted where they do not


@dataclass(frozen=True)
class Sampling:
    """How to continue a prompt; the defaults are the article's, with room for more than a line."""

    temperature: float = 1.0
    """0: always the likeliest token; below 1 safer, above 1 wilder."""
    top_p: float = 0.95
    """The fewest tokens whose probabilities sum to it stay in the draw; 1: all."""
    top_k: int = 0
    """So many tokens stay in the draw; 0: all."""
    repetition_penalty: float = 1.0
    """Logits of tokens that stand in the text are divided by it (multiplied where negative); 1: none."""
    max_new_tokens: int = 64
    seed: int = 0
    stop: tuple[str, ...] = ()
    """The answer ends before any of these texts."""

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            checked = _stops(value) if field.name == "stop" else number(field.name, value, LIMITS[field.name])
            object.__setattr__(self, field.name, checked)

    def later(self, draws: int) -> Sampling:
        """The same with the seed so many draws further on; after the last seed comes 0."""
        return replace(self, seed=(self.seed + draws) % (LIMITS["seed"][1] + 1))


def _stops(value: Any) -> tuple[str, ...]:
    stops = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list | tuple) else (None,)
    if len(stops) > STOPS or not all(isinstance(stop, str) and 0 < len(stop) <= STOP_LENGTH for stop in stops):
        raise InputError(
            "stop",
            f"至多 {STOPS} 个停止串，每个 1 到 {STOP_LENGTH} 个字符。",
            f"must be at most {STOPS} texts of 1 to {STOP_LENGTH} characters.",
        )
    return stops


class Sampler:
    """Draws the tokens of one answer; equal seeds draw equally."""

    def __init__(self, sampling: Sampling, ids: list[int]):
        """ids: the prompt, which the repetition penalty counts too."""
        self.sampling, self.seen = sampling, set(ids)
        self.generator = torch.Generator().manual_seed(sampling.seed)

    def draw(self, logits: torch.Tensor) -> int:
        """The next token from logits (V,), which are left as they are."""
        token = self._draw(self._penalised(logits))
        self.seen.add(token)
        return token

    def _penalised(self, logits: torch.Tensor) -> torch.Tensor:
        penalty = self.sampling.repetition_penalty
        if penalty == 1:
            return logits
        seen = torch.tensor(sorted(self.seen), dtype=torch.long)
        scores = logits[seen]
        return logits.index_put((seen,), torch.where(scores < 0, scores * penalty, scores / penalty))

    def _draw(self, logits: torch.Tensor) -> int:
        if self.sampling.temperature == 0:
            return int(logits.argmax())
        logits, tokens = self._kept((logits - logits.max()) / max(self.sampling.temperature, COLDEST))
        chosen = torch.multinomial(logits.softmax(0), 1, generator=self.generator)
        return int(chosen if tokens is None else tokens[chosen])

    def _kept(self, logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Logits that stay in the draw, the largest first, and their tokens; None: the whole vocabulary."""
        top_k, top_p = self.sampling.top_k, self.sampling.top_p
        tokens = None
        if 0 < top_k < len(logits):
            least = logits.topk(top_k).values[-1]
            tokens = (logits >= least).nonzero()[:, 0]  # ties with the last one stay, as in transformers
            logits = logits[tokens]
        if top_p == 1:
            return logits, tokens
        for size in (min(HEAD, len(logits)), len(logits)):
            head, order = logits.topk(size)
            # A token leaves when those before it reach top_p already; the first one always stays.
            before = (head - logits.logsumexp(0)).exp().cumsum(0).roll(1)
            before[0] = 0
            count = max(1, int((before < top_p).sum()))
            if count < size:
                break
        return head[:count], (order if tokens is None else tokens[order])[:count]
