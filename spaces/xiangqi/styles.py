"""Whom *sighted* may be told to imitate: any human player, the winner of a game, the engine."""

from __future__ import annotations

STYLES = ("human", "winner", "engine")
HUMAN, WINNER, ENGINE = range(3)
