"""One visitor's drop-in run, in hand: started, paused, gone on with.

transplant = Transplant()
transplant.begin(Dropin())
for _ in transplant.run(): ...      # slices of about a quarter of a second until paused or done
"""

from __future__ import annotations

from shared.live import LiveRun
from spaces.attention.dropin import Dropin, Frame, State, advance, start


class Transplant(LiveRun):
    """The networks and what was measured so far; `frames` by variant."""

    def __init__(self):
        super().__init__()
        self.settings: Dropin | None = None
        self.state: State | None = None
        self.frames: dict[str, list[Frame]] = {}

    @property
    def started(self) -> bool:
        return self.state is not None

    @property
    def step(self) -> int:
        """Steps made, of both phases."""
        return self.state.step if self.state else 0

    @property
    def goal(self) -> int:
        return self.settings.steps

    def begin(self, settings: Dropin) -> None:
        """An untrained network."""
        state = start(settings)
        self.pause()
        self.settings, self.state, self.seconds, self.frames = settings, state, 0.0, {}

    def _advance(self, steps: int) -> None:
        self.state, frames = advance(self.state, self.settings, steps)
        for name, more in frames.items():
            self.frames.setdefault(name, []).extend(more)
