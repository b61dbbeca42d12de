"""What followed the last four tokens in the training texts: counts beside the network.

A network that a core trains for some hours has read a part of its texts once; counting reads them all in a minute, and
knows what was said literally. Mixed, p = λ p_network + (1 − λ) p_counts, both are better than either: λ depends on how
much of the context the counts know, and on how sure the network is (Jelinek & Mercer 1980; here by expectation
maximisation on held-out texts). The counts are an interpolated Kneser–Ney model (Chen & Goodman 1998) of order 5.

    counts = NGrams.load(folder)
    p, known = counts.probabilities([7, 12, 99])      # (V,) float32, sums to one; tokens of context that it knows
    logits = counts.mixed(logits, [7, 12, 99])        # (V,) log-probabilities of the mixture

counting.py makes them. The file holds no text: of each context the tokens that followed, and their shares in 255 steps
of a logarithmic scale.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from shared.experiment import InputError
from spaces.chat.decode import Engine, Memory

FILE, MIXTURE = "ngrams.xz", "ngrams.json"  # the counts; λ, which goes with one network
MOST_BYTES = 2**28  # unpacked: a folder of the hub may hold anything
STEP = 0.05  # of the scale of shares: e^(−0.05 q), rounded down, so that what is kept never exceeds one
SURENESS = (0.3, 0.8, 1.5, 2.2, 3.0, 3.8, 4.6)  # nats of the network's entropy between two λ


@dataclass(frozen=True)
class Level:
    """Of each gram of the level below, the tokens that follow it and their shares."""

    first: np.ndarray
    """(grams below + 1,) int32: where each one's followers begin."""
    token: np.ndarray
    """(grams,) uint16, ascending within a gram's followers."""
    share: np.ndarray
    """(grams,) uint8: the follower's probability before what is left is given to the level below, e^(−STEP q)."""

    def followers(self, gram: int) -> slice:
        """Where a gram's followers stand."""
        return slice(int(self.first[gram]), int(self.first[gram + 1]))

    def find(self, gram: int, token: int) -> int:
        """The gram one token longer, or −1."""
        here = self.followers(gram)
        at = here.start + int(np.searchsorted(self.token[here], token))
        return at if at < here.stop and self.token[at] == token else -1


class NGrams:
    """A trie of grams: the first level is the vocabulary, each further one says what followed."""

    def __init__(self, unigram: np.ndarray, levels: Sequence[Level]):
        """unigram (V,) sums to one."""
        self.unigram, self.levels = unigram.astype(np.float32), tuple(levels)
        self.weights = torch.full((len(levels) + 1, len(SURENESS) + 1), 0.5)
        """λ, the network's part, by the tokens of context that are known and the network's sureness."""
        self._scale = np.exp(-STEP * np.arange(256)).astype(np.float32)

    @property
    def reach(self) -> int:
        """Tokens of context that it looks at."""
        return len(self.levels)

    def contexts(self, ids: Sequence[int]) -> list[tuple[int, int]]:
        """(level, gram) of each suffix of the ids that the trie knows followers of, the shortest first."""
        found = []
        for length in range(1, min(len(ids), len(self.levels)) + 1):
            gram = ids[-length]
            for level, token in zip(self.levels, ids[len(ids) - length + 1 :], strict=False):
                gram = level.find(gram, token)
                if gram < 0:
                    return found
            here = self.levels[length - 1].followers(gram)
            if here.start == here.stop:
                return found
            found.append((length - 1, gram))
        return found

    def probabilities(self, ids: Sequence[int]) -> tuple[np.ndarray, int]:
        """p of the next token, (V,) float32, and how many tokens of the context it knows."""
        p, known = self.unigram, self.contexts(ids)
        for level, gram in known:
            here = self.levels[level].followers(gram)
            shares = self._scale[self.levels[level].share[here]]
            p = p * (1 - shares.sum())
            p[self.levels[level].token[here]] += shares
        return p, len(known)

    def chance(self, ids: Sequence[int], token: int) -> tuple[float, int]:
        """p of one token after the ids, and how many tokens of the context are known."""
        p, known = self.probabilities(ids)
        return float(p[token]), known

    def mixed(self, logits: torch.Tensor, ids: Sequence[int]) -> torch.Tensor:
        """Log-probabilities (V,) of network and counts together, from the network's logits (V,) after the ids."""
        logs = logits.log_softmax(0)
        p, known = self.probabilities(ids)
        weight = self.weights[known, sureness(logs)]
        return torch.logaddexp(logs + weight.log(), torch.from_numpy(p).log() + (1 - weight).log())

    def nats(self, logits: torch.Tensor, tokens: torch.Tensor, texts: Sequence[Sequence[int]]) -> torch.Tensor:
        """−ln p (n,) of tokens (n,) after n texts, from the network's logits (n, V)."""
        logs = logits.log_softmax(-1)
        counts, known = zip(*(self.chance(ids, int(t)) for ids, t in zip(texts, tokens, strict=True)), strict=True)
        weight = self.weights.to(logs.device)[torch.tensor(known), sureness(logs)]
        network = logs.gather(1, tokens[:, None])[:, 0].exp()
        return -(weight * network + (1 - weight) * torch.tensor(counts, device=logs.device)).log()

    @property
    def nbytes(self) -> int:
        """Of memory."""
        return sum(part.nbytes for level in self.levels for part in (level.first, level.token, level.share))

    def save(self, folder: Path) -> None:
        """FILE: a line of JSON, then the arrays, tokens as steps from one to the next; and MIXTURE."""
        head = {"vocabulary": len(self.unigram), "grams": [len(level.token) for level in self.levels]}
        with lzma.open(folder / FILE, "wb", preset=6) as file:
            file.write(json.dumps(head).encode() + b"\n" + self.unigram.tobytes())
            for level in self.levels:
                steps = np.diff(level.token, prepend=np.uint16(0))
                numbers = np.diff(level.first).astype(np.uint16)
                for part in (numbers, steps):  # bytes of one kind together: they pack better
                    file.write((part & 255).astype(np.uint8).tobytes() + (part >> 8).astype(np.uint8).tobytes())
                file.write(level.share.tobytes())
        self.save_mixture(folder)

    def save_mixture(self, folder: Path) -> None:
        """MIXTURE: λ."""
        weights = [[round(x, 4) for x in row] for row in self.weights.tolist()]
        (folder / MIXTURE).write_text(json.dumps({"sureness": SURENESS, "network": weights}) + "\n")

    @classmethod
    def beside(cls, folder: Path) -> NGrams | None:
        """The counts in a network's folder, if it has any."""
        return cls.load(folder) if (folder / FILE).is_file() else None

    @classmethod
    def load(cls, folder: Path) -> NGrams:
        """What `save` wrote; raises InputError where it is damaged."""
        try:
            unpacking = lzma.LZMADecompressor()
            data = unpacking.decompress((folder / FILE).read_bytes(), max_length=MOST_BYTES)
            if not unpacking.eof:
                raise ValueError(f"more than {MOST_BYTES:,} bytes")
            made = cls(*_unpacked(data))
            mixture = json.loads((folder / MIXTURE).read_text())
            if tuple(mixture["sureness"]) != SURENESS:
                raise ValueError("sureness")
            made.weights = torch.tensor(mixture["network"]).view_as(made.weights)
        except (OSError, lzma.LZMAError, ValueError, KeyError, TypeError, IndexError, RuntimeError) as error:
            zh, en = f"{FILE} 或 {MIXTURE} 读不出来：{error}。", f"{FILE} or {MIXTURE} cannot be read: {error}."
            raise InputError("model", zh, en) from None
        return made


def _unpacked(data: bytes) -> tuple[np.ndarray, list[Level]]:
    """(unigram, levels) from FILE's bytes."""
    line = data.index(b"\n")
    head, at = json.loads(data[:line]), line + 1

    def take(count: int, kind: type = np.uint8) -> np.ndarray:
        nonlocal at
        part = np.frombuffer(data, kind, count, at)
        at += part.nbytes
        return part.copy()  # a view would keep all of the data

    def wide(count: int) -> np.ndarray:
        return take(count) | take(count).astype(np.uint16) << 8

    unigram, below, levels = take(head["vocabulary"], np.float32), head["vocabulary"], []
    for grams in head["grams"]:
        first = np.concatenate([[0], np.cumsum(wide(below), dtype=np.int64)]).astype(np.int32)
        levels.append(Level(first, np.cumsum(wide(grams), dtype=np.uint16), take(grams)))
        below = grams
    return unigram, levels


class WithCounts:
    """An engine whose logits are the mixture's log-probabilities; else as it was."""

    def __init__(self, engine: Engine, ngrams: NGrams):
        if len(ngrams.unigram) != engine.vocabulary:
            zh, en = f"{FILE} 是另一个词表的。", f"{FILE} is of another vocabulary than the model."
            raise InputError("model", zh, en)
        self.engine, self.ngrams = engine, ngrams
        self.context, self.vocabulary, self.pace = engine.context, engine.vocabulary, engine.pace
        self.cache, self.cache_bytes = engine.cache, engine.cache_bytes
        self.extra_bytes = engine.extra_bytes + ngrams.nbytes

    def read(self, ids: Sequence[int], cache: Memory, last: int = 1) -> torch.Tensor:
        """(last, V) after each of the last ids."""
        rows = self.engine.read(ids, cache, last)
        return self._mixed(rows, [ids[: len(ids) - last + 1 + i] for i in range(last)])

    def step(self, tokens: Sequence[int], caches: Sequence[Memory]) -> torch.Tensor:
        """(B, V) after one more token in each of B sequences."""
        return self._mixed(self.engine.step(tokens, caches), [cache.ids for cache in caches])

    def _mixed(self, rows: torch.Tensor, texts: Sequence[Sequence[int]]) -> torch.Tensor:
        return torch.stack([self.ngrams.mixed(row, ids) for row, ids in zip(rows, texts, strict=True)])


def sureness(logs: torch.Tensor) -> torch.Tensor:
    """In which interval of SURENESS the entropy of log-probabilities (…, V) lies."""
    return torch.bucketize(-(logs.exp() * logs).sum(-1), torch.tensor(SURENESS, device=logs.device))
