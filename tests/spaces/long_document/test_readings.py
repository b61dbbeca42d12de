"""Five readings of one text, their time and memory, and the API."""

import time

import pytest
import torch

from shared.experiment import InputError
from spaces.long_document import api, readings
from spaces.long_document import reader as readers
from spaces.long_document.readings import Clock, Meter, cut_ids, perform, pick_task, windows
from spaces.long_document.settings import READINGS, Read
from tests.spaces.long_document import tiny

TEXT = "甲乙丙丁，" * 20


@pytest.fixture(scope="module")
def reader():
    return tiny.reader()


def test_the_whole_is_the_usual_pass_and_the_beginning_is_a_part_of_it(reader):
    ids = reader.encode(TEXT)
    *_, (share, whole) = perform(reader, ids, "genre", "whole")
    assert share == 1 and whole.scores == pytest.approx(tiny.classify(reader, TEXT, "genre"), abs=1e-5)
    assert whole.tokens == ids.shape[1] and whole.seconds > 0 and sum(whole.scores.values()) == pytest.approx(1)
    *_, (_, begin) = perform(reader, ids, "genre", "20")
    assert begin.scores == pytest.approx(tiny.classify(reader, TEXT, "genre", 20), abs=1e-5) and begin.tokens == 20


@pytest.mark.parametrize("name", READINGS)
def test_every_reading_reports_its_progress(reader, name):
    shares = [share for share, _ in perform(reader, reader.encode(TEXT), "province", name)]
    assert shares == sorted(shares) and shares[-1] == 1


def test_windows_cover_every_token_and_average(reader, monkeypatch):
    monkeypatch.setattr(readings, "WINDOW", 16)
    monkeypatch.setattr(windows, "__defaults__", (16,))
    ids = torch.arange(100, 150)[None]
    parts = windows(ids, 7)
    assert all(part[0, 0] == 100 and part[0, -1] == 149 and part.shape[1] <= 16 for part in parts)
    assert set(torch.cat(parts, 1)[0].tolist()) == set(range(100, 150))
    assert len(windows(ids[:, :16], 7)) == 1
    assert all(part.shape[1] > 2 for stride in (14, 15, 16) for part in windows(ids[:, :44], stride))  # none empty
    ids = reader.encode(TEXT)
    *_, (_, found) = perform(reader, ids, "genre", "sliding", 7)
    expected = torch.stack([tiny.logits(reader, part, "genre") for part in windows(ids, 7)]).mean(0).softmax(0)
    assert sorted(found.scores.values()) == pytest.approx(sorted(expected.tolist()), abs=1e-5)
    assert found.tokens == ids.shape[1]


def test_a_cut_keeps_the_closing_token():
    ids = torch.arange(10)[None]
    assert cut_ids(ids, 4).tolist() == [[0, 1, 2, 9]] and cut_ids(ids, 10) is ids


def test_memory_is_what_grew():
    with Meter(torch.device("cpu")) as meter:
        held = torch.ones(200 * 2**20 // 4)
        assert held.sum() > 0
    assert 150 < meter.peak_mb < 260  # other tests may have left pages to be taken up again


def test_a_clock_learns(reader, monkeypatch):
    monkeypatch.setattr(readings, "load_named", lambda name: reader)
    clock = Clock()
    before = clock.seconds(reader, "whole", 5000)
    assert before > 0 and clock.seconds(reader, "whole", 512) <= before
    clock.correct(reader, "whole", 5000, 7 * before)
    assert clock.seconds(reader, "whole", 5000) == pytest.approx(7 * before)
    clock.correct(reader, "sliding", 5000, 1.0)
    assert clock.seconds(reader, "whole", 5000) == pytest.approx(7 * before)
    assert len(clock._known) == 1  # nothing was timed for the sliding reading
    assert clock.seconds(reader, "512", 10**6) == clock.seconds(reader, "whole", 512)


def test_a_clock_times_warm_readings_in_its_turn(reader, monkeypatch):
    seen, real, turns = [], readings.read, readings.accelerator.backend().turns

    def watched(model, ids, backend):
        seen.append((ids.shape[1], turns._free < turns.places))
        return real(model, ids, backend)

    monkeypatch.setattr(readings, "load_named", lambda name: reader)
    monkeypatch.setattr(readings, "read", watched)
    clock = Clock()
    assert clock.seconds(reader, "performer", 4000) == pytest.approx(2 * clock.seconds(reader, "performer", 2000))
    assert clock.seconds(reader, "whole", 10**6) > 3 * clock.seconds(reader, "whole", 5 * 10**5)  # pairs, not tokens
    assert seen == [(64, True), (256, True)] * 2  # the first warms up and does not count


def test_waiting_for_others_is_not_reading(reader):
    work = perform(reader, reader.encode(TEXT), "genre", "whole")
    next(work)
    time.sleep(0.5)
    *_, (_, found) = work
    assert found.seconds < 0.4


def test_tasks(reader):
    assert pick_task(reader, "genre")[0] == tiny.TASKS["genre"]
    with pytest.raises(InputError, match="province, genre|genre, province"):
        pick_task(reader, "mood")


def test_the_api_answers_and_names_what_is_wrong(tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "WEIGHTS", tiny.saved(tmp_path / "weights"))
    found = api.classify_document(TEXT, "genre", "512")
    assert set(found) == {"label", "scores", "tokens", "seconds", "peak_mb"}
    assert found["label"] == max(found["scores"], key=found["scores"].get) in tiny.TASKS["genre"]
    assert api.classify_document(TEXT, "genre", "9")["tokens"] == 9
    for bad, field in [
        (("", "genre", "whole"), "text"),
        ((TEXT, "mood", "whole"), "task"),
        ((TEXT, ["genre"], "whole"), "task"),
        ((TEXT, "genre", "half"), "reading"),
        ((TEXT, "genre", "2"), "reading"),
        ((TEXT, "genre", "9" * 30), "reading"),
        (("甲" + TEXT * 10, "genre", "whole"), "text"),
    ]:
        with pytest.raises(InputError) as caught:
            api.classify_document(*bad)
        assert caught.value.field == field


def test_the_api_refuses_what_would_take_hours(tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "WEIGHTS", tiny.saved(tmp_path / "weights"))
    monkeypatch.setattr(api.CLOCK, "seconds", lambda reader, name, tokens: 901.0 if name == "whole" else 1.0)
    with pytest.raises(InputError, match="text.*901 s, at most 900"):
        api.classify_document(TEXT, "genre", "whole")
    assert api.classify_document(TEXT, "genre", "9")["tokens"] == 9


def test_settings_name_the_field():
    for bad, field in [
        ({"readings": ()}, "readings"),
        ({"readings": ("all",)}, "readings"),
        ({"readings": ("512", "512")}, "readings"),
        ({"stride": 0}, "stride"),
        ({"model": "x" * 500}, "model"),
    ]:
        with pytest.raises(InputError) as caught:
            Read(**bad)
        assert caught.value.field == field
