"""A tiny reader with random weights and one token a character, in Hugging Face format."""

from __future__ import annotations

import random
from pathlib import Path

import torch
from transformers import BertConfig, BertForSequenceClassification

from shared.attention import register
from spaces.long_document import generator, manners
from spaces.long_document.e5 import build_tokenizer
from spaces.long_document.positions import extend_positions
from spaces.long_document.reader import Reader, tasks_of
from spaces.long_document.readings import scored

TASKS = {"province": ["北京", "上海"], "genre": ["史书", "佛道", "医药养生"]}
WORDS = generator.TIMES + generator.PEOPLE + generator.PLACES + generator.DEEDS + generator.SIGHTS
CHARACTERS = sorted(
    set("".join([*WORDS, *generator.WORDS, *generator.FEELINGS, *manners.passage("医药养生", random.Random(0), 2000)]))
    | set("甲乙丙丁戊。，！？：“”至与于会问曰abcdefgh0123456789")
)


def tokenizer(length: int = 256):
    pieces = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -3.0)]
    pieces += [(c, -2.0) for c in CHARACTERS] + [("<mask>", 0.0)]
    return build_tokenizer(pieces, model_max_length=length)


def model(positions: int = 16, layers: int = 2, seed: int = 0) -> BertForSequenceClassification:
    """n = 16 trained positions: it reads 256 tokens when extended."""
    torch.manual_seed(seed)
    labels = [label for names in TASKS.values() for label in names]
    config = BertConfig(
        vocab_size=len(CHARACTERS) + 6,
        hidden_size=16,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=positions,
        pad_token_id=1,
        id2label=dict(enumerate(labels)),
        label2id={label: i for i, label in enumerate(labels)},
        tasks=TASKS,
        hierarchical_alpha=0.4,
        initializer_range=0.3,
    )
    return BertForSequenceClassification(config).eval()


def reader(positions: int = 16, layers: int = 2, seed: int = 0) -> Reader:
    register()
    built = model(positions, layers, seed)
    built.set_attn_implementation("xformers")
    return Reader(extend_positions(built), tokenizer(), tasks_of(built))


@torch.no_grad()
def logits(reader: Reader, ids: torch.Tensor, task: str) -> torch.Tensor:
    """The usual pass over all tokens at once: ids (1, n) → (labels of the task,)."""
    return reader.model(ids.to(reader.model.device)).logits[0, reader.tasks[task][1]].float().cpu()


def classify(reader: Reader, text: str, task: str, limit: int | None = None) -> dict[str, float]:
    """Label → probability by the usual pass, the most likely first."""
    return scored(reader.tasks[task][0], logits(reader, reader.encode(text, limit), task))


def saved(folder: Path, positions: int = 16) -> Path:
    """The same as a checkpoint on disk."""
    model(positions).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder
