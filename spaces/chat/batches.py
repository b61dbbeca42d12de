"""Rows of packed tokens, assembled on the device from one stream in which the documents of all sources are shuffled.

Shuffled across sources, what stands before an <eod> says nothing about the text after it, so that the model learns to
begin anew there, as it must when it is asked for the probability of a text by itself. A row begins at an <eod> too, or
at least half a context inside a document, as the later windows of a long text do.
"""

from __future__ import annotations

import numpy as np
import torch

from spaces.chat.data import starts

# How often a source's documents stand in the stream: small sources that are asked for come round more often. The stream
# has 227 million tokens. What is still far from its target comes round more often than in the first five hours of the
# weights that ship: support dialogues (2 then) and generated prompts (4, of half as many).
COPIES = {
    "smilechat": 5, "kdconv": 8, "literature": 8, "poems": 5, "tech": 6, "wiki": 8, "wiki_converted": 2, "laws": 1,
    "classical": 1, "fewshot": 4, "sentences": 3, "questions": 2,
}  # fmt: skip


def shuffled(streams: dict[str, np.ndarray], eod: int, copies: dict[str, int], seed: int) -> np.ndarray:
    """One stream (tokens,) uint16 with every document of every source as often as `copies` says, in random order."""
    documents = []
    for name, ids in streams.items():
        edges = starts(ids, eod)
        documents += [ids[a:b] for a, b in zip(edges[:-1], edges[1:], strict=True)] * copies.get(name, 0)
    order = np.random.default_rng(seed).permutation(len(documents))
    return np.concatenate([documents[i] for i in order])


class Batches:
    """Endless batches of rows from a stream."""

    def __init__(self, stream: np.ndarray, eod: int, device: torch.device, seed: int):
        assert stream.max() < 2**15
        self.device = device
        self.ids = torch.from_numpy(stream.view(np.int16)).to(device)  # ids are below 2¹⁵
        self.starts = torch.from_numpy(starts(stream, eod)[:-1]).to(device)
        self.generator = torch.Generator(device).manual_seed(seed)
        self.drawn = 0  # tokens

    def draw(self, rows: int, context: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs and targets, (rows, context) int64 each."""
        last = len(self.ids) - context - 1
        offset = torch.randint(0, last + 1, (rows,), device=self.device, generator=self.generator)
        begin = self.starts[torch.searchsorted(self.starts, offset, right=True) - 1]
        offset = torch.where(offset - begin < context // 2, begin, offset)
        row = self.ids[offset[:, None] + torch.arange(context + 1, device=self.device)].long()
        self.drawn += rows * context
        return row[:, :-1], row[:, 1:]

    def passes(self) -> float:
        """How often the stream has come round so far; a source's epochs are its copies times this."""
        return self.drawn / len(self.ids)
