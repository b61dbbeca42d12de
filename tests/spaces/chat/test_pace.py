"""The number of threads follows what steps take: given by a clock of our own."""

import subprocess
import sys

import pytest
import torch

from spaces.chat import pace
from spaces.chat.pace import LATEST, Pace, torch_threads


class World:
    """Steps that take what they take with the threads set."""

    def __init__(self, monkeypatch, seconds):
        self.now, self.threads, self.seconds, self.counts = 0.0, None, seconds, {1: 0, 2: 0}
        monkeypatch.setattr(pace.time, "perf_counter", lambda: self.now)
        self.pace = Pace(self.set, 2)

    def set(self, number):
        self.threads = number

    def step(self):
        self.now += self.seconds[self.threads]
        self.counts[self.threads] += 1
        return self.threads

    def run(self, steps):
        return [self.pace.run(self.step) for _ in range(steps)]


@pytest.fixture
def world(monkeypatch):
    return lambda *seconds: World(monkeypatch, dict(zip((1, 2), seconds, strict=True)))


def test_idle_cores_are_taken(world):
    idle = world(0.005, 0.003)
    assert idle.run(400)[-1] == 2 and idle.counts[2] > 350


def test_busy_cores_are_tried_ever_more_rarely(world):
    busy = world(0.006, 0.2)
    busy.run(3000)
    assert busy.counts[2] <= 8 and busy.pace.threads == 1


def test_a_machine_that_becomes_busy_is_left_and_comes_back(world):
    machine = world(0.005, 0.003)
    machine.run(200)
    machine.seconds[2] = 0.1
    machine.run(400)
    assert machine.pace.threads == 1
    machine.seconds[2] = 0.003
    machine.run(2 * LATEST)
    assert machine.pace.threads == 2


def test_one_core_is_never_left(world):
    alone = world(0.005, 0.001)
    alone.pace.most = 1
    assert set(alone.run(100)) == {1}


def test_torchs_threads_are_this_threads_own():
    usual = torch.get_num_threads()
    try:
        torch_threads(1)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(usual)


def test_numpys_threads_are_set_where_they_can_be():
    """In a process of its own: here an engine of another test may still be at its last step and set them too."""
    script = """if True:
        from spaces.chat.pace import _numpys_blas, blas_threads
        for number in (1, 2):
            blas_threads(number)
            assert all(library.num_threads == number for library in _numpys_blas())"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
