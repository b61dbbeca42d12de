"""CIFAR-10 from its own site, once: the binary version, checked by its published MD5, never unpickled.

    for share in fetch(): print(f"{share:.0%}")     # 170 MB into the cache
    read(CACHE)                                     # 5,000 images to learn from, 500 held out

(Krizhevsky 2009.) Each record is one byte of label and 3,072 of pixels, channel by channel; the batches are in random
order, so the first ones are a random subset.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from shared.experiment import InputError

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
CACHE = Path(os.getenv("XDG_CACHE_HOME", Path.home() / ".cache")) / "scientific-spaces" / "cifar10.npz"
NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
RECORD, CHUNK, SECONDS = 1 + 3 * 32 * 32, 2**20, 20


def fetch(url: str = URL, md5: str = MD5, cache: Path = CACHE) -> Iterator[float]:
    """Download into the cache, yielding the share done, 0 … 1; raises InputError where it cannot."""
    cache.parent.mkdir(parents=True, exist_ok=True)
    part = cache.with_name(f"{cache.stem}.{os.getpid()}.part")
    try:
        yield from _download(url, md5, part)
        _unpack(part, cache)
    except (OSError, tarfile.TarError) as error:
        raise InputError(
            "dataset",
            "这台机器上没有 CIFAR-10，也下载不到；请改用手写数字，或上传图片。",
            "CIFAR-10 is not on this machine and cannot be downloaded: use the digits, or upload images.",
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _download(url: str, md5: str, part: Path) -> Iterator[float]:
    digest, done = hashlib.md5(usedforsecurity=False), 0
    with urllib.request.urlopen(url, timeout=SECONDS) as source, part.open("wb") as file:
        total = int(source.headers.get("Content-Length") or 0)
        while chunk := source.read(CHUNK):
            file.write(chunk)
            digest.update(chunk)
            done += len(chunk)
            yield min(1.0, done / total) if total else 0.0
    if digest.hexdigest() != md5:
        raise OSError(f"{url} has another MD5 than published")


def _unpack(part: Path, cache: Path) -> None:
    """The two batches that are used, as one npz, put in place in one move."""
    arrays = {}
    with tarfile.open(part, "r:gz") as archive:
        for member in archive:
            name = Path(member.name).name
            if member.isfile() and name in ("data_batch_1.bin", "test_batch.bin"):
                arrays[name.split("_batch")[0]] = np.frombuffer(archive.extractfile(member).read(), np.uint8)
    if set(arrays) != {"data", "test"}:
        raise tarfile.TarError("a batch is missing")
    temporary = cache.with_suffix(f".{os.getpid()}.npz")
    np.savez(temporary, **arrays)
    temporary.replace(cache)


def read(cache: Path, count: int, held_out: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Images (N, 3, 32, 32) uint8 and labels (N,) int64 to learn from, then the same held out."""
    with np.load(cache, allow_pickle=False) as file:
        parts = [file[name].reshape(-1, RECORD)[:n] for name, n in (("data", count), ("test", held_out))]
    return tuple(a for p in parts for a in (p[:, 1:].reshape(-1, 3, 32, 32), p[:, 0].astype(np.int64)))
