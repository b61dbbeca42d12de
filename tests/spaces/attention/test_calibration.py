"""Calibration errors of cases that are known."""

from __future__ import annotations

import pytest
import torch

from spaces.attention.calibration import ece, ece_mass, reliability


def test_known_errors():
    sure, right = torch.tensor([0.9, 0.9, 0.6, 0.6]), torch.tensor([1.0, 1.0, 0.0, 1.0])
    assert float(ece(sure, right)) == pytest.approx(0.1)  # half at 0.9 right, half at 0.6 right in one of two
    assert float(ece_mass(sure, right, bins=2)) == pytest.approx(0.1)
    assert float(ece(sure, right, bins=1)) == pytest.approx(0)  # 3 of 4 right, 0.75 sure


def test_always_sure_and_half_right():
    sure, right = torch.ones(10), torch.tensor([1.0, 0.0] * 5)
    assert float(ece(sure, right)) == pytest.approx(0.5) == float(ece_mass(sure, right, bins=1))


def test_a_calibrated_classifier_has_hardly_any():
    random = torch.Generator().manual_seed(0)
    sure = 0.5 + 0.5 * torch.rand(200_000, generator=random)
    right = (torch.rand(200_000, generator=random) < sure).float()
    assert float(ece(sure, right)) < 0.01 and float(ece_mass(sure, right)) < 0.01
    assert float(ece(sure, 1 - right)) > 0.3


def test_edges_belong_to_the_bin_below_and_runs_stay_apart():
    sure, right = torch.tensor([[0.2, 0.20001, 1.0], [0.1, 0.1, 0.1]]), torch.ones(2, 3)
    count, confidence, accuracy = reliability(sure, right, bins=5)
    assert count.tolist() == [[1, 1, 0, 0, 1], [3, 0, 0, 0, 0]]
    assert confidence[0, 4] == 1 and accuracy[1, 0] == 1
    assert ece(sure, right).shape == (2,)
