"""Many documents: bad ones do no harm, and an interrupted table goes on where it stopped."""

from dataclasses import replace

import pytest

from shared.experiment import InputError
from spaces.long_document.batch import COLUMNS, Row, classify, from_csv, hash_of, to_csv
from spaces.long_document.many import Named
from spaces.long_document.readings import windows
from tests.spaces.long_document import tiny

DOCUMENTS = [
    Named("a", "甲乙丙" * 5),
    Named("b", error=InputError("b", "坏了。", "is broken.")),
    Named("=1+1", "丁戊甲" * 9),
    Named("long", "甲乙" * 400),
]


@pytest.fixture(scope="module")
def reader():
    return tiny.reader()


def test_every_document_has_a_row(reader):
    found = list(classify(reader, DOCUMENTS, "genre", "whole"))
    shares, rows = zip(*[(share, row) for share, row in found if row], strict=True)
    assert shares == (0.25, 0.5, 0.75, 1)
    assert any(0 < share < 0.25 for share, row in found if row is None)  # long ones are stopped on the way
    assert [bool(row.error) for row in rows] == [False, True, False, True]  # the last has more than 256 tokens
    assert rows[0].label == next(iter(tiny.classify(reader, DOCUMENTS[0].text, "genre")))
    assert "at most 256" in rows[3].error


def test_an_earlier_table_is_not_read_again(reader, monkeypatch):
    rows = [row for _, row in classify(reader, DOCUMENTS[:3], "genre", "whole") if row]
    table = to_csv(rows)
    assert "'=1+1" in table  # a spreadsheet would run it
    known = from_csv(table.encode())
    monkeypatch.setattr("spaces.long_document.batch.perform", None)
    again = [row for _, row in classify(reader, DOCUMENTS[:3], "genre", "whole", known=known)]
    assert [row.label for row in again] == [row.label for row in rows] and again[0].hash == hash_of(DOCUMENTS[0].text)
    moved = [replace(DOCUMENTS[0], name="elsewhere")]
    assert [row.name for _, row in classify(reader, moved, "genre", "whole", known=known)] == ["elsewhere"]
    for reading, model in (("512", ""), ("whole", "another")):  # another question
        with pytest.raises(TypeError):
            list(classify(reader, DOCUMENTS[:1], "genre", reading, model, known))


def test_a_table_comes_back_as_it_was():
    rows = [Row("=1+1", "h", label, -0.5, 3, 0.25, "whole", "genre") for label in ("-1", "'-1", "'x", "''=x", "")]
    assert from_csv(to_csv(rows).encode()) == rows


def test_only_the_whole_has_a_limit(reader, monkeypatch):
    monkeypatch.setattr(windows, "__defaults__", (16,))
    for reading in ("20", "sliding"):
        *_, (_, row) = classify(reader, DOCUMENTS[3:], "genre", reading)
        assert row.label and not row.error


def test_a_table_is_not_unpacked_beyond_what_is_read():
    header = (",".join(COLUMNS) + "\n").encode()
    assert len(from_csv(header + b"a\n" * 5000)) == 2000
    assert from_csv(header + b"a,b," + b"x" * 200_000 + b"\n")[0].label == "x" * 200_000


@pytest.mark.parametrize(
    "data",
    [
        b"a,b\n1,2\n",
        b"",
        b"name,hash,label,confidence,tokens,seconds,reading,task,error\nx,y,z,many,1,1,w,g,\n",
    ],
)
def test_other_tables_are_refused(data):
    with pytest.raises(InputError, match="resume"):
        from_csv(data)
