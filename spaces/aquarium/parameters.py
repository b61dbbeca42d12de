"""The nitrogen model's parameters in one table: value, unit, plausible range, source.

The article gives none of them, for it measured nothing. Where a source is named, its number stands there and the value
or the range follows from it; "our assumption" means that no measurement of such a tank was found. `verdicts.py` draws
all of them from their ranges at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.experiment import InputError
from shared.i18n import tr

OURS = tr("我们的假设", "our assumption")


@dataclass(frozen=True)
class Parameter:
    """One row: default, plausible range, unit, meaning in both languages, source."""

    value: float
    low: float
    high: float
    unit: str
    zh: str
    en: str
    source: str = OURS


VANNECKE = tr(
    "生物膜模型的通用值（如 biops）；文献的离散见 Vannecke & Volcke 2015",
    "usual in biofilm models, e.g. biops; for the literature's spread see Vannecke & Volcke 2015",
)
PARAMETERS: dict[str, Parameter] = {
    # ---- feeding and excretion
    "ration": Parameter(0.010, 0.005, 0.02, "g/g/d", "每日干饲料与体重之比", "dry feed per body weight and day"),
    "turtle_g": Parameter(10, 6, 20, "g", "每只龟苗的体重", "weight of a baby turtle"),
    "paradise_fish_g": Parameter(2.5, 1.5, 4, "g", "每条斗鱼的体重", "weight of a paradise fish"),
    "loach_g": Parameter(4, 2, 8, "g", "每条泥鳅的体重", "weight of a loach"),
    "protein": Parameter(
        0.40, 0.30, 0.50, "g/g", "饲料的蛋白质含量", "protein in the feed", tr("饲料标签", "feed labels")
    ),
    "excreted": Parameter(
        0.575,
        0.45,
        0.70,
        "1",
        "饲料氮中直接排成氨或尿素的",
        "feed N excreted as ammonia or urea",
        tr(
            "循环水养殖：总氨 = 0.092 × 饲料蛋白，0.092/0.16",
            "recirculating aquaculture: TAN = 0.092 × protein fed; 0.092/0.16",
        ),
    ),
    "retained": Parameter(
        0.25,
        0.11,
        0.36,
        "1",
        "饲料氮中留在动物体内的部分",
        "feed N that stays in the animals",
        tr("鱼只利用饵料氮的 11–36%（张波等 2024）", "fish use 11–36 % of the feed N (Zhang Bo et al. 2024)"),
    ),
    "mineralisation": Parameter(0.10, 0.03, 0.30, "1/d", "粪便残饵的矿化速率", "mineralisation of waste"),
    "settled": Parameter(0.7, 0.4, 0.95, "1", "落进陶粒床里的残渣比例", "share of waste that settles in the bed"),
    # ---- nitrifying bacteria, at 30 °C
    "aob_growth": Parameter(2.05, 0.8, 2.6, "1/d", "氨氧化菌最大生长速率", "AOB growth", VANNECKE),
    "nob_growth": Parameter(1.45, 0.6, 2.0, "1/d", "亚硝酸氧化菌最大生长速率", "NOB growth", VANNECKE),
    "aob_decay": Parameter(0.13, 0.05, 0.20, "1/d", "氨氧化菌衰亡", "AOB decay", VANNECKE),
    "nob_decay": Parameter(0.06, 0.03, 0.15, "1/d", "亚硝酸氧化菌衰亡", "NOB decay", VANNECKE),
    "aob_activation": Parameter(
        68, 55, 80, "kJ/mol", "氨氧化菌活化能", "AOB activation energy", "Vannecke & Volcke 2015"
    ),
    "nob_activation": Parameter(
        44, 35, 60, "kJ/mol", "亚硝酸氧化菌活化能", "NOB activation energy", "Vannecke & Volcke 2015"
    ),
    "aob_half": Parameter(
        1.9,
        0.5,
        2.4,
        "mg N/L",
        "氨氧化的半饱和浓度",
        "AOB half-saturation (TAN)",
        tr(
            "生物膜 27 °C 实测 1.93（Zhu & Chen 1999）；biops 用 2.4",
            "1.93 in a biofilm at 27 °C (Zhu & Chen 1999); 2.4 in biops",
        ),
    ),
    "nob_half": Parameter(
        0.5,
        0.2,
        2.0,
        "mg N/L",
        "亚硝酸氧化的半饱和浓度",
        "NOB half-saturation (nitrite)",
        tr("biops 用 0.5", "0.5 in biops"),
    ),
    "aob_oxygen": Parameter(
        0.6, 0.2, 1.2, "mg/L", "氨氧化的氧半饱和", "AOB half-saturation (oxygen)", tr("biops 用 0.6", "0.6 in biops")
    ),
    "nob_oxygen": Parameter(
        0.4,
        0.2,
        1.5,
        "mg/L",
        "亚硝酸氧化的氧半饱和",
        "NOB half-saturation (oxygen)",
        tr("biops 用 0.4", "0.4 in biops"),
    ),
    "aob_ph": Parameter(
        6.5,
        6.2,
        6.9,
        "pH",
        "氨氧化减半的 pH",
        "pH that halves AOB",
        tr("pH 6 以下停止（Painter 1986）；曲线形状是我们的", "stops below pH 6 (Painter 1986); the shape is ours"),
    ),
    "nob_ph": Parameter(
        7.0,
        6.6,
        7.2,
        "pH",
        "亚硝酸氧化减半的 pH",
        "pH that halves NOB",
        tr(
            "pH 6.5 无活性，7.5–9.95 不受抑制（Jiménez 等 2011）", "none at 6.5, full at 7.5–9.95 (Jiménez et al. 2011)"
        ),
    ),
    "nob_ammonia": Parameter(
        0.64,
        0.3,
        2.0,
        "mg N/L",
        "抑制亚硝酸氧化的游离氨",
        "NH₃-N that halves NOB",
        tr("46 µM（Park & Bae 2009）", "46 µM (Park & Bae 2009)"),
    ),
    "aob_yield": Parameter(
        0.0125,
        0.008,
        0.02,
        "g N/g N",
        "氨氧化菌产率",
        "AOB yield",
        tr("0.15 g COD/g N，菌体 CH₁.₈O₀.₅N₀.₂", "0.15 g COD/g N, biomass CH₁.₈O₀.₅N₀.₂"),
    ),
    "nob_yield": Parameter(
        0.0035,
        0.002,
        0.006,
        "g N/g N",
        "亚硝酸氧化菌产率",
        "NOB yield",
        tr("0.04 g COD/g N，同上", "0.04 g COD/g N, as above"),
    ),
    "areal_rate": Parameter(
        0.5,
        0.2,
        1.86,
        "g N/m²/d",
        "每平方米表面最多能硝化的氮",
        "nitrification a surface can carry",
        tr(
            "实验室生物膜最多 1.86（Zhu & Chen 1999）；鱼池实践 0.2–1",
            "1.86 at most in a laboratory biofilm (Zhu & Chen 1999); 0.2–1 in ponds",
        ),
    ),
    "seed": Parameter(
        1e-5,
        1e-6,
        1e-2,
        "1",
        "开缸时细菌占容纳量的比例",
        "bacteria at the start, of their most",
        tr(
            "我们反推：使默认的新缸四周养成（养鱼人说 4–6 周，FAO 水耕手册说 1–6 周）",
            "set by us so that the default tank cycles in four weeks (keepers: 4–6; FAO's aquaponics manual: 1–6)",
        ),
    ),
    "glass_share": Parameter(0.2, 0.05, 0.6, "1", "玻璃与叶面相对陶粒的有效程度", "glass and leaves against ceramsite"),
    # ---- the bed
    "bulk_density": Parameter(
        800,
        500,
        1000,
        "kg/m³",
        "陶粒堆积密度",
        "bulk density of the ceramsite",
        tr(
            "轻质陶粒 250–510；水族陶粒能沉，此值是我们的假设",
            "expanded clay is 250–510; aquarium ceramsite sinks, so our assumption",
        ),
    ),
    "through": Parameter(1.0, 0.3, 1.0, "1", "水泵流量中真正穿过陶粒的部分", "pump's flow that crosses the bed"),
    "stirring": Parameter(0.3, 0.03, 3.0, "m/d", "停泵后龟鱼翻动带来的床水交换", "exchange by digging, pump off"),
    "convection_kelvin": Parameter(
        0.2, 0.0, 1.0, "K", "停泵后床上下的温差（驱动对流）", "temperature step for convection"
    ),
    "convection_share": Parameter(0.1, 0.03, 0.3, "1", "浮力速度中真正交换的部分", "buoyant velocity that exchanges"),
    # ---- plants
    "dry_share": Parameter(0.08, 0.05, 0.12, "1", "水草干鲜比", "dry over fresh weight of the plants"),
    "plant_nitrogen": Parameter(0.03, 0.015, 0.045, "g/g", "水草干重含氮", "nitrogen in dry plants"),
    "plant_growth": Parameter(
        0.04, 0.01, 0.10, "1/d", "水草最大相对生长率（随光照）", "plants' growth at best, by light"
    ),
    "plant_decay": Parameter(0.005, 0.001, 0.02, "1/d", "水草枯落", "plants' decay"),
    "plant_half": Parameter(0.3, 0.05, 1.0, "mg N/L", "水草吸氮半饱和", "plants' half-saturation"),
    "plant_preference": Parameter(
        10,
        2,
        30,
        "1",
        "水草对铵相对硝酸盐的偏好",
        "plants' preference for ammonium",
        tr(
            "任何浓度下铵都更快（Nelson 等 1980）；倍数是我们的",
            "ammonium faster at every concentration (Nelson et al. 1980); the factor is ours",
        ),
    ),
    "plant_room": Parameter(5, 2, 15, "g N/m²", "每平方米底面最多能长的水草氮", "plant N that a floor can hold"),
    "leaf_area": Parameter(0.01, 0.005, 0.02, "m²/g", "每克鲜水草的叶面积", "leaf area per fresh gram"),
    # ---- gases
    "still_aeration": Parameter(0.5, 0.3, 1.0, "m/d", "静水面氧交换速度", "oxygen through a still surface"),
    "pumped_aeration": Parameter(
        2.0, 1.0, 5.0, "m/d", "水泵搅动水面后的氧交换速度", "oxygen through a stirred surface"
    ),
    "respiration": Parameter(
        0.25, 0.10, 0.40, "g O₂/g", "每克饲料，动物从水中耗的氧", "oxygen animals take per g of feed"
    ),
    "plant_oxygen": Parameter(20, 5, 40, "g O₂/g N", "水草每固定 1 克氮净放的氧", "oxygen the plants give per g N"),
    "waste_oxygen": Parameter(15, 8, 20, "g O₂/g N", "每矿化 1 克氮耗的氧", "oxygen that waste takes per g N"),
    "anoxic_oxygen": Parameter(0.2, 0.1, 0.5, "mg/L", "反硝化被氧抑制一半的浓度", "oxygen that halves denitrification"),
    "anoxic_half": Parameter(1.0, 0.2, 5.0, "mg N/L", "反硝化的硝酸盐半饱和", "denitrification's half-saturation"),
    "volatilisation": Parameter(0.2, 0.0, 1.0, "m/d", "氨气逸出水面的速度", "NH₃ through the surface"),
}

Values = dict[str, float]


def defaults() -> Values:
    """Every parameter's default."""
    return {name: p.value for name, p in PARAMETERS.items()}


def values(changes: Mapping[str, float] | None = None) -> Values:
    """The defaults with some of them changed; InputError for an unknown name or a value that is not a number ≥ 0."""
    for name, value in (changes or {}).items():
        if name not in PARAMETERS:
            raise InputError(str(name)[:40], "没有这一个参数。", "is not a parameter.")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e6:
            raise InputError(name, "须为 0 到 10⁶ 之间的数。", "must be a number from 0 to 10⁶.")
    return {**defaults(), **(changes or {})}
