"""The three readings on our validation splits: laws, unseen chapters of known books, unseen books."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import minimize_scalar
from sklearn.metrics import f1_score
from torch import Tensor
from transformers import BertForSequenceClassification

from spaces.long_document.batches import BOS, EOS
from spaces.long_document.data import Document, columns

READINGS = {"512": 512, "2048": 2048, "whole": None}


def inputs(document: Document, limit: int | None) -> Tensor:
    """ids (n,) of the beginning or the whole, as the tokenizer would give them."""
    tokens = document.tokens[: None if limit is None else limit - 2]
    return torch.from_numpy(np.concatenate([[BOS], tokens, [EOS]]).astype(np.int64))


class Outputs(NamedTuple):
    """What a model says of some documents, all of one task."""

    logits: Tensor  # (N, labels of the task)
    truth: Tensor  # (N,)


@torch.no_grad()
def outputs(
    model: BertForSequenceClassification, documents: list[Document], limit: int | None, tokens: int = 65536
) -> Outputs:
    """The task's logits; texts of one length share a batch, nothing is padded."""
    own = columns(documents[0].task)
    texts = [inputs(d, limit) for d in documents]
    by_length = defaultdict(list)
    for place, ids in enumerate(texts):
        by_length[len(ids)].append(place)
    logits = torch.zeros(len(texts), own.stop - own.start)
    for length, places in by_length.items():
        size = max(1, tokens // length)
        for start in range(0, len(places), size):
            part = places[start : start + size]
            batch = torch.stack([texts[i] for i in part]).to(model.device, non_blocking=True)
            logits[part] = model(input_ids=batch).logits[:, own].float().cpu()
    return Outputs(logits, torch.tensor([d.label for d in documents]) - own.start)


def validate(model: BertForSequenceClassification, splits: dict[str, list[Document]]) -> tuple[dict, dict[str, float]]:
    """(split → "documents" and reading → {"accuracy", "macro_f1"}, task → gain); the model is left in evaluation mode.

    A task's logits times its gain are as sure as they are right: the cross-entropy of all its readings is least.
    """
    model.eval()
    report: dict = {}
    said: dict[str, list[Outputs]] = defaultdict(list)
    for split, documents in splits.items():
        if not documents:
            continue
        report[split] = {"documents": len(documents)}
        for reading, limit in READINGS.items():
            logits, truth = answer = outputs(model, documents, limit)
            said[documents[0].task].append(answer)
            given = logits.argmax(1)
            macro = f1_score(truth, given, labels=truth.unique(), average="macro", zero_division=0)
            accuracy = float((truth == given).double().mean())
            report[split][reading] = {"accuracy": round(accuracy, 4), "macro_f1": round(float(macro), 4)}
    return report, {task: best_gain(*map(torch.cat, zip(*answers, strict=True))) for task, answers in said.items()}


def best_gain(logits: Tensor, truth: Tensor) -> float:
    """By what to multiply logits (N, labels) for the least cross-entropy, between 1/20 and 20."""

    def loss(log_gain: float) -> float:
        return float(F.cross_entropy(logits * np.exp(log_gain), truth))

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


def score(report: dict) -> float:
    """One number to choose by: the mean accuracy of reading the whole, every split alike."""
    return float(np.mean([split["whole"]["accuracy"] for split in report.values()]))
