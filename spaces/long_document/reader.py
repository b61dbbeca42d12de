"""A classifier that was trained on 512 positions, by name, ready for texts of any length.

Positions are continued hierarchically on the fly, attention is exact and never holds an n × n tensor: memory
grows linearly with the text. The embedded default knows two tasks, any other checkpoint its own labels.

Try first: `load_named().encode(text)`, then `readings.perform`.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from shared import accelerator, models
from shared.checkpoint import weight_files
from shared.experiment import InputError
from spaces.long_document.blockwise import SQUARE
from spaces.long_document.documents import check_characters
from spaces.long_document.positions import (
    ALPHA,
    HierarchicalEmbedding,
    extend_positions,
    find_positions,
    position_capacity,
)

if TYPE_CHECKING:  # building the page loads no model code
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

WEIGHTS = Path(__file__).parent / "weights"
CHANGES = "changes.safetensors"
EXTENDING = threading.Lock()
_changed: dict[Path, Reader] = {}


def fastest_dtype() -> torch.dtype:
    """The accelerator's; on a CPU bf16 where it has matrix units for it (AMX), else fp32."""
    if accelerator.device().type == "cpu" and torch.cpu.get_capabilities().get("amx_bf16", False):
        return torch.bfloat16
    return accelerator.dtype()


@dataclass(frozen=True)
class Reader:
    """A classifier and its tokenizer; tasks: task → (labels, their places among the outputs)."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    tasks: dict[str, tuple[list[str], slice]]
    name: str = ""
    """What `load_named` was asked for."""

    def tokens(self, text: str, limit: int | None = None) -> Tensor:
        """Token ids (1, n), special tokens included, of a text of any length; at most `limit` of them."""
        cut = {"truncation": limit is not None, "max_length": limit}
        return torch.tensor([self.tokenizer(check_characters(text), verbose=False, **cut).input_ids])

    def fitting(self, ids: Tensor) -> Tensor:
        """ids (1, n) if there are positions for all of them; InputError where there are not."""
        if ids.shape[1] > self.capacity:
            zh, en = f"有 {ids.shape[1]} 个词元，最多 {self.capacity} 个", f"has {ids.shape[1]} tokens"
            raise InputError("text", zh, f"{en}, at most {self.capacity} fit")
        return ids

    def encode(self, text: str, limit: int | None = None) -> Tensor:
        """`tokens` that can be read at once; InputError where positions do not suffice."""
        return self.fitting(self.tokens(text, limit))

    @property
    def capacity(self) -> int:
        """Tokens that fit: there are positions for them, and no n × n tensors that memory does not hold."""
        most = position_capacity(self.model)
        return most if self.model._supports_attention_backend else min(most, SQUARE)

    def placed(self, text: str) -> tuple[Tensor, list[tuple[int, int]]]:
        """(`tokens`, where each lies in the text, [start, end) in characters; (0, 0) for special ones).

        InputError where the tokenizer is one of Python's, which do not say.
        """
        if not self.tokenizer.is_fast:
            raise InputError("model", "的分词器说不出词元在原文何处。", "has a tokenizer that cannot place its tokens.")
        found = self.tokenizer(check_characters(text), return_offsets_mapping=True, verbose=False)
        return torch.tensor([found.input_ids]), found.offset_mapping


def trained(reader: Reader) -> int:
    """Positions n of a model before they were continued; RoBERTa's configuration counts two that no token takes."""
    _, table, offset = find_positions(reader.model)
    return table.num_embeddings - offset


def load_changed(folder: Path) -> Reader:
    """The embedded default with the tensors of folder/CHANGES in place of its own; made once."""
    base = load_named()
    with EXTENDING:
        if folder not in _changed:
            model = copy.deepcopy(base.model)
            strange = model.load_state_dict(load_file(folder / CHANGES), strict=False).unexpected_keys
            if strange:
                raise ValueError(f"{folder / CHANGES} is of another model: {strange[:3]}")
            _changed[folder] = replace(base, model=model)
    return _changed[folder]


def load_named(name: str = "", progress: Callable[[float, str, str], None] | None = None) -> Reader:
    """The reader called `name`: empty for the embedded default, a folder, or a classifier on the hub.

    Shared by all visitors and never changed, but for the positions, once. InputError "model".
    """
    loaded = models.load(
        name,
        "AutoModelForSequenceClassification",
        embedded=WEIGHTS,
        dtype=fastest_dtype(),
        progress=progress,
    )
    tokenizer = loaded.tokenizer
    with EXTENDING:
        if not isinstance(find_positions(loaded.model)[1], HierarchicalEmbedding):
            _check_pooler(loaded)
            alpha = getattr(loaded.model.config, "hierarchical_alpha", ALPHA)
            extend_positions(loaded.model, alpha if isinstance(alpha, float) else ALPHA)
    return Reader(loaded.model, tokenizer, tasks_of(loaded.model), name)


def _check_pooler(loaded: models.Loaded) -> None:
    """InputError where a pooler stands between the text and the labels and is not in the files: it would be random."""
    if not any("pooler." in key for key in loaded.model.state_dict()):
        return
    for file in weight_files(loaded.folder):
        with safe_open(file, "pt") as tensors:
            if any("pooler." in key for key in tensors.keys()):
                return
    zh, en = "缺少池化层的权重，答案会是随机的。", "lacks its pooler's weights: it would answer at random."
    raise InputError("model", zh, en)


def tasks_of(model: PreTrainedModel) -> dict[str, tuple[list[str], slice]]:
    """The tasks that share the outputs; a checkpoint from elsewhere has one, "labels"."""
    labels = [str(model.config.id2label.get(i, i)) for i in range(model.config.num_labels)]
    whole, places = {"labels": (labels, slice(0, len(labels)))}, {}
    tasks = getattr(model.config, "tasks", None)
    for task, names in tasks.items() if isinstance(tasks, dict) else ():
        stretch = names if isinstance(names, list) else []
        starts = [i for i in range(len(labels)) if stretch and labels[i : i + len(stretch)] == stretch]
        if not starts:  # somebody else's "tasks"
            return whole
        places[task] = (stretch, slice(starts[0], starts[0] + len(stretch)))
    return places or whole
