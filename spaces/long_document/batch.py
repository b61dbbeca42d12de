"""Many documents: a CSV or a zip in, a table of results out, stopped and resumed at will.

A document is known by the hash of its text: the table of an earlier, unfinished run is handed in again and what it
holds is not read twice. A document that cannot be read has a row that says why; the others are unharmed.

Try first: `for share, row in classify(load_named(), read_many("docs.zip", data), "province", "whole"): …`
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields

from shared.experiment import InputError
from spaces.long_document.documents import Named, decode
from spaces.long_document.reader import Reader
from spaces.long_document.readings import perform


@dataclass(frozen=True)
class Row:
    """One document's result; `error` instead of a label where it has none."""

    name: str
    hash: str
    label: str = ""
    confidence: float = 0.0
    tokens: int = 0
    seconds: float = 0.0
    reading: str = ""
    task: str = ""
    error: str = ""


COLUMNS = [field.name for field in fields(Row)]
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run a cell that begins so


def hash_of(text: str) -> str:
    """Sixteen hexadecimal digits of the text's SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def classify(
    reader: Reader, documents: list[Named], task: str, reading: str, stride: int = 256, known: list[Row] | None = None
) -> Iterator[tuple[float, Row]]:
    """(share of the documents done, the next row); documents whose rows are `known` come back at once."""
    done = {(row.hash, row.task, row.reading): row for row in known or [] if not row.error}
    for number, document in enumerate(documents, 1):
        yield number / len(documents), _row(reader, document, task, reading, stride, done)


def _row(reader: Reader, document: Named, task: str, reading: str, stride: int, done: dict) -> Row:
    if document.error is not None:
        return Row(document.name, "", error=f"{document.error.zh} / {document.error.en}")
    key = hash_of(document.text)
    if (key, task, reading) in done:
        return done[key, task, reading]
    try:
        *_, (_, found) = perform(reader, reader.encode(document.text), task, reading, stride)
    except InputError as error:
        return Row(document.name, key, error=f"{error.zh} / {error.en}")
    seconds, confidence = round(found.seconds, 3), round(found.confidence, 4)
    return Row(document.name, key, found.label, confidence, found.tokens, seconds, reading, task)


def to_csv(rows: list[Row]) -> str:
    """The table, with a mark for spreadsheets that it is UTF-8."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _tame(value) for name, value in asdict(row).items()})
    return "\ufeff" + out.getvalue()


def _tame(value: object) -> object:
    return "'" + value if isinstance(value, str) and value.startswith(FORMULA) else value


def from_csv(data: bytes) -> list[Row]:
    """The rows of an earlier table; InputError where it is not one."""
    rows = list(csv.DictReader(io.StringIO(decode(data).lstrip("\ufeff"))))
    if not rows or not set(COLUMNS) <= set(rows[0]):
        zh = "不是这里导出的结果表。"
        raise InputError("resume", zh, "is not a table of results that was saved here.")
    kinds = {field.name: type(field.default) if field.name not in ("name", "hash") else str for field in fields(Row)}
    try:
        return [Row(**{name: kinds[name](row[name] or kinds[name]()) for name in COLUMNS}) for row in rows]
    except (ValueError, TypeError):
        raise InputError("resume", "结果表里的数读不出来。", "holds a number that cannot be read.") from None
