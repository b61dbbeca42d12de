"""Rows of .jsonl and .jsonl.xz files, the format of all training and benchmark data: one JSON object a line."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from pathlib import Path

from shared.experiment import InputError


def read_rows(path: str | Path, field: str = "") -> Iterator[dict]:
    """The objects of a file, streamed; with `field` only those where that field is a string, others being an error.

    Raises InputError, which names the line, for what is not such an object, and for a file that cannot be read.
    """
    opener = lzma.open if str(path).endswith(".xz") else open
    try:
        with opener(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _row(line, number, Path(path).name, field)
    except (OSError, EOFError, lzma.LZMAError, UnicodeDecodeError) as reason:
        name = Path(path).name
        zh, en = "不是可读的 jsonl 或 jsonl.xz 文件。", "is no readable .jsonl or .jsonl.xz file."
        raise InputError(name, zh, en) from reason


def _row(line: str, number: int, name: str, field: str) -> dict:
    try:
        row = json.loads(line)
    except json.JSONDecodeError:
        row = None
    if not isinstance(row, dict) or (field and not isinstance(row.get(field), str)):
        zh, en = (f"含文本字段 {field} 的", f" with a text in the field {field}") if field else ("", "")
        raise InputError(name, f"第 {number} 行不是{zh} JSON 对象。", f"line {number} is no JSON object{en}.")
    return row
