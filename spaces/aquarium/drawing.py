"""The tank's floor as SVG: pipes as wide as they are, water that runs as fast as it does, inlets as large as they draw.

A pure function; the colours are the page's own. Each inlet carries `data-inlet`, so that a page may let a visitor clog
it. Water stands still for readers who prefer reduced motion.
"""

from __future__ import annotations

import numpy as np

from shared.i18n import tr
from spaces.aquarium.pipes import Flows
from spaces.aquarium.settings import FLOOR

SCALE = 1000.0
"""Drawing units per metre: millimetres."""
MARGIN = 22.0
DASH = 14.0
SLOWEST, FASTEST = 0.25, 12.0
"""Seconds that a dash takes for its own length: at most fast, at least slow."""
STEP = 0.1
"""Speeds closer than this (relative) are drawn alike."""
REAL = 6.0
"""How much slower than in the tank the water is drawn."""
STYLE = """
.kx-floor { width: 100%; height: auto; display: block; }
.kx-floor .glass { fill: var(--kx-surface); stroke: var(--kx-line); stroke-width: 3; }
.kx-floor .pipe { stroke: var(--kx-line); stroke-linecap: round; fill: none; }
.kx-floor .water { stroke: var(--kx-counter); stroke-linecap: butt; stroke-dasharray: 7 7; fill: none;
  animation: kx-floor-run var(--beat) linear infinite; }
.kx-floor .inlet { fill: var(--kx-counter); stroke: var(--kx-surface); stroke-width: 1.5; }
.kx-floor .outlet { fill: var(--kx-ink); }
.kx-floor .clogged { stroke: var(--kx-accent); stroke-width: 3; fill: none; }
.kx-floor .reach { fill: transparent; cursor: pointer; }
.kx-floor .strong { fill: var(--kx-accent); }
@keyframes kx-floor-run { from { stroke-dashoffset: 14; } to { stroke-dashoffset: 0; } }
@media (prefers-reduced-motion: reduce) { .kx-floor .water { animation: none; } }
"""
UNEVEN = 0.10
"""An inlet further than this from the mean is marked in the accent colour."""


def floor(flows: Flows) -> str:
    """The floor from above with the network's pipes, its water in motion and its inlets."""
    width, height = (SCALE * side + 2 * MARGIN for side in FLOOR)
    return (
        f'<svg class="kx-floor" viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{_said(flows)}">'
        f"<style>{STYLE}</style>"
        f'<rect class="glass" x="{MARGIN:.0f}" y="{MARGIN:.0f}" width="{SCALE * FLOOR[0]:.0f}" '
        f'height="{SCALE * FLOOR[1]:.0f}" rx="6"/>'
        f"{''.join(_pipes(flows))}{''.join(_inlets(flows))}{_outlet(flows)}</svg>"
    )


def _said(flows: Flows) -> str:
    """The drawing in one sentence."""
    count, cv = int(flows.open.sum()), 100 * flows.variation
    return tr(
        f"鱼缸底部的水管，{count} 个进水口，流量变异系数 {cv:.1f}%",
        f"pipes on the tank's floor, {count} inlets, coefficient of variation {cv:.1f} %",
    )


def _place(point: np.ndarray) -> tuple[float, float]:
    """Metres on the floor → drawing units; y grows downwards."""
    return float(MARGIN + SCALE * point[0]), float(MARGIN + SCALE * (FLOOR[1] - point[1]))


def _pipes(flows: Flows) -> list[str]:
    """Every pipe's wall, then the water running towards the outlet; alike pipes are one path, animated at once."""
    layout = flows.layout
    area = np.pi * layout.diameter**2 / 4
    beats = [_beat(v) for v in flows.pipe * 1e-3 / 3600 / area]
    ends, room = set((layout.inlets - 1).tolist()), 0.8 * layout.pitch
    walls: dict[str, list[str]] = {}
    water: dict[str, list[str]] = {}
    for edge, towards in enumerate(layout.towards):
        (x0, y0), (x1, y1) = _place(layout.position[edge + 1]), _place(layout.position[towards])
        run = f"M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}"
        wide = SCALE * (min(layout.diameter[edge], room) if edge in ends else layout.diameter[edge])
        walls.setdefault(f'stroke-width="{1.15 * wide + 1:.1f}"', []).append(run)
        if flows.pipe[edge] > 0:
            width = f'stroke-width="{max(0.45 * wide, 1):.1f}" style="--beat: {beats[edge]:.2f}s"'
            water.setdefault(width, []).append(run)
    paths = [f'<path class="pipe" d="{"".join(runs)}" {width}/>' for width, runs in walls.items()]
    return paths + [f'<path class="water" d="{"".join(runs)}" {width}/>' for width, runs in water.items()]


def _beat(speed: float) -> float:
    """Seconds for one dash at a speed in m/s, in steps of a tenth."""
    beat = np.clip(REAL * DASH / SCALE / max(speed, 1e-9), SLOWEST, FASTEST)
    return float(np.clip(np.exp(np.round(np.log(beat) / STEP) * STEP), SLOWEST, FASTEST))


def _inlets(flows: Flows) -> list[str]:
    """Discs with areas in proportion to what the inlets draw, crosses where they are clogged."""
    mean = flows.inlet[flows.open].mean()
    size = SCALE * min(0.16 * np.sqrt(FLOOR[0] * FLOOR[1] / len(flows.inlet)), 0.45 * flows.layout.pitch)
    drawn = []
    for number, node in enumerate(flows.layout.inlets):
        x, y = _place(flows.layout.position[node])
        share = flows.inlet[number] / mean
        if flows.open[number]:
            kind = "inlet strong" if abs(share - 1) > UNEVEN else "inlet"
            said = f"{number}: {flows.inlet[number]:.2f} L/h"
            radius = min(size * np.sqrt(share), 2.2 * size)
            mark = f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"/>'
        else:
            said = tr(f"{number}：堵住", f"{number}: clogged")
            arm = size * 0.7
            mark = (
                f'<path class="clogged" d="M{x - arm:.1f} {y - arm:.1f} L{x + arm:.1f} {y + arm:.1f} '
                f'M{x - arm:.1f} {y + arm:.1f} L{x + arm:.1f} {y - arm:.1f}"/>'
            )
        reach = f'<circle class="reach" cx="{x:.1f}" cy="{y:.1f}" r="{max(2 * size, 9):.1f}"/>'
        drawn.append(f'<g data-inlet="{number}"><title>{said}</title>{mark}{reach}</g>')
    return drawn


def _outlet(flows: Flows) -> str:
    """Where the pump draws."""
    x, y = _place(flows.layout.position[0])
    said = tr("出水口（水泵）", "outlet (pump)")
    return f'<g><title>{said}</title><circle class="outlet" cx="{x:.1f}" cy="{y:.1f}" r="12"/></g>'
