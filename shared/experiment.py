"""What a tab is, and how its settings become a link and come back.

An experiment is a package `spaces.SLUG` with a frozen dataclass of settings, a method that knows no gradio, pure
figures, and a `ui.py` that draws the tab. Everything that a visitor can get wrong ends in one `InputError`.
"""

from __future__ import annotations


class InputError(ValueError):
    """Bad input in one sentence that names the field and the limit, in Chinese and in English."""

    def __init__(self, field: str, zh: str, en: str):
        super().__init__(f"{field}: {zh} / {en}")
        self.field, self.zh, self.en = field, zh, en

    def in_language(self, language: str) -> str:
        """The sentence in "zh" or "en", the field's name first."""
        return f"{self.field}: {self.en if language == 'en' else self.zh}"
