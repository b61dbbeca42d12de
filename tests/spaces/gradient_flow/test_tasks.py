"""The tasks: what must be remembered is where they say it is, and knowing nothing scores what they say."""

from __future__ import annotations

import math

import pytest
import torch

from spaces.gradient_flow.tasks import ALPHABET, CLOSE, LONGEST, MOST_DELAY, MOST_SYMBOLS, WINDOW, Adding, Copy, task


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_copy_asks_for_the_symbols_after_the_delay():
    batch = Copy(3).draw(7, 5, generator())
    assert batch.x.shape == (3 + 7 + 3, 5, Copy.inputs) and batch.y.shape == (3, 5)
    read = batch.x.argmax(-1)
    assert (batch.x.sum(-1) == 1).all() and (read[:3] == batch.y).all()
    assert (read[3:10] == ALPHABET).all() and (read[10:] == ALPHABET + 1).all()
    assert batch.needed[:3].all() and not batch.needed[3:].any()


def test_adding_asks_for_the_sum_of_two_numbers_a_delay_apart():
    batch = Adding().draw(9, 200, generator())
    values, marks = batch.x.unbind(-1)
    assert batch.x.shape == (9 + 2 * WINDOW, 200, 2) and (marks.sum(0) == 2).all()
    assert torch.equal(batch.y[0], (values * marks).sum(0))
    first, last = marks.argmax(0), len(marks) - 1 - marks.flip(0).argmax(0)
    assert (last - first - 1).min() == 9 and first.max() == WINDOW - 1 and last.min() == len(marks) - WINDOW
    assert (batch.needed.sum(0) == 1).all() and torch.equal(batch.needed.int().argmax(0), first)


def test_who_knows_nothing_of_the_sum_scores_the_closed_form():
    batch = Adding().draw(1, 200_000, generator())
    loss, accuracy = Adding().score(torch.ones(1, 200_000, 1), batch.y)
    assert float(loss) == pytest.approx(1 / 6, abs=2e-3) and Adding.baseline == pytest.approx(1 / 6)
    assert float(accuracy) == pytest.approx(2 * CLOSE - CLOSE**2, abs=3e-3)
    assert Adding.chance == pytest.approx(2 * CLOSE - CLOSE**2)
    for constant in (0.9, 1.1):
        assert Adding().score(torch.full((1, 200_000, 1), constant), batch.y)[0] > loss


def test_who_knows_nothing_of_the_symbols_scores_the_closed_form():
    batch = Copy(2).draw(1, 100_000, generator())
    loss, accuracy = Copy(2).score(torch.zeros(2, 100_000, ALPHABET), batch.y)
    assert float(loss) == pytest.approx(math.log(4), rel=1e-6) and Copy.baseline == math.log(4)
    assert float(accuracy) == pytest.approx(Copy.chance, abs=5e-3)


def test_right_answers_score_best():
    batch = Copy(2).draw(3, 50, generator())
    z = 100.0 * torch.nn.functional.one_hot(batch.y, ALPHABET)
    assert [float(v) for v in Copy(2).score(z, batch.y)] == [0, 1]
    batch = Adding().draw(3, 50, generator())
    assert [float(v) for v in Adding().score(batch.y[..., None], batch.y)] == [0, 1]


@pytest.mark.parametrize("name", ["copy", "adding"])
def test_batches_depend_on_the_generator_alone(name):
    draws = [task(name, 2).draw(4, 6, generator(seed)).x for seed in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])


def test_the_longest_sequence_is_long_enough():
    assert max(len(task(n, MOST_SYMBOLS).draw(MOST_DELAY, 1, generator()).x) for n in ("copy", "adding")) == LONGEST
