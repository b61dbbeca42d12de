"""Maps beside the exact one, for samples or a visitor's own Q and K; and how many features an error of ε takes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass

import gradio as gr
import torch

from shared import page as parts
from shared.experiment import InputError, boolean, choice, from_values, number
from shared.i18n import markup, pick, prose, tr
from shared.live import Latest, watched
from shared.page import Page, guard, halt, latest
from shared.random_features import DRAWS, KINDS, Features
from shared.threads import one_thread
from spaces.attention import samples
from spaces.attention import yours_figures as figures
from spaces.attention.choose import Needed, needed, taylor_features
from spaces.attention.error_figures import KINDS as NAMES
from spaces.attention.maps import Difference, difference, pooled, weights
from spaces.attention.ui.names import DRAWS as DRAW_NAMES
from spaces.attention.ui.names import RUN, options

MINE = "mine"
LIMITS = {
    "head": (0, 1023),
    "scale": (0.0, 100.0),
    "size": (0.05, 5.0),
    "features": (2, 8192),
    "epsilon": (0.01, 0.9),
    "seed": (0, 2**31 - 1),
}
TRY = [
    (tr("看邻居，模长减半", "neighbours, half the norm"), {}),
    (tr("随机、模长小：估得还行", "random and small: a fair estimate"), {"source": "gaussian"}),
    (
        tr("模长加倍：三角崩溃", "twice the norm: trigonometric collapses"),
        {"source": "gaussian", "kind": "trigonometric", "size": 1.0},
    ),
    (tr("看邻居，键减去均值", "neighbours, keys centred"), {"source": "local", "size": 1.0, "centred": True}),
    (tr("一个查询找一个键", "each query seeks one key"), {"source": "retrieval", "size": 1.0}),
]
EXPLANATION = prose(
    """**图怎么来的。** 线性注意力从不算出矩阵；把 $V$ 换成单位阵，一块一块地喂进去，输出就是权重。
**键减去均值**：$q\\cdot(k-\\bar k)$ 只给一行里所有的键加同一个数，softmax 纹丝不动，
但随机特征看到的模长变小了，误差往往小得多——一招不花钱的改进。

**反过来问**：误差 ε 要多少特征？从 8 个起加倍、再二分，七次抽样取中位数；旁边是一阶闭式（独立抽样）给的数。

**你的 Q、K**：`numpy.save` 的 .npy，形状 (n, d)、(H, n, d) 或 (B, H, n, d)，
n 至多 4096，d 至多 256。""",
    """**Where the maps come from.** Linear attention never makes its matrix; feed the identity for $V$, a block at a
time, and the output is the weights. **Centred keys**: $q\\cdot(k-\\bar k)$ adds one number to all keys of a row, which
softmax does not notice, but the norms that random features see shrink, and often the error with them: for free.

**The question turned round**: how many features for an error of ε? Doubled from 8 on, then bisected, the median of
seven draws; beside it what the first-order closed form says of independent draws.

**Your Q and K**: .npy files of `numpy.save`, shape (n, d), (H, n, d) or (B, H, n, d), n at most 4096, d at most
256.""",
)


@dataclass(frozen=True)
class Yours:
    """Which vectors, and which estimate of their attention."""

    source: str = "local"
    """A sample's name; mine: the uploaded files."""
    head: int = 0
    """Of files with heads."""
    scale: float = 0.0
    """Of q·k; 0: 1/√d."""
    size: float = 0.5
    """q and k are multiplied by it."""
    centred: bool = False
    """Whether the keys' mean is taken off."""
    kind: str = "positive"
    draw: str = "orthogonal"
    features: int = 256
    epsilon: float = 0.1
    seed: int = 0

    def __post_init__(self):
        choice("source", self.source, (*samples.SAMPLES, MINE))
        choice("kind", self.kind, KINDS)
        choice("draw", self.draw, DRAWS)
        boolean("centred", self.centred)
        for name, limits in LIMITS.items():
            object.__setattr__(self, name, number(name, getattr(self, name), limits))
        Features("hyperbolic", "iid", self.features)  # even


def vectors(q_file: str | None, k_file: str | None, settings: Yours) -> tuple[torch.Tensor, torch.Tensor, float]:
    """q (n, D), k (N, D) as the features will see them, and the scale."""
    if settings.source == MINE:
        for file, field in ((q_file, "q"), (k_file, "k")):
            if not file:
                raise InputError(field, "请上传 .npy 文件。", "upload a .npy file.")
        q, k = (samples.read_npy(f, name, settings.head) for f, name in ((q_file, "q"), (k_file, "k")))
        q, k = samples.pair(q, k)
    else:
        q, k = samples.sample(settings.source, settings.seed)
    k = k - k.mean(0) if settings.centred else k
    return settings.size * q, settings.size * k, settings.scale or 1 / math.sqrt(q.shape[1])


def draw(q_file: str | None, k_file: str | None, *values) -> Iterator[list]:
    """The three maps and the sentence."""
    settings = from_values(Yours, values)
    q, k, scale = vectors(q_file, k_file, settings)

    def work(report):
        features = Features(settings.kind, settings.draw, settings.features, settings.seed)
        found = {}
        with torch.no_grad(), one_thread():
            for i, name in enumerate(("sdpa", "performer", "taylor")):
                found[name] = weights(q, k, name, scale, features)
                report((i + 1) / 3)
        return found

    for share, found in watched(work):
        if found is None:
            yield [*[gr.skip()] * 4, parts.progress(share, tr("正在算三张图", "computing three maps"))]
    exact = found["sdpa"]
    highest = max(float(pooled(exact).max()), 1e-6)
    apart = {name: difference(found[name], exact) for name in ("performer", "taylor")}
    titles = {"sdpa": tr("精确", "Exact"), "performer": NAMES[settings.kind], "taylor": NAMES["taylor"]}
    maps = [figures.map_figure(n, titles[n], found[n], highest, apart.get(n)) for n in titles]
    yield [*maps, verdict(settings, q, k, scale, apart), ""]


def verdict(settings: Yours, q: torch.Tensor, k: torch.Tensor, scale: float, apart: dict[str, Difference]) -> str:
    """Norms, and both errors."""
    nq, nk = samples.norms(q, k, scale)
    error, taylor = apart["performer"].error, apart["taylor"].error
    kind = NAMES[settings.kind]
    count = taylor_features(q.shape[1])
    klass = "good" if error < 0.2 else "bad"
    return markup(
        f"特征看到的模长：|q| = {nq:.2f}，|k| = {nk:.2f}。{pick(kind, 'zh')}，{settings.features} 个特征："
        f"误差 <b class={klass}>{error:.1%}</b>；二阶泰勒 {count} 个特征：误差 <b>{taylor:.1%}</b>。",
        f"Norms that the features see: |q| = {nq:.2f}, |k| = {nk:.2f}. {settings.features} {pick(kind, 'en')} "
        f"features: "
        f"error <b class={klass}>{error:.1%}</b>; order-2 Taylor, {count} features: error <b>{taylor:.1%}</b>.",
    )


def choose(q_file: str | None, k_file: str | None, *values) -> Iterator[list]:
    """How many features each kind needs."""
    settings = from_values(Yours, values)
    q, k, scale = vectors(q_file, k_file, settings)

    def work(report):
        found = []
        for i, kind in enumerate(KINDS):
            told = lambda share, i=i: report((i + share) / len(KINDS))  # noqa: E731
            found.append(needed(q, k, kind, settings.draw, settings.epsilon, scale, settings.seed, told))
        with torch.no_grad():
            exact, taylor = (weights(q, k, name, scale) for name in ("sdpa", "taylor"))
        return found, difference(taylor, exact).error

    for share, found in watched(work):
        if found is None:
            yield [gr.skip(), gr.skip(), parts.progress(share, tr(f"正在找 {share:.0%}", f"searching {share:.0%}"))]
    needs, taylor = found
    chart = figures.needs_figure(needs, len(k), (taylor_features(q.shape[1]), taylor), settings.epsilon)
    yield [chart, answer(needs, len(k), (taylor_features(q.shape[1]), taylor), settings.epsilon), ""]


def answer(needs: list[Needed], keys: int, taylor: tuple[int, float], epsilon: float) -> str:
    """Which kernel, and how many features."""
    enough = [(n.features, NAMES[n.kind]) for n in needs if n.features]
    if taylor[1] <= epsilon:
        enough.append((taylor[0], NAMES["taylor"]))
    if not enough:
        return markup(f"误差 {epsilon:.0%}：<b class=bad>没有一种做得到</b>。用精确注意力。",
                      f"An error of {epsilon:.0%}: <b class=bad>none gets there</b>. Use exact attention.")  # fmt: skip
    count, name = min(enough, key=lambda pair: pair[0])
    cheap = count < keys
    zh = f"误差 {epsilon:.0%}：用 <b class=good>{pick(name, 'zh')}</b>，{count} 个特征。"
    en = f"An error of {epsilon:.0%}: <b class=good>{pick(name, 'en')}</b>, {count} features. "
    zh += "比键少，线性注意力可能划算。" if cheap else f"比键数 {keys} 还多：<b class=bad>不如直接算精确的</b>。"
    en += "Fewer than keys: it may pay." if cheap else f"More than the {keys} keys: <b class=bad>exact is cheaper</b>."
    return markup(zh, en)


def uploaded(q_file: str | None, k_file: str | None, *values) -> Iterator[list]:
    """The visitor's own vectors once both files are there."""
    if not q_file or not k_file:
        yield [*[gr.skip()] * 4, tr("还差一个文件：q 和 k 各一个。", "One more file: q and k, one each."), gr.skip()]
        return
    values = (MINE, *values[1:])
    for found in draw(q_file, k_file, *values):
        yield [*found, MINE]


def build(page: Page, tabs: gr.Tabs) -> None:
    """Draw the view."""
    default = Yours()
    first = list(draw(None, None, *dataclasses.astuple(default)))[-1]
    with gr.Row(elem_classes="kx-try"):
        presets = [gr.Button(label, size="sm") for label, _ in TRY]
    with gr.Row(elem_classes="kx-grid"):
        maps = [parts.figure(spec) for spec in first[:3]]
    said = parts.verdict(first[3])
    with gr.Row(elem_classes="kx-controls"):
        status = parts.status()
        stop = gr.Button(tr("停止", "Stop"), size="sm", min_width=80, scale=0, elem_id="yours-stop")
        link = page.link_button("yours")
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            knobs = _knobs(default)
            with gr.Row():
                files = [
                    gr.File(label=tr(f"{name}.npy", f"{name}.npy"), file_types=[".npy"], height=110, min_width=120)
                    for name in ("q", "k")
                ]
        with gr.Column(scale=3, min_width=300):
            knobs["epsilon"] = parts.slider(
                *LIMITS["epsilon"], value=default.epsilon, step=0.01, label=tr("能接受的误差 ε", "acceptable error ε")
            )
            go = gr.Button(tr("要多少特征？", "How many features?"), variant="primary", elem_id="yours-choose")
            answered = parts.verdict(
                tr("按上面的按钮：三种特征各需要多少？", "Press the button: how many does each kind need?")
            )
            needs = parts.figure(figures.needs_figure([], samples.KEYS, None, default.epsilon))
    gr.Markdown(EXPLANATION, latex_delimiters=parts.LATEX)

    order = [knobs[f.name] for f in dataclasses.fields(Yours)]
    outputs = [*maps, said, status]
    visitor, search = gr.State(Latest()), gr.State(Latest())
    drawing = (latest(guard(draw)), [visitor, *files, *order], outputs)
    view = page.view("yours", Yours, knobs, link, tabs=tabs, redraw=drawing)
    runs = [gr.on([knobs[n].input for n in knobs if n != "epsilon"], *drawing, trigger_mode="always_last", **RUN)]
    for file in files:
        runs.append(file.upload(guard(uploaded), [*files, *order], [*outputs, knobs["source"]], **RUN))
    for (_, changes), button in zip(TRY, presets, strict=True):
        wanted = list(dataclasses.astuple(Yours(**changes)))
        runs.append(button.click(lambda v=wanted: v, None, order, **RUN).then(*drawing, **RUN))
        runs[-1].then(None, order, None, js=view.keep)
    runs.append(go.click(latest(guard(choose)), [search, *files, *order], [needs, answered, status], **RUN))
    stop.click(halt, [visitor, search], status, cancels=runs, **RUN)


def _knobs(default: Yours) -> dict[str, gr.components.Component]:
    named = options(samples.SAMPLES) + [(tr("我上传的", "my files"), MINE)]
    features = parts.slider(2, 4096, value=default.features, step=2, label=tr("特征数 m（偶数）", "features m (even)"))
    knobs: dict = {
        "source": gr.Radio(named, value=default.source, label=tr("哪些 Q、K", "which Q and K")),
        "kind": gr.Radio(options({n: NAMES[n] for n in KINDS}), value=default.kind, label=tr("特征", "features")),
        "draw": gr.Radio(
            options({n: DRAW_NAMES[n] for n in DRAWS}), value=default.draw, label=tr("ω 怎么抽", "how ω is drawn")
        ),
        "features": features,
        "size": parts.slider(*LIMITS["size"], value=default.size, step=0.05, label=tr("q、k 乘以", "q and k times")),
        "centred": gr.Checkbox(
            default.centred, label=tr("键减去均值（softmax 不变）", "centre the keys (softmax does not notice)")
        ),
    }
    with gr.Accordion(tr("更多旋钮", "More knobs"), open=False):
        knobs["head"] = gr.Number(
            default.head, label=tr("文件里的第几个头（从 0 数）", "head of the files (from 0)")
        )
        knobs["scale"] = gr.Number(default.scale, label=tr("q·k 的缩放（0：1/√d）", "scale of q·k (0: 1/√d)"))
        knobs["seed"] = gr.Number(default.seed, label=tr("随机种子", "seed"))
    return knobs
