"""Time and memory: the memory that is known, where lines cross, what is left out."""

from __future__ import annotations

import pytest
import torch

from shared.experiment import InputError
from spaces.attention.pay import MATRIX_BYTES, Pay, Row, crossover, disturbed, forward, measure, peak_bytes, too_much
from spaces.attention.pay_figures import rounded
from spaces.attention.ui.pay import verdict

CPU = not torch.cuda.is_available()


@pytest.mark.skipif(not CPU, reason="the CPU's allocations are known exactly")
def test_the_matrix_takes_two_of_itself():
    q, k, v = (torch.randn(1, 1, 300, 8) for _ in range(3))
    used = peak_bytes(lambda: forward(q, k, v, "matrix", Pay()))
    # scores and weights, then weights and output: what comes between is freed as it is replaced
    assert used == pytest.approx(2 * 4 * 300**2 + 4 * 300 * 8, abs=64)


@pytest.mark.skipif(not CPU, reason="the CPU's allocations are known exactly")
def test_memory_of_a_known_computation():
    x = torch.zeros(1000)
    assert peak_bytes(lambda: x + x) == pytest.approx(4000, abs=64)
    assert peak_bytes(lambda: (x + x) * x) == pytest.approx(8000, abs=64)


def test_rows_come_for_every_length_and_memory_grows_as_it_should():
    settings = Pay(longest=1024, dim=16)
    rows = {(r.length, r.backend): r for r in measure(settings)}
    assert set(rows) == {(n, b) for n in (256, 512, 1024) for b in settings.backends}
    assert all(r.seconds > 0 for r in rows.values())
    assert rows[1024, "matrix"].bytes > 3.9 * rows[512, "matrix"].bytes
    assert rows[1024, "performer"].bytes < 2.1 * rows[512, "performer"].bytes
    assert rows[1024, "auto"].bytes < rows[1024, "matrix"].bytes / 4


@pytest.mark.parametrize("causal", [False, True])
def test_the_matrix_is_what_the_exact_kernel_computes(causal):
    q, k, v = (torch.randn(1, 2, 50, 8) for _ in range(3))
    settings = Pay(causal=causal)
    assert torch.allclose(forward(q, k, v, "matrix", settings), forward(q, k, v, "auto", settings), atol=1e-5)


def rows(name: str, *seconds: float) -> list[Row]:
    return [Row(name, 256 * 2**i, s, 1) for i, s in enumerate(seconds)]


def test_crossings_are_interpolated_and_never_extrapolated():
    exact = rows("auto", 1, 4, 16, 64)
    assert crossover(exact + rows("taylor", 4, 8, 16, 32), "taylor", "auto") == pytest.approx(1024)
    assert crossover(exact + rows("taylor", 2, 4.0001, 8, 16), "taylor", "auto") == pytest.approx(512, rel=1e-3)
    assert crossover(exact + rows("taylor", 3, 6, 12, 24), "taylor", "auto") == pytest.approx(256 * 3, rel=1e-6)
    assert crossover(exact + rows("taylor", 100, 100, 100, 100), "taylor", "auto") is None
    assert crossover(exact + rows("taylor", 0.5, 1, 2, 3), "taylor", "auto") == 256
    assert crossover(exact + rows("taylor", 0.5, 8, 8, 8), "taylor", "auto") > 512  # the last crossing counts
    assert crossover(exact, "taylor", "auto") is None


def test_times_that_fall_with_the_length_are_told():
    calm = rows("auto", 1, 4, 16, 64) + rows("taylor", 4, 3.5, 7, 14)
    assert disturbed(calm) is None
    assert "忙" not in verdict(calm, Pay(), True)
    busy = calm + rows("performer", 4, 246, 61, 535)
    assert disturbed(busy) == ("performer", 512, 1024)
    assert "Performer took far less at 1,024 than at 512" in verdict(busy, Pay(), True)


def test_crossings_are_told_to_two_digits():
    assert [rounded(n) for n in (256, 4523.4, 11_499)] == ["260", "4,500", "11,000"]


def test_what_would_take_too_long_or_too_much_is_left_out():
    settings = Pay(heads=2)
    assert too_much(settings, "matrix", int((MATRIX_BYTES / 8) ** 0.5) + 1, None)
    assert not too_much(settings, "matrix", 2048, None)
    assert too_much(settings, "auto", 2048, Row("auto", 1024, 2.0, 1))
    assert not too_much(settings, "taylor", 2048, Row("taylor", 1024, 2.0, 1))


def test_features_are_those_of_taylor_unless_given():
    assert Pay(dim=32).count == 562 and Pay(dim=16).count == 154 and Pay(features=64).count == 64
    assert Pay(longest=3000).lengths == [256, 512, 1024, 2048, 3000]


@pytest.mark.parametrize(
    "field, settings",
    [("longest", {"longest": 100}), ("dim", {"dim": 2}), ("count", {"features": 33}), ("backends", {"backends": ()}),
     ("causal", {"causal": 1}), ("threads", {"threads": "two"})],
)  # fmt: skip
def test_bad_settings_are_named(field, settings):
    with pytest.raises(InputError) as error:
        Pay(**settings)
    assert error.value.field == field
