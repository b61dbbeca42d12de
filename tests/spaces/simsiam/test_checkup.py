"""Each verdict on a case made to deserve it."""

import numpy as np
import pytest

from spaces.simsiam import checkup
from spaces.simsiam.checkup import examine

RNG = np.random.default_rng(0)
N, D = 800, 64
CENTRES, LABELS = RNG.normal(size=(20, D)), RNG.integers(0, 20, N)
DIRECTIONS = RNG.normal(size=(20, D))

CASES = {
    "constant": (np.ones((N, D)), "complete"),
    "rounding": (np.ones((N, D)) + 1e-3 * RNG.normal(size=(N, D)), "complete"),
    "zeros": (np.zeros((50, 4)), "complete"),
    "scaled constant": (np.outer(RNG.uniform(1, 9, N), np.ones(D)), "complete"),
    "cone": (1 + 0.3 * RNG.normal(size=(N, D)), "partial"),
    "three directions": (RNG.normal(size=(N, 3)) @ RNG.normal(size=(3, D)), "dimensional"),
    "tight clusters": (CENTRES[LABELS] + 0.02 * RNG.normal(size=(N, D)), "local"),
    "thin clusters": (CENTRES[LABELS] + 0.6 * RNG.normal(size=(N, 1)) * DIRECTIONS[LABELS], "local"),
    "duplicates": (np.repeat(RNG.normal(size=(10, D)), 50, axis=0), "local"),
    "gaussian": (RNG.normal(size=(N, D)), "noise"),
    "clusters": (CENTRES[LABELS] + 0.6 * RNG.normal(size=(N, D)), "healthy"),
    "twelve directions": (
        RNG.normal(size=(N, 12)) @ RNG.normal(size=(12, D)) + 0.3 * RNG.normal(size=(N, D)), "healthy"),
    "two rows": (RNG.normal(size=(2, 8)), "too_few"),
    "one dimension": (RNG.normal(size=(50, 1)), "too_few"),
    "one dimension, one sign": (np.ones((50, 1)), "too_few"),
    "circle": (RNG.normal(size=(N, 2)), "healthy"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_verdict(name):
    z, kind = CASES[name]
    report = examine(z.astype(np.float32))
    assert report.kind == kind, report
    assert f"{report.std:.3f}" in report.zh and f"{report.std:.3f}" in report.en
    assert report.spectrum.shape == (z.shape[1],) and np.isfinite(report.spectrum).all()


def test_numbers_of_known_cases():
    gaussian = examine(CASES["gaussian"][0])
    assert gaussian.std == pytest.approx(1, abs=0.01) and gaussian.overlap == pytest.approx(0, abs=0.01)
    copies = examine(np.repeat(RNG.normal(size=(N, 8)), 8, axis=1))
    assert copies.overlap > 0.5 and copies.effective_rank == pytest.approx(8, rel=0.05)
    points = examine(CASES["duplicates"][0])
    assert points.duplicates == 490 and points.separation == pytest.approx(1, abs=1e-3)
    assert [c.rows for c in points.clusters] == [50] * 10 and all(c.effective_rank == 0 for c in points.clusters)


def test_length_does_not_matter():
    z = CASES["clusters"][0]
    long = examine(z * RNG.uniform(1, 1e4, (N, 1)))
    assert long.std == pytest.approx(examine(z).std, abs=1e-5)


def test_extras_are_said():
    z = CASES["clusters"][0].copy()
    z[:7] = 0
    z[100:400] = z[100]
    report = examine(z)
    assert (report.zero_rows, report.duplicates) == (7, 299)
    assert "7 rows are zero" in report.en and "299 rows repeat" in report.en and "299 行" in report.zh


def test_large_files_are_sampled(monkeypatch):
    monkeypatch.setattr(checkup, "SAMPLE", 300)
    report = examine(CASES["gaussian"][0])
    assert (report.rows, report.sampled) == (N, 300) and report.std == pytest.approx(1, abs=0.02)


def test_halves_of_duplicated_dimensions_agree():
    base = RNG.normal(size=(200, 16))
    everything = examine(np.concatenate([base] * 40, axis=1))  # each half holds nearly every one of the 16
    assert everything.overlap > 0.6
