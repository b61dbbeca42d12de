"""Many documents in one file: a .zip of documents, or a .csv with a column "text".

A document that cannot be read carries its error and leaves the others unharmed. Bombs are refused by what the
archive's directory promises, cut off where it lies, and never turned into more rows than are read.

Try first: `for document in read_many("docs.zip", data): …`
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from shared.experiment import InputError
from spaces.long_document.documents import (
    MOST_BYTES,
    check_text,
    check_zip,
    decode,
    one_kind_of_line,
    read_file,
    short_name,
)

MOST_DOCUMENTS = 2_000
MOST_UNPACKED = 200 * 2**20  # bytes and characters of one zip


@dataclass(frozen=True)
class Named:
    """A document of a batch: its text, or what is wrong with it."""

    name: str
    text: str = ""
    error: InputError | None = None
    label: str = ""


def read_many(name: str, data: bytes) -> list[Named]:
    """The documents of a .zip or of a .csv with a column "text"; a bad one carries its error, the others live."""
    return list(open_many(name, data)[1])


def open_many(name: str, data: bytes) -> tuple[int, Iterator[Named]]:
    """(how many there are, the documents of `read_many`, each opened when it is asked for)."""
    if len(data) > 5 * MOST_BYTES:
        raise InputError(short_name(name), "超过 100 MB。", "is larger than 100 MB.")
    if name.lower().endswith(".zip"):
        archive = check_zip(data, MOST_UNPACKED, short_name(name))
        found = [e for e in archive.infolist() if not e.is_dir() and "__MACOSX" not in e.filename]
        documents = _from_zip(archive, found)
    elif name.lower().endswith(".csv"):
        found = _csv_rows(data, short_name(name))
        documents = _from_csv(found)
    else:
        raise InputError(short_name(name), "须为 .csv 或 .zip。", "must be a .csv or a .zip.")
    if not found:
        raise InputError(short_name(name), "里面没有文档。", "holds no documents.")
    if len(found) > MOST_DOCUMENTS:
        zh, en = f"超过 {MOST_DOCUMENTS:,} 篇，不读。", f"holds more than {MOST_DOCUMENTS:,} documents: refused."
        raise InputError(short_name(name), zh, en)
    return len(found), documents


def _from_zip(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> Iterator[Named]:
    left = MOST_UNPACKED
    for entry in entries:
        name = _zip_name(entry)
        try:
            if left <= 0:
                raise InputError(name, "压缩包太大，读到这里为止。", "lies beyond the limit of the archive.")
            with archive.open(entry) as file:
                content = file.read(min(MOST_BYTES, left) + 1)  # never what the directory promises
            left -= len(content)
            text = read_file(name, content)
            left -= len(text)  # a .docx of 43 KB can hold 2,000,000 characters
            yield Named(name, text)
        except InputError as error:
            yield Named(name, error=error)
        except Exception as error:  # encrypted, damaged, an unknown method
            reason = type(error).__name__
            yield Named(name, error=InputError(name, f"读不出来（{reason}）。", f"cannot be read ({reason})."))


def _zip_name(entry: zipfile.ZipInfo) -> str:
    if entry.flag_bits & 0x800:
        return entry.filename
    try:
        return entry.filename.encode("cp437").decode("gb18030")  # archives of Chinese Windows
    except UnicodeError:
        return entry.filename


def table_rows(data: bytes, most: int, field: str) -> list[dict]:
    """The rows of a CSV, one more than `most` at most: a row of two bytes is a dictionary of two hundred."""
    text = decode(data).lstrip("\ufeff").replace("\0", "")
    csv.field_size_limit(5 * MOST_BYTES)
    try:
        reader = csv.DictReader(io.StringIO(one_kind_of_line(text), newline=""), restkey="…")
        return list(islice(reader, most + 1))
    except csv.Error as error:
        raise InputError(field, f"不是合法的 CSV（{error}）。", f"is not a valid CSV ({error}).") from None


def _csv_rows(data: bytes, name: str) -> list[dict]:
    """The rows, their keys in lower case; InputError where there is no column "text"."""
    rows = table_rows(data, MOST_DOCUMENTS, name)
    names = {key: (key or "").strip().lower() for key in (rows[0] if rows else {})}
    if "text" not in names.values():
        raise InputError(name, "第一行须有名为 text 的列。", "needs a first line with a column named text.")
    return [{names.get(key, key): value for key, value in row.items()} for row in rows]


def _from_csv(rows: list[dict]) -> Iterator[Named]:
    for number, row in enumerate(rows, 2):
        name = str(row.get("name") or f"row {number}")
        try:
            text, label = check_text(row["text"] or "", name[:60]), str(row.get("label") or "").strip()
            yield Named(name, text, label=label)
        except InputError as error:
            yield Named(name, error=error)
