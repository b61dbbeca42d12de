"""Counts what followed what in the training texts, and how far to trust it: `python -m spaces.chat.counting --help`.

Writes ngrams.xz into a network's folder, where there is none yet (a minute and a half), and fits ngrams.json to the
network on held-out texts.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import GPT2LMHeadModel

from spaces.chat.data import load, starts
from spaces.chat.model import hidden_states
from spaces.chat.model import load as load_model
from spaces.chat.ngrams import FILE, STEP, SURENESS, Level, NGrams, sureness

COUNTED = ("smilechat", "kdconv", "literature", "poems", "tech", "wiki")
FITTED = (*COUNTED, "fewshot")  # λ: without the prompts, the counts would break in on answers that copy from them
FEWEST = (1, 1, 1, 2)  # pairs, triples, fours and fives that occur less often are not kept: 42 MB


def count(ids: np.ndarray, vocabulary: int, eod: int, fewest: Sequence[int] = FEWEST) -> NGrams:
    """The trie of a stream of documents (tokens,), each after an <eod>; λ is ½ everywhere until `fit`."""
    ids = ids.astype(np.int64)
    grams = [ids]  # by place: the gram that begins there, −1 where it is not counted
    counted = []
    for order in range(2, len(fewest) + 2):
        end = len(ids) - order + 1
        whole = grams[-1][:end] >= 0
        if order > 2:
            whole &= ids[order - 2 : order - 2 + end] != eod  # a context that reaches into the document before
        places = np.flatnonzero(whole)
        keys = grams[-1][places] * vocabulary + ids[places + order - 1]
        keys, first, inverse, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
        here = np.full(len(ids), -1)
        here[places] = inverse
        grams.append(here)
        counted.append((keys, counts, places[first]))
    unigram = np.bincount(ids[counted[0][2] + 1], minlength=vocabulary) + 0.5  # in how many pairs each token ends
    return NGrams(unigram / unigram.sum(), _levels(counted, grams, ids, vocabulary, eod, fewest))


def _levels(counted: list, grams: list, ids: np.ndarray, vocabulary: int, eod: int, fewest: Sequence[int]) -> list:
    """Levels from (keys, counts, places) of pairs, triples, …: discounted shares, rare grams dropped."""
    levels, below = [], np.arange(vocabulary)  # the new name of each gram of the level below, −1: dropped
    for depth, least in enumerate(fewest):
        keys, counts, places = counted[depth]
        used = counts
        if depth + 1 < len(fewest):  # Kneser–Ney: only the longest count by themselves, others by what stood before
            ends = grams[depth + 1][counted[depth + 1][2] + 1]
            met = np.bincount(ends, minlength=len(keys))
            used = np.where(ids[places] == eod, counts, np.maximum(met, 1))
        parents, tokens = keys // vocabulary, keys % vocabulary
        total = np.bincount(parents, weights=used)
        share = (used - _discounts(used)[np.minimum(used, 3)]) / total[parents]
        keep = (counts >= least) & (below[parents] >= 0) & (share > math.exp(-255 * STEP))
        code = np.ceil(-np.log(share[keep]) / STEP).astype(np.uint8)
        kept_parents = below[parents[keep]]
        here = levels[-1].token if levels else range(vocabulary)
        first = np.searchsorted(kept_parents, np.arange(len(here) + 1)).astype(np.int32)
        levels.append(Level(first, tokens[keep].astype(np.uint16), code))
        below = np.where(keep, np.cumsum(keep) - 1, -1)
    return levels


def _discounts(counts: np.ndarray) -> np.ndarray:
    """(4,): what is taken from a count of 0, 1, 2, and more (Chen & Goodman 1998)."""
    once, twice, thrice, four = (int((counts == n).sum()) or 1 for n in (1, 2, 3, 4))
    share = once / (once + 2 * twice)
    raw = (0, 1 - 2 * share * twice / once, 2 - 3 * share * thrice / twice, 3 - 4 * share * four / thrice)
    return np.clip(raw, (0, 0.1, 0.1, 0.1), (0, 0.95, 1.8, 2.7))


def fit(cells: np.ndarray, network: np.ndarray, counts: np.ndarray, number: int, rounds: int = 40) -> np.ndarray:
    """λ of each of a number of cells (number,), from the probabilities (n,) that both gave to what came: EM."""
    weights = np.full(number, 0.5)
    seen = np.bincount(cells, minlength=number)
    for _ in range(rounds):
        part = weights[cells] * network
        part /= part + (1 - weights[cells]) * counts
        weights = (np.bincount(cells, weights=part, minlength=number) + 1) / (seen + 2)
    return weights


@torch.inference_mode()
def evidence(model: GPT2LMHeadModel, ngrams: NGrams, rows: Iterable[Sequence[int]], eod: int) -> list[np.ndarray]:
    """(cells, network, counts) of `fit` for the tokens of rows of ids, of each as many as the context holds."""
    found = [[], [], []]
    for row in rows:
        ids = [eod, *map(int, row[: model.config.n_positions - 1])]
        states = hidden_states(model, torch.tensor([ids[:-1]], device=model.device))
        logs = model.lm_head(states)[0].float().log_softmax(-1).cpu()  # (L, V)
        chances = [ngrams.chance(ids[max(0, i - ngrams.reach) : i], ids[i]) for i in range(1, len(ids))]
        counts, known = map(np.array, zip(*chances, strict=True))
        found[0].append(known * (len(SURENESS) + 1) + sureness(logs).numpy())
        found[1].append(logs[torch.arange(len(logs)), torch.tensor(ids[1:])].exp().double().numpy())
        found[2].append(counts)
    return [np.concatenate(part) for part in found]


def held_out(ids: np.ndarray, eod: int, tokens: int) -> list[np.ndarray]:
    """Every other document of a held-out stream, about so many tokens in all; the others are left to measure on."""
    edges = starts(ids, eod)
    rows = [ids[a + 1 : b] for a, b in zip(edges[:-1], edges[1:], strict=True)][::2]
    enough = np.searchsorted(np.cumsum([len(row) for row in rows]), tokens) + 1
    return rows[:enough]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packed", type=Path, required=True, help="the folder that spaces.chat.data wrote")
    parser.add_argument("--weights", type=Path, required=True, help="the network's folder, which gets the counts")
    parser.add_argument("--tokens", type=int, default=20_000, help="of each source, to fit λ on")
    args = parser.parse_args()
    meta, streams, unseen = load(args.packed)
    eod = meta["eod"]
    if not (args.weights / FILE).is_file():
        ngrams = count(np.concatenate([streams[source] for source in COUNTED]), meta["vocab_size"], eod)
        ngrams.save(args.weights)
    else:
        ngrams = NGrams.load(args.weights)
    model, _ = load_model(args.weights)
    parts = [evidence(model, ngrams, held_out(unseen[source], eod, args.tokens), eod) for source in FITTED]
    cells, network, counts = (np.concatenate(part) for part in zip(*parts, strict=True))
    ngrams.weights = torch.tensor(fit(cells, network, counts, ngrams.weights.numel())).float().view_as(ngrams.weights)
    ngrams.save_mixture(args.weights)
    weights = ngrams.weights.flatten().numpy()[cells]
    print(json.dumps({
        "tokens": len(cells),
        "bits_per_token": {
            name: round(float(-np.log2(p).mean()), 4)
            for name, p in {"network": network, "counts": counts,
                            "mixture": weights * network + (1 - weights) * counts}.items()
        },
    }))  # fmt: skip


if __name__ == "__main__":
    main()
