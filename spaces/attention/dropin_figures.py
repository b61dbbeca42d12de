"""The figures of the drop-in: frames in, figure JSON (shared.plots) out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from shared import plots
from shared.i18n import pick, tr
from shared.random_features import KINDS as FEATURES
from spaces.attention.dropin import COUNTS, SCRATCH, VARIANTS, Dropin, Frame
from spaces.attention.error_figures import COLOURS, KINDS, whiskers
from spaces.attention.tasks import CHANCE


def name_of(variant: str) -> str:
    """What a variant is called."""
    name = variant.removesuffix(SCRATCH)
    if name == "softmax":
        return tr("softmax（继续）", "softmax (goes on)")
    plain = KINDS[name] if name == "taylor" else tr(*(f"Performer {pick(KINDS[name], x)}" for x in ("zh", "en")))
    if variant == name:
        return plain
    return tr(f"{pick(plain, 'zh')}·从零开始", f"{pick(plain, 'en')} from scratch")


NAMES = {variant: name_of(variant) for variant in VARIANTS}
STYLES = {
    variant: {
        "color": COLOURS.get(variant.removesuffix(SCRATCH), plots.INK) if "taylor" not in variant else "class-3",
        "dash": variant.endswith(SCRATCH),
        "width": 1.5 if variant.endswith(SCRATCH) else 2.5,
    }
    for variant in VARIANTS
}
Frames = Mapping[str, Sequence[Frame]]


def curve(frames: Frames, settings: Dropin) -> str:
    """Accuracy of every variant against the step, the swap marked."""
    chance = CHANCE[settings.task]
    said = tr(f"瞎猜 {chance:.0%}", f"guessing {chance:.0%}")
    layers = [plots.rule("hline", chance, name=said, dash=True)]
    layers.append(plots.rule("vline", settings.pretrain, name=tr("换掉 softmax", "the swap"), dash=True))
    for variant, run in frames.items():
        style = STYLES[variant]
        layers.append(plots.line([f.step for f in run], [f.accuracy for f in run], NAMES[variant], **style))
    caption = tr(
        "竖线左边用 softmax 训练；在竖线处换上线性注意力，准确率掉到哪里？微调多少步才回来？虚线：从零学起。",
        "Left of the line trained with softmax; at the line linear attention moves in. How far does accuracy fall, and "
        "how many steps bring it back? Dashed: the same attention from scratch.",
    )
    x = plots.axis(tr("步", "step"), (0, settings.steps), whole=True)
    y = plots.axis(tr("准确率（没见过的）", "accuracy (held out)"), (0, 1.03))
    return plots.figure("dropin-recovery", x, y, layers, caption=caption)


def damage_figure(found: Mapping[str, Sequence[Sequence[float]]] | None, task: str) -> str:
    """Accuracy right after the swap against the number of features, with the range over draws."""
    layers, places = [], [math.log10(n) for n in COUNTS]
    if found:
        for name in ("softmax", "taylor"):
            said = NAMES[name] if name == "taylor" else "softmax"
            look = {k: v for k, v in STYLES[name].items() if k != "dash"}
            layers.append(plots.line([places[0], places[-1]], [found[name][0][0]] * 2, said, **look))
        for kind in filter(found.__contains__, FEATURES):
            means = [sum(values) / len(values) for values in found[kind]]
            layers.append(plots.line(places, means, NAMES[kind], COLOURS[kind]))
            layers.append(whiskers(places, [(min(values), max(values)) for values in found[kind]], COLOURS[kind]))
        layers.append(plots.rule("hline", CHANCE[task], name=tr("瞎猜", "guessing"), dash=True))
    caption = tr(
        "不微调，直接换：每头 16 维，要多少特征才不出事？竖线是三次抽样的范围；二阶泰勒有 153 个特征。",
        "Swapped without fine-tuning: how many features does it take, for heads of 16 dimensions? Bars: the range of "
        "three "
        "draws; order 2 has 153 features.",
    ) if found else tr("训练之后，按“换上去会坏多少”。", "After the training, press “How much breaks”.")  # fmt: skip
    x = plots.axis(tr("特征数 m（对数）", "features m (log)"), log=True, ticks=places, names=[str(n) for n in COUNTS])
    return plots.figure("dropin-damage", x, plots.axis(tr("准确率", "accuracy"), (0, 1.03)), layers, caption=caption)
