"""A component of our own: a gr.HTML that a script draws from one JSON value, and that triggers events.

Text of a visitor reaches the page as JSON only and is set as text. The scripts build with `kx.parts` of assets/page.js.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr

_serial = itertools.count(time.time_ns() // 1_000_000)  # rises across restarts: a page drops what it has overtaken


def component(folder: Path, scripts: str, style: str, template: str, start: str, value: str, **options: Any) -> gr.HTML:
    """A gr.HTML of a folder's scripts (names with blanks between) and style.

    start, if any: the function of theirs that takes (element, props, trigger, watch).
    """
    code = "".join((folder / script).read_text("utf-8") for script in scripts.split())
    call = f"\n{start}(element, props, trigger, watch);" if start else ""
    return gr.HTML(value, html_template=template, css_template=(folder / style).read_text("utf-8"),
                   js_on_load=code + call, apply_default_css=False, **options)


def packed(value: Mapping[str, Any]) -> str:
    """The value as JSON, with a serial number higher than any before."""
    return json.dumps({"serial": next(_serial), **value}, ensure_ascii=False)
