"""One visitor's race, in hand: started, paused, stepped, changed on the way.

track = Track()
track.begin(Race())
for _ in track.run(): ...                           # slices of about a quarter of a second until paused or done
track.change(track.settings.but(cut=("lstm.carry",)))   # from another thread: takes effect at the next slice
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields

from shared.i18n import tr
from shared.live import Training
from spaces.gradient_flow.race import STRUCTURE, Frame, Race, advance, start

RECENT = 5  # frames that "now" is the mean of: one batch alone is noisy


class Track(Training):
    """The race and what was measured so far; `frames` by cell, `changes` as (step, what changed)."""

    def __init__(self, start: Callable = start, advance: Callable = advance):
        super().__init__(start, advance)
        self.changes: list[tuple[int, str]] = []

    @property
    def done(self) -> bool:
        """Whether there is nothing to go on with: over, or every cell has diverged."""
        return super().done or len(self.state.diverged) == len(self.settings.cells)

    @property
    def rate(self) -> float:
        """Steps a second of computing, all cells making each."""
        return self.step / self.seconds if self.seconds else 0.0

    def begin(self, settings: Race) -> None:
        """Fresh networks from one seed; raises InputError and then leaves the old race as it was."""
        super().begin(settings)
        self.frames, self.changes = {name: [] for name in settings.cells}, []

    def change(self, race: Race) -> None:
        """New settings from the next slice on; fields of STRUCTURE wait for the next start."""
        before = self.settings
        if self.state is None:
            self.settings = race
            return
        self.settings = race.but(**{name: getattr(before, name) for name in STRUCTURE})
        if self.step and (said := difference(before, self.settings)):
            self.changes.append((self.step, said))


def accuracy(frames: Sequence[Frame]) -> float:
    """The mean accuracy of the last frames, 0 … 1; NaN before the first and once diverged."""
    if not frames or frames[-1].diverged:
        return float("nan")
    recent = [frame.accuracy for frame in frames[-RECENT:]]
    return sum(recent) / len(recent)


def half_life(frames: Sequence[Frame]) -> float | None:
    """The half-life last measured, in steps; None if there is none."""
    return next((frame.half_life for frame in reversed(frames) if frame.half_life is not None), None)


def difference(before: Race, after: Race) -> str:
    """What changed between two settings, in both languages; "" if nothing but `steps`."""
    zh, en = [], []
    for name in (f.name for f in fields(Race) if f.name not in ("steps", "cut")):
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            zh.append(f"{name} {old}→{new}")
            en.append(f"{name} {old} → {new}")
    for paths, word_zh, word_en in (
        (set(after.cut) - set(before.cut), "切断", "cut"),
        (set(before.cut) - set(after.cut), "接通", "restored"),
    ):
        if paths:
            zh.append(f"{word_zh} {'、'.join(sorted(paths))}")
            en.append(f"{word_en} {', '.join(sorted(paths))}")
    return tr("；".join(zh), "; ".join(en)) if zh else ""
