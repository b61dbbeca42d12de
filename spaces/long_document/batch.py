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
from dataclasses import asdict, dataclass, fields, replace

from shared.experiment import InputError
from spaces.long_document.blockwise import outcome
from spaces.long_document.many import MOST_DOCUMENTS, Named, table_rows
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
    model: str = ""
    """Empty for the embedded default."""
    error: str = ""


COLUMNS = [field.name for field in fields(Row)]
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run a cell that begins so


def hash_of(text: str) -> str:
    """Sixteen hexadecimal digits of the text's SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def classify(
    reader: Reader, documents: list[Named], task: str, reading: str, model: str = "", known: list[Row] | None = None
) -> Iterator[tuple[float, Row | None]]:
    """(share of the documents done, None) while one is read, then (share, its row); `known` rows come back at once."""
    wanted = (task, reading, model)
    done = {row.hash: row for row in known or [] if not row.error and (row.task, row.reading, row.model) == wanted}
    for number, document in enumerate(documents):
        for share, row in _row(reader, document, wanted, done):
            yield (number + share) / len(documents), row


def _row(reader: Reader, document: Named, wanted: tuple, done: dict[str, Row]) -> Iterator[tuple[float, Row | None]]:
    if document.error is not None:
        yield 1.0, Row(document.name, "", error=f"{document.error.zh} / {document.error.en}")
        return
    key = hash_of(document.text)
    if key in done:
        yield 1.0, replace(done[key], name=document.name)
        return
    task, reading, model = wanted
    try:
        found = yield from outcome(perform(reader, reader.tokens(document.text), task, reading))
    except InputError as error:
        yield 1.0, Row(document.name, key, error=f"{error.zh} / {error.en}")
        return
    seconds, confidence = round(found.seconds, 3), round(found.confidence, 4)
    yield 1.0, Row(document.name, key, found.label, confidence, found.tokens, seconds, reading, task, model)


def to_csv(rows: list[Row]) -> str:
    """The table, with a mark for spreadsheets that it is UTF-8."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _tame(value) for name, value in asdict(row).items()})
    return "\ufeff" + out.getvalue()


def _tame(value: object) -> object:
    return "'" + value if isinstance(value, str) and value.lstrip("'").startswith(FORMULA) else value


def _untame(value: str) -> str:
    return value[1:] if value.startswith("'") and value.lstrip("'").startswith(FORMULA) else value


def from_csv(data: bytes) -> list[Row]:
    """The rows of an earlier table; InputError where it is not one."""
    rows = table_rows(data, MOST_DOCUMENTS, "resume")[:MOST_DOCUMENTS]
    if not rows or not set(COLUMNS) <= set(rows[0]):
        zh = "不是这里导出的结果表。"
        raise InputError("resume", zh, "is not a table of results that was saved here.")
    kinds = {field.name: type(field.default) if field.name not in ("name", "hash") else str for field in fields(Row)}
    try:
        return [Row(**{name: kind(_untame(row[name] or "") or kind()) for name, kind in kinds.items()}) for row in rows]
    except (ValueError, TypeError):
        raise InputError("resume", "结果表里的数读不出来。", "holds a number that cannot be read.") from None
