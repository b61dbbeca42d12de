"""Read a text of any length with a classifier that was trained on 512 positions.

Positions are continued hierarchically on the fly, attention is exact and never holds an n × n tensor: memory
grows linearly with the text. The embedded default knows two tasks, any other checkpoint its own labels.

Try first: `load_reader().classify(text, "province")` and the same with limit=512.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from shared import accelerator, models
from shared.attention import register
from shared.experiment import InputError
from spaces.long_document.documents import check_characters
from spaces.long_document.positions import (
    ALPHA,
    HierarchicalEmbedding,
    extend_positions,
    find_positions,
    position_capacity,
)

WEIGHTS = Path(__file__).parent / "weights"
EXTENDING = threading.Lock()


def fastest_dtype() -> torch.dtype:
    """The accelerator's; on a CPU bf16 where it has matrix units for it (AMX), else fp32."""
    if accelerator.device().type == "cpu" and torch.cpu.get_capabilities().get("amx_bf16", False):
        return torch.bfloat16
    return accelerator.dtype()


@dataclass(frozen=True)
class Reader:
    """A classifier and its tokenizer; tasks: name → (labels, their places among the outputs)."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    tasks: dict[str, tuple[list[str], slice]]

    def tokens(self, text: str, limit: int | None = None) -> Tensor:
        """Token ids (1, n), special tokens included, of a text of any length; at most `limit` of them."""
        cut = {"truncation": limit is not None, "max_length": limit}
        return torch.tensor([self.tokenizer(check_characters(text), verbose=False, **cut).input_ids])

    def fitting(self, ids: Tensor) -> Tensor:
        """ids (1, n) if there are positions for all of them; InputError beyond n²."""
        if ids.shape[1] > self.capacity:
            zh, en = f"有 {ids.shape[1]} 个词元，最多 {self.capacity} 个", f"has {ids.shape[1]} tokens"
            raise InputError("text", zh, f"{en}, at most {self.capacity} fit")
        return ids

    def encode(self, text: str, limit: int | None = None) -> Tensor:
        """`tokens` that can be read at once; InputError beyond n² positions."""
        return self.fitting(self.tokens(text, limit))

    @property
    def capacity(self) -> int:
        """Tokens that fit."""
        return position_capacity(self.model)

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where each token of `encode` lies in the text, [start, end) in characters; (0, 0) for special ones."""
        return self.tokenizer(check_characters(text), return_offsets_mapping=True, verbose=False).offset_mapping

    @torch.inference_mode()
    def logits(self, ids: Tensor, task: str) -> Tensor:
        """ids (B, n) of equal length, no padding → float32 logits (B, labels of the task)."""
        places = self.tasks[task][1]
        return self.model(ids.to(self.model.device)).logits[:, places].float().cpu()

    def classify(self, text: str, task: str, limit: int | None = None) -> dict[str, float]:
        """Label → probability, the most likely first."""
        labels = self.tasks[task][0]
        scores = self.logits(self.encode(text, limit), task)[0].softmax(-1).tolist()
        return dict(sorted(zip(labels, scores, strict=True), key=lambda pair: -pair[1]))


def trained(reader: Reader) -> int:
    """Positions n of a model before they were continued; RoBERTa's configuration counts two that no token takes."""
    _, table, offset = find_positions(reader.model)
    return table.num_embeddings - offset


def load_named(name: str = "", progress: Callable[[float, str, str], None] | None = None) -> Reader:
    """The reader called `name`: empty for the embedded default, a folder, or a classifier on the hub.

    Shared by all visitors and never changed, but for the positions, once. InputError "model".
    """
    loaded = models.load(
        name, "AutoModelForSequenceClassification", embedded=WEIGHTS, dtype=fastest_dtype(), progress=progress
    )
    tokenizer = loaded.tokenizer
    with EXTENDING:
        if not isinstance(find_positions(loaded.model)[1], HierarchicalEmbedding):
            extend_positions(loaded.model, getattr(loaded.model.config, "hierarchical_alpha", ALPHA))
    return Reader(loaded.model, tokenizer, tasks_of(loaded.model))


def tasks_of(model: PreTrainedModel) -> dict[str, tuple[list[str], slice]]:
    """The tasks that share the outputs; a checkpoint from elsewhere has one, "labels"."""
    labels = [model.config.id2label[i] for i in range(model.config.num_labels)]
    places = {}
    for task, names in getattr(model.config, "tasks", {"labels": labels}).items():
        start = labels.index(names[0])  # a saved configuration sorts the tasks by name
        places[task] = (list(names), slice(start, start + len(names)))
    return places


def load_reader(
    source: str | Path = WEIGHTS, device: torch.device | None = None, dtype: torch.dtype | None = None
) -> Reader:
    """A local folder or a name on the hub, its positions continued with the α of its configuration."""
    register()
    model = AutoModelForSequenceClassification.from_pretrained(
        source, dtype=dtype or fastest_dtype(), attn_implementation="xformers"
    )
    extend_positions(model, getattr(model.config, "hierarchical_alpha", ALPHA))
    model.to(device or accelerator.device()).eval()
    return Reader(model, AutoTokenizer.from_pretrained(source), tasks_of(model))
