"""A keeper's test-kit readings from CSV: a column day or date, and any of ammonia, nitrite, nitrate, gaps allowed.

All numbers are kept as mg of nitrogen per litre. Say which convention the file has: unit="n" for nitrogen (NH₄-N,
NO₂-N, NO₃-N) or unit="ion" for the whole ion (NH₄⁺, NO₂⁻, NO₃⁻), which most hobby kits print. Ammonia is the total.
A reading "<0.05", below what the kit can see, counts as half of that; "0,05" is a number where commas do not separate.
"""

from __future__ import annotations

import csv
import io
import math
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from shared.experiment import InputError
from spaces.aquarium.settings import TANK_LIMITS
from spaces.aquarium.water import ION

UNITS = ("n", "ion")
SERIES = ("tan", "no2", "no3")
COLUMNS = {
    "day": ("day", "days", "天", "天数", "第几天"),
    "date": ("date", "日期"),
    "tan": ("tan", "ammonia", "ammonium", "nh3", "nh4", "nh3nh4", "totalammonia", "氨", "氨氮", "总氨氮", "铵"),
    "no2": ("no2", "nitrite", "亚硝酸盐", "亚硝酸", "亚硝态氮"),
    "no3": ("no3", "nitrate", "硝酸盐", "硝酸", "硝态氮"),
}
SAID = {"tan": "ammonia", "no2": "nitrite", "no3": "nitrate"}
"""What a refusal calls a column."""
MOST_BYTES, MOST_ROWS, FEWEST = 1_000_000, 2_000, 4
MOST_DAYS = TANK_LIMITS["days"][1]
MOST = 500.0
"""mg/L, more than any kit reads."""


@dataclass(frozen=True)
class Readings:
    """R readings in order of time, NaN where a cell was empty; `start` is the date of day 0, if dates were given."""

    day: np.ndarray  # (R,)
    values: np.ndarray  # (R, 3) mg N/L: TAN, nitrite, nitrate
    start: date | None = None

    @property
    def count(self) -> int:
        """Numbers measured."""
        return int(np.isfinite(self.values).sum())


def read_file(path: str | Path, unit: str = "n") -> Readings:
    """Readings from a CSV file of at most 1 MB."""
    file = Path(path)
    try:
        too_large = file.stat().st_size > MOST_BYTES
        data = b"" if too_large else file.read_bytes()
    except OSError:
        raise InputError("readings", "读不了这个文件。", "cannot be opened.") from None
    if too_large:
        raise InputError("readings", "文件不得超过 1 MB。", "must be a file of at most 1 MB.")
    return read(data, unit)


def read(source: bytes | str, unit: str = "n") -> Readings:
    """Readings from CSV in UTF-8 or GB 18030 with a header; InputError names the row and the limit."""
    if unit not in UNITS:
        raise InputError("unit", "须为 n 或 ion。", "must be n or ion.")
    header, rows = _table(source)
    columns = _columns(header)
    when, start = _times(rows, columns)
    values = np.full((len(rows), len(SERIES)), np.nan)
    for j, name in enumerate(SERIES):
        if name in columns:
            factor = 1 / ION[name] if unit == "ion" else 1.0
            values[:, j] = [_number(cell, SAID[name], i) * factor for i, cell in _cells(rows, columns[name])]
    order = np.argsort(when, kind="stable")
    readings = Readings(when[order], values[order], start)
    if readings.count < FEWEST:
        raise InputError("readings", f"至少要有 {FEWEST} 个读数。", f"must hold at least {FEWEST} numbers.")
    return readings


def _table(source: bytes | str) -> tuple[list[str], list[list[str]]]:
    """Header and rows that are not empty."""
    if len(source) > MOST_BYTES:
        raise InputError("readings", "不得超过 1 MB。", "must be at most 1 MB.")
    text = source if isinstance(source, str) else _decode(source)
    if "\0" in text:
        raise InputError("readings", "这不是文本文件。", "is not a text file.")
    first = text.lstrip().split("\n", 1)[0]
    separator = max(",;\t，", key=first.count)
    try:
        rows = [r for r in csv.reader(io.StringIO(text), delimiter=separator) if any(cell.strip() for cell in r)]
    except csv.Error:
        raise InputError("readings", "不是合法的 CSV。", "is not valid CSV.") from None
    if not 2 <= len(rows) <= MOST_ROWS + 1:
        raise InputError(
            "readings", f"须有表头和 1 到 {MOST_ROWS} 行。", f"must have a header and 1 to {MOST_ROWS} rows."
        )
    return rows[0], rows[1:]


def _decode(data: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InputError("readings", "编码须为 UTF-8 或 GB 18030。", "must be encoded in UTF-8 or GB 18030.")


def _columns(header: list[str]) -> dict[str, int]:
    """Name → index of the columns that are known; others are ignored."""
    found: dict[str, int] = {}
    for index, cell in enumerate(header):
        plain = re.sub(r"[（(\[].*|[^a-z0-9\u4e00-\u9fff]", "", cell.strip().lower().replace("mg/l", ""))
        plain = re.sub(r"(?<=\d)n$", "", plain)  # NO3-N
        for name, aliases in COLUMNS.items():
            if plain in aliases and name not in found:
                found[name] = index
    if not {"day", "date"} & set(found) or not set(SERIES) & set(found):
        raise InputError(
            "readings",
            "表头须有 day 或 date，以及 ammonia、nitrite、nitrate 之一。",
            "must have a column day or date, and one of ammonia, nitrite, nitrate.",
        )
    return found


def _cells(rows: list[list[str]], index: int) -> list[tuple[int, str]]:
    """(row as a person counts, header included; text) of one column; "" where the row is short."""
    return [(i + 2, row[index].strip() if index < len(row) else "") for i, row in enumerate(rows)]


def _number(cell: str, name: str, row: int, most: float = MOST) -> float:
    """A number from 0 to `most`, half of it behind a "<", or NaN for an empty cell."""
    if cell in ("", "-", "—", "NA", "na"):
        return math.nan
    seen = cell.replace(",", ".")
    try:
        value = float(seen.lstrip("<≤＜ ")) * (0.5 if seen[0] in "<≤＜" else 1)
    except ValueError:
        value = math.nan
    if not 0 <= value <= most:
        raise InputError(
            name, f"第 {row} 行须为 0 到 {most:g} 之间的数。", f"in row {row} must be a number from 0 to {most:g}."
        )
    return value


def _times(rows: list[list[str]], columns: dict[str, int]) -> tuple[np.ndarray, date | None]:
    """Days since day 0 and, where dates are given, the date of day 0 (the earliest)."""
    if "day" in columns:
        days = [_number(cell, "day", i, MOST_DAYS) for i, cell in _cells(rows, columns["day"])]
        if any(map(math.isnan, days)):
            raise InputError("day", "每一行都须有天数。", "must be given in every row.")
        return np.array(days), None
    dates = [_date(cell, i) for i, cell in _cells(rows, columns["date"])]
    days = np.array([(d - min(dates)).days for d in dates], float)
    if days.max() > MOST_DAYS:
        raise InputError("date", f"首末不得相隔超过 {MOST_DAYS} 天。", f"must span at most {MOST_DAYS} days.")
    return days, min(dates)


def _date(cell: str, row: int) -> date:
    parts = re.fullmatch(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?", cell)
    try:
        return date(*map(int, parts.groups()))
    except (ValueError, AttributeError):
        raise InputError(
            "date", f"第 {row} 行须为 2020-12-01 这样的日期。", f"in row {row} must be a date such as 2020-12-01."
        ) from None
