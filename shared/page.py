"""The parts that every tab is made of: claim, figure, "try this", verdict, copy link; and how a link restores a tab.

A tab's ui.py gets a `Page`, draws with its methods, and registers each view that has settings. The page knows nothing
of any experiment: app.py gathers the views, and one load event fills the knobs from the link.
"""

from __future__ import annotations

import functools
import html
import inspect
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import gradio as gr

from shared.experiment import InputError, from_query
from shared.fields import chinese, learn
from shared.i18n import tr
from shared.live import Latest, LiveRun

LATEX = [{"left": "$$", "right": "$$", "display": True}, {"left": "$", "right": "$", "display": False}]
FIGURE = """<figure class="kx-figure{{#if pickable}} pickable{{/if}}">
<figcaption class="kx-caption"></figcaption>
<div class="kx-box"><canvas class="kx-canvas" role="img" tabindex="0"></canvas><div class="kx-tip" hidden></div></div>
<div class="kx-foot"><span class="kx-legend"></span>
<button data-save="png" title="PNG">PNG</button><button data-save="csv" title="CSV">CSV</button></div>
</figure>"""
MASTHEAD = """<header class="kx-masthead"><span class="kx-seal" aria-hidden="true">科学</span>
<div><h1>{title}</h1><p>{motto}</p></div><nav aria-label="{nav}">
<button data-kx="language:zh" lang="zh">中文</button><button data-kx="language:en" lang="en">English</button>
<button data-kx="theme" aria-label="{theme}" title="{theme}">◐</button></nav></header>"""


@dataclass
class View:
    """A part of a tab whose settings travel in a link."""

    tab: str
    name: str
    settings: type
    knobs: dict[str, gr.components.Component]
    tabs: gr.Tabs | None = None
    """The tabs inside the tab, if the view is one of them."""
    redraw: tuple[Callable, list, Any] | None = None
    """(function, inputs, outputs) to run once a link has set the knobs."""
    copy: str = ""
    """JavaScript that copies a link to the knobs' present values, which it gets in their order."""
    keep: str = ""
    """JavaScript that puts the knobs' present values into the address, so that a reload brings them back."""


@dataclass
class Page:
    """What the tabs draw on; `views` fills up while they are drawn."""

    slug: str = ""
    views: list[View] = field(default_factory=list)

    def link_button(self, view: str) -> gr.Button:
        """The "copy link" button of a view, to be handed to `view` once the knobs exist."""
        name = f"link-{self.slug}-{view}"
        return gr.Button(tr("复制链接", "Copy link"), size="sm", elem_id=name, elem_classes="kx-link", scale=0)

    def view(self, name: str, settings: type, knobs: dict, button: gr.Button | None, **options: Any) -> View:
        """Register a view, whose options are View's further fields, and let its button, if any, copy a link to it."""
        missing = {f.name for f in fields(settings)} - set(knobs)
        if missing:
            raise ValueError(f"view {self.slug}/{name} has no knob for {sorted(missing)}")
        knobs = {f.name: knobs[f.name] for f in fields(settings)}  # the order in which handlers get them
        for knob, component in knobs.items():
            learn(knob, getattr(component, "label", None))
        view = View(self.slug, name, settings, knobs, **options)
        self.views.append(view)
        defaults = [None, *(knob_value(getattr(settings(), n)) for n in knobs)]
        arguments = json.dumps([self.slug, ["view", *knobs], defaults])
        call = f"(...{arguments}, [{json.dumps(name)}, ...values])"
        view.copy, view.keep = f"(...values) => kx.copyLink{call}", f"(...values) => kx.keepLink{call}"
        if button:
            button.click(None, list(knobs.values()), None, js=view.copy)
        return view


def masthead(title: str, motto: str) -> gr.HTML:
    """The head of the page: its name, and the switches of language and theme."""
    names = {"nav": tr("语言与明暗", "Language and theme"), "theme": tr("切换明暗", "Light or dark")}
    return gr.HTML(MASTHEAD.format(title=title, motto=motto, **names))


def claim(text: str, archive: int) -> gr.HTML:
    """The claim above a tab, with its article."""
    source = tr(f"科学空间 archives/{archive}", f"Scientific Spaces, archives/{archive}")
    link = f'<a href="https://kexue.fm/archives/{archive}" target="_blank" rel="noopener">{source}</a>'
    return gr.HTML(f'<div class="kx-claim">{text}<small>{link}</small></div>')


def figure(value: str = "", *, pickable: bool = False, **options: Any) -> gr.HTML:
    """A figure of shared.plots; with pickable=True it has a `pick` event whose data are x and y."""
    return gr.HTML(
        value,
        html_template=FIGURE,
        js_on_load="kx.figure(element, props, trigger, watch) /* 'pick' */",
        pickable=pickable,
        apply_default_css=False,
        **options,
    )


def slider(low: float, high: float, **options: Any) -> gr.Slider:
    """A slider that hands on whatever was typed: the settings check it, and name the field in both languages."""
    return gr.Slider(low, high, **options)


# gradio checks a slider's range itself, in English only. Its class is changed, not an instance or a subclass: an update
# makes a new instance from the class, and a subclass makes gradio write a .pyi file beside this one.
gr.Slider.preprocess = lambda self, payload: payload


def verdict(text: str = "", **options: Any) -> gr.HTML:
    """A sentence that says what just happened; announced to screen readers."""
    return gr.HTML(
        text,
        html_template='<div class="kx-verdict" role="status" aria-live="polite">${value}</div>',
        js_on_load=None,
        **options,
    )


def progress(share: float, said: str) -> str:
    """The HTML of a progress bar, 0 … 1, and a few words; for `status`."""
    return f'<div class="kx-progress"><i style="width:{share:.1%}"></i></div><span>{said}</span>'


def status(value: str = "", **options: Any) -> gr.HTML:
    """The line that shows the progress of a run; announced to screen readers."""
    return gr.HTML(
        value,
        html_template='<div class="kx-status" role="status">${value}</div>',
        js_on_load=None,
        **options,
    )


def show_live(run: LiveRun, picture: Callable[[Any], Any]) -> Iterator:
    """Go on with a run and show it slice by slice, until it is paused or done."""
    if not run.started:
        raise InputError("continue", "还没有开始过：请先开始。", "nothing has begun yet: start it first.")
    if run.done:
        raise InputError("steps", *run.over)
    run.pause()  # whoever runs it ends at the next slice: this start takes over
    with run.lock:
        for _ in run.run():
            yield picture(run)
    yield picture(run)


def guard(function: Callable) -> Callable:
    """The function with every InputError turned into the page's toast; works for functions and generators."""
    return _worded(function, _toast)


def expose(function: Callable, name: str, **options: Any) -> None:
    """Offer the function under /name in the app's API; bad input arrives as one sentence in English and Chinese.

    Options are gr.api's: a concurrency_limit, where more than one call may run at a time.
    """

    def sentence(error: InputError) -> gr.Error:
        return gr.Error(f"{error.field}: {error.en} / {error.zh}", print_exception=False)

    gr.api(_worded(function, sentence), api_name=name, **options)


def _worded(function: Callable, word: Callable[[InputError], gr.Error]) -> Callable:
    @functools.wraps(function)
    def call(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except InputError as error:
            raise word(error) from None

    @functools.wraps(function)
    def stream(*args, **kwargs):
        try:
            yield from function(*args, **kwargs)
        except InputError as error:
            raise word(error) from None

    return stream if inspect.isgeneratorfunction(function) else call


def complain(error: InputError) -> None:
    """One sentence to the visitor; what stood stands, and the handler goes on."""
    gr.Warning(_sentence(error))


def _toast(error: InputError) -> gr.Error:
    return gr.Error(_sentence(error), print_exception=False)


def _sentence(error: InputError) -> str:
    """For a toast, which is shown as HTML, and a sentence may quote what was sent."""
    named = (chinese(error.field), error.field, error.zh, error.en)
    field_zh, field, zh, en = (html.escape(text, quote=False) for text in named)
    return tr(f"{field_zh}：{zh}", f"{field}: {en}")


def restore_from_link(
    demo: gr.Blocks, tabs: gr.Tabs, notice: gr.HTML, slugs: Sequence[str], views: Sequence[View]
) -> None:
    """On load: open the link's tab and view, set its knobs, say in `notice` what was ignored, and draw.

    The browser pays for every output of every event, and for each all the more the larger the page is. So the load
    event only reads the link; then the page presses a hidden button of the view that it named, if any.
    """
    named = gr.Textbox("", visible=False)  # the id of that button
    values = gr.State([])  # of the view's knobs; later events do not see the link any more

    def read(request: gr.Request) -> dict:
        query = {k: v for k, v in dict(request.query_params).items() if not k.startswith("__")}
        slug = query.get("tab", "")
        if not slug:
            return {notice: gr.skip()}
        if slug not in slugs:
            return {
                notice: gr.HTML(_ignored([InputError("tab", "没有这个栏目。", "there is no such tab.")]), visible=True)
            }
        view = _wanted(views, query)
        updates: dict = {tabs: gr.Tabs(selected=slug)}
        if view is None:
            return updates
        errors = []
        if query.get("view", view.name) != view.name:
            errors.append(InputError("view", "这个栏目里没有这个视图。", "there is no such view in this tab."))
        settings, wrong = from_query(view.settings, query if not errors else {})
        updates |= {named: _restorer(view), values: [knob_value(getattr(settings, name)) for name in view.knobs]}
        if errors := errors + wrong:
            updates[notice] = gr.HTML(_ignored(errors), visible=True)
        return updates

    quiet = {"show_progress": "hidden", "api_visibility": "private"}
    loaded = demo.load(read, None, [tabs, notice, named, values], **quiet)
    loaded.then(None, named, None, js="(id) => (id ? document.getElementById(id).click() : (kx.settled = true))")
    for view in views:
        button = gr.Button(visible="hidden", elem_id=_restorer(view))
        outputs = [*([view.tabs] if view.tabs else []), *view.knobs.values()]
        filled = button.click(functools.partial(_filled, view), values, outputs, **quiet)
        filled.then(None, js="() => { kx.settled = true; }")
        if view.redraw:
            filled.then(*view.redraw, **quiet)


def _restorer(view: View) -> str:
    """The id of the button that sets a view's knobs as the link wants them."""
    return f"restore-{view.tab}-{view.name}"


def _filled(view: View, values: list) -> Any:
    """Updates of the view's tabs and knobs."""
    updates = [gr.Tabs(selected=view.name)] if view.tabs else []
    updates += [gr.update(value=value) for value in values]
    return updates[0] if len(updates) == 1 else updates


def _wanted(views: Sequence[View], query: dict) -> View | None:
    of_tab = [v for v in views if v.tab == query.get("tab")]
    return next((v for v in of_tab if v.name == query.get("view")), of_tab[0] if of_tab else None)


def knob_value(value: Any) -> Any:
    """What a knob shows for a setting: a list for a tuple, else the setting itself."""
    return list(value) if isinstance(value, tuple) else value


def _ignored(errors: Sequence[InputError]) -> str:
    listed = lambda language: html.escape(" ".join(f"{e.field[:40]}: {getattr(e, language)}" for e in errors))  # noqa: E731
    said = tr(
        f"链接里有些设置无效，已忽略。{listed('zh')}",
        f"Some settings in the link are invalid and were ignored. {listed('en')}",
    )
    return f'<div class="kx-link-note" role="status">{said}</div>'


def clicked(event: gr.EventData, *keys: str) -> list[float]:
    """Where a figure was clicked: x and y in its own units, or other numbers that its `pick` sends."""
    try:
        found = [float(event._data[key]) for key in keys or ("x", "y")]
    except (KeyError, TypeError, ValueError, OverflowError):
        found = [math.nan]
    if not all(map(math.isfinite, found)):
        raise InputError("click", "图上被点的地方应是有限的数。", "the place clicked must be finite numbers.")
    return found


def halt(*runs: Latest) -> str:
    """End a visitor's runs at their next result, also those that a link began; what the status says then."""
    for run in runs:
        list(run.only(nothing for nothing in ()))
    return tr("已停止。", "Stopped.")


def latest(function: Callable) -> Callable:
    """A generator function after one more argument, a visitor's `Latest`: a newer run ends the older ones."""

    def stream(runs: Latest, *values):
        yield from runs.only(function(*values))
        yield gr.skip()  # gradio sends the last result once more when a generator ends: it would cover a newer run's

    return stream
