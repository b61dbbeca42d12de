"""The two tasks: answers that are in the question, and images that are whole."""

from __future__ import annotations

import torch
from sklearn.datasets import load_digits

from spaces.attention.tasks import (
    KEYS,
    LEVELS,
    PATCH,
    SIDE,
    TESTED,
    VALUES,
    digits,
    draw,
    held_out,
    images,
    recall,
    vocabulary,
)


def test_every_question_has_its_answer_among_the_pairs():
    batch = recall(8, 10, torch.Generator().manual_seed(0))
    assert batch.tokens.shape == (8, 20, 2) and batch.labels.shape == (8, 10)
    for tokens, labels in zip(batch.tokens, batch.labels, strict=True):
        known = {int(key): int(value) - KEYS for key, value in tokens[:10]}
        assert len(known) == 10
        assert [known[int(key)] for key, _ in tokens[10:]] == labels.tolist()
        assert (tokens[10:, 1] == KEYS + VALUES).all()
    assert batch.tokens.max() < vocabulary("recall")[0]


def test_patches_are_the_whole_image():
    tokens, labels = images()
    assert tokens.shape == (1797, SIDE**2, PATCH**2 + 1) and tokens.max() + 1 == vocabulary("digits")[0]
    levels = tokens[..., : PATCH**2] - LEVELS * torch.arange(PATCH**2)
    whole = levels.view(-1, SIDE, SIDE, PATCH, PATCH).transpose(2, 3).reshape(-1, 64)
    x, y = load_digits(return_X_y=True)
    theirs = {(tuple(a), int(b)) for a, b in zip(x.astype(int).tolist(), y, strict=True)}
    assert {(tuple(a), int(b)) for a, b in zip(whole.tolist(), labels[:, 0], strict=True)} == theirs


def test_test_images_are_never_drawn():
    kept = {tuple(t) for t in held_out("digits", 0, 0).tokens.flatten(1).tolist()}
    assert len(held_out("digits", 0, 0).labels) == TESTED
    for step in range(20):
        assert not kept & {tuple(t) for t in draw("digits", 64, 0, 0, step).tokens.flatten(1).tolist()}


def test_a_step_has_its_batch():
    assert torch.equal(draw("recall", 4, 5, 1, 7).tokens, draw("recall", 4, 5, 1, 7).tokens)
    assert not torch.equal(draw("recall", 4, 5, 1, 7).tokens, draw("recall", 4, 5, 1, 8).tokens)
    assert digits(3, torch.Generator().manual_seed(0)).labels.shape == (3, 1)
