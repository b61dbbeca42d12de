"""The real method, live: two runs from one seed, started, paused, stepped, and changed on the way."""

from __future__ import annotations

import base64
import dataclasses
import html
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass

import gradio as gr
from PIL import Image

from shared import page as parts
from shared.experiment import InputError
from shared.i18n import markup, pick, prose, tr
from shared.page import Page, guard, knob_value
from spaces.simsiam import cifar, data, figures
from spaces.simsiam.checkup import COMPLETE as COLLAPSED
from spaces.simsiam.checkup import PARTIAL as SPREAD
from spaces.simsiam.duel import Duel, Match
from spaces.simsiam.live import views
from spaces.simsiam.settings import RATES

PREDICTORS = [
    (tr("两层 MLP（学习）", "two-layer MLP (learns)"), "mlp"),
    (tr("没有", "none"), "none"),
    (tr("固定随机", "fixed random"), "fixed"),
    (tr("精确最小二乘", "exact least squares"), "least_squares"),
]
TARGETS = [
    (tr("另一视图", "other view"), "view"),
    (tr("滑动平均（BYOL）", "moving average (BYOL)"), "ema"),
    (tr("均值 x̄（作者的悬题）", "mean x̄ (the open question)"), "mean"),
]
NORMS = [
    (tr("没有", "none"), "none"),
    (tr("仅隐层", "hidden layers"), "hidden"),
    (tr("连输出端", "at the output too"), "default"),
]
AUGMENTS = [
    (tr("裁剪", "crop"), "crop"),
    (tr("平移", "shift"), "shift"),
    (tr("旋转", "rotate"), "rotate"),
    (tr("翻转", "flip"), "flip"),
    (tr("明暗", "contrast"), "contrast"),
    (tr("噪声", "noise"), "noise"),
    (tr("挖洞", "cutout"), "cutout"),
]
TRY = [  # label, the settings that differ from the default
    (tr("停梯度 vs 不停", "with and without stop-gradient"), {}),
    (
        tr("没有预测器 vs 固定随机预测器", "no predictor and a fixed random one"),
        {"predictor": "none", "other_stop_gradient": True, "other_predictor": "fixed"},
    ),
    (
        tr("预测器快 10 倍 vs 慢 10 倍", "predictor 10 × faster, 10 × slower"),
        {"predictor_rate": 10.0, "other_stop_gradient": True, "other_predictor_rate": 0.1},
    ),
    (
        tr("精确预测器 vs 学习的预测器", "exact predictor and a learned one"),
        {"predictor": "least_squares", "other_stop_gradient": True},
    ),
    (tr("BYOL vs SimSiam", "BYOL and SimSiam"), {"target": "ema", "other_stop_gradient": True}),
    (
        tr("输出端 BN 掩盖坍缩", "BN at the output hides the collapse"),
        {"stop_gradient": False, "batch_norm": "default"},
    ),
    (tr("悬题：以 x̄ 为目标", "open question: x̄ as the target"), {"target": "mean", "other_target": "mean"}),
    (tr("不做增强", "no augmentation"), {"augmentations": ("identity",)}),
]
VERDICTS = [
    (COLLAPSED, "坍缩了", "has collapsed", "bad"),
    (SPREAD, "介于其间", "is in between", ""),
    (math.inf, "没有坍缩", "has not collapsed", "good"),
]
FOOLED = "单看损失，坍缩的那个反而更好。", ": by the loss alone the collapsed run is the better one."
QUIET = {"show_progress": "hidden", "api_visibility": "private"}
RUN = QUIET | {"concurrency_limit": 16}  # visitors at once; the device itself serves them in turns
EXPLANATION = prose(
    r"""**怎么读这些数。** $\mathrm{std}\times\sqrt d$：输出单位化后逐维标准差的平均，乘 $\sqrt d$；
均匀铺在球面上是 1，缩成一点是 0。
有效秩：协方差特征值 $\lambda_i$ 归一成 $p_i$ 后的 $e^{-\sum p_i\ln p_i}$，即真正用了几个方向。
k-NN：用编码器的特征在训练图像里找 5 个近邻投票。

**作者的悬题**：以 $F(\bar x)$、$\bar x=\mathbb E\,T(x)$ 为目标会坍缩吗？实测（5 个种子，SGD 400 步，余弦距离）：
不停梯度 5/5 坍缩，有没有预测器都一样（std × √d 降到 0.02）；只停梯度、没有预测器，4/5；停梯度加预测器，0/5（0.93）。
平方距离先缩的是尺度：不停梯度时 5/5，输出只剩原来的 2.6%。所以 $\bar x$ 本身不防坍缩，
它和“另一视图”的结论一样。全表见 spaces/simsiam/README.md。""",
    r"""**How to read the numbers.** $\mathrm{std}\times\sqrt d$: the mean over dimensions of the standard
deviation of the unit outputs, times $\sqrt d$; 1 when spread evenly over the sphere, 0 at a single point.
Effective rank: $e^{-\sum p_i\ln p_i}$ of the normalised eigenvalues $p_i$, that is, how many directions are in use.
k-NN: the vote of the 5 nearest training images by the encoder's features.

**The author's open question**: does $F(\bar x)$, $\bar x=\mathbb E\,T(x)$, as the target collapse? Measured
(5 seeds, 400 steps of SGD, cosine): without stop-gradient 5 of 5 collapse, with or without a predictor (std × √d
0.02); with stop-gradient and no predictor 4 of 5; with both 0 of 5 (0.93). The squared distance shrinks the size
first: 5 of 5 without stop-gradient, 2.6 % of it is left. So $\bar x$ alone does not help: it answers as the other view
does. The whole table is in spaces/simsiam/README.md.""",
)
FIGURES = ("std", "loss", "effective_rank", "knn", "lag", "speed")
SHOWN = 2 + len(FIGURES) + 3  # outputs of `picture`


def knobs_of(prefix: str) -> dict[str, gr.components.Component]:
    """The knobs in which the two runs may differ."""
    default = Duel()
    value = lambda name: getattr(default, prefix + name)  # noqa: E731
    return {
        f"{prefix}stop_gradient": gr.Checkbox(value("stop_gradient"), label=tr("停梯度", "stop-gradient")),
        f"{prefix}predictor": gr.Radio(PREDICTORS, value=value("predictor"), label=tr("预测器", "predictor")),
        f"{prefix}predictor_rate": gr.Number(
            value("predictor_rate"), label=tr("预测器的学习率倍数（×）", "predictor's rate (×)")
        ),
        f"{prefix}target": gr.Radio(TARGETS, value=value("target"), label=tr("目标", "target")),
        f"{prefix}batch_norm": gr.Radio(
            NORMS, value=value("batch_norm"), label=tr("批归一化（重新开始后生效）", "batch norm (from the next start)")
        ),
    }


def shared_knobs() -> dict[str, gr.components.Component]:
    """The knobs of both runs."""
    default = Duel()

    def number(name: str, zh: str, en: str, **options) -> gr.Number:
        return gr.Number(getattr(default, name), label=tr(zh, en), **options)  # Duel checks it, and names the field

    again = tr("重新开始后生效", "from the next start")
    digits, mine = tr("手写数字", "digits"), tr("我的图片（zip）", "my images (zip)")
    datasets = [(digits, "digits"), ("CIFAR-10", "cifar10"), (mine, "images")]
    with gr.Row():
        knobs = {"dataset": gr.Radio(datasets, value=default.dataset, label=tr("图像", "images"), info=again)}
        knobs["encoder"] = gr.Radio(
            [(tr("小卷积网", "small ConvNet"), "convnet"), (tr("小 ViT", "small ViT"), "vit")],
            value=default.encoder,
            label=tr("编码器", "encoder"),
            info=again,
        )
    with gr.Row():
        knobs["augmentations"] = gr.CheckboxGroup(
            AUGMENTS,
            value=list(default.augmentations),
            label=tr("增强（全不选即恒等）", "augmentation (none chosen: the identity)"),
        )
        knobs["strength"] = gr.Slider(
            0, 1, value=default.strength, step=0.05, label=tr("增强强度", "strength of augmentation")
        )
    with gr.Row():
        optimizers = [
            ("SGD", "sgd"),
            ("Adam", "adam"),
            ("L-BFGS", "lbfgs"),
            (tr("随机搜索", "random search"), "random_search"),
        ]
        knobs["optimizer"] = gr.Radio(optimizers, value=default.optimizer, label=tr("优化器", "optimiser"))
        usual = ", ".join(f"{name} {rate:g}" for name, rate in RATES.items())
        knobs["learning_rate"] = number(
            "learning_rate", "学习率（0：按优化器）", "learning rate (0: the optimiser's default)", info=usual
        )
    with gr.Row():
        knobs["weight_decay"] = number("weight_decay", "权重衰减", "weight decay")
        knobs["ema_rate"] = number("ema_rate", "滑动平均率", "EMA rate")
        knobs["distance"] = gr.Radio(
            [(tr("余弦", "cosine"), "cosine"), (tr("平方", "squared"), "squared")],
            value=default.distance,
            label=tr("距离", "distance"),
        )
    with gr.Row():
        knobs["batch_size"] = number("batch_size", "批大小（张）", "batch size (images)")
        knobs["dim"] = number("dim", "输出维数 d", "output dimensions d", info=again)
        knobs["steps"] = number("steps", "步数", "steps")
        knobs["seed"] = number("seed", "随机种子", "seed", info=again)
    return knobs


def duel_of(*values) -> Duel:
    """A Duel from knob values in the order of its fields; an emptied number falls back to its default."""
    settings = {}
    for field, value in zip(dataclasses.fields(Duel), values, strict=True):
        if isinstance(value, list):
            value = tuple(v for v in value if v != "identity") or ("identity",)
        settings[field.name] = field.default if value is None else value
    return Duel(**settings)


def picture(match: Match) -> list[str]:
    """All figures and the two sentences of a match."""
    curves = [figures.curve(field, match.frames, changes=match.changes) for field in FIGURES]
    clouds = [figures.embedding(frames, name) for frames, name in zip(match.frames, figures.RUNS, strict=True)]
    return [*clouds, *curves, figures.spectrum(match.frames), verdict(match), status(match)]


def verdict(match: Match) -> str:
    """What the two runs show at this step, in one sentence each."""
    if not match.step:
        return markup(
            "按“开始”：两个网络从同一个种子出发，看谁坍缩。",
            "Press start: two networks leave from one seed. Which collapses?",
        )
    zh, en, stds, losses = [], [], [], []
    for letter, frames in zip("AB", match.frames, strict=True):
        std, loss = frames[-1].std, frames[-1].loss
        word_zh, word_en, kind = next(words for limit, *words in VERDICTS if std < limit)
        zh.append(f'运行 {letter} <b class="{kind}">{word_zh}</b>（std × √d = {std:.2f}）')
        en.append(f'run {letter} <b class="{kind}">{word_en}</b> (std × √d = {std:.2f})')
        stds.append(std)
        losses.append(loss)
    a, b = (f"{loss:.2f}".replace("-", "−") for loss in losses)
    fooled = (
        min(stds) < COLLAPSED < SPREAD < max(stds) and losses[stds.index(min(stds))] < losses[stds.index(max(stds))]
    )
    end_zh, end_en = FOOLED if fooled else ("", ".")
    return markup(
        f"第 {match.step} 步：{'；'.join(zh)}。损失：{a} 与 {b}。{end_zh}",
        f"Step {match.step}: {'; '.join(en)}. Losses: {a} and {b}{end_en}",
    )


def status(match: Match) -> str:
    """Progress and speed."""
    if not match.states:
        return ""
    share = min(1.0, match.step / match.duel.steps)
    paused = "" if match.running or match.done else tr("（已暂停）", " (paused)")
    said = tr(
        f"{match.step} / {match.duel.steps} 步{pick(paused, 'zh')} · 每秒 {match.rate:.0f} 步（两个运行合计）",
        f"{match.step} of {match.duel.steps} steps{pick(paused, 'en')} · {match.rate:.0f} steps a second in total",
    )
    return parts.progress(share, said)


def view_strip(duel: Duel, images: data.Images | None) -> str:
    """Some images, each above its two augmented views, as one inline picture."""
    pairs = views(duel, images, count=8)  # (N, 3, S, S, C)
    zoom, gap = 56, 6
    sheet = Image.new("RGBA", (len(pairs) * (zoom + gap), 3 * (zoom + gap)))
    for column, images_of_one in enumerate(pairs):
        for row, pixels in enumerate(images_of_one):
            tile = Image.fromarray(pixels.squeeze()).resize((zoom, zoom), Image.Resampling.NEAREST)
            sheet.paste(tile, (column * (zoom + gap), row * (zoom + gap)))
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    source = base64.b64encode(buffer.getvalue()).decode()
    alt = tr("原图与它们的两个增强视图", "images and their two augmented views")
    said = tr(
        "每列一张图：上面是原图，下面是网络看到的两个视图。",
        "One image a column: itself on top, below it the two views that the network sees.",
    )
    picture = f'<img class="kx-strip" alt="{alt}" src="data:image/png;base64,{source}">'
    return f'<figure class="kx-figure"><figcaption class="kx-caption">{said}</figcaption>{picture}</figure>'


@dataclass(frozen=True)
class Live:
    """What another view needs to set this one's knobs and start it."""

    order: list
    """The knobs in the order of Duel's fields."""
    starting: tuple
    """(function, inputs, outputs) of the start button."""
    run = RUN


def build(page: Page, tabs: gr.Tabs) -> Live:
    """Draw the view."""
    match = gr.State(Match(), time_to_live=3600)
    first = picture(Match())
    with gr.Row(elem_classes="kx-try"):
        presets = [gr.Button(label, size="sm") for label, _ in TRY]
    with gr.Row(elem_classes="kx-controls"):
        start = gr.Button(tr("开始", "Start"), variant="primary", elem_id="simsiam-start", min_width=100)
        pause = gr.Button(tr("暂停", "Pause"), elem_id="simsiam-pause", min_width=100)
        resume = gr.Button(tr("继续", "Continue"), elem_id="simsiam-resume", min_width=100)
        step = gr.Button(tr("走一步", "One step"), elem_id="simsiam-step", min_width=100)
        link = page.link_button("live")
    progress = parts.status(first[-1])
    said = parts.verdict(first[-2])
    with gr.Row(elem_classes="kx-grid"):
        clouds = [parts.figure(spec) for spec in first[:2]]
        curves = [parts.figure(first[2])]
        curves += [parts.figure(spec) for spec in first[3:8]]
        eigenvalues = parts.figure(first[8])
    with gr.Row(elem_classes="kx-knobs"):
        with gr.Column(min_width=300):
            gr.HTML(f'<h3 class="kx-run-a">{figures.RUNS[0]}</h3>')
            knobs = knobs_of("")
        with gr.Column(min_width=300):
            gr.HTML(f'<h3 class="kx-run-b">{figures.RUNS[1]}</h3>')
            knobs |= knobs_of("other_")
    gr.Markdown(EXPLANATION, latex_delimiters=parts.LATEX)
    strip = gr.HTML(view_strip(Duel(), None))
    with gr.Accordion(tr("更多旋钮", "More knobs"), open=False):
        knobs |= shared_knobs()
        upload = gr.File(
            label=tr(
                "我的图片：zip，每个子文件夹一类（至多 100 MB）",
                "My images: a zip, one folder a class (100 MB at most)",
            ),
            file_types=[".zip"],
            height=120,
        )
        uploaded = parts.verdict(visible=False)

    order = [knobs[f.name] for f in dataclasses.fields(Duel)]
    outputs = [*clouds, *curves, eigenvalues, said, progress]
    view = page.view("live", Duel, knobs, link, tabs=tabs)
    start.click(None, order, None, js=view.keep)
    starting = (guard(begin), [match, *order], outputs)
    start.click(*starting, **RUN)
    _listen(match, order, outputs, {"pause": pause, "resume": resume, "step": step}, knobs)
    _listen_data(match, order, knobs, strip, upload, uploaded)
    for (_, changes), button in zip(TRY, presets, strict=True):
        wanted = Duel(**changes)
        values = [knob_value(getattr(wanted, f.name)) for f in dataclasses.fields(Duel)]
        button.click(lambda v=values: v, None, order, **QUIET).then(*starting, **RUN).then(
            None, order, None, js=view.keep
        )
    return Live(order, starting)


def begin(match: Match, *values) -> Iterator[list[str]]:
    """Start both runs anew and show them until paused or done."""
    duel = duel_of(*values)
    if duel.dataset == "images" and match.images is None:
        raise InputError(
            "dataset", "请先在“更多旋钮”里上传一个图片压缩包。", "upload a zip of images under “More knobs” first."
        )
    if duel.dataset == "cifar10" and not data.available("cifar10"):
        for share in cifar.fetch():
            yield [
                *[gr.skip()] * (SHOWN - 1),
                parts.progress(share, tr("下载 CIFAR-10（170 MB）", "downloading CIFAR-10 (170 MB)")),
            ]
    match.pause()
    with match.lock:
        match.begin(duel)
    yield from parts.show_live(match, picture)


def go_on(match: Match) -> Iterator[list[str]]:
    """What the continue button does."""
    yield from parts.show_live(match, picture)


def one_step(match: Match, *values) -> list[str]:
    """One step of both runs, starting them if there are none."""
    match.pause()
    with match.lock:
        if not match.states:
            match.begin(duel_of(*values))
        match.advance(1)
    return picture(match)


def change(match: Match, *values) -> None:
    """A knob was turned: the running match follows from its next slice."""
    match.change(duel_of(*values))


def _listen(match: gr.State, order: list, outputs: list, buttons: dict[str, gr.Button], knobs: dict) -> None:
    buttons["resume"].click(guard(go_on), [match], outputs, **RUN)
    buttons["step"].click(guard(one_step), [match, *order], outputs, **RUN)
    buttons["pause"].click(lambda v: v.pause(), [match], None, **RUN)
    gr.on([k.input for k in knobs.values()], guard(change), [match, *order], None, trigger_mode="always_last", **RUN)


def _listen_data(
    match: gr.State, order: list, knobs: dict, strip: gr.HTML, upload: gr.File, uploaded: gr.HTML
) -> None:
    quiet = QUIET | {"trigger_mode": "always_last"}

    def show_views(match: Match, *values) -> str:
        duel = duel_of(*values)
        ready = match.images is not None if duel.dataset == "images" else data.available(duel.dataset)
        return view_strip(duel, match.images) if ready else gr.skip()

    def take(match: Match, path: str | None):
        if not path:
            return gr.skip(), gr.skip()
        try:
            match.images, skipped = data.read_zip(path)
        except InputError as error:
            zh, en = html.escape(error.zh), html.escape(error.en)
            said = markup(f"<b class=bad>无法读取</b>：{zh}", f"<b class=bad>Not read</b>: {en}")
            return gr.update(value=said, visible=True), gr.skip()
        names = html.escape(", ".join(f"{name} ({en})" for name, _, en in skipped[:5]))
        count = len(match.images.train) + len(match.images.held_out)
        classes = len(match.images.classes)
        zh, en = f"读入 {count} 张图片，{classes} 个类别。", f"{count} images, {classes} classes."
        if skipped:
            zh, en = f"{zh}跳过 {len(skipped)} 个文件：{names}", f"{en} {len(skipped)} files skipped: {names}"
        return gr.update(value=markup(zh, en), visible=True), "images"

    shown = [knobs[name].input for name in ("augmentations", "strength", "dataset", "seed")]
    gr.on(shown, guard(show_views), [match, *order], strip, **quiet)
    knobs["dataset"].change(guard(show_views), [match, *order], strip, **quiet)
    upload.upload(take, [match, upload], [uploaded, knobs["dataset"]], **quiet).then(
        guard(show_views), [match, *order], strip, **quiet
    )
