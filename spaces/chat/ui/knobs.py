"""Knobs that several views have: which model, and how it draws; and how a handler tells what goes on."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import gradio as gr

from shared import page as parts
from shared.checkpoint import public
from shared.experiment import InputError
from shared.i18n import tr
from shared.live import watched
from spaces.chat import voices
from spaces.chat.sampling import LIMITS
from spaces.chat.settings import Voicing
from spaces.chat.voices import Voice

QUIET = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": 16}
RUN = QUIET | {"concurrency_limit": 40, "trigger_mode": "multiple"}  # a click while a model talks counts
PRECISIONS = [
    (tr("原精度", "full"), "full"),
    (tr("int8（CPU）", "int8 (CPU)"), "int8"),
    (tr("摊开：显卡、内存、硬盘", "spread: GPUs, memory, disk"), "spread"),
]
SLIDERS = {  # label, step, the slider's upper end
    "temperature": (tr("温度（0：总取最可能的）", "temperature (0: always the likeliest)"), 0.05, 2.0),
    "top_p": (tr("top-p（留下概率之和达到它的词元）", "top-p (tokens whose probabilities sum to it stay)"), 0.01, 1.0),
    "top_k": (tr("top-k（0：不限）", "top-k (0: no limit)"), 1, 200),
    "repetition_penalty": (tr("重复惩罚（1：无）", "repetition penalty (1: none)"), 0.05, 2.0),
    "max_new_tokens": (tr("最多写多少词元", "tokens to write at most"), 1, 512),
}


def model_knob(value: str, label: str = "", empty: str = "", **options: Any) -> gr.Textbox:
    """Which model, as its name is typed; `empty` says what no name means."""
    where = [("公开页面上可用的名字", "an allowed name of the hub") if public() else
             ("本机文件夹或 Hugging Face 上的名字", "a local folder or a name of the hub")]  # fmt: skip
    where.append(('"network"：只用内置的网络，不带 n-gram', '"network": the one that ships, without its n-grams'))
    if voices.default() == voices.SERVER:
        where.append(('"server"：OPENAI_BASE_URL 的服务器', '"server": that of OPENAI_BASE_URL'))
    return gr.Textbox(
        value, max_lines=1, label=label or tr("模型", "model"),
        placeholder=empty or tr("留空：内置的小 CPM", "empty: the small CPM that ships"),
        info=tr("或：" + "；".join(zh for zh, _ in where), "or: " + "; ".join(en for _, en in where)), **options,
    )  # fmt: skip


def sampling_knobs(default: Voicing) -> dict[str, gr.components.Component]:
    """The knobs of a Voicing but its model."""
    knobs: dict = {}
    with gr.Row():
        for name in ("temperature", "top_p", "max_new_tokens"):
            knobs[name] = _slider(name, default)
    with gr.Row():
        for name in ("top_k", "repetition_penalty"):
            knobs[name] = _slider(name, default)
        knobs["seed"] = gr.Number(default.seed, label=tr("随机种子", "seed"), min_width=120)
    with gr.Row():
        knobs["stop"] = gr.Textbox(
            default.stop, max_lines=1, min_width=240,
            label=tr(r"停止串（用 | 隔开，换行写 \n）", r"stop strings (separated by |; \n: a line break)"),
        )  # fmt: skip
        knobs["precision"] = gr.Radio(PRECISIONS, value=default.precision, label=tr("精度", "precision"))
    return knobs


def _slider(name: str, default: Voicing) -> gr.Slider:
    label, step, high = SLIDERS[name]
    return parts.slider(
        LIMITS[name][0], high, value=getattr(default, name), step=step, label=label, min_width=240
    )


def found(model: str, precision: str = "full") -> Iterator[tuple[str, Voice | None]]:
    """(what to say, None) while a model loads, at last ("", its voice)."""
    news = [""]

    def report(share: float, zh: str, en: str) -> None:
        news[0] = parts.progress(share, tr(html.escape(zh), html.escape(en)))

    for _, voice in watched(lambda _: voices.find(model, precision, report)):
        if voice is not None:
            yield "", voice
        elif news[0]:
            yield news[0], None


def swept(function: Callable) -> Callable:
    """A generator function whose last output is a status: emptied before what it raises, or a bar would stay."""

    @wraps(function)
    def stream(*values):
        frame = []
        try:
            for frame in function(*values):
                yield frame
        except InputError:
            if frame:
                yield [gr.skip()] * (len(frame) - 1) + [""]
            raise

    return stream


def demonstration() -> None:
    """What the default is, where it is the default."""
    if voices.default() != voices.SERVER:
        said = tr(
            "没有指名时，写字的是随页面附带的小 CPM：一个示范，会编造，不给建议。",
            "Where no model is named, a small CPM that ships writes: a demonstration that makes things up, no adviser.",
        )
        gr.HTML(f'<p class="kx-note">{said}</p>')


def deed(data: Any, verbs: dict[str, Callable]) -> Callable:
    """What a component asks for, looked up in the verbs; anybody may send anything."""
    if not isinstance(data, dict) or not isinstance(data.get("do"), str) or data["do"] not in verbs:
        raise InputError("event", f"页面只能要求 {'、'.join(verbs)}。", f"must be one of {', '.join(verbs)}.")
    return verbs[data["do"]]


def whole(data: dict, name: str) -> int:
    """A whole number in what a component sent."""
    value = data.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InputError(name, "须为整数。", "must be a whole number.")
    return value


def text_of(data: dict, name: str = "text") -> str:
    """A text in what a component sent."""
    value = data.get(name)
    if not isinstance(value, str):
        raise InputError(name, "须为文本。", "must be text.")
    return value
