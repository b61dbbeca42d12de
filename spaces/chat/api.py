"""The tab's API as plain Python: `chat(prompt, model, max_new_tokens, temperature, top_p, seed)`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from spaces.chat.answer import checked
from spaces.chat.sampling import Sampling
from spaces.chat.voices import find


def chat(
    prompt: str,
    model: str = "",
    max_new_tokens: int = 64,
    temperature: float = 1.0,
    top_p: float = 0.95,
    seed: int = 0,
) -> Iterator[str]:
    """The continuation of a prompt so far, as it grows; the last value is the whole. Closed early, nothing goes on.

    model: empty for the embedded default, else a folder, a name on the hub, or "server" where OPENAI_BASE_URL is set.
    Raises InputError, also when a server fails midway.
    """
    sampling = Sampling(temperature, top_p, max_new_tokens=max_new_tokens, seed=seed)
    checked(prompt)
    voice = find(model)
    ids = voice.read(prompt, sampling.max_new_tokens).ids
    with closing(voice.go_on(ids, sampling)) as replies:
        for reply in replies:
            yield reply.text
            if reply.note:
                raise reply.note
