"""What the tab calls the cells and their paths."""

import math

from shared.i18n import tr
from spaces.gradient_flow.race_figures import NAMES as CELLS

PATHS = {
    "carry": tr("门控直通", "carry"),
    "input": tr("输入门", "input gate"),
    "forget": tr("遗忘门", "forget gate"),
    "candidate": tr("候选", "candidate"),
    "output": tr("输出门", "output gate"),
    "reset": tr("重置门", "reset gate"),
    "update": tr("更新门", "update gate"),
    "attention": tr("注意力", "attention"),
}
CELL_CHOICES = [(label, name) for name, label in CELLS.items()]


def steps_of(half_life: float) -> str:
    """A half-life in steps as text: one decimal below ten, ∞ where nothing is lost, – where it is not known."""
    if math.isnan(half_life):
        return "–"
    return "∞" if math.isinf(half_life) else f"{half_life:.1f}" if half_life < 10 else f"{half_life:,.0f}"
