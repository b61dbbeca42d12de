"""What the tab's handlers keep, refuse and leave behind."""

from dataclasses import astuple
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qsl

import gradio as gr
import pytest

from shared.experiment import InputError, from_query, to_query
from shared.live import Latest
from shared.page import Page, latest
from spaces.long_document import readings, ui
from spaces.long_document.manners import MANNERS
from spaces.long_document.settings import HIDDEN, Example, Explain, Read
from spaces.long_document.ui import document, evidence, labels, positions, read
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


def test_only_the_whole_speaks_for_the_document(monkeypatch):
    """Damaged or cut readings are no label to explain."""
    monkeypatch.setattr(read, "load_named", lambda name: tiny.reader())
    monkeypatch.setattr(readings, "load_named", lambda name: tiny.reader())
    doc = Document("甲乙丙" * 5)
    best = next(iter(tiny.classify(tiny.reader(), doc.text, "genre")))
    for wanted, label in ((("performer", "512"), ""), (("whole", "taylor"), best)):
        *_, last = read.answer(doc, *astuple(Read(readings=wanted)))
        assert last[-1] == (doc, "", "genre", label)


def test_a_fine_tuned_reading_needs_no_name(monkeypatch, tmp_path):
    monkeypatch.setattr(read, "fine_tuned", lambda name: tmp_path if name == "performer" else None)
    default = [("whole", None, "whole"), ("performer", None, "performer"), ("performer", tmp_path, "performer+")]
    assert list(read._planned(Read(readings=("whole", "performer")))) == default
    assert list(read._planned(Read(readings=("whole", "performer"), model="other"))) == default[:2]


def test_the_passage_that_was_clicked_is_moved(monkeypatch):
    """Its second occurrence too, and its words where the document has changed; for the label that is explained."""
    seen = []
    monkeypatch.setattr(evidence, "load_named", lambda name: tiny.reader())
    monkeypatch.setattr(evidence, "moved", lambda *given: seen.append(given[1:5]) or iter([(1.0, None)]))
    doc = Document("甲😀。乙。甲😀。丙。")
    click = SimpleNamespace(_data={"start": 6, "text": "甲😀。"})
    assert evidence.chosen(doc, click) == ["甲😀。", 5]
    for given, place in ((doc, 5), (Document("丁戊。甲😀。"), 5), (doc, 0)):
        list(evidence.slide(given, "", "genre", (), "甲😀。", place, *astuple(Explain(label="佛道"))))
    assert [(text[:2], span) for text, span, *_ in seen] == [("甲😀", (5, 8)), ("丁戊", (3, 6)), ("甲😀", (0, 3))]
    assert {label for *_, label in seen} == {"佛道"}
    for bad in ({"start": 0, "text": 3}, {"start": -1, "text": "甲"}, {"start": 0, "text": "甲" * 2001}, {"start": 0}):
        with pytest.raises(InputError, match="click"):
            evidence.chosen(doc, SimpleNamespace(_data=bad))


def test_an_example_leaves_another_model_its_task():
    assert document.asks_genre("other") == gr.skip()
    assert document.asks_genre("")["value"] == "genre" in [name for _, name in document.asks_genre("")["choices"]]


@pytest.fixture(scope="module")
def page():
    with gr.Blocks() as blocks:
        ui.build(Page("long_document"))
    return blocks


LAW = "第一条 为了保护水源，制定本条例。"
STREAMS = {  # button → runs that it ends: what they are given
    "long-stop": [(Document(LAW), *astuple(Read()))],
    "evidence-stop": [
        (Document(LAW), "", "genre", (), *astuple(Explain())),
        (Document(LAW), "", "genre", (), LAW, 0, *astuple(Explain(label="佛道"))),
    ],
    "labels-stop": [("labels.csv", "", "512")],
    "batch-stop": [("two.csv", None, "", "genre", "whole")],
}


@pytest.mark.parametrize("button", STREAMS)
def test_stop_ends_what_runs_and_says_so(page, button, tmp_path, monkeypatch):
    (tmp_path / "labels.csv").write_text("text,label\n" + "甲乙,a\n丙丁,b\n" * 10, encoding="utf-8")
    (tmp_path / "two.csv").write_text("text\n甲乙\n丙丁\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(evidence, "load_named", lambda name: tiny.reader())
    (stop,) = [b._id for b in page.blocks.values() if getattr(b, "elem_id", None) == button]
    clicks = [f for f in page.fns.values() if (stop, "click") in f.targets]
    (ends,), cancelled = [f for f in clicks if f.fn], {i for f in clicks for i in f.cancels}
    for state, given in zip(ends.inputs, STREAMS[button], strict=True):
        runs = [f for f in page.fns.values() if f.inputs and f.inputs[0] is state and f is not ends]
        assert runs and {f._id for f in runs} <= cancelled
        begun = Latest()
        stream = runs[0].fn(begun, *given)
        next(stream)
        said = ends.fn(*[begun if other is state else Latest() for other in ends.inputs])
        assert "Stopped" in str(said) and list(stream) == [gr.skip()]


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
    assert set(HIDDEN) == set(MANNERS)


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
