"""The continuations are put into the model, measured, and taken out again."""

import json

import numpy as np
import pytest
import torch

from spaces.long_document import measure as measuring
from spaces.long_document.blockwise import read
from spaces.long_document.data import Document
from spaces.long_document.measure import Anywhere, Way, measure
from spaces.long_document.positions import WAYS, continue_positions, find_positions
from tests.spaces.long_document import tiny

P = torch.randn(16, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", WAYS)
def test_anywhere_is_the_way_from_a_place_on(name):
    expected = continue_positions(P, 200, name, 0.3)
    table = Anywhere(P, Way(name, 0.3), 0, begin=90)
    index = torch.arange(100)
    torch.testing.assert_close(table(index + 0)[:50], expected[90:140] if name != "random" else table(index)[:50])


def test_accuracy_of_every_way_and_the_model_as_before(monkeypatch, tmp_path):
    reader = tiny.reader()
    monkeypatch.setattr(measuring, "ALPHAS", (0.3, 0.5))
    random = np.random.default_rng(0)
    documents = [Document(random.integers(5, 90, 60).astype(np.uint16), "genre", 7, "books", "") for _ in range(3)]
    ids = torch.randint(5, 60, (1, 60))
    *_, (_, before) = read(reader.model, ids)
    monkeypatch.setattr(measuring, "ids_of", lambda document, limit: ids[:, :limit])
    found = measure(reader, documents, places=(0, 32), lengths=(16, 60))
    *_, (_, after) = read(reader.model, ids)
    torch.testing.assert_close(before, after)
    assert set(found["by_place"]) == {"α = 0.3", "α = 0.5", "tile", "clamp", "random", "zero"}
    assert all(len(v) == 2 and all(0 <= x <= 1 for x in v) for v in found["by_length"].values())
    first = {tuple(values[:1]) for values in found["by_length"].values()}
    assert len(first) == 1  # within the trained positions all ways are the same
    assert json.dumps(found) and find_positions(reader.model)[1].num_embeddings == 16
