"""Two runs side by side from one seed, under a visitor's hands: started, paused, stepped, changed on the way.

match = Match()
match.begin(Duel())                      # with stop-gradient against without
for _ in match.run(): ...                # slices of about a quarter of a second until paused or done
match.change(Duel(stop_gradient=False))  # from another thread: takes effect at the next slice
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

from shared.live import LiveRun
from spaces.simsiam.data import Images
from spaces.simsiam.live import Frame, State, advance, start
from spaces.simsiam.settings import Settings

OWN = ("stop_gradient", "predictor", "predictor_rate", "target", "batch_norm")
"""The fields in which the second run may differ from the first."""


@dataclass(frozen=True)
class Duel(Settings):
    """The first run's settings, and the fields in which the second differs."""

    other_stop_gradient: bool = False
    other_predictor: str = "mlp"
    other_predictor_rate: float = 1.0
    other_target: str = "view"
    other_batch_norm: str = "hidden"

    def __post_init__(self):
        for prefix, settings in zip(("", "other_"), self.runs(), strict=True):  # both are checked here
            for name in OWN if prefix else [f.name for f in fields(Settings)]:
                object.__setattr__(self, prefix + name, getattr(settings, name))

    def runs(self) -> tuple[Settings, Settings]:
        """The settings of both runs."""
        shared = {f.name: getattr(self, f.name) for f in fields(Settings)}
        return Settings(**shared), Settings(**shared | {name: getattr(self, f"other_{name}") for name in OWN})


class Match(LiveRun):
    """One visitor's two runs and what was measured so far."""

    def __init__(self):
        super().__init__()
        self.duel: Duel | None = None
        self.images: Images | None = None  # of a visitor's own zip
        self.states: list[State] = []
        self.frames: tuple[list[Frame], list[Frame]] = ([], [])
        self.changes: list[tuple[int, str]] = []

    @property
    def started(self) -> bool:
        return bool(self.states)

    @property
    def step(self) -> int:
        """Steps that both runs have made."""
        return self.states[-1].step if self.states else 0

    @property
    def goal(self) -> int:
        return self.duel.steps

    @property
    def rate(self) -> float:
        """Steps a second of computing, both runs counted."""
        return 2 * self.step / self.seconds if self.seconds else 0.0

    def begin(self, duel: Duel) -> None:
        """Fresh networks for both runs, from one seed; raises InputError and then leaves the old match as it was."""
        states = [start(settings, self.images) for settings in duel.runs()]
        self.pause()
        self.duel, self.states, self.seconds = duel, states, 0.0
        self.frames, self.changes = ([], []), []

    def change(self, duel: Duel) -> None:
        """New settings from the next slice on; structure that a run cannot change waits for the next start."""
        if not self.states:
            self.duel = duel
            return
        before = asdict(self.duel)
        kept = {
            name: before[name]
            for name in before
            if name.removeprefix("other_") in ("encoder", "dataset", "batch_norm", "dim", "seed")
        }
        new = Duel(**asdict(duel) | kept)
        changed = [name for name, value in asdict(new).items() if value != before[name] and name != "steps"]
        self.duel = new
        if changed and self.step:
            self.changes.append((self.step, ", ".join(changed)))

    def _advance(self, steps: int) -> None:
        for i, settings in enumerate(self.duel.runs()):
            self.states[i], frames = advance(self.states[i], settings, steps)
            self.frames[i].extend(frames)
