"""Bits per character of a model on texts: `python -m spaces.chat.evaluate TEXTS.jsonl.xz` prints one JSON line.

With the counts beside the network (ngrams.py) where its folder has them; --network-alone leaves them out.
−log2 p of each text in its one canonical segmentation, given an <eod> before it and nothing else; every character is
counted once, a rare one at the price of its bytes. A text longer than the context is read through windows that advance
by half a context, so that every token but the first ones is predicted from at least half a context.
The interval is a bootstrap over documents (95 %).
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from transformers import GPT2LMHeadModel

from shared.experiment import InputError
from shared.jsonl import read_rows
from spaces.chat.model import WEIGHTS, hidden_states, load
from spaces.chat.ngrams import NGrams

BATCH_TOKENS = 16_384  # on a GPU four times as many
ROWS = 4096  # predictions at a time: (4096, V) float32 is 131 MB, not gigabytes


def windows(length: int, context: int) -> Iterator[tuple[int, int, int]]:
    """(start, end, scored): inputs start … end − 1 of a sequence, whose last `scored` predictions count.

    The length is that of the inputs, the <eod> first; the predictions counted are `length` in all, each once.
    """
    end = min(length, context)
    yield 0, end, end
    while end < length:
        scored = min(context // 2, length - end)
        end += scored
        yield end - context, end, scored


@torch.inference_mode()
def nats(
    model: GPT2LMHeadModel, rows: Sequence[Sequence[int]], eod: int, report=None, ngrams: NGrams | None = None
) -> np.ndarray:
    """−ln p of each row of ids (without its <eod>), (rows,) float64; report gets (windows done, windows)."""
    device, context = model.device, model.config.n_positions
    sequences = [torch.tensor([eod, *row]) for row in rows]
    jobs = [(i, *w) for i, row in enumerate(rows) if len(row) for w in windows(len(row), context)]
    jobs.sort(key=lambda job: job[2] - job[1])
    total, done = np.zeros(len(rows)), 0
    room = BATCH_TOKENS * (4 if device.type == "cuda" else 1)
    while done < len(jobs):
        size = 1
        while done + size < len(jobs) and (size + 1) * (jobs[done + size][2] - jobs[done + size][1]) <= room:
            size += 1
        batch = jobs[done : done + size]
        for (i, *_), value in zip(batch, _window_nats(model, sequences, batch, ngrams), strict=True):
            total[i] += value
        done += len(batch)
        if report:
            report(done, len(jobs))
    return total


def _window_nats(model: GPT2LMHeadModel, sequences: list, batch: list, ngrams: NGrams | None) -> list[float]:
    """Sum of −ln p over the counted predictions of each window; padding stands at the end, where nothing sees it."""
    length = max(end - start for _, start, end, _ in batch)
    ids = torch.zeros(len(batch), length, dtype=torch.long)
    targets = torch.full((len(batch), length), -100)
    texts: list[list[int]] = []  # of each prediction, in order, the tokens before it that the counts look at
    for row, (i, start, end, scored) in enumerate(batch):
        ids[row, : end - start] = sequences[i][start:end]
        targets[row, end - start - scored : end - start] = sequences[i][end - scored + 1 : end + 1]
        if ngrams:
            first = max(0, end - scored + 1 - ngrams.reach)
            before = sequences[i][first : end + 1].tolist()
            places = range(end - scored + 1 - first, end + 1 - first)
            texts += [before[max(0, at - ngrams.reach) : at] for at in places]
    states, targets = hidden_states(model, ids.to(model.device)), targets.to(model.device)
    keep = targets != -100
    losses = torch.zeros(keep.shape, device=model.device)
    flat, wanted, found = states[keep], targets[keep], []
    for at in range(0, len(flat), ROWS):
        part = slice(at, at + ROWS)
        logits = model.lm_head(flat[part]).float()
        if ngrams:
            found.append(ngrams.nats(logits, wanted[part], texts[part]))
        else:
            found.append(F.cross_entropy(logits, wanted[part], reduction="none"))
    losses[keep] = torch.cat(found)
    return losses.double().sum(1).tolist()


def interval(bits: np.ndarray, characters: np.ndarray, draws: int = 1000) -> list[float]:
    """95 % bootstrap interval of Σ bits / Σ characters over documents."""
    rng = np.random.default_rng(0)
    picks = rng.integers(0, len(bits), (draws, len(bits)))
    ratios = bits[picks].sum(1) / characters[picks].sum(1)
    return [round(float(q), 4) for q in np.quantile(ratios, (0.025, 0.975))]


def read(path: Path, limit: int | None) -> list[str]:
    """Texts of a .jsonl.xz or .jsonl file, the first `limit` of them; rows without text are passed over."""
    texts = [text for row in read_rows(path) if isinstance(text := row.get("text"), str) and text][:limit]
    if not texts:
        raise InputError(path.name, "里面没有文本。", "has no text.")
    return texts


def measure(model: GPT2LMHeadModel, tokenizer, texts: list[str], ngrams: NGrams | None = None) -> dict:
    """bits_per_character, characters, and what is behind them."""
    rows = []
    for number, text in enumerate(texts, 1):
        rows.append(tokenizer.encode(text))
        if number % 1000 == 0:
            print(f"encoded {number} of {len(texts)}", file=sys.stderr)
    bits = nats(model, rows, tokenizer.eod_id, _progress, ngrams) / math.log(2)
    characters = np.array([len(text) for text in texts])
    return {
        "bits_per_character": round(float(bits.sum() / characters.sum()), 4),
        "characters": int(characters.sum()),
        "interval": interval(bits, characters),
        "documents": len(texts),
        "tokens": sum(map(len, rows)),
    }


def _progress(done: int, of: int) -> None:
    print(f"\r{done} of {of} windows", end="\n" if done == of else "", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", type=Path, metavar="TEXTS.jsonl.xz")
    parser.add_argument("--model", type=Path, default=WEIGHTS)
    parser.add_argument("--limit", type=int, help="read only the first so many texts")
    parser.add_argument("--network-alone", action="store_true", help="without the counts beside it")
    args = parser.parse_args()
    try:
        texts = read(args.texts, args.limit)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        model, tokenizer = load(args.model, device)
        ngrams = None if args.network_alone else NGrams.beside(args.model)
    except InputError as error:
        sys.exit(str(error))
    print(json.dumps(measure(model, tokenizer, texts, ngrams)))


if __name__ == "__main__":
    main()
