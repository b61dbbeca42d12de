"""The chat's components: each NAME.js draws one JSON value and triggers `act` with {"do": …}."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from shared import component as shared


def component(name: str, value: str, **options: Any) -> gr.HTML:
    """The component of NAME.js and NAME.css."""
    return shared.component(Path(__file__).parent, f"parts.js {name}.js", f"{name}.css",
                            f'<div class="ch-{name}"></div>', f"kx.chat.{name}", value, **options)
