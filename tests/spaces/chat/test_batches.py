"""Rows of a stream: shifted by one, begun where a document begins or half a context inside, all documents in turn."""

import numpy as np
import torch

from spaces.chat.batches import Batches, shuffled

EOD = 6


def _stream(lengths: list[int], first: int = 10) -> np.ndarray:
    """Documents of one repeated id each: 10, 11, …, every one after an <eod>."""
    return np.concatenate([np.array([EOD] + [first + i] * n, np.uint16) for i, n in enumerate(lengths)])


def test_shuffling_keeps_documents_whole_and_copies_them():
    streams = {"a": _stream([3, 1, 4]), "b": _stream([2, 2], first=50)}
    stream = shuffled(streams, EOD, {"a": 2, "b": 1}, seed=0)
    documents = sorted(tuple(part) for part in np.split(stream, np.flatnonzero(stream == EOD))[1:])
    expected = 2 * [(EOD, 10, 10, 10), (EOD, 11), (EOD, 12, 12, 12, 12)] + [(EOD, 50, 50), (EOD, 51, 51)]
    assert documents == sorted(expected)
    assert not np.array_equal(stream, shuffled(streams, EOD, {"a": 2, "b": 1}, seed=1))


def test_a_source_without_copies_is_left_out():
    assert set(shuffled({"a": _stream([3]), "b": _stream([2], 50)}, EOD, {"a": 1}, seed=0)) == {EOD, 10}


def test_rows_are_pieces_of_the_stream_shifted_by_one():
    stream = np.concatenate([[EOD], np.arange(7, 2000)]).astype(np.uint16)
    batches = Batches(stream, EOD, torch.device("cpu"), seed=0)
    ids, targets = batches.draw(64, 16)
    assert ids.shape == targets.shape == (64, 16) and ids.dtype == torch.int64
    assert torch.equal(ids[:, 1:], targets[:, :-1])
    assert torch.equal(targets[:, 1:], targets[:, :1] + torch.arange(1, 16))


def test_rows_begin_at_a_document_or_half_a_context_inside():
    stream = _stream(list(np.random.default_rng(0).integers(1, 60, 200)))
    batches = Batches(stream, EOD, torch.device("cpu"), seed=0)
    begins = 0
    for row in batches.draw(500, 16)[0]:
        if row[0] == EOD:
            begins += 1
            continue
        ends = (row == EOD).nonzero()
        inside = len(row) if len(ends) == 0 else int(ends[0])
        document = int((stream == int(row[0])).sum())
        assert document - inside >= 16 // 2 - 1 or len(ends) == 0
    assert 60 < begins < 200  # 8 of a document's 31 tokens on average


def test_draws_repeat_with_the_seed_and_are_counted():
    one, two, other = (Batches(_stream([30] * 9), EOD, torch.device("cpu"), seed) for seed in (1, 1, 2))
    assert torch.equal(one.draw(5, 8)[0], two.draw(5, 8)[0]) and not torch.equal(one.draw(5, 8)[0], other.draw(5, 8)[0])
    assert one.drawn == 10 * 8 and one.passes() == 10 * 8 / (31 * 9)
