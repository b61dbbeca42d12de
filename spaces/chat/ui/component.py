"""A gr.HTML drawn by a script of this folder from one JSON value; it triggers `act` with {"do": …}."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path
from typing import Any

import gradio as gr

FOLDER = Path(__file__).parent
_serial = itertools.count(time.time_ns() // 1_000_000)  # rises across restarts: a page drops what it has overtaken


def component(name: str, value: str, **options: Any) -> gr.HTML:
    """The component of NAME.js and NAME.css; text of a visitor reaches it as JSON only, and is set as text."""
    code = (FOLDER / "parts.js").read_text("utf-8") + (FOLDER / f"{name}.js").read_text("utf-8")
    css = (FOLDER / f"{name}.css").read_text("utf-8")
    return gr.HTML(
        value,
        html_template=f'<div class="ch-{name}"></div>',
        css_template=css,
        js_on_load=f"{code}\nkx.chat.{name}(element, props, trigger, watch); /* trigger('act') */",
        apply_default_css=False,
        **options,
    )


def packed(value: dict[str, Any]) -> str:
    """The component's JSON, with a serial number higher than any before."""
    return json.dumps({"serial": next(_serial), **value}, ensure_ascii=False)
