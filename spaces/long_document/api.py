"""The tab's API as plain Python: `classify_document(text, task, reading)`."""

from __future__ import annotations

from shared.experiment import InputError, choice
from spaces.long_document.data import TASKS
from spaces.long_document.documents import check_text
from spaces.long_document.reader import load_named
from spaces.long_document.readings import CLOCK, perform_named
from spaces.long_document.settings import READINGS

MOST_SECONDS = 900  # of one call


def classify_document(text: str, task: str = "province", reading: str = "whole") -> dict:
    """The label of a text, read with the embedded default.

    task: "province" of a Chinese regulation or "genre" of a classical chapter. reading: "whole", "sliding",
    "performer", "taylor", or a number of tokens such as "512": only the beginning. Returns {"label", "scores"
    {label: probability}, "tokens" that were read, "seconds", "peak_mb" that memory grew by}.
    InputError names bad input, and what would take more than a quarter of an hour.
    """
    choice("task", task, list(TASKS))
    reading = check_reading(reading)
    reader = load_named()
    ids = reader.tokens(check_text(text))
    seconds = CLOCK.seconds(reader, reading, ids.shape[1])
    if seconds > MOST_SECONDS:  # nobody can stop a call that has begun
        zh, en = f"要读约 {seconds:,.0f} 秒，最多 {MOST_SECONDS} 秒", f"would take about {seconds:,.0f} s"
        raise InputError("text", f"{zh}：请少读些词元，或在页面上读。", f"{en}, at most {MOST_SECONDS}: read less.")
    *_, (_, found) = perform_named("", ids, task, reading)
    return {
        "label": found.label,
        "scores": found.scores,
        "tokens": found.tokens,
        "seconds": round(found.seconds, 4),
        "peak_mb": round(found.peak_mb, 1),
    }


def check_reading(reading: str) -> str:
    """The reading's name, or a number of tokens from 3 up."""
    text = str(reading).strip()
    names = [name for name in READINGS if not name.isdecimal()]
    if text in names or (text.isascii() and text.isdecimal() and 3 <= int(text[:9]) and len(text) <= 9):
        return text if text in names else str(int(text))
    listed = ", ".join(names)
    zh = f"须为 {'、'.join(names)}，或不小于 3 的词元数。"
    raise InputError("reading", zh, f"must be {listed}, or a number of tokens from 3.")
