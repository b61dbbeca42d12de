"""The figures of the race: frames in, figure JSON (shared.plots) out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from shared import plots
from shared.i18n import tr
from spaces.gradient_flow.race import Frame, Race
from spaces.gradient_flow.tasks import task
from spaces.gradient_flow.track import RECENT, accuracy, half_life

NAMES = {
    "rnn": "RNN",
    "rnn_relu": "RNN ReLU",
    "lstm": "LSTM",
    "gru": "GRU",
    "su": tr("作者的单元", "author's cell"),
    "transformer": "Transformer",
}
STYLES = {  # dashed where two hues are hard to tell apart
    "rnn": {"color": "class-0"},
    "rnn_relu": {"color": "class-2", "dash": True},
    "lstm": {"color": "class-1"},
    "gru": {"color": "class-3"},
    "su": {"color": "class-5"},
    "transformer": {"color": "class-4", "dash": True},
}
CURVES = {  # field → (label of y, range, what to see)
    "accuracy": (
        tr("准确率", "accuracy"),
        (0, 1.02),
        tr(
            "同样的数据、同样的步数：谁记得住，谁停在瞎猜线上？",
            "The same batches, the same steps: who remembers, and who stays on the line of guessing?",
        ),
    ),
    "relative": (
        tr("损失 / 瞎猜的损失", "loss / loss of guessing"),
        (0, 1.5),
        tr(
            "1 是什么都没记住时最好的损失；降到 0 才是解决了。",
            "1 is the best loss without any memory; solved means 0.",
        ),
    ),
    "share": (
        tr("到达的份额", "share that arrives"),
        (0, 1.02),
        tr(
            "各步输入收到的梯度里，落在该记住的那几步上的份额：RNN 的总梯度不为零，远处的那份却没了。",
            "Of the gradient that reaches the inputs, the share at the steps to be remembered: "
            "the RNN's total is not zero, the distant part is gone.",
        ),
    ),
    "direction": (
        tr("裁剪前后的夹角余弦", "cosine, raw and clipped"),
        (0, 1.02),
        tr(
            "按范数裁剪只缩短，方向不变（恒为 1）；按值裁剪会让梯度转向。",
            "Clipping by norm only shortens (always 1); clipping by value turns the gradient.",
        ),
    ),
}
FOREVER = 4.0  # log10 of steps: where a half-life that has no end is drawn
WAY = 6  # places that a cell's way shows
Frames = Mapping[str, Sequence[Frame]]
Changes = Sequence[tuple[int, str]]


def curve(field: str, frames: Frames, race: Race, changes: Changes = ()) -> str:
    """One measurement of every cell against the step; `changes` marks where settings changed on the way."""
    label, span, caption = CURVES[field]
    layers = _marks(frames, changes)
    if field == "accuracy":
        layers += _notes(changes)
    if field in ("accuracy", "relative"):
        chance = task(race.task, race.symbols).chance
        said = tr(f"瞎猜 {chance:.1%}", f"guessing {chance:.1%}") if field == "accuracy" else tr("瞎猜", "guessing")
        layers.append(plots.rule("hline", chance if field == "accuracy" else 1, name=said, dash=True))
    for name, run in frames.items():
        if run:
            layers.append(_line(name, run, [getattr(frame, field) for frame in run]))
    return _against_step(field, frames, plots.axis(label, span), layers, caption, 0.8 if field == "accuracy" else 0.55)


def gradients(frames: Frames, race: Race, changes: Changes = ()) -> str:
    """The norm of every cell's gradient on a logarithmic axis: as it was, and thin where clipping shortened it."""
    layers = _marks(frames, changes)
    if race.clip:
        said = tr("范数阈值", "norm threshold"), tr("每个分量的阈值", "threshold of each entry")
        layers.append(plots.rule("hline", math.log10(race.clip), name=said[race.clip_by != "norm"], dash=True))
    for name, run in frames.items():
        if run:
            layers.append(_line(name, run, [_log10(frame.before) for frame in run]))
            clipped = [_log10(f.after) if f.after < f.before else math.nan for f in run]
            thin = STYLES[name] | {"dash": True, "width": 1}
            layers.append(plots.line([frame.step for frame in run], clipped, **thin))
    caption = tr(
        "整个梯度的范数（对数轴）：粗线是裁剪前，细虚线是裁剪后。RNN 的总梯度并不是零。",
        "The norm of the whole gradient (logarithmic): bold before clipping, thin and dashed after. "
        "The RNN's total is not zero.",
    )
    axis = plots.axis(tr("梯度范数", "norm of the gradient"), log=True)
    return _against_step("gradient", frames, axis, layers, caption, 0.55)


def memory(frames: Frames, race: Race) -> str:
    """Accuracy against the half-life of the state's Jacobian: where each cell is now, and its last steps."""
    now = {name: place for name, run in frames.items() if (place := _place(run))}
    layers = [
        plots.rule("vline", math.log10(race.delay), tr(f"延迟 {race.delay} 步", f"delay {race.delay}"), dash=True)
    ]
    layers.append(plots.rule("hline", task(race.task, race.symbols).chance, tr("瞎猜", "guessing"), dash=True))
    for name in now:
        layers.append(plots.line(*_way(frames[name]), **STYLES[name] | {"width": 1}))
    for name, place in now.items():
        layers.append(plots.points([place[0]], [place[1]], color=STYLES[name]["color"], size=5, ring=True, glide=True))
    for name, (x, y) in _labels(now).items():
        layers.append(plots.texts([x], [y], [NAMES[name]], STYLES[name]["color"], align="center"))
    return plots.figure(
        "race-memory",
        plots.axis(
            tr("状态梯度的半衰期（步）", "half-life of the state's gradient (steps)"),
            (-0.6, FOREVER + 0.9),
            ticks=[0, 1, 2, 3, FOREVER],
            names=["1", "10", "100", "1000", "∞"],
        ),
        plots.axis(tr("准确率", "accuracy"), (0, 1.1)),
        layers,
        caption=tr(
            "半衰期比延迟短太多的学不会（左下）；学会的都在右上。细线是最近走过的路。",
            "Who forgets much faster than the delay does not learn (lower left); who has learnt is at the upper right. "
            "Thin: where it was lately.",
        ),
        aspect=0.8,
    )


def _line(name: str, run: Sequence[Frame], values: Sequence[float]) -> dict:
    return plots.line([frame.step for frame in run], values, NAMES[name], **STYLES[name] | {"width": 2.5})


def _marks(frames: Frames, changes: Changes) -> list[dict]:
    """Where settings changed, by number, and where a cell's loss ceased to be a number."""
    layers = [plots.rule("vline", step, str(i), dash=True) for i, (step, _) in enumerate(changes, 1)]
    for name, run in frames.items():
        if run and run[-1].diverged:
            zh, _, en = NAMES[name].partition("\u2063")
            said = tr(f"{zh} 发散", f"{en or zh} diverged")
            layers.append(plots.rule("vline", run[-1].step, said, STYLES[name]["color"]))
    return layers


def _notes(changes: Changes) -> list[dict]:
    """What changed, under the curves, the last four one below the other."""
    notes = []
    for row, (i, (_, said)) in enumerate(list(enumerate(changes, 1))[-4:]):
        zh, _, en = said.partition("\u2063")
        notes.append(plots.texts([0], [0.15 - 0.05 * row], [tr(f" {i}：{zh}", f" {i}: {en or zh}")]))
    return notes


def _last(frames: Frames) -> int:
    return max((run[-1].step for run in frames.values() if run), default=0)


def _against_step(name: str, frames: Frames, y: dict, layers: list[dict], caption: str, aspect: float) -> str:
    x = plots.axis(tr("步", "step"), (0, max(_last(frames), 10)), whole=True)
    return plots.figure(f"race-{name}", x, y, layers, caption=caption, aspect=aspect)


def _place(run: Sequence[Frame]) -> tuple[float, float] | None:
    """(log10 of the half-life, accuracy) after these frames; None before both are known."""
    steps, right = half_life(run), accuracy(run)
    if steps is None or math.isnan(steps) or math.isnan(right):
        return None
    return max(0.0, min(FOREVER, _log10(steps))), right


def _way(run: Sequence[Frame]) -> tuple[list[float], list[float]]:
    """The last places of a cell, one for each half-life measured."""
    measured = [i for i, frame in enumerate(run, 1) if frame.half_life is not None][-WAY:]
    places = [place for i in measured if (place := _place(run[max(0, i - RECENT) : i]))]
    return [x for x, _ in places], [y for _, y in places]


def _labels(places: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    """Where the names stand: above their points, and one above or below the other where they would overlap."""
    taken: dict[str, tuple[float, float]] = {}
    for name, (x, y) in sorted(places.items(), key=lambda item: item[1][1]):
        away = -0.055 if y > 0.6 else 0.055
        y += 0.03
        while any(abs(x - a) < 1.1 and abs(y - b) < 0.05 for a, b in taken.values()):
            y += away
        taken[name] = (x, y)
    return taken


def _log10(value: float) -> float:
    if math.isnan(value) or value == math.inf:
        return value
    return math.log10(value) if value > 0 else -math.inf
