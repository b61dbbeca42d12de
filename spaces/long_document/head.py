"""Your labels: a few labelled texts, a linear head on the frozen long reader, an ordinary checkpoint.

Every text is read once, whole or up to a limit; what the pooler gives is standardised and a logistic regression is
cross-validated on it, so the accuracy is of texts it has not seen. The standardisation is folded into the head: what is
saved is a BertForSequenceClassification with positions for so many tokens, and plain transformers reads it.

Try first: the button "an example of 24 texts" of the tab, or `fit(features, labels)`.
"""

from __future__ import annotations

import copy
import json
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor

from shared.experiment import InputError
from spaces.long_document.blockwise import Trunk, outcome, trunk_of, walk
from spaces.long_document.many import Named
from spaces.long_document.positions import extend_positions, find_positions
from spaces.long_document.reader import Reader, trained

FEWEST, MOST = 20, 2_000
FOLDS = 5
STRENGTH = 0.05  # C of the logistic regression on standardised features


@dataclass(frozen=True)
class Head:
    """A cross-validated head; `confusion[i][j]`: texts of label i that were called label j while held out."""

    labels: list[str]
    weight: np.ndarray
    """(labels, d)"""
    bias: np.ndarray
    accuracy: float
    macro_f1: float
    guessing: float
    """Accuracy of always naming the most frequent label."""
    confusion: np.ndarray
    folds: int
    texts: int


def check_labelled(documents: list[Named]) -> list[Named]:
    """The usable ones: text and label; InputError where they are too few, too many, or of one label only."""
    usable = [d for d in documents if d.text and d.label]
    if not FEWEST <= len(usable) <= MOST:
        raise InputError(
            "labels",
            f"有 {len(usable)} 篇既有 text 又有 label，须为 {FEWEST} 到 {MOST} 篇。",
            f"has {len(usable)} rows with text and label: {FEWEST} to {MOST} are needed.",
        )
    counts = Counter(d.label for d in usable)
    few = [label for label, count in counts.items() if count < 2]
    if len(counts) < 2 or few:
        name = (few or list(counts))[0][:40]
        raise InputError(
            "labels",
            f"至少两种标签，每种至少 2 篇（“{name}”不够）。",
            f'must hold two labels or more, each at least twice ("{name}" does not).',
        )
    if len(counts) > 200:
        raise InputError("labels", "标签太多（最多 200 种）。", "are too many: at most 200 different ones.")
    return usable


def features(reader: Reader, documents: list[Named], limit: int) -> Iterator[tuple[float, np.ndarray | None]]:
    """(share done, None) a block, at last (1.0, (N, d)): what the classifier's linear head would see."""
    rows = []
    for number, document in enumerate(documents):
        ids = reader.tokens(document.text, min(limit, reader.capacity))
        rows.append((yield from outcome(feature(reader, ids), number, len(documents) + 1)))
    yield 1.0, np.stack(rows)


def feature(reader: Reader, ids: Tensor) -> Iterator[tuple[float, np.ndarray | None]]:
    """(share done, None) a block, at last (1.0, (d,) float32): the input of the last linear layer."""
    linear, trunk = last_linear(reader), trunk_of(reader.model)
    for share, first in walk(trunk, ids.to(reader.model.device)):
        yield share, None if first is None else _caught(linear, trunk, first)


@torch.inference_mode()
def _caught(linear: torch.nn.Linear, trunk: Trunk, first: Tensor) -> np.ndarray:
    """What the head hands to its last layer, caught on its way."""
    caught: list[Tensor] = []
    mine = threading.get_ident()  # other visitors read with the same model

    def catch(module: torch.nn.Module, inputs: tuple[Tensor], out: Tensor) -> None:
        if threading.get_ident() == mine:
            caught.append(inputs[0])

    handle = linear.register_forward_hook(catch)
    try:
        trunk.head(first)
    finally:
        handle.remove()
    return caught[-1].detach().reshape(-1).float().cpu().numpy()


def last_linear(reader: Reader) -> torch.nn.Linear:
    """The linear layer whose output are the logits; InputError where the model keeps it elsewhere."""
    head = getattr(reader.model, "classifier", None)
    linear = head if isinstance(head, torch.nn.Linear) else getattr(head, "out_proj", None)
    if not isinstance(linear, torch.nn.Linear) or trunk_of(reader.model) is None:
        raise InputError("model", "不是可以换头的 BERT 分类器。", "is no BERT classifier whose head can be replaced.")
    return linear


def fit(rows: np.ndarray, labels: list[str], seed: int = 0) -> Head:
    """Cross-validate and fit a logistic regression on rows (N, d)."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import confusion_matrix, f1_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    names, truth = sorted(set(labels)), np.array(labels)
    rarest = min(Counter(labels).values())
    model = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=1000, class_weight="balanced"))
    folds = StratifiedKFold(min(FOLDS, rarest), shuffle=True, random_state=seed)
    given = cross_val_predict(model, rows, truth, cv=folds)
    model.fit(rows, truth)
    scaler, linear = model.steps[0][1], model.steps[1][1]
    weight, bias = linear.coef_, linear.intercept_
    if len(names) == 2:  # one row for the second label: as two that differ by it
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    weight = weight / scaler.scale_
    return Head(
        labels=names,
        weight=weight,
        bias=bias - weight @ scaler.mean_,
        accuracy=float((given == truth).mean()),
        macro_f1=float(f1_score(truth, given, average="macro", zero_division=0)),
        guessing=max(Counter(labels).values()) / len(labels),
        confusion=confusion_matrix(truth, given, labels=names),
        folds=folds.get_n_splits(),
        texts=len(labels),
    )


def save_head(reader: Reader, head: Head, length: int, out: Path) -> Path:
    """A zip of an ordinary checkpoint with this head and its tokenizer.

    It reads `length` tokens, as far as there are positions and no fewer than the reader was trained on.
    """
    length = min(max(length, trained(reader)), reader.capacity)
    model = copy.deepcopy(reader.model).to("cpu", torch.float32)
    extend_positions(model, find_positions(model)[1].alpha, length)
    old = last_linear(Reader(model, reader.tokenizer, {}))
    new = torch.nn.Linear(old.in_features, len(head.labels))
    with torch.no_grad():
        new.weight.copy_(torch.from_numpy(head.weight))
        new.bias.copy_(torch.from_numpy(head.bias))
    if isinstance(model.classifier, torch.nn.Linear):
        model.classifier = new
    else:
        model.classifier.out_proj = new
    model.config.id2label = dict(enumerate(head.labels))
    model.config.label2id = {label: i for i, label in enumerate(head.labels)}
    for name in ("tasks", "hierarchical_alpha"):  # of the default, not of this checkpoint
        if hasattr(model.config, name):
            delattr(model.config, name)
    with TemporaryDirectory() as folder:
        model.to(torch.bfloat16).save_pretrained(folder)
        from spaces.long_document.extend import save_tokenizer  # building the page loads no model code

        save_tokenizer(reader.tokenizer, folder, length)
        report = {"accuracy": head.accuracy, "macro_f1": head.macro_f1, "folds": head.folds, "texts": head.texts}
        (Path(folder) / "report.json").write_text(json.dumps(report | {"labels": head.labels}, ensure_ascii=False))
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            for file in sorted(Path(folder).iterdir()):
                archive.write(file, file.name)
    return out
