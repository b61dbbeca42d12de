"""Two languages in one page: every visible string carries both, and the browser shows one.

A short text is `tr(zh, en)`: both versions in one string, split by an invisible separator; assets/page.js shows the
half that the visitor chose, also in labels, placeholders, toasts and figures, without a reload and without losing a
run. A text with tags inside is `markup(zh, en)`, a longer one `prose(zh, en)`: two elements, of which the style sheet
hides one.
"""

from __future__ import annotations

import re

SEPARATOR = "\u2063"  # INVISIBLE SEPARATOR: never typed, never drawn
LANGUAGES = ("zh", "en")
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def tr(zh: str, en: str) -> str:
    """One string that holds both languages, the Chinese half first."""
    return f"{zh}{SEPARATOR}{en}"


def pick(text: str, language: str) -> str:
    """The half of a `tr` string in "zh" or "en"; a string without a separator is its own translation."""
    zh, _, en = text.partition(SEPARATOR)
    return (en or zh) if language == "en" else zh


def number(value: float, digits: int) -> str:
    """A number of so many decimals with a real minus sign, and no minus before a zero."""
    text = f"{value:.{digits}f}"
    return text.replace("-", "−") if float(text) else text.lstrip("-")


def power_of_ten(exponent: float) -> str:
    """10 to a whole exponent, in superscripts: −42 → 10⁻⁴²."""
    return "10" + f"{exponent:.0f}".translate(SUPERSCRIPTS)


def markup(zh: str, en: str) -> str:
    """Inline HTML in both languages: for texts with tags inside, which `tr` cannot split."""
    return f'<span class="zh" lang="zh">{zh}</span><span class="en" lang="en">{en}</span>'


def prose(zh: str, en: str) -> str:
    """Markdown in both languages as two blocks; blank lines around the content let Markdown inside them work.

    A line break between two Chinese characters would be shown as a space: it is taken out.
    """
    zh = re.sub(r"(?<=[^\x00-\x7f])\n(?=[^\x00-\x7f])", "", zh)
    return f'<div class="zh" lang="zh">\n\n{zh.strip()}\n\n</div>\n<div class="en" lang="en">\n\n{en.strip()}\n\n</div>'
