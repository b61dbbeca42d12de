"""The tank's nitrogen as differential equations: what flows from which pool into which, in mg a day.

Food becomes ammonia (TAN), ammonia oxidisers (AOB) make nitrite of it, nitrite oxidisers (NOB) nitrate; plants take
both ends of the chain. There are two waters, the open one above and the one between the grains; each has its own
bacteria, as many as its surfaces carry, and they exchange water: the pump's flow, or, without it, what digging animals
and convection move. Oxygen follows the same roads; where it runs out nitrification stops and denitrification begins.

Pools are masses (mg N; oxygen mg) in the order of POOLS. Nothing vanishes: animals' growth, N₂ and escaped NH₃ are
pools. Left out: alkalinity (pH is given), phosphorus and carbon limits, roots in the bed, day and night, turtles that
eat plants.
"""

from __future__ import annotations

from collections.abc import Sequence

from spaces.aquarium.parameters import Values
from spaces.aquarium.place import AREA, Place, capacities, feed_nitrogen, food, plant_nitrogen
from spaces.aquarium.settings import Tank
from spaces.aquarium.water import ammonia_share, arrhenius, oxygen_saturation

POOLS = (
    *("tan", "no2", "no3", "oxygen", "bed_tan", "bed_no2", "bed_no3", "bed_oxygen", "aob", "nob", "bed_aob", "bed_nob"),
    *("waste", "plants", "animals", "denitrified", "volatilised"),
)
OXYGEN = tuple(POOLS.index(name) for name in ("oxygen", "bed_oxygen"))
AOB_OXYGEN, NOB_OXYGEN, DENITRIFIED_OXYGEN = 3.43, 1.14, 2.86
"""g O₂ that 1 g N takes to nitrite, from there to nitrate, and that 1 g nitrate-N spares when denitrified."""
TRACE = 1e-3
"""mg/L below which what is consumed counts as gone."""


class Bacteria:
    """AOB and NOB on surfaces: Monod in substrate and oxygen, Arrhenius in temperature, a step in pH, NH₃ on NOB."""

    def __init__(self, tank: Tank, v: Values, aob_capacity: float, nob_capacity: float):
        aob_warm = arrhenius(v["aob_activation"], tank.temperature)
        nob_warm = arrhenius(v["nob_activation"], tank.temperature)
        self.aob_speed = v["aob_growth"] * aob_warm / (1 + 100 ** (v["aob_ph"] - tank.ph))
        self.nob_speed = v["nob_growth"] * nob_warm / (1 + 100 ** (v["nob_ph"] - tank.ph))
        self.aob_death, self.nob_death = v["aob_decay"] * aob_warm, v["nob_decay"] * nob_warm
        self.aob_half, self.nob_half = v["aob_half"], v["nob_half"]
        self.aob_oxygen, self.nob_oxygen = v["aob_oxygen"], v["nob_oxygen"]
        self.aob_yield, self.nob_yield = v["aob_yield"], v["nob_yield"]
        self.poison, self.un_ionised = v["nob_ammonia"], ammonia_share(tank.temperature, tank.ph)
        self.aob_capacity, self.nob_capacity = aob_capacity, nob_capacity

    def __call__(self, tan: float, no2: float, oxygen: float, aob: float, nob: float) -> tuple[float, ...]:
        """N oxidised by AOB and NOB, N built in by both (from TAN), N shed or dead of each; mg/d."""
        tan, no2, air = max(tan, 0.0), max(no2, 0.0), max(oxygen, 0.0)
        safe = self.poison / (self.poison + self.un_ionised * tan)
        built_a = self.aob_speed * aob * tan / (self.aob_half + tan) * air / (self.aob_oxygen + air)
        built_n = self.nob_speed * nob * no2 / (self.nob_half + no2) * air / (self.nob_oxygen + air) * safe
        built_n *= tan / (TRACE + tan)  # NOB are built of ammonia, too
        lost_a = built_a * aob / self.aob_capacity + self.aob_death * aob  # crowded films shed what grows on them
        lost_n = built_n * nob / self.nob_capacity + self.nob_death * nob
        return built_a / self.aob_yield, built_n / self.nob_yield, built_a + built_n, built_a, built_n, lost_a, lost_n


class Law:
    """The right-hand side, law(t, pools) → d pools/dt, while nothing in the tank is changed."""

    def __init__(self, tank: Tank, v: Values, here: Place, stocked: bool):
        self.v, self.here = v, here
        caps = capacities(here, v)
        self.glass = Bacteria(tank, v, *caps[:2])
        self.grains = Bacteria(tank, v, *caps[2:]) if here.bed else None
        self._feed(tank, v, stocked)
        self.warm = arrhenius(50.0, tank.temperature, 24.0)  # waste and plants: twice as fast every 10 °C
        self.saturation = oxygen_saturation(tank.temperature)
        self.aeration = 1000 * AREA * v["pumped_aeration" if tank.pump else "still_aeration"]
        self.escape = 1000 * AREA * v["volatilisation"] * ammonia_share(tank.temperature, tank.ph)
        self.settled = v["settled"] if here.bed else 0.0
        self.room = 1000 * AREA * v["plant_room"] + plant_nitrogen(tank, v)

    def _feed(self, tank: Tank, v: Values, stocked: bool) -> None:
        """The food's nitrogen: kept by the animals, excreted, or waste; all of it waste while there are none."""
        fed = feed_nitrogen(tank, v)
        self.retained = v["retained"] * fed if stocked else 0.0
        self.excreted = min(v["excreted"] * fed, fed - self.retained) if stocked else 0.0
        self.wasted = fed - self.retained - self.excreted
        self.breath = 1000 * v["respiration"] * food(tank, v) if stocked else 0.0

    def __call__(self, _: float, y: Sequence[float]) -> list[float]:
        d = [0.0] * len(POOLS)
        mineralised = self.v["mineralisation"] * self.warm * y[12]
        sunk = self.settled * mineralised
        self._open(y, d, mineralised - sunk)
        self._plants(y, d)
        if self.grains:
            self._bed(y, d, sunk)
        d[12] += self.wasted - mineralised
        d[14] = self.retained
        return d

    def _open(self, y: Sequence[float], d: list[float], mineralised: float) -> None:
        """Animals, air and the films on glass and leaves."""
        bulk = self.here.open
        tan, no2, oxygen = y[0] / bulk, y[1] / bulk, y[3] / bulk
        to_no2, to_no3, built, built_a, built_n, lost_a, lost_n = self.glass(tan, no2, oxygen, y[8], y[9])
        escaped = self.escape * max(tan, 0.0)
        air = max(oxygen, 0.0)
        burnt = self.v["waste_oxygen"] * mineralised * air / (0.2 + air) + self.breath * air / (0.5 + air)
        d[0] += self.excreted + mineralised - to_no2 - built - escaped
        d[1] += to_no2 - to_no3
        d[2] += to_no3
        d[3] += self.aeration * (self.saturation - oxygen) - burnt - AOB_OXYGEN * to_no2 - NOB_OXYGEN * to_no3
        d[8], d[9] = built_a - lost_a, built_n - lost_n
        d[12] += lost_a + lost_n
        d[16] = escaped

    def _plants(self, y: Sequence[float], d: list[float]) -> None:
        """Logistic growth on ammonium and nitrate, ammonium preferred; withered leaves are waste."""
        v, bulk, leaves = self.v, self.here.open, max(y[13], 0.0)
        ammonium, nitrate = max(y[0] / bulk, 0.0), max(y[2] / bulk, 0.0)
        available = ammonium + nitrate
        full = max(0.0, 1 - leaves / self.room)
        uptake = v["plant_growth"] * self.warm * leaves * full * available / (v["plant_half"] + available)
        weighed = v["plant_preference"] * ammonium
        of_ammonium = uptake * weighed / (weighed + nitrate + 1e-12)
        withered = v["plant_decay"] * self.warm * leaves
        d[0] -= of_ammonium
        d[2] -= uptake - of_ammonium
        d[3] += v["plant_oxygen"] * uptake  # what withers takes oxygen later, as waste
        d[12] += withered
        d[13] = uptake - withered

    def _bed(self, y: Sequence[float], d: list[float], sunk: float) -> None:
        """The water between the grains: exchange, films, and waste that burns oxygen or, without it, nitrate."""
        v, bulk, pores = self.v, self.here.open, self.here.bed
        tan, no2, no3, oxygen = y[4] / pores, y[5] / pores, y[6] / pores, y[7] / pores
        to_no2, to_no3, built, built_a, built_n, lost_a, lost_n = self.grains(tan, no2, oxygen, y[10], y[11])
        left = max(no3, 0.0)
        anoxic = v["anoxic_oxygen"] / (v["anoxic_oxygen"] + max(oxygen, 0.0))
        burnt = sunk * v["waste_oxygen"]
        denitrified = burnt * anoxic / DENITRIFIED_OXYGEN * left / (v["anoxic_half"] + left)
        d[4] = sunk - to_no2 - built
        d[5] = to_no2 - to_no3
        d[6] = to_no3 - denitrified
        d[7] = -AOB_OXYGEN * to_no2 - NOB_OXYGEN * to_no3 - burnt * (1 - anoxic)
        for i, inside in enumerate((tan, no2, no3, oxygen)):
            moved = self.here.exchange * (y[i] / bulk - inside)
            d[i] -= moved
            d[4 + i] += moved
        d[10], d[11] = built_a - lost_a, built_n - lost_n
        d[12] += lost_a + lost_n
        d[15] = denitrified
