"""The race, live: every cell on the same batches, started, paused, stepped, operated on."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import gradio as gr

from shared import page as parts
from shared.experiment import InputError, from_values
from shared.i18n import markup, pick, prose, tr
from shared.page import Page, guard, knob_value
from spaces.gradient_flow import race_figures as figures
from spaces.gradient_flow.race import CUTS, RATES, Race
from spaces.gradient_flow.tasks import MOST_DELAY, MOST_SYMBOLS, task
from spaces.gradient_flow.track import Track, accuracy, half_life
from spaces.gradient_flow.ui.names import CELL_CHOICES, CELLS, PATHS, steps_of

CURVES = ("accuracy", "relative", "share", "direction")
SOLVED, LOST = 0.9, 0.15  # of the way from guessing to right
TRY = [  # label, the settings that differ from the default
    (tr("隔 30 步复制两个符号", "copy two symbols after 30 steps"), {}),
    (tr("加法：两个数隔着噪声", "adding: two numbers, noise between"), {"task": "adding", "steps": 600}),
    (tr("延迟 80 步", "a delay of 80 steps"), {"delay": 80, "steps": 600}),
    (tr("遗忘门偏置 −2：LSTM 也学不会", "forget bias −2: the LSTM fails too"), {"forget_bias": -2.0}),
    (
        tr("手术：切断所有门控直通", "surgery: every carry cut"),
        {"cells": ("lstm", "gru", "su"), "cut": ("lstm.carry", "gru.carry", "su.carry")},
    ),
    (
        tr("手术：只留门控直通", "surgery: nothing but the carry"),
        {
            "cells": ("lstm", "gru", "su"),
            "cut": tuple(c for c in CUTS if not c.endswith("carry") and c.split(".")[0] in ("lstm", "gru", "su")),
        },
    ),
    (
        tr("ReLU 不裁剪：爆炸", "ReLU without clipping: it explodes"),
        {"cells": ("rnn_relu", "lstm"), "gain": 2.0, "clip": 0.0, "optimizer": "sgd"},
    ),
    (tr("按值裁剪：方向变了", "clipping by value turns the gradient"), {"clip_by": "value", "clip": 0.01}),
]
EXPLANATION = prose(
    r"""**看什么。** 所有单元读同样的批次，答案只在“延迟”步之后才要。
第一张图是准确率；第二张把它和状态梯度的**半衰期**
$-\ln2\,/\,\frac{\mathrm d}{\mathrm dk}\ln\lVert\partial s_T/\partial s_{T-k}\rVert$ 放在一起：
比延迟短太多，多半学不会。
“到达的份额”正是文章的论断：RNN 的总梯度并不为零，没有了的是远处的那一份。

**手术**：勾上一条通路，数值照常流过，梯度不再流过（detach）；中途勾上或取消，下一片就生效，图上留一条竖线。半衰期按没有手术的雅可比算：它量的是状态还记得多少，不是训练信号。
按范数裁剪不改变方向（余弦恒为 1），按值裁剪会。""",
    r"""**What to see.** Every cell reads the same batches; the answer is asked only after the delay. The first
figure is the accuracy, the second sets it against the **half-life** of the state's gradient,
$-\ln2\,/\,\frac{\mathrm d}{\mathrm dk}\ln\lVert\partial s_T/\partial s_{T-k}\rVert$: much shorter than the delay, and
hardly anything is learnt. “Share that arrives” is the article's claim: the RNN's total gradient is not zero, its
distant part is.

**Surgery**: values still flow through a path that you tick, gradients do not (detach); tick or untick on the way and it
holds from the next slice, marked by a line. Half-lives are those of the Jacobian without surgery: what the state
remembers, not what training is told. Clipping by norm keeps the direction (cosine 1), by value it does not.""",
)
QUIET = {"show_progress": "hidden", "api_visibility": "private"}
RUN = QUIET | {"concurrency_limit": 16}  # visitors at once; the device itself serves them in turns


def picture(track: Track) -> list[str]:
    """Every figure, the sentence and the progress of a race."""
    race = track.settings or Race()
    curves = [figures.curve(field, track.frames, race, track.changes) for field in CURVES]
    return [
        curves[0],
        figures.memory(track.frames, race),
        figures.gradients(track.frames, race, track.changes),
        *curves[1:],
        verdict(track),
        status(track),
    ]


def verdict(track: Track) -> str:
    """Who has solved the task, who is still guessing, with their half-lives."""
    if not track.step:
        return markup(
            "按“开始”：同样的数据，谁记得住？二三十秒见分晓。",
            "Press start: the same data, who remembers? Half a minute decides.",
        )
    chance = task(track.settings.task, track.settings.symbols).chance
    groups: dict[str, list[str]] = {"good": [], "": [], "bad": []}
    for name, frames in track.frames.items():
        if not frames:
            continue
        if frames[-1].diverged:
            groups["bad"].append(tr(f"{pick(CELLS[name], 'zh')}（发散）", f"{pick(CELLS[name], 'en')} (diverged)"))
            continue
        way = (accuracy(frames) - chance) / (1 - chance)
        kind = "good" if way > SOLVED else "bad" if way < LOST else ""
        life = half_life(frames)
        steps = "?" if life is None else steps_of(life)
        zh, en = (pick(CELLS[name], language) for language in ("zh", "en"))
        half_zh, half_en = (
            ("不衰减", "no decay") if steps == "∞" else (f"半衰期 {steps} 步", f"half-life {steps} steps")
        )
        groups[kind].append(tr(f"{zh}（{half_zh}）", f"{en} ({half_en})"))
    words = {
        "good": ("学会了", "solved"),
        "": ("停在半路", "stuck part way") if track.done else ("在路上", "on the way"),
        "bad": ("还在瞎猜", "guessing"),
    }
    said = {}
    for language, comma, which in (("zh", "、", 0), ("en", ", ", 1)):
        said[language] = [
            f'<b class="{kind}">{words[kind][which]}</b>{"：" if language == "zh" else ": "}'
            + comma.join(pick(name, language) for name in names)
            for kind, names in groups.items()
            if names
        ]
    step = track.step
    return markup(f"第 {step} 步。{'；'.join(said['zh'])}。", f"Step {step}. {'; '.join(said['en'])}.")


def status(track: Track) -> str:
    """Progress and speed."""
    if not track.started:
        return ""
    paused = "" if track.running or track.done else tr("（已暂停）", " (paused)")
    said = tr(
        f"{track.step} / {track.goal} 步{pick(paused, 'zh')} · 每秒 {track.rate:.0f} 步（每步所有单元各训练一批）",
        f"{track.step} of {track.goal} steps{pick(paused, 'en')} · {track.rate:.0f} steps a second, all cells in each",
    )
    return parts.progress(min(1.0, track.step / track.goal), said)


def begin(track: Track, *values) -> Iterator[list[str]]:
    """Start anew and show the race until paused or done."""
    race = from_values(Race, values)
    track.pause()
    with track.lock:
        track.begin(race)
    yield from parts.show_live(track, picture)


def go_on(track: Track) -> Iterator[list[str]]:
    """What the continue button does."""
    yield from parts.show_live(track, picture)


def one_step(track: Track, *values) -> list[str]:
    """One step of every cell, starting the race if there is none."""
    track.pause()
    with track.lock:
        if not track.started:
            track.begin(from_values(Race, values))
        if track.done:
            raise InputError("steps", "已经跑完；请增加步数。", "the race is over: raise the steps.")
        track.advance(1)
    return picture(track)


def change(track: Track, *values) -> None:
    """A knob was turned: the race follows from its next slice."""
    track.change(from_values(Race, values))


def build(page: Page, tabs: gr.Tabs) -> None:
    """Draw the view."""
    track = gr.State(Track(), time_to_live=3600)
    first = picture(Track())
    with gr.Row(elem_classes="kx-try"):
        presets = [gr.Button(label, size="sm") for label, _ in TRY]
    with gr.Row(elem_classes="kx-controls"):
        start = gr.Button(tr("开始", "Start"), variant="primary", elem_id="race-start", min_width=100)
        pause = gr.Button(tr("暂停", "Pause"), elem_id="race-pause", min_width=100)
        resume = gr.Button(tr("继续", "Continue"), elem_id="race-resume", min_width=100)
        step = gr.Button(tr("走一步", "One step"), elem_id="race-step", min_width=100)
        link = page.link_button("race")
    progress = parts.status(first[-1])
    said = parts.verdict(first[-2])
    with gr.Row(elem_classes="kx-grid"):
        shown = [parts.figure(spec) for spec in first[:-2]]
    knobs = _knobs()
    gr.Markdown(EXPLANATION, latex_delimiters=parts.LATEX)

    order = [knobs[f.name] for f in dataclasses.fields(Race)]
    outputs = [*shown, said, progress]
    view = page.view("race", Race, knobs, link, tabs=tabs)
    starting = (guard(begin), [track, *order], outputs)
    start.click(None, order, None, js=view.keep)
    start.click(*starting, **RUN)
    resume.click(guard(go_on), [track], outputs, **RUN)
    step.click(guard(one_step), [track, *order], outputs, **RUN)
    pause.click(lambda t: t.pause(), [track], None, **RUN)
    gr.on([k.input for k in order], guard(change), [track, *order], None, trigger_mode="always_last", **RUN)
    for (_, changes), button in zip(TRY, presets, strict=True):
        wanted = Race(**changes)
        values = [knob_value(getattr(wanted, f.name)) for f in dataclasses.fields(Race)]
        button.click(lambda v=values: v, None, order, **QUIET).then(*starting, **RUN).then(
            None, order, None, js=view.keep
        )


def _knobs() -> dict[str, gr.components.Component]:
    default, again = Race(), tr("重新开始后生效", "from the next start")

    def number(name: str, zh: str, en: str, **options) -> gr.Number:
        return gr.Number(getattr(default, name), label=tr(zh, en), **options)  # Race checks it, and names the field

    with gr.Row():
        tasks = [(tr("复制", "copy"), "copy"), (tr("加法", "adding"), "adding")]
        knobs: dict = {"task": gr.Radio(tasks, value=default.task, label=tr("任务", "task"), info=again)}
        knobs["delay"] = parts.slider(
            1, MOST_DELAY, value=default.delay, step=1, label=tr("延迟（步）", "delay (steps)")
        )
    knobs["cells"] = gr.CheckboxGroup(
        CELL_CHOICES, value=list(default.cells), label=tr("谁来跑", "who runs"), info=again
    )
    knobs["cut"] = gr.CheckboxGroup(
        [(tr(f"{_named(cut, 'zh')}", f"{_named(cut, 'en')}"), cut) for cut in CUTS],
        value=[],
        label=tr("手术：勾上的通路，数值照流，梯度不流", "Surgery: values pass a ticked path, gradients do not"),
    )
    with gr.Accordion(tr("更多旋钮", "More knobs"), open=False):
        with gr.Row():
            knobs["optimizer"] = gr.Radio(
                [("Adam", "adam"), ("SGD", "sgd")], value=default.optimizer, label=tr("优化器", "optimiser")
            )
            usual = ", ".join(f"{name} {rate:g}" for name, rate in RATES.items())
            knobs["learning_rate"] = number(
                "learning_rate", "学习率（0：按优化器）", "learning rate (0: the optimiser's default)", info=usual
            )
            knobs["clip_by"] = gr.Radio(
                [(tr("范数", "norm"), "norm"), (tr("值", "value"), "value")],
                value=default.clip_by,
                label=tr("裁剪方式", "clipping by"),
            )
            knobs["clip"] = number("clip", "裁剪阈值（0：不裁剪）", "clipping threshold (0: none)")
        with gr.Row():
            knobs["forget_bias"] = number("forget_bias", "遗忘门偏置", "forget bias", info=again)
            knobs["gain"] = number("gain", "U 的增益", "gain of U", info=again)
            knobs["hidden"] = number("hidden", "隐藏维数 H", "hidden units H", info=again)
            knobs["symbols"] = parts.slider(
                1,
                MOST_SYMBOLS,
                value=default.symbols,
                step=1,
                label=tr("要记住的符号（复制任务，个）", "symbols to remember (copy)"),
            )
        with gr.Row():
            knobs["batch_size"] = number("batch_size", "批大小（条）", "batch size (sequences)")
            knobs["steps"] = number("steps", "步数", "steps")
            knobs["seed"] = number("seed", "随机种子", "seed", info=again)
    return knobs


def _named(cut: str, language: str) -> str:
    cell, path = cut.split(".")
    return f"{pick(CELLS[cell], language)}·{pick(PATHS[path], language)}"
