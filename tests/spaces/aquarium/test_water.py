import pytest

from spaces.aquarium import water


@pytest.mark.parametrize(
    "celsius, ph, percent", [(25, 7.0, 0.566), (20, 8.0, 3.82), (25, 9.0, 36.3), (15, 7.5, 0.859), (30, 8.5, 20.3)]
)
def test_un_ionised_ammonia_is_that_of_emersons_table(celsius, ph, percent):
    assert 100 * water.ammonia_share(celsius, ph) == pytest.approx(percent, rel=0.01)


def test_half_is_un_ionised_at_the_pka():
    assert water.ammonia_share(25, water.ammonia_pka(25)) == pytest.approx(0.5)
    assert water.ammonia_pka(25) == pytest.approx(9.246, abs=1e-3)


@pytest.mark.parametrize("celsius, mg", [(0, 14.62), (5, 12.80), (14, 10.37), (20, 9.09), (30, 7.56)])
def test_oxygen_at_saturation(celsius, mg):
    assert water.oxygen_saturation(celsius) == pytest.approx(mg, rel=0.007)


def test_fifty_of_nitrate_cost_2_3_degrees_of_hardness():
    used = water.alkalinity_used(0.0, 0.0, 50 / water.ION["no3"], 0.0)
    assert used == pytest.approx(0.8, abs=0.01)  # mmol/L
    assert used * water.GERMAN_DEGREES == pytest.approx(2.3, abs=0.05)


def test_nitrifying_dosed_ammonium_costs_two_charges():
    before, after = water.alkalinity_used(14.007, 0.0, 0.0, 0.0), water.alkalinity_used(0.0, 0.0, 14.007, 0.0)
    assert after - before == pytest.approx(2)  # 7.14 mg CaCO₃ per mg N


def test_ions_over_nitrogen():
    assert 10 * water.ION["no3"] == pytest.approx(44.27, abs=0.01)
    assert water.LIMITS["no3"].caution * water.ION["no3"] == pytest.approx(50, abs=0.1)
    assert water.LIMITS["no2"].harm * water.ION["no2"] == pytest.approx(1, abs=0.02)


def test_arrhenius():
    assert water.arrhenius(68, 30) == 1
    assert water.arrhenius(68, 20) == pytest.approx(0.398, abs=0.002)  # exp(−68000/8.314 · (1/293.15 − 1/303.15))


def test_harm_begins_above_caution_and_has_a_source_in_both_languages():
    for limit in water.LIMITS.values():
        assert 0 < limit.caution < limit.harm and "\u2063" in limit.source
