"""Where a model's files come from: the project's own weights, a folder, or the hub; and what is refused.

Only safetensors are read, never a pickle, and no code that comes with a model is run. On a public page (a
Space, or `PUBLIC_PAGE=1` beside a share link) a visitor's name must be on the allow-list, and folders of
the machine are not his business. Every refusal is one `InputError` with the field "model".
"""

import json
import math
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError, safe_open

from shared.experiment import InputError

# Small, with safetensors, of an architecture that some tab reads.
ALLOWED = (
    "google-bert/bert-base-chinese",
    "intfloat/multilingual-e5-small",
    "openai-community/gpt2",
    "Qwen/Qwen2.5-0.5B",
)
ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Checkpoint:
    """A model by name, before any file is read; `folder` is None for one on the hub."""

    name: str
    source: Literal["embedded", "folder", "hub"]
    folder: Path | None


def find(name: str, embedded: Path | None = None) -> Checkpoint:
    """What a visitor means by `name`: empty is the embedded default, else a folder, else the hub."""
    name = _checked(name)
    if not name:
        return _embedded(embedded)
    if public():
        return _allowed(name)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return Checkpoint(name, "folder", folder.resolve())
    if not _is_hub_name(name):
        raise refusal(f"没有文件夹 {name}。", f"there is no folder {name}.")
    return Checkpoint(name, "hub", None)


def public() -> bool:
    """Whether strangers use this page: on a Space always, elsewhere where PUBLIC_PAGE is set."""
    return bool(os.getenv("SPACE_ID") or os.getenv("PUBLIC_PAGE"))


def allowed() -> tuple[str, ...]:
    """The hub names that a public page loads: MODELS_ALLOWED, separated by commas, or the list above."""
    names = os.getenv("MODELS_ALLOWED")
    return ALLOWED if names is None else tuple(part.strip() for part in names.split(",") if part.strip())


def _checked(name: str) -> str:
    if not isinstance(name, str) or len(name) > 400 or not name.isprintable():
        raise refusal("须为一行、至多 400 个字符。", "must be one line of at most 400 characters.")
    return name.strip()


def _is_hub_name(name: str) -> bool:
    return bool(re.fullmatch(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", name)) and len(name) <= 96


def _embedded(folder: Path | None) -> Checkpoint:
    if folder is None:
        raise refusal("这里没有内置模型，请填写名称。", "has no embedded default here: give a name.")
    folder = folder.resolve()
    if not (folder / "config.json").is_file():
        zh, en = "内置模型的文件不在，请先训练", "the embedded model is not there: train it first"
        raise refusal(f"{zh}（{folder.name}）。", f"{en} ({folder.name}).")
    name = str(folder.relative_to(ROOT)) if ROOT in folder.parents else folder.name
    return Checkpoint(name, "embedded", folder)


def _allowed(name: str) -> Checkpoint:
    if name in allowed():
        return Checkpoint(name, "hub", None)
    names = ", ".join(allowed())
    raise refusal(
        f"公开页面上只能用内置模型（留空）或：{names}。",
        f"on a public page must be empty (the embedded model) or one of: {names}.",
    )


def bytes_needed(folder: Path, dtype: torch.dtype) -> int:
    """Memory of a checkpoint's tensors in bytes, floats counted in `dtype`, from the headers alone.

    InputError where config.json, weights or shards are missing, a file is damaged, or weights are pickles.
    """
    _config(folder)
    return sum(_tensor_bytes(file, dtype) for file in weight_files(folder))


def _config(folder: Path) -> None:
    file = folder / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise refusal(
            "缺少 config.json，不是 Hugging Face 格式的模型。",
            "has no config.json: not a model in Hugging Face format.",
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError, OSError):
        raise refusal("config.json 读不出来。", "has a config.json that cannot be read.") from None
    # transformers lets a config name the weights' file, a pickle included.
    named = config.get("transformers_weights") if isinstance(config, dict) else "not an object"
    if named and not str(named).endswith((".safetensors", ".safetensors.index.json")):
        raise refusal("config.json 指向别的权重文件。", "has a config.json that names other weights.")


def weight_files(folder: Path) -> list[Path]:
    """model.safetensors, or the shards of its index."""
    if (folder / "model.safetensors").is_file():
        return [folder / "model.safetensors"]
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        raise no_weights(entry.name for entry in folder.iterdir())
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, AttributeError, TypeError):
        raise refusal(f"{index.name} 已损坏。", f"has a damaged {index.name}.") from None
    for name in names:
        if Path(name).name != name or not (folder / name).is_file():
            raise refusal(f"缺少权重分片 {name}。", f"lacks the shard {name}.")
    return [folder / name for name in names]


def no_weights(names: Iterable[str]) -> InputError:
    """The refusal of a model whose files, by name, hold no safetensors."""
    names = list(names)
    if any(name.endswith((".bin", ".pt", ".pth", ".ckpt", ".pkl")) for name in names):
        return refusal(
            "只有 pickle 格式的权重（.bin、.pt），载入它等于运行别人的代码；请换 safetensors 格式。",
            "has pickled weights only (.bin, .pt), which can run foreign code: convert them to safetensors.",
        )
    return refusal("没有 model.safetensors。", "has no model.safetensors.")


def _tensor_bytes(file: Path, dtype: torch.dtype) -> int:
    try:
        with safe_open(file, framework="pt") as tensors:
            slices = [tensors.get_slice(key) for key in tensors.keys()]  # noqa: SIM118
            return sum(math.prod(s.get_shape()) * _item_bytes(s.get_dtype(), dtype) for s in slices)
    except (SafetensorError, OSError):
        raise refusal(
            f"{file.name} 已损坏：下载没有完成，或只是 Git LFS 的指针。",
            f"has a damaged {file.name}: an unfinished download, or a mere Git LFS pointer.",
        ) from None


def _item_bytes(stored: str, dtype: torch.dtype) -> int:
    if stored.startswith(("F", "BF")):
        return dtype.itemsize
    return 1 if stored == "BOOL" else int(re.sub(r"\D", "", stored)) // 8  # I64, U8


class TooBig(InputError):
    """The refusal of a model that could not be held even alone; bytes."""

    def __init__(self, name: str, needed: int, most: int):
        sizes = f"{needed / 1e9:.2f} GB > {most / 1e9:.2f} GB"
        zh, en = f"{name} 太大（{sizes}，上限见 MODELS_MEMORY）。", f"{name} is too big ({sizes}; MODELS_MEMORY)."
        super().__init__("model", zh, en)


def refusal(zh: str, en: str) -> InputError:
    """A sentence about the field "model"."""
    return InputError("model", zh, en)
