"""Models from the hub: what is downloaded, with a progress that a page can show, and what happens without a
network.
"""

import fnmatch
import os
import re
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError
from tqdm.auto import tqdm

from shared.checkpoint import TooBig, no_weights, refusal

Progress = Callable[[float, str, str], None]  # (fraction from 0 to 1, sentence in Chinese, in English)
BESIDE_WEIGHTS = ("*.json", "*.txt", "*.model", "*.jinja", "ngrams.xz")  # the last: counts beside our small CPM


def download(name: str, dtype: torch.dtype, most: float, progress: Progress) -> Path:
    """The folder of a hub model in the local cache; refused beforehand if in `dtype` it exceeds `most` bytes.

    Without a network a model that is in the cache already is used; anything else is refused in one sentence.
    """
    progress(0.0, f"查找 {name}", f"Looking up {name}")
    try:
        info = HfApi().model_info(name, files_metadata=True, timeout=10)
    except GatedRepoError:
        zh = f"{name} 须先在 huggingface.co 上同意其条款，并设置 HF_TOKEN。"
        en = f"{name} wants its terms accepted on huggingface.co first, and HF_TOKEN set."
        raise refusal(zh, en) from None
    except RepositoryNotFoundError:
        raise refusal(f"Hugging Face 上没有 {name}。", f"the hub has no {name}.") from None
    except Exception as error:  # offline, a refused connection, a proxy, a time-out, a server that is down
        return _cached(name, error)
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}
    wanted = _wanted(sizes)
    needed = sum(sizes[file] for file in wanted if file.endswith(".safetensors"))
    if info.safetensors:  # the hub's count of numbers, if it has one: files in fp32 halve in bf16
        needed = info.safetensors.total * dtype.itemsize
    if needed > most:
        raise TooBig(name, needed, most)
    return _fetch(name, wanted, sum(sizes[file] for file in wanted), progress)


def _wanted(names: Iterable[str]) -> list[str]:
    """The files of the root that are read: texts, tokenizers, one set of safetensors; no code, no pickle."""
    root = [name for name in names if "/" not in name]
    beside = [name for name in root if any(fnmatch.fnmatch(name, pattern) for pattern in BESIDE_WEIGHTS)]
    if "model.safetensors" in root:
        return [*beside, "model.safetensors"]
    shards = [name for name in root if re.fullmatch(r"model-\d+-of-\d+\.safetensors", name)]
    if not shards:
        raise no_weights(root)
    return beside + shards


def _cached(name: str, error: Exception) -> Path:
    try:
        return Path(snapshot_download(name, local_files_only=True, allow_patterns=["config.json"]))
    except Exception:
        endpoint, reason = os.getenv("HF_ENDPOINT", "https://huggingface.co"), type(error).__name__
        raise refusal(
            f"连不上 {endpoint}（{reason}）；请联网、用 HF_ENDPOINT 指定镜像、填本机文件夹，或留空。",
            f"{endpoint} cannot be reached ({reason}): go online, name a mirror in HF_ENDPOINT, give a local "
            "folder, or leave it empty for the embedded model.",
        ) from None


def _fetch(name: str, files: list[str], total: int, progress: Progress) -> Path:
    bars: list = []
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(snapshot_download, name, allow_patterns=files, tqdm_class=_byte_count(bars))
        while not job.done():
            done = max((bar.received for bar in bars), default=0)
            size = f"{done / 1e6:.0f} / {total / 1e6:.0f} MB"
            progress(min(1.0, done / max(1, total)), f"下载 {name}：{size}", f"Downloading {name}: {size}")
            time.sleep(0.1)
    try:
        return Path(job.result())
    except Exception as error:
        reason = type(error).__name__
        en = f"the download of {name} broke off ({reason}): try again."
        raise refusal(f"下载 {name} 时断了（{reason}），请重试。", en) from error


def _byte_count(bars: list) -> type[tqdm]:
    """A silent progress bar; `snapshot_download` makes several, of which those in bytes count."""

    class ByteCount(tqdm):
        def __init__(self, *args, **options):
            super().__init__(*args, **options | {"disable": True})
            self.received, self._in_bytes = 0, options.get("unit") == "B"
            bars.append(self)

        def update(self, n: float | None = 1) -> None:
            self.received += int(n or 0) if self._in_bytes else 0

    return ByteCount
