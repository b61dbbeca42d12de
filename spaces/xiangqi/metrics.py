"""How well a policy agrees with the moves played: top-1 and top-5 among legal moves, mass on illegal ones."""

from __future__ import annotations

from collections import defaultdict

import torch

PHASES = ("opening", "middlegame", "endgame")


def phase(ply: int, board: list[int]) -> str:
    """Endgame: at most six of the twelve rooks, horses and cannons are left; opening: else, the first 20 plies."""
    if sum(cell in (4, 5, 6, 11, 12, 13) for cell in board) <= 6:
        return "endgame"
    return "opening" if ply < 20 else "middlegame"


def agreement(policy: torch.Tensor, legal: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
    """Per position (N,): top1, top5, illegal_mass and raw_legal, as float32.

    policy: logits (N, 8100) over all moves; legal: bool (N, 8100); target: the move played (N,).
    """
    p = policy.float().softmax(-1)
    best = policy.float().masked_fill(~legal, float("-inf")).topk(5, -1).indices
    hit = best == target[:, None]
    return {
        "top1": hit[:, 0].float(),
        "top5": hit.any(-1).float(),
        "illegal_mass": (p * ~legal).sum(-1),
        "raw_legal": legal.gather(-1, policy.argmax(-1, keepdim=True))[:, 0].float(),
    }


class Tally:
    """Means of figures, over all positions and by phase."""

    def __init__(self):
        self.sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        self.counts: dict[str, int] = defaultdict(int)

    def add(self, where: str, figures: dict[str, float]) -> None:
        for key in (where, "all"):
            self.counts[key] += 1
            for name, value in figures.items():
                self.sums[key][name] += value

    def _means(self, key: str) -> dict:
        count = self.counts[key]
        return {name: round(total / count, 5) for name, total in self.sums[key].items()} | {"plies": count}

    def report(self) -> dict:
        """{"top1": …, "plies": …, "by_phase": {phase: the same}}; only the count when nothing was added."""
        phases = {key: self._means(key) for key in PHASES if self.counts[key]}
        return (self._means("all") if self.counts["all"] else {"plies": 0}) | {"by_phase": phases}
