"""Weights in files small enough to carry, and back into an ordinary checkpoint.

bf16 weights are split into their high bytes (sign and exponent: few values, so Huffman coding halves them and
more) and their low bytes (mantissas: noise, stored as they are, in pieces).
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load, save, save_file
from torch import Tensor
from transformers import BertConfig, BertForSequenceClassification

from spaces.long_document.e5 import build_tokenizer, load_pieces
from spaces.long_document.reader import CHANGES

PIECE = 15 * 2**20  # bytes a file
SHARD = "45MB"


def save_parts(state: dict[str, Tensor], config: BertConfig, out: Path) -> None:
    """Write high.zz, low.0, low.1, … and config.json; earlier ones are replaced."""
    for old in out.glob("low.*"):
        old.unlink()
    rounded = {name: tensor.detach().to("cpu", torch.bfloat16).contiguous() for name, tensor in state.items()}
    data = save(rounded)
    planes = np.frombuffer(data + b" " * (len(data) % 2), dtype=np.uint8).reshape(-1, 2)
    coder = zlib.compressobj(level=1, strategy=zlib.Z_HUFFMAN_ONLY)
    (out / "high.zz").write_bytes(coder.compress(planes[:, 1].tobytes()) + coder.flush())
    low = planes[:, 0].tobytes()
    for number, start in enumerate(range(0, len(low), PIECE)):
        (out / f"low.{number}").write_bytes(low[start : start + PIECE])
    (out / "config.json").write_text(config.to_json_string(), encoding="utf-8")


def load_parts(folder: Path) -> BertForSequenceClassification:
    """The classifier from save_parts's files, bf16."""
    high = np.frombuffer(zlib.decompress((folder / "high.zz").read_bytes()), dtype=np.uint8)
    pieces = sorted(folder.glob("low.*"), key=lambda path: int(path.suffix[1:]))
    low = np.frombuffer(b"".join(piece.read_bytes() for piece in pieces), dtype=np.uint8)
    config = BertConfig(**json.loads((folder / "config.json").read_text(encoding="utf-8")))
    model = BertForSequenceClassification(config).to(torch.bfloat16)
    model.load_state_dict(load(np.stack([low, high], axis=1).tobytes()))
    return model


def publish(folder: Path, out: Path, pieces: Path) -> None:
    """An ordinary checkpoint with its tokenizer (pieces: the folder of pieces.tsv), in shards under 45 MB."""
    load_parts(folder).save_pretrained(out, max_shard_size=SHARD)
    tokenizer = build_tokenizer(load_pieces(pieces), model_max_length=512 * 512)
    tokenizer.save_pretrained(out)


def publish_changes(folder: Path, out: Path, base: Path) -> None:
    """CHANGES: the tensors of save_parts's files that differ from those of the checkpoint `base`."""
    theirs = BertForSequenceClassification.from_pretrained(base, dtype=torch.bfloat16).state_dict()
    ours = {name: t for name, t in load_parts(folder).state_dict().items() if not torch.equal(t, theirs[name])}
    out.mkdir(parents=True, exist_ok=True)
    save_file(ours, out / CHANGES)
