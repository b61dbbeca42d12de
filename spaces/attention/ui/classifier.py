"""What does a classifier make of it? Normalisers in place of softmax, trained live, many splits at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import gradio as gr

from shared import page as parts
from shared.experiment import from_values
from shared.i18n import markup, number, pick, prose, tr
from shared.live import Training
from shared.page import Page, guard, knob_value
from spaces.attention import classifier_figures as figures
from spaces.attention.classifier import LIMITS, TASKS, Classifier, advance, start
from spaces.attention.classifier_figures import NAMES, leaders, mean_se
from spaces.attention.ui.names import RUN, options

TASK_NAMES = {
    "digits": tr("手写数字（1,797 张）", "handwritten digits (1,797)"),
    "breast_cancer": tr("乳腺肿瘤（569 例）", "breast tumours (569)"),
    "wine": tr("葡萄酒（178 瓶）", "wine (178)"),
}
TRY = [
    (tr("数字，三成训练", "digits, three tenths to train on"), {}),
    (tr("标签错两成：泰勒更稳", "a fifth of the labels wrong"), {"noise": 0.2}),
    (tr("截断有没有用", "does the clamp help"), {
        "normalisers": ("softmax", "taylor2", "clamped2", "taylor4", "clamped4", "taylor6", "clamped6")}),
    (tr("线性分类器", "a linear classifier"), {"hidden": 0}),
    (tr("肿瘤：两类", "tumours: two classes"), {"task": "breast_cancer"}),
]  # fmt: skip
HEADS = (
    tr("归一化", "normaliser"),
    tr("准确率（%）", "accuracy (%)"),
    tr("与 softmax 之差（百分点，配对）", "minus softmax (points, paired)"),
    tr("负对数似然", "NLL (nats)"),
    tr("ECE 等宽 / 等量（%）", "ECE, width / mass (%)"),
    tr("平均自信（%）", "confidence (%)"),
    tr("答错时的自信（%）", "confidence when wrong (%)"),
)
CONTESTS = (
    ("accuracy", ("准确率最高", "most accurate"), "{:.1%}".format),
    ("ece", ("校准最好", "best calibrated"), "ECE {:.1%}".format),
    ("nll", ("似然最好", "best likelihood"), "{:.3f} nat".format),
)
EXPLANATION = prose(
    """**实验。** 每种归一化各训练一个小网络：同样的划分、同样的初值、同样的批次，只有 $p=f(z)/\\sum f(z)$
不同；损失都是 $-\\log p_y$（sparsemax 用它自己的凸损失：$\\log 0$ 没有梯度）。
每次运行一个划分，误差是各次之间的标准误，与 softmax 的差是配对的；配对之差不到两倍标准误的，说成分不出高下。
数据随 scikit-learn 而来，测试样本从不参与训练；标签噪声只加在训练标签上。

**那个直觉**：$e^x$ 长得太快，分类器容易过度自信；换成多项式会不会好些？看自信的分布、ECE 和答错时的自信。
ECE 高不一定是过度自信：二阶泰勒恰好相反，是太不自信。""",
    """**The experiment.** One small network for each normaliser: the same splits, the same initial weights, the same
batches; only $p=f(z)/\\sum f(z)$ differs. The loss is $-\\log p_y$ (sparsemax has its own convex one: $\\log 0$ has no
gradient). Each run is a split; errors are standard errors between them, differences from softmax are paired; a paired
difference below two standard errors is called a tie. The data come with scikit-learn, test samples never train, label
noise is added to training labels only.

**The hunch**: $e^x$ grows so fast that classifiers get too sure; would a polynomial do better? Look at how confidence
is spread, at ECE, and at the confidence of wrong answers. A high ECE need not be overconfidence: order 2 is too
timid.""",
)


def picture(lesson: Training) -> list[str]:
    """Every figure, the sentence, the table and the progress."""
    frames = lesson.frames
    return [
        figures.curve("accuracy", frames),
        figures.curve("nll", frames),
        figures.calibration(frames),
        figures.diagram(lesson.state),
        figures.histogram(lesson.state),
        verdict(lesson),
        table(lesson),
        status(lesson),
    ]


def verdict(lesson: Training) -> str:
    """Who errs least, who is calibrated best, who is likeliest, and how many are as good within the error."""
    now = {name: run[-1] for name, run in lesson.frames.items() if run}
    if not now:
        return markup("按“开始”：同样的数据，换掉 softmax 会怎样？十几秒见分晓。",
                      "Press start: the same data without softmax. Some ten seconds decide.")  # fmt: skip
    zh, en = [], []
    for field, (zh_said, en_said), write in CONTESTS:
        values = {name: getattr(frame, field) for name, frame in now.items()}
        best, *tied = leaders(values, lowest=field != "accuracy")
        value = write(mean_se(values[best])[0])
        name, also = NAMES[best], _also(tied)
        zh.append(f"{zh_said} <b class=good>{pick(name, 'zh')}</b> {value}{also[0]}")
        en.append(f"{en_said} <b class=good>{pick(name, 'en')}</b> {value}{also[1]}")
    return markup(f"第 {lesson.step} 步：{'，'.join(zh)}。", f"Step {lesson.step}: {', '.join(en)}.")


def _also(tied: list[str]) -> tuple[str, str]:
    """How many others are as good within the error, in Chinese and in English."""
    if not tied:
        return "", ""
    softmax = "softmax" in tied
    if len(tied) == 1:
        return f"（{pick(NAMES[tied[0]], 'zh')}与它分不出高下）", f" ({pick(NAMES[tied[0]], 'en')} ties within error)"
    return (
        f"（另有 {len(tied)} 种与它分不出高下{'，含 softmax' if softmax else ''}）",
        f" ({len(tied)} others tie within error{', softmax too' if softmax else ''})",
    )


def table(lesson: Training) -> str:
    """Every measurement at the last step, mean ± standard error."""
    now = {name: run[-1] for name, run in lesson.frames.items() if run}
    if not now:
        return ""
    rows = []
    for name, f in now.items():
        apart = "–"
        if "softmax" in now and name != "softmax":
            apart = _pm(f.accuracy - now["softmax"].accuracy, 1, signed=True)
        cells = [
            _pm(f.accuracy, 1),
            apart,
            "{} ± {}".format(*(number(v, 3) for v in mean_se(f.nll))),
            f"{_pm(f.ece, 1)} / {_pm(f.ece_mass, 1)}",
            _pm(f.confidence, 1),
            _pm(f.sure_and_wrong, 1),
        ]
        rows.append(f"<tr><th scope='row'>{NAMES[name]}</th>{''.join(f'<td>{c}</td>' for c in cells)}</tr>")
    head = "".join(f"<th scope='col'>{h}</th>" for h in HEADS)
    return f'<div class="kx-scroll"><table class="kx-table kx-columns"><tr>{head}</tr>{"".join(rows)}</table></div>'


def _pm(values, digits: int, signed: bool = False) -> str:
    mean, se = mean_se(values)
    if mean != mean:
        return "–"
    sign = "+" if signed and mean > 0 else ""
    return f"{sign}{number(100 * mean, digits)} ± {number(100 * se, digits)}"


def status(lesson: Training) -> str:
    """Progress and speed."""
    if not lesson.started:
        return ""
    paused = "" if lesson.running or lesson.done else tr("（已暂停）", " (paused)")
    networks = len(lesson.settings.normalisers) * lesson.settings.runs
    rate = lesson.step / lesson.seconds if lesson.seconds else 0.0
    said = tr(
        f"{lesson.step} / {lesson.goal} 步{pick(paused, 'zh')} · {networks} 个网络一起训练 · 每秒 {rate:.0f} 步",
        f"{lesson.step} of {lesson.goal} steps{pick(paused, 'en')} · {networks} networks at once · {rate:.0f} steps "
        f"a second",
    )
    return parts.progress(min(1.0, lesson.step / lesson.goal), said)


def begin(lesson: Training, *values) -> Iterator[list[str]]:
    """Start anew and show the run until paused or done."""
    settings = from_values(Classifier, values)
    lesson.pause()
    with lesson.lock:
        lesson.begin(settings)
    yield from parts.show_live(lesson, picture)


def go_on(lesson: Training) -> Iterator[list[str]]:
    """What the continue button does."""
    yield from parts.show_live(lesson, picture)


def build(page: Page, tabs: gr.Tabs) -> None:
    """Draw the view."""
    lesson = gr.State(Training(start, advance), time_to_live=3600)
    first = picture(Training(start, advance))
    with gr.Row(elem_classes="kx-try"):
        presets = [gr.Button(label, size="sm") for label, _ in TRY]
    with gr.Row(elem_classes="kx-controls"):
        begins = gr.Button(tr("开始", "Start"), variant="primary", elem_id="classifier-start", min_width=100)
        pause = gr.Button(tr("暂停", "Pause"), elem_id="classifier-pause", min_width=100)
        resume = gr.Button(tr("继续", "Continue"), elem_id="classifier-resume", min_width=100)
        link = page.link_button("classifier")
    progress = parts.status(first[-1])
    said = parts.verdict(first[-3])
    with gr.Row(elem_classes="kx-grid"):
        shown = [parts.figure(spec) for spec in first[:2]]
    with gr.Row(elem_classes="kx-grid"):
        shown += [parts.figure(spec) for spec in first[2:5]]
    numbers = gr.HTML(first[-2])
    knobs = _knobs()
    gr.Markdown(EXPLANATION, latex_delimiters=parts.LATEX)

    order = [knobs[f.name] for f in dataclasses.fields(Classifier)]
    outputs = [*shown, said, numbers, progress]
    view = page.view("classifier", Classifier, knobs, link, tabs=tabs)
    starting = (guard(begin), [lesson, *order], outputs)
    begins.click(None, order, None, js=view.keep)
    begins.click(*starting, **RUN)
    resume.click(guard(go_on), [lesson], outputs, **RUN)
    pause.click(lambda run: run.pause(), [lesson], None, **RUN)
    for (_, changes), button in zip(TRY, presets, strict=True):
        values = [knob_value(v) for v in dataclasses.astuple(Classifier(**changes))]
        button.click(lambda v=values: v, None, order, **RUN).then(*starting, **RUN).then(
            None, order, None, js=view.keep
        )


def _knobs() -> dict[str, gr.components.Component]:
    default = Classifier()

    def slider(name: str, label: str, step: float, high: float | None = None) -> gr.Slider:
        low, limit = LIMITS[name]
        value = getattr(default, name)
        return parts.slider(low, high or limit, value=value, step=step, label=label, min_width=240)

    knobs: dict = {
        "task": gr.Radio(options({t: TASK_NAMES[t] for t in TASKS}), value=default.task, label=tr("任务", "task")),
        "normalisers": gr.CheckboxGroup(
            options(NAMES), value=list(default.normalisers), label=tr("用什么代替 softmax", "in place of softmax")
        ),
    }
    with gr.Row():
        knobs["train_share"] = slider("train_share", tr("训练样本的份额", "share of samples to train on"), 0.05)
        knobs["noise"] = slider("noise", tr("训练标签随机重抽的份额", "share of training labels drawn at random"), 0.05)
        knobs["hidden"] = slider("hidden", tr("隐层单元（0：线性）", "hidden units (0: linear)"), 8)
    with gr.Accordion(tr("更多旋钮（重新开始后生效）", "More knobs (from the next start)"), open=False):
        with gr.Row():
            knobs["steps"] = slider("steps", tr("步数", "steps"), 10, 2000)
            knobs["runs"] = slider("runs", tr("划分（次）", "splits (runs)"), 1)
            knobs["batch_size"] = slider("batch_size", tr("批大小", "batch size"), 4)
        with gr.Row():
            knobs["rate"] = gr.Number(default.rate, label=tr("学习率（Adam）", "learning rate (Adam)"))
            knobs["seed"] = gr.Number(default.seed, label=tr("随机种子", "seed"))
    return knobs
