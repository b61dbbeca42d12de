"""One look for all tabs: the gradio theme, the style sheet and the page's scripts."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

ASSETS = Path(__file__).parent / "assets"
SANS = ("system-ui", "-apple-system", "PingFang SC", "Noto Sans CJK SC", "Microsoft YaHei", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Noto Sans Mono CJK SC", "monospace")


def theme() -> gr.Theme:
    """The gradio theme: every colour is one of the style sheet's variables; system fonts, so no request leaves."""
    both = {
        "body_background_fill": "var(--kx-paper)",
        "body_text_color": "var(--kx-ink)",
        "body_text_color_subdued": "var(--kx-muted)",
        "background_fill_primary": "var(--kx-surface)",
        "background_fill_secondary": "var(--kx-paper)",
        "block_background_fill": "var(--kx-surface)",
        "block_border_color": "var(--kx-line)",
        "block_label_background_fill": "var(--kx-surface)",
        "block_label_text_color": "var(--kx-muted)",
        "block_title_text_color": "var(--kx-ink)",
        "block_info_text_color": "var(--kx-muted)",
        "border_color_primary": "var(--kx-line)",
        "border_color_accent": "var(--kx-accent)",
        "color_accent_soft": "var(--kx-accent-soft)",
        "input_background_fill": "var(--kx-surface)",
        "input_border_color": "var(--kx-line)",
        "input_border_color_focus": "var(--kx-accent)",
        "input_placeholder_color": "var(--kx-muted)",
        "button_primary_background_fill": "var(--kx-accent)",
        "button_primary_background_fill_hover": "var(--kx-accent)",
        "button_primary_text_color": "var(--kx-surface)",
        "button_secondary_background_fill": "var(--kx-surface)",
        "button_secondary_background_fill_hover": "var(--kx-accent-soft)",
        "button_secondary_border_color": "var(--kx-line)",
        "button_secondary_text_color": "var(--kx-ink)",
        "checkbox_background_color": "var(--kx-surface)",
        "checkbox_background_color_selected": "var(--kx-accent)",
        "checkbox_border_color": "var(--kx-line)",
        "checkbox_border_color_selected": "var(--kx-accent)",
        "checkbox_label_background_fill": "var(--kx-surface)",
        "checkbox_label_background_fill_hover": "var(--kx-accent-soft)",
        "checkbox_label_background_fill_selected": "var(--kx-accent-soft)",
        "checkbox_label_text_color": "var(--kx-ink)",
        "checkbox_label_text_color_selected": "var(--kx-ink)",
        "checkbox_label_border_color": "var(--kx-line)",
        "checkbox_label_border_color_selected": "var(--kx-accent)",
        "slider_color": "var(--kx-accent)",
        "link_text_color": "var(--kx-accent)",
        "link_text_color_hover": "var(--kx-accent)",
        "table_even_background_fill": "var(--kx-surface)",
        "table_odd_background_fill": "var(--kx-paper)",
        "table_border_color": "var(--kx-line)",
        "panel_background_fill": "var(--kx-paper)",
        "panel_border_color": "var(--kx-line)",
        "error_text_color": "var(--kx-accent)",
        "stat_background_fill": "var(--kx-accent)",
    }
    known = set(gr.themes.Base().set.__code__.co_varnames)
    dark = {f"{name}_dark": value for name, value in both.items() if f"{name}_dark" in known}
    base = gr.themes.Base(primary_hue="orange", neutral_hue="stone", radius_size="sm", font=SANS, font_mono=MONO)
    return base.set(**both, **dark, block_shadow="none", block_border_width="1px", button_large_text_weight="600")


def page() -> dict:
    """What `Blocks.launch` needs for the look: theme, css, head with the page's scripts, js to start them."""
    scripts = "\n".join((ASSETS / name).read_text("utf-8") for name in ("page.js", "drawing.js", "figure.js"))
    return {
        "theme": theme(),
        "css": (ASSETS / "page.css").read_text("utf-8"),
        "head": f"<script>\n{scripts}\n</script>",
        "js": "() => kx.start()",
        "favicon_path": ASSETS / "favicon.svg",
    }
