"""One visitor's training run of classifiers, in hand: started, paused, gone on with.

lesson = Lesson()
lesson.begin(Classifier())
for _ in lesson.run(): ...          # slices of about a quarter of a second until paused or done
"""

from __future__ import annotations

from shared.live import LiveRun
from spaces.attention.classifier import Classifier, Frame, State, advance, start


class Lesson(LiveRun):
    """The networks and what was measured so far; `frames` by normaliser."""

    def __init__(self):
        super().__init__()
        self.settings: Classifier | None = None
        self.state: State | None = None
        self.frames: dict[str, list[Frame]] = {}

    @property
    def started(self) -> bool:
        return self.state is not None

    @property
    def step(self) -> int:
        """Steps that every network has made."""
        return self.state.step if self.state else 0

    @property
    def goal(self) -> int:
        return self.settings.steps

    def begin(self, settings: Classifier) -> None:
        """Fresh networks."""
        state = start(settings)
        self.pause()
        self.settings, self.state, self.seconds = settings, state, 0.0
        self.frames = {name: [] for name in settings.normalisers}

    def _advance(self, steps: int) -> None:
        self.state, frames = advance(self.state, self.settings, steps)
        for name, more in frames.items():
            self.frames[name].extend(more)
