"""Water's chemistry and what harms fish: un-ionised ammonia, oxygen at saturation, limits with their sources."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from shared.i18n import tr

NITROGEN = 14.007
"""g/mol"""
GERMAN_DEGREES = 2.804
"""°dH of carbonate hardness (KH) in 1 mmol/L of alkalinity."""
ION = {"tan": 18.039 / NITROGEN, "no2": 46.005 / NITROGEN, "no3": 62.004 / NITROGEN}
"""Mass of the ion over the mass of its nitrogen: NH₄⁺, NO₂⁻, NO₃⁻."""


def ammonia_pka(celsius: float) -> float:
    """pKa of NH₄⁺ in fresh water: 0.09018 + 2729.92/T (Emerson et al. 1975)."""
    return 0.09018 + 2729.92 / (celsius + 273.15)


def ammonia_share(celsius: float, ph: Any) -> Any:
    """Share of the total ammonia that is un-ionised NH₃."""
    return 1 / (1 + 10 ** (ammonia_pka(celsius) - ph))


def oxygen_saturation(celsius: float) -> float:
    """mg/L in fresh water under air at sea level (Benson & Krause 1984)."""
    t = celsius + 273.15
    return math.exp(-139.34411 + 1.575701e5 / t - 6.642308e7 / t**2 + 1.2438e10 / t**3 - 8.621949e11 / t**4)


def alkalinity_used(tan: Any, no2: Any, no3: Any, tap_nitrate: float) -> Any:
    """mmol/L of alkalinity that tap water loses while food becomes these ions (mg N/L), with plants, N₂ and all.

    A balance of charges: food, plants, bacteria and N₂ carry none, so alkalinity + NO₂⁻ + NO₃⁻ − NH₄⁺ stays what it was
    in the tap; ammonia is taken to be dosed as NH₃.
    """
    return (no3 - tap_nitrate + no2 - tan) / NITROGEN


def arrhenius(kilojoules: float, celsius: float, reference: float = 30.0) -> float:
    """Rate at a temperature over the rate at the reference."""
    t, t0 = celsius + 273.15, reference + 273.15
    return math.exp(kilojoules * 1e3 * (t - t0) / (8.314 * t * t0))


@dataclass(frozen=True)
class Limit:
    """Where caution begins and where harm does, mg N/L, and whose numbers these are."""

    name: str
    caution: float
    harm: float
    source: str


LIMITS = {
    "nh3": Limit(
        tr("非离子氨 NH₃-N", "un-ionised ammonia NH₃-N"),
        0.02,
        0.05,
        tr(
            "长期暴露不超过 0.025 mg NH₃/L（EIFAC 1970）；斑点叉尾鮰在 0.048 mg N/L 以下生长不受影响"
            "（Colt & Tchobanoglous 1978，见 ECHA 卷宗）；0.03–0.05 mg/L 长期有害（Hütter 1990）",
            "0.025 mg NH₃/L for long exposure (EIFAC 1970); channel catfish grow unharmed below 0.048 mg N/L "
            "(Colt & Tchobanoglous 1978, in ECHA's dossier); 0.03–0.05 mg/L harms in the long run (Hütter 1990)",
        ),
    ),
    "no2": Limit(
        tr("亚硝酸盐 NO₂-N", "nitrite NO₂-N"),
        0.1,
        0.30,
        tr(
            "养殖水体通常低于 0.1（Boyd 2014）；虹鳟在 1 mg NO₂/L（0.30 mg N/L）中 28 天存活不受影响，"
            "0.2 mg NO₂/L 起生长减慢（Kroupová 等 2008）；氯离子有保护作用",
            "usually below 0.1 in fish farms (Boyd 2014); rainbow trout survive 28 days in 1 mg NO₂/L (0.30 mg N/L), "
            "growing more slowly from 0.2 mg NO₂/L (Kroupová et al. 2008); chloride protects",
        ),
    ),
    "no3": Limit(
        tr("硝酸盐 NO₃-N", "nitrate NO₃-N"),
        11.3,
        20.0,
        tr(
            "养鱼人的上限 50 mg NO₃/L = 11.3 mg N/L；稀有鮈鲫仔鱼在 19.95 mg N/L 以下生长不受影响（Luo 等 2016）",
            "50 mg NO₃/L = 11.3 mg N/L is the keepers' limit; larvae of the rare minnow grow unharmed up to "
            "19.95 mg N/L (Luo et al. 2016)",
        ),
    ),
}
