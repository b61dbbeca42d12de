"""Drop-in: a Transformer trained live with softmax, its attention swapped, and the recovery by fine-tuning."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import gradio as gr

from shared import page as parts
from shared.experiment import InputError, from_values
from shared.i18n import markup, pick, prose, tr
from shared.live import Training, watched
from shared.page import Page, guard, knob_value
from shared.random_features import DRAWS
from spaces.attention import dropin_figures as figures
from spaces.attention.dropin import LIMITS, SCRATCH, Dropin, advance, damage, start
from spaces.attention.dropin_figures import NAMES
from spaces.attention.tasks import TASKS
from spaces.attention.ui.names import DRAWS as DRAW_NAMES
from spaces.attention.ui.names import RUN, options

TASK_NAMES = {
    "recall": tr("联想记忆（注意力要很尖）", "associative recall (sharp attention)"),
    "digits": tr("手写数字（16 个小块）", "handwritten digits (16 patches)"),
}
TRY = [
    (tr("联想记忆", "associative recall"), {}),
    (tr("手写数字", "handwritten digits"), {"task": "digits", "pretrain": 300}),
    (tr("三种特征一起", "all three kinds"), {"variants": ("softmax", "positive", "trigonometric", "hyperbolic")}),
    (tr("只有 16 个特征", "16 features only"), {"features": 16}),
    (tr("泰勒：移植对从零", "Taylor: transplanted or from scratch"), {"variants": ("taylor", "taylor" + SCRATCH)}),
]
EXPLANATION = prose(
    """**实验。** 一个两层、每层四头的小 Transformer（宽 64）当着你的面学会一件事：
*联想记忆*——读若干对（键，值），再被问到每个键的值，每个问题必须只看一个位置；
*手写数字*——16 个小块当作 16 个 token（随 scikit-learn 而来，597 张从不训练）。
学会之后，同样的权重换上各种注意力继续训练，批次都一样。
对照：softmax 自己继续；以及同样的线性注意力从零学起，步数与微调相同。

文章说权重不能直接换、要微调。这里任务很小，不代表大模型恢复得同样快；代表的是“换上去会坏、微调能回来”的机理。""",
    """**The experiment.** A small Transformer (two layers, four heads, width 64) learns something in front of you:
*associative recall*, pairs of a key and a value, then every key is asked for, and each question must look at one
place; or *handwritten digits* as 16 patches (from scikit-learn; 597 are never trained on). Then the same weights go on
with each attention and the same batches. Controls: softmax that goes on, and the same linear attention from scratch
with as many steps as the fine-tuning.

The article says that weights cannot simply be swapped. These tasks are small: large models need not recover as fast.
What carries over is the mechanism: the swap breaks, fine-tuning mends.""",
)


def picture(run: Training) -> list[str]:
    """The curve, the sentence and the progress."""
    return [figures.curve(run.frames, run.settings or Dropin()), verdict(run), status(run)]


def verdict(run: Training) -> str:
    """Accuracy before the swap, right after it, and now."""
    if not run.started or not run.frames:
        return markup("按“开始”：先用 softmax 学会，再换掉它。", "Press start: learn with softmax first, then swap it.")
    settings = run.settings
    before = next((f for f in reversed(run.frames.get("softmax", ())) if f.step <= settings.pretrain), None)
    reached = f"{before.accuracy:.1%}" if before else "–"
    if run.step <= settings.pretrain:
        return markup(f"第 {run.step} 步，softmax：<b>{reached}</b>。", f"Step {run.step}, softmax: <b>{reached}</b>.")
    zh, en = [], []
    for name, frames in run.frames.items():
        if name == "softmax" or not (since := [f for f in frames if f.step >= settings.pretrain]):
            continue
        at, now = since[0].accuracy, since[-1].accuracy
        kind = "good" if before and now > 0.97 * before.accuracy else "bad"
        zh.append(f"{pick(NAMES[name], 'zh')} {at:.0%} → <b class={kind}>{now:.1%}</b>")
        en.append(f"{pick(NAMES[name], 'en')} {at:.0%} → <b class={kind}>{now:.1%}</b>")
    steps = run.step - settings.pretrain
    return markup(
        f"softmax 学到 {reached}；换上去的一刻 → 微调 {steps} 步之后：{'；'.join(zh)}。",
        f"Softmax reached {reached}; at the swap → after {steps} steps of fine-tuning: {'; '.join(en)}.",
    )


def status(run: Training) -> str:
    """Progress and phase."""
    if not run.started:
        return ""
    phase = (
        tr("用 softmax 训练", "training with softmax")
        if run.step < run.settings.pretrain
        else tr("微调", "fine-tuning")
    )
    paused = "" if run.running or run.done else tr("（已暂停）", " (paused)")
    said = tr(
        f"{run.step} / {run.goal} 步{pick(paused, 'zh')} · {pick(phase, 'zh')} · {run.seconds:.0f} 秒",
        f"{run.step} of {run.goal} steps{pick(paused, 'en')} · {pick(phase, 'en')} · {run.seconds:.0f} s",
    )
    return parts.progress(min(1.0, run.step / run.goal), said)


def begin(run: Training, *values) -> Iterator[list[str]]:
    """Start anew and show the run until paused or done."""
    settings = from_values(Dropin, values)
    run.pause()
    with run.lock:
        run.begin(settings)
    yield from parts.show_live(run, picture)


def go_on(run: Training) -> Iterator[list[str]]:
    """What the continue button does."""
    yield from parts.show_live(run, picture)


def broken(run: Training) -> Iterator[list]:
    """Accuracy right after the swap for many numbers of features."""
    if not run.started:
        raise InputError("start", "请先训练。", "train first.")
    state = run.state
    for share, found in watched(lambda report: damage(state, report)):
        if found is None:
            yield [gr.skip(), parts.progress(share, tr(f"正在逐个换 {share:.0%}", f"swapping {share:.0%}"))]
    yield [figures.damage_figure(found, state.settings.task), ""]


def build(page: Page, tabs: gr.Tabs) -> None:
    """Draw the view."""
    default, run = Dropin(), gr.State(Training(start, advance), time_to_live=3600)
    first = picture(Training(start, advance))
    with gr.Row(elem_classes="kx-try"):
        presets = [gr.Button(label, size="sm") for label, _ in TRY]
    with gr.Row(elem_classes="kx-controls"):
        begins = gr.Button(tr("开始", "Start"), variant="primary", elem_id="dropin-start", min_width=100)
        pause = gr.Button(tr("暂停", "Pause"), elem_id="dropin-pause", min_width=100)
        resume = gr.Button(tr("继续", "Continue"), elem_id="dropin-resume", min_width=100)
        swap = gr.Button(tr("换上去会坏多少", "How much breaks"), elem_id="dropin-damage", min_width=140)
        stop = gr.Button(tr("停止", "Stop"), elem_id="dropin-stop", min_width=80)
        link = page.link_button("dropin")
    progress = parts.status(first[-1])
    said = parts.verdict(first[1])
    with gr.Row(elem_classes="kx-grid"):
        curve = parts.figure(first[0])
        harm = parts.figure(figures.damage_figure(None, default.task))
    knobs = _knobs(default)
    gr.Markdown(EXPLANATION, latex_delimiters=parts.LATEX)

    order = [knobs[f.name] for f in dataclasses.fields(Dropin)]
    outputs = [curve, said, progress]
    view = page.view("dropin", Dropin, knobs, link, tabs=tabs)
    starting = (guard(begin), [run, *order], outputs)
    begins.click(None, order, None, js=view.keep)
    begins.click(*starting, **RUN)
    resume.click(guard(go_on), [run], outputs, **RUN)
    pause.click(lambda r: r.pause(), [run], None, **RUN)
    breaking = swap.click(guard(broken), [run], [harm, progress], **RUN)
    stop.click(lambda r: r.pause(), [run], None, cancels=[breaking], **RUN)
    for (_, changes), button in zip(TRY, presets, strict=True):
        values = [knob_value(v) for v in dataclasses.astuple(Dropin(**changes))]
        button.click(lambda v=values: v, None, order, **RUN).then(*starting, **RUN).then(
            None, order, None, js=view.keep
        )


def _knobs(default: Dropin) -> dict[str, gr.components.Component]:
    def slider(name: str, label: str, step: float, high: float | None = None) -> gr.Slider:
        low, limit = LIMITS[name]
        value = getattr(default, name)
        return parts.slider(low, high or limit, value=value, step=step, label=label, min_width=240)

    knobs: dict = {
        "task": gr.Radio(options({t: TASK_NAMES[t] for t in TASKS}), value=default.task, label=tr("任务", "task")),
        "variants": gr.CheckboxGroup(
            options(NAMES), value=list(default.variants), label=tr("换上什么", "what moves in")
        ),
    }
    with gr.Row():
        knobs["features"] = slider("features", tr("特征数 m（偶数）", "features m (even)"), 2)
        knobs["pairs"] = slider("pairs", tr("记几对（联想记忆）", "pairs (recall)"), 1)
        knobs["pretrain"] = slider("pretrain", tr("softmax 训练（步）", "steps with softmax"), 10, 1000)
        knobs["finetune"] = slider("finetune", tr("微调（步）", "steps of fine-tuning"), 10, 1000)
    with gr.Accordion(tr("更多旋钮（重新开始后生效）", "More knobs (from the next start)"), open=False):
        with gr.Row():
            drawn = options({n: DRAW_NAMES[n] for n in DRAWS})
            knobs["draw"] = gr.Radio(drawn, value=default.draw, label=tr("ω 怎么抽", "how ω is drawn"))
            knobs["batch_size"] = slider("batch_size", tr("批大小", "batch size"), 4)
        with gr.Row():
            knobs["rate"] = gr.Number(default.rate, label=tr("学习率（Adam）", "learning rate (Adam)"))
            knobs["seed"] = gr.Number(default.seed, label=tr("随机种子", "seed"))
    return knobs
