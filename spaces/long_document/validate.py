"""The three readings on our validation splits: laws, unseen chapters of known books, unseen books."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import torch
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


@torch.no_grad()
def predictions(
    model: BertForSequenceClassification, documents: list[Document], limit: int | None, tokens: int = 65536
) -> np.ndarray:
    """Labels (N,), as places in LABELS; texts of one length share a batch, nothing is padded."""
    texts = [inputs(d, limit) for d in documents]
    by_length = defaultdict(list)
    for place, ids in enumerate(texts):
        by_length[len(ids)].append(place)
    answers = np.zeros(len(texts), dtype=np.int64)
    for length, places in by_length.items():
        size = max(1, tokens // length)
        for start in range(0, len(places), size):
            part = places[start : start + size]
            batch = torch.stack([texts[i] for i in part]).to(model.device, non_blocking=True)
            answers[part] = best_labels(model(input_ids=batch).logits, documents[part[0]].task)
    return answers


def best_labels(logits: Tensor, task: str) -> np.ndarray:
    """logits (B, labels) → the task's best labels (B,), as places in LABELS."""
    own = columns(task)
    return (logits[:, own].float().argmax(1) + own.start).cpu().numpy()


def validate(model: BertForSequenceClassification, splits: dict[str, list[Document]]) -> dict:
    """split → reading → {"accuracy", "macro_f1"}, and "documents"; the model is left in evaluation mode."""
    model.eval()
    report: dict = {}
    for split, documents in splits.items():
        if not documents:
            continue
        truth = np.array([d.label for d in documents])
        report[split] = {"documents": len(documents)}
        for reading, limit in READINGS.items():
            given = predictions(model, documents, limit)
            macro = f1_score(truth, given, labels=sorted(set(truth)), average="macro", zero_division=0)
            accuracy = float((truth == given).mean())
            report[split][reading] = {"accuracy": round(accuracy, 4), "macro_f1": round(float(macro), 4)}
    return report


def score(report: dict) -> float:
    """One number to choose by: the mean accuracy of reading the whole, every split alike."""
    return float(np.mean([split["whole"]["accuracy"] for split in report.values()]))
