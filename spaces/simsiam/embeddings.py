"""A visitor's embeddings from a file: .npy, .npz or .csv, one row a sample; never unpickled, always bounded.

    z = read("embeddings.npy")     # (N, d) float32

The header is judged before the array is allocated: a small .npz may claim, and unpack to, terabytes.
"""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from statistics import mode
from typing import BinaryIO

import numpy as np

from shared.experiment import InputError

FILE_BYTES, VALUES, WIDEST = 100 * 2**20, 50_000_000, 4096
NAMES = ("embeddings", "embedding", "features", "feats", "z", "x", "arr_0")
"""The arrays that an .npz with several is searched for, in this order."""


def _error(zh: str, en: str) -> InputError:
    return InputError("embeddings", zh, en)


def read(path: Path | str) -> np.ndarray:
    """Embeddings (N, d) float32 with N ≥ 2, all finite. Raises InputError."""
    path = Path(path)
    if path.stat().st_size > FILE_BYTES:
        raise _error(f"文件不得超过 {FILE_BYTES >> 20} MB。", f"the file may have at most {FILE_BYTES >> 20} MB.")
    readers = {".npy": _read_npy, ".npz": _read_npz, ".csv": _read_csv}
    if path.suffix.lower() not in readers:
        raise _error("须为 .npy、.npz 或 .csv 文件。", "must be a .npy, .npz or .csv file.")
    try:
        z = readers[path.suffix.lower()](path)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        if isinstance(error, InputError):
            raise
        raise _error("文件已损坏，或格式不对。", "the file is damaged or not of its format.") from error
    return _checked(z)


def _checked(z: np.ndarray) -> np.ndarray:
    if len(z) < 2:
        raise _error("至少需要两行。", "at least two rows are needed.")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes inf, and is reported
        z = np.ascontiguousarray(z, dtype=np.float32)
    wrong = ~np.isfinite(z).all(axis=1)
    if wrong.any():
        row = int(wrong.argmax()) + 1
        raise _error(
            f"含有 NaN 或无穷大：共 {wrong.sum()} 行，首见于第 {row} 行。",
            f"holds NaN or infinity: in {wrong.sum()} rows, the first is row {row}.",
        )
    return z


def _check_shape(shape: tuple[int, ...], dtype: np.dtype) -> None:
    if dtype.kind not in "fiub":
        raise _error("须为实数数组。", "must be an array of real numbers.")
    if len(shape) != 2:
        raise _error(
            f"须为二维数组（行 × 维），这里是 {len(shape)} 维。", f"must be rows × d, here are {len(shape)} axes."
        )
    if not 1 <= shape[1] <= WIDEST or shape[0] * shape[1] > VALUES:
        raise _error(
            f"每行 1 到 {WIDEST} 维，总共不超过 {VALUES // 10**6} 百万个数；这里是 {shape[0]} × {shape[1]}。",
            f"1 to {WIDEST} columns and at most {VALUES // 10**6} million numbers; here {shape[0]} × {shape[1]}.",
        )


def _read_header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(file)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(version)
    shape, _, dtype = readers[version](file)
    return shape, dtype


def _read_npy(path: Path) -> np.ndarray:
    with path.open("rb") as file:
        _check_shape(*_read_header(file))
    return np.load(path, allow_pickle=False)


def _read_npz(path: Path) -> np.ndarray:
    with zipfile.ZipFile(path) as archive:
        members = [name for name in archive.namelist()[:1000] if name.endswith(".npy")]
        headers = {}
        for name in members:
            with archive.open(name) as file:
                headers[name] = _read_header(file)
        name = _choose(headers)
        _check_shape(*headers[name])
        shape, dtype = headers[name]
        with archive.open(name) as file:  # 200 bytes more than the array: the header
            return np.load(io.BytesIO(file.read(shape[0] * shape[1] * dtype.itemsize + 10_200)), allow_pickle=False)


def _choose(headers: dict[str, tuple[tuple[int, ...], np.dtype]]) -> str:
    """The only two-dimensional array, or the one with a usual name."""
    flat = [name for name, (shape, _) in headers.items() if len(shape) == 2]
    if len(flat) == 1:
        return flat[0]
    for wanted in NAMES:
        if f"{wanted}.npy" in headers:
            return f"{wanted}.npy"
    found = ", ".join(name[:-4] for name in list(headers)[:8]) or "-"
    raise _error(
        f"npz 里须有一个二维数组，或名为 {NAMES[0]} 的数组；这里有：{found}。",
        f"the npz needs one array of rows × d, or one named {NAMES[0]}; here are: {found}.",
    )


def _read_csv(path: Path) -> np.ndarray:
    """Numbers separated by comma, semicolon, tab or spaces; a header line and columns of text are left out."""
    try:
        lines = [line for line in path.read_text("utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError:
        raise _error("CSV 须为 UTF-8 文本。", "the CSV must be UTF-8 text.") from None
    if len(lines) < 2:
        raise _error("至少需要两行。", "at least two rows are needed.")
    mark = next((mark for mark in ",;\t" if mark in lines[1]), None)
    cells = [_cells(line, mark) for line in lines[:5]]
    width = mode(len(_cells(line, mark)) for line in lines[:100])  # the usual one, lest a short line be the measure
    columns = [i for i in range(width) if any(_is_number(row[i]) for row in cells if i < len(row))]
    header = not any(_is_number(cells[0][i]) for i in columns if i < len(cells[0]))
    _check_shape((len(lines) - header, len(columns)), np.dtype(float))
    return _parse(lines[header:], mark, columns, width, 1 + header)


def _parse(lines: list[str], mark: str | None, columns: list[int], width: int, first: int) -> np.ndarray:
    """Rows of numbers; `width` cells are expected in each line, `first` is the number of the first line."""
    for number, line in enumerate(lines, first):
        count = len(line.split(mark)) if '"' not in line else len(_cells(line, mark))
        if count != width:
            raise _error(
                f"第 {number} 行有 {count} 列，应为 {width} 列。", f"line {number} has {count} columns, not {width}."
            )
    try:
        return np.loadtxt(lines, np.float64, delimiter=mark, usecols=columns, comments=None, quotechar='"', ndmin=2)
    except ValueError as error:
        row = re.search(r"at row (\d+)", str(error))
        number = int(row[1]) + first if row else first
        raise _error(f"第 {number} 行有一格不是数。", f"line {number} has a cell that is not a number.") from None


def _cells(line: str, mark: str | None) -> list[str]:
    """The cells of one line, quotes removed; quoted text may hold the separator."""
    if '"' not in line:
        return line.split(mark)
    pattern = rf'"[^"]*"|[^{re.escape(mark)}]+' if mark else r'"[^"]*"|\S+'
    return [cell.strip().strip('"') for cell in re.findall(pattern, line)]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
