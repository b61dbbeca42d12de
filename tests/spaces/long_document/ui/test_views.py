"""What the tab's handlers keep, refuse and leave behind."""

from dataclasses import astuple
from pathlib import Path
from urllib.parse import parse_qsl

import gradio as gr
import pytest

from shared.experiment import InputError, from_query, to_query
from shared.live import Latest
from shared.page import latest
from spaces.long_document.generator import EVIDENCE
from spaces.long_document.settings import HIDDEN, Example, Explain, Read
from spaces.long_document.ui import document, evidence, labels, positions
from spaces.long_document.ui.document import Document, tidy
from tests.spaces.long_document import tiny


def test_a_label_is_of_the_document_that_was_read(monkeypatch):
    reader = tiny.reader()
    monkeypatch.setattr(evidence, "perform_named", lambda *_: iter([(0.5, None), (1.0, Found("史书"))]))
    first, second = Document("甲乙丙"), Document("丁戊")
    said = (first, "", "genre", "佛道")
    assert list(evidence._label("", reader, first, "genre", said)) == [(1.0, "佛道")]
    for doc, model, given in ((second, "", said), (first, "other", said), (first, "", ())):
        assert list(evidence._label(model, reader, doc, "genre", given)) == [(0.5, ""), (1.0, "史书")]
    assert list(evidence._label("", reader, second, "genre", said, "医药养生")) == [(1.0, "医药养生")]


class Found:
    def __init__(self, label: str):
        self.label = label


def test_no_bar_is_left_standing():
    def work():
        yield ["a bar"]
        raise InputError("text", "坏。", "is bad.")

    seen = []
    with pytest.raises(InputError):
        for outputs in tidy(work, lambda: [""])():
            seen.append(outputs)
    assert seen == [["a bar"], [""]]


def test_a_newer_run_ends_the_older_one():
    runs = Latest()
    stream = latest(tidy(lambda name: iter([[name, 1], [name, 2]]), lambda: []))
    older, newer = stream(runs, "old"), stream(runs, "new")
    assert next(older) == ["old", 1] and next(newer) == ["new", 1]
    assert list(older) == [gr.skip()] and list(newer) == [["new", 2], gr.skip()]


def test_links_carry_the_book_and_the_label():
    for settings in (Read(tokens=4096, place=10.0, genre="佛道", seed=7, task="genre"), Explain(label="史书")):
        query = dict(parse_qsl(to_query(settings)[1:]))
        assert from_query(type(settings), query) == (settings, [])
    assert from_query(Read, {"genre": "nonsense"})[1][0].field == "genre"
    assert set(HIDDEN) == set(EVIDENCE)


def test_a_link_brings_its_book_and_the_tasks_of_its_model(monkeypatch):
    monkeypatch.setattr(document, "load_named", lambda name="": tiny.reader() if not name else Other())
    assert len(list(document.restored("", *astuple(Example())))) == 1  # the default book is not composed
    *_, (tasks, book, _, _) = document.restored("other", *astuple(Example(tokens=600, genre="佛道")))
    assert tasks["value"] == "labels" and book.evidence


class Other:
    tasks = {"labels": (["a"], slice(0, 1))}


def test_the_label_of_a_link_stays_if_it_is_one(monkeypatch):
    monkeypatch.setattr(evidence, "load_named", lambda name: tiny.reader())
    assert evidence.labels_of("", "genre", "佛道")["value"] == "佛道"
    assert evidence.labels_of("", "genre", "北京")["value"] == ""


def test_emptied_boxes_fall_back():
    assert positions.out(None, None) == [0, 4 * 1536]
    with pytest.raises(InputError):
        positions.out(-1, 1536)


def test_the_example_leaves_no_folder_behind(monkeypatch):
    monkeypatch.setattr(labels, "load_named", tiny.reader)
    shown = labels.example()
    path = Path(next(shown)[0])
    assert path.read_text("utf-8").startswith("text,label")
    assert list(shown) == [] and not path.parent.exists()
