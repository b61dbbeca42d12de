"""Many documents: bad ones do no harm, and an interrupted table goes on where it stopped."""

import pytest

from shared.experiment import InputError
from spaces.long_document.batch import classify, from_csv, hash_of, to_csv
from spaces.long_document.documents import Named
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
    shares, rows = zip(*classify(reader, DOCUMENTS, "genre", "whole"), strict=True)
    assert shares == (0.25, 0.5, 0.75, 1)
    assert [bool(row.error) for row in rows] == [False, True, False, True]  # the last has more than 256 tokens
    assert rows[0].label == next(iter(reader.classify(DOCUMENTS[0].text, "genre")))
    assert "at most 256" in rows[3].error


def test_an_earlier_table_is_not_read_again(reader, monkeypatch):
    rows = [row for _, row in classify(reader, DOCUMENTS[:3], "genre", "whole")]
    table = to_csv(rows)
    assert "'=1+1" in table  # a spreadsheet would run it
    known = from_csv(table.encode())
    monkeypatch.setattr("spaces.long_document.batch.perform", None)
    again = [row for _, row in classify(reader, DOCUMENTS[:3], "genre", "whole", known=known)]
    assert [row.label for row in again] == [row.label for row in rows] and again[0].hash == hash_of(DOCUMENTS[0].text)
    with pytest.raises(TypeError):  # another reading is another question
        list(classify(reader, DOCUMENTS[:1], "genre", "512", known=known))


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
