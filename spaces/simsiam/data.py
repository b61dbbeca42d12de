"""The images: scikit-learn's digits (always there), CIFAR-10 from a folder or its site, or a visitor's own zip.

    data = load("digits")                         # 1,297 to learn from, 500 held out
    data, skipped = read_zip("my_photos.zip")     # folders become labels; bad files are named, not fatal

A visitor's zip is hostile until proven otherwise: its size, the number of its files, the bytes that each
unpacks to and the pixels that each decodes to are all bounded before anything is decoded.
"""

from __future__ import annotations

import io
import warnings
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from PIL import Image, ImageOps

from shared.experiment import InputError
from spaces.simsiam import cifar

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SIDE = 32  # CIFAR's own; a visitor's images are cut square and brought to it
TRAIN, HELD_OUT = 5000, 500
ZIP_BYTES, ZIP_FILES, ZIP_IMAGES, FEWEST = 100 * 2**20, 20_000, 2000, 32
FILE_BYTES, PIXELS = 20 * 2**20, 40_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")


@dataclass(frozen=True)
class Images:
    """Images to learn from and images held out; labels are None where nobody gave any."""

    name: str
    train: torch.Tensor  # (N, C, S, S) uint8
    held_out: torch.Tensor  # (M, C, S, S) uint8
    train_labels: torch.Tensor | None  # (N,) int64
    held_out_labels: torch.Tensor | None  # (M,)
    classes: tuple[str, ...]


def load(name: str, folder: Path | str | None = None) -> Images:
    """The data set of that name; CIFAR-10 from a `folder` of npz files, else from its site. Raises InputError."""
    if name == "digits":
        return _digits()
    if name == "cifar10":
        here = folder or available("cifar10", DATA / "cifar10")
        return _cifar10(Path(folder or DATA / "cifar10")) if here else _downloaded(cifar.CACHE)
    raise InputError("dataset", "请先上传一个图片压缩包（zip）。", "upload a zip of images first.")


def available(name: str, folder: Path | str | None = None) -> bool:
    """Whether `load` would succeed without a network."""
    if name == "cifar10":
        files = _cifar_files(Path(folder or DATA / "cifar10"))
        return all(path.is_file() for path in files) or (folder is None and cifar.CACHE.is_file())
    return name == "digits"


@lru_cache(maxsize=1)
def _digits() -> Images:
    """1,797 scans of 8 × 8; the last 500 come from other writers than the first."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    pixels = torch.from_numpy((bunch.images * (255 / 16)).round().astype(np.uint8))[:, None]
    labels = torch.from_numpy(bunch.target).long()
    cut = len(pixels) - HELD_OUT
    return Images("digits", pixels[:cut], pixels[cut:], labels[:cut], labels[cut:], tuple("0123456789"))


def _cifar_files(folder: Path) -> tuple[Path, Path]:
    return folder / "train_50000.npz", folder / "test_10000.npz"


@lru_cache(maxsize=1)
def _cifar10(folder: Path) -> Images:
    """A random subset of CIFAR-10 (the files are shuffled): 5,000 to learn from, 500 held out."""
    if not available("cifar10", folder):
        raise InputError("dataset", "这台机器上没有 CIFAR-10 数据。", "CIFAR-10 is not on this machine.")
    (train, labels, names), (held_out, held_labels, _) = (
        _decode(path, count) for path, count in zip(_cifar_files(folder), (TRAIN, HELD_OUT), strict=True)
    )
    return Images("cifar10", train, held_out, labels, held_labels, names)


@lru_cache(maxsize=1)
def _downloaded(cache: Path) -> Images:
    """The same subset of the binary version, fetched if it is not in the cache yet."""
    if not cache.is_file():
        for _ in cifar.fetch(cache=cache):
            pass
    train, labels, held_out, held_labels = map(torch.from_numpy, cifar.read(cache, TRAIN, HELD_OUT))
    return Images("cifar10", train, held_out, labels, held_labels, cifar.NAMES)


def _decode(path: Path, count: int) -> tuple[torch.Tensor, torch.Tensor, tuple[str, ...]]:
    with np.load(path, allow_pickle=False) as file:
        joined, offset, label = file["jpeg"], file["offset"], file["label"]
        names = tuple(map(str, file["names"]))
    pixels = [
        np.asarray(Image.open(io.BytesIO(joined[start:stop].tobytes())).convert("RGB"))
        for start, stop in zip(offset[:-1][:count], offset[1:][:count], strict=True)
    ]
    return _channels_first(pixels), torch.from_numpy(label[:count].astype(np.int64)), names


def _channels_first(pixels: list[np.ndarray]) -> torch.Tensor:
    """(S, S, 3) arrays → (N, 3, S, S) uint8."""
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous()


def read_zip(path: Path | str) -> tuple[Images, list[tuple[str, str, str]]]:
    """A visitor's images and the files skipped, each as (name, reason in Chinese, reason in English).

    The innermost folder's name is the label, if there are at least two such folders. Raises InputError.
    """
    if Path(path).stat().st_size > ZIP_BYTES:
        raise InputError("images", f"压缩包不得超过 {ZIP_BYTES >> 20} MB。", f"the zip may have {ZIP_BYTES >> 20} MB.")
    try:
        with zipfile.ZipFile(path) as archive:
            pixels, groups, skipped = _read_entries(archive)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise InputError("images", "这不是一个可读的 zip 文件。", "this is not a readable zip file.") from error
    if len(pixels) < FEWEST:
        reasons = "".join(f" {name}: {{}}".format(en) for name, _, en in skipped[:3])
        raise InputError(
            "images",
            f"至少需要 {FEWEST} 张可读的图片，这里只有 {len(pixels)} 张。",
            f"at least {FEWEST} readable images are needed, here are {len(pixels)}.{reasons}",
        )
    return _split(_channels_first(pixels), groups), skipped


def _read_entries(archive: zipfile.ZipFile) -> tuple[list[np.ndarray], list[str], list[tuple[str, str, str]]]:
    entries = [entry for entry in archive.infolist() if not entry.is_dir() and not _is_litter(entry.filename)]
    if len(entries) > ZIP_FILES:
        raise InputError("images", f"压缩包内文件不得超过 {ZIP_FILES} 个。", f"the zip may hold {ZIP_FILES} files.")
    pixels, groups, skipped = [], [], []
    for entry in sorted(entries, key=lambda entry: entry.filename):
        image = _read_image(archive, entry) if len(pixels) < ZIP_IMAGES else ("超出张数上限", "over the limit")
        if isinstance(image, tuple):
            skipped.append((entry.filename[-80:], *image))
        else:
            pixels.append(image)
            groups.append(PurePosixPath(entry.filename).parent.name[:40])
    return pixels, groups, skipped


def _is_litter(name: str) -> bool:
    """macOS's and Windows' own files, which the visitor never sees."""
    return name.startswith("__MACOSX/") or PurePosixPath(name).name in (
        ".DS_Store",
        "Thumbs.db",
        "desktop.ini",
    )


def _read_image(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray | tuple[str, str]:
    """(S, S, 3) uint8, or why not in Chinese and English."""
    if entry.flag_bits & 1:
        return "已加密", "encrypted"
    try:
        with archive.open(entry) as file:
            raw = file.read(FILE_BYTES + 1)  # the header's size may lie; what is read here cannot
        if len(raw) > FILE_BYTES:
            return f"超过 {FILE_BYTES >> 20} MB", f"larger than {FILE_BYTES >> 20} MB"
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(raw), formats=FORMATS)
        if image.width * image.height > PIXELS:
            return f"超过 {PIXELS // 10**6} 百万像素", f"more than {PIXELS // 10**6} megapixels"
        image.draft("RGB", (SIDE * 4, SIDE * 4))  # JPEG decodes at a fraction of its size
        image = ImageOps.exif_transpose(image).convert("RGB")
        return np.asarray(ImageOps.fit(image, (SIDE, SIDE), Image.Resampling.BILINEAR))
    except Exception:  # a decoder fed with anything may raise anything
        return "不是可读的图片", "not a readable image"


def _split(pixels: torch.Tensor, groups: list[str]) -> Images:
    """Every fifth image (500 at most) of a fixed shuffle is held out."""
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(pixels)))
    cut = min(HELD_OUT, len(pixels) // 5)
    classes = tuple(sorted(set(groups)))
    labels = torch.tensor([classes.index(group) for group in groups])[order] if len(classes) > 1 else None
    parts = (None, None) if labels is None else (labels[cut:], labels[:cut])
    return Images("images", pixels[order[cut:]], pixels[order[:cut]], *parts, classes if labels is not None else ())
