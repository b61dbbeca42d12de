"""The author's verdict, tried: pump and filter are not essential, ceramsite and plants are.

Something is taken out of a grown tank, or was never in it, and the same days are judged in all tanks: what is essential
is what keeps the complete tank from harm and the other not. Harm is NH₃ or nitrite (or nitrate) above its limit of
water.py for a whole day. Try first: `judge(Tank())`.

A model's verdict is as good as its parameters, so `sensitivity` asks again under draws from all their plausible ranges
at once (a seeded Latin hypercube), and `vote` counts; `python -m spaces.aquarium.verdicts` prints the result. Draws
whose complete tank is itself in trouble say nothing about what is essential, for the author's was not: they are not
asked.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, qmc, spearmanr

from shared.experiment import InputError
from spaces.aquarium.parameters import PARAMETERS, Values
from spaces.aquarium.settings import Tank
from spaces.aquarium.tank import Run, simulate
from spaces.aquarium.water import LIMITS

REMOVED = ("pump", "ceramsite", "plants")
AUTHOR = {"pump": False, "ceramsite": True, "plants": True}
"""Whether the author calls it essential."""
OPEN = ("undecided", "open_nitrate")
"""Verdicts that neither agree nor refute."""
SITUATIONS = ("later", "never")
DRAWS = 64
LOGARITHMIC = 10
"""A range at least so wide (high over low) is drawn on a logarithmic scale."""


@dataclass(frozen=True)
class Outcome:
    """One set of parameters: in each tank the level that NH₃/nitrite and nitrate exceed for a day, over the limit."""

    values: Values
    hazard: dict[str, float]
    """"complete", "pump", "ceramsite", "plants" → NH₃ or nitrite, whichever is worse, over its limit of harm."""
    nitrate: dict[str, float]
    """The same for nitrate."""

    def verdict(self, removed: str) -> str:
        """essential_acute, essential_nitrate, not_essential; undecided where the complete tank fails by itself, and
        open_nitrate where it does so for nitrate alone, and worse without."""
        if self.hazard["complete"] > 1:
            return "undecided"
        if self.hazard[removed] > 1:
            return "essential_acute"
        if self.nitrate[removed] > max(1, self.nitrate["complete"]):
            return "essential_nitrate" if self.nitrate["complete"] <= 1 else "open_nitrate"
        return "not_essential"


@dataclass(frozen=True)
class Judgement:
    """The default question: the runs themselves and their outcome."""

    runs: dict[str, Run]
    outcome: Outcome

    def agrees(self, removed: str) -> bool | None:
        """Whether the model gives the author's verdict; None where it cannot tell."""
        verdict = self.outcome.verdict(removed)
        return None if verdict in OPEN else verdict.startswith("essential") == AUTHOR[removed]


def tanks(tank: Tank, situation: str = "later") -> dict[str, Tank]:
    """The complete tank and the three without something: taken out on `removal_day`, or never there."""
    if situation not in SITUATIONS:
        options = ", ".join(SITUATIONS)
        raise InputError("situation", f"须为 {options} 之一。", f"must be one of {options}.")
    complete = tank.but(removed="none")
    later = {"complete": complete, **{name: tank.but(removed=name) for name in REMOVED}}  # the day has to fit
    if situation == "later":
        return later
    never = {"pump": {"pump": False}, "ceramsite": {"ceramsite_kg": 0.0}, "plants": {"plants_g": 0.0}}
    return {"complete": complete, **{name: complete.but(**never[name]) for name in REMOVED}}


def judge(tank: Tank, changes: Mapping[str, float] | None = None, situation: str = "later") -> Judgement:
    """All four tanks under one set of parameters."""
    runs = {name: simulate(t, changes) for name, t in tanks(tank, situation).items()}
    return Judgement(runs, _outcome(runs, dict(changes or {}), tank.removal_day))


def _outcome(runs: Mapping[str, Run], values: Values, since: float) -> Outcome:
    def over(run: Run, name: str) -> float:
        return run.sustained(name, since) / LIMITS[name].harm

    hazard = {name: max(over(run, "nh3"), over(run, "no2")) for name, run in runs.items()}
    return Outcome(values, hazard, {name: over(run, "no3") for name, run in runs.items()})


def draw(count: int = DRAWS, seed: int = 0) -> list[Values]:
    """Latin-hypercube draws of all parameters from their plausible ranges."""
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= 1024:
        raise InputError("draws", "须为 1 到 1024 之间的整数。", "must be a whole number from 1 to 1024.")
    units = qmc.LatinHypercube(len(PARAMETERS), rng=np.random.default_rng(seed)).random(count)
    return [{name: _scaled(name, float(u)) for name, u in zip(PARAMETERS, row, strict=True)} for row in units]


def _scaled(name: str, u: float) -> float:
    p = PARAMETERS[name]
    if p.low > 0 and p.high / p.low >= LOGARITHMIC:
        return math.exp(math.log(p.low) + u * math.log(p.high / p.low))
    return p.low + u * (p.high - p.low)


def sensitivity(tank: Tank, draws: int = DRAWS, seed: int = 0, situation: str = "later") -> Iterator[Outcome]:
    """One outcome for each draw of the parameters, as they are computed."""
    four = tanks(tank, situation)
    for values in draw(draws, seed):
        yield _outcome({name: simulate(t, values) for name, t in four.items()}, values, tank.removal_day)


@dataclass(frozen=True)
class Vote:
    """How many draws call something essential, of those that can be asked."""

    asked: int
    """Draws whose complete tank keeps NH₃ and nitrite below harm."""
    acute: int
    """Of these, draws in which the tank without it does not."""
    asked_nitrate: int
    """Of the asked, draws whose complete tank keeps nitrate, too, below harm."""
    nitrate: int
    """Of these, draws in which the tank without it does not keep nitrate there."""

    @property
    def undecided(self) -> bool:
        """Whether nobody could be asked."""
        return not self.asked


def vote(outcomes: Sequence[Outcome]) -> dict[str, Vote]:
    """The draws' vote on pump, ceramsite and plants."""
    well = [o for o in outcomes if o.hazard["complete"] <= 1]
    clean = [o for o in well if o.nitrate["complete"] <= 1]
    return {
        name: Vote(
            len(well), sum(o.hazard[name] > 1 for o in well), len(clean), sum(o.nitrate[name] > 1 for o in clean)
        )
        for name in REMOVED
    }


def drivers(outcomes: Sequence[Outcome], removed: str, count: int = 6) -> list[tuple[str, float]]:
    """The parameters that decide how bad the tank without it gets: Spearman's ρ with its hazard, strongest first."""
    hazard = [o.hazard[removed] for o in outcomes]
    if len(hazard) < 8:
        return []
    ranked = [(name, float(spearmanr([o.values[name] for o in outcomes], hazard)[0])) for name in PARAMETERS]
    return sorted(ranked, key=lambda pair: -abs(pair[1]))[:count]


def chance_level(draws: int) -> float:
    """|ρ| that none of the parameters reaches by chance in 95 % of studies with so many draws (Bonferroni)."""
    return float(norm.ppf(1 - 0.025 / len(PARAMETERS)) / math.sqrt(draws - 1)) if draws > 1 else math.inf


def main() -> None:
    """Print the default verdict and the draws' vote in both situations, one Markdown row each."""
    parser = argparse.ArgumentParser(description="the author's verdict under plausible parameters")
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print("| situation | without | default: NH₃/NO₂, NO₃ over harm | essential for NH₃/NO₂ | for nitrate | author |")
    print("| --- | --- | --- | --- | --- | --- |")
    for situation in SITUATIONS:
        default = judge(Tank(), situation=situation).outcome
        told = vote(list(sensitivity(Tank(), options.draws, options.seed, situation)))
        for name, v in told.items():
            over = f"{default.hazard[name]:.2f}, {default.nitrate[name]:.2f}"
            counted = f"{v.acute} of {v.asked} | {v.nitrate} of {v.asked_nitrate}"
            print(f"| {situation} | {name} | {over} | {counted} | {'' if AUTHOR[name] else 'not '}essential |")


if __name__ == "__main__":
    main()
