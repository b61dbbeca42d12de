"""Many documents in one file: bombs are refused, and what is broken harms nobody else."""

import tracemalloc

import pytest

from shared.experiment import InputError
from spaces.long_document import many
from spaces.long_document.many import open_many, read_many
from tests.spaces.long_document.archives import zip_of

SAID = "第一条 为了保护水源，制定本办法。\n第二条 本办法自公布之日起施行。"


def test_a_zip_bomb_is_refused_before_it_unpacks():
    bomb = zip_of({"a.txt": b"0" * (many.MOST_UNPACKED + 1)})
    assert len(bomb) < 10**6
    with pytest.raises(InputError, match="unpacks to more than 200 MB"):
        read_many("bomb.zip", bomb)


def test_a_csv_bomb_is_not_unpacked():
    tracemalloc.start()
    with pytest.raises(InputError, match="more than 2,000 documents"):
        read_many("bomb.csv", b"text\n" + b"a\n" * 100_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * 2**20


def test_a_zip_that_lies_about_its_size_is_cut_off():
    data = zip_of({"a.txt": "长文".encode() * 8_000_000, "b.txt": SAID.encode()})
    lying = data.replace((48_000_000).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    found = read_many("x.zip", lying)
    assert found[0].error is not None and found[1].text == SAID


def test_text_counts_as_what_it_was_packed_in_does(monkeypatch):
    """A small file may hold a long text, and a zip many of them."""
    monkeypatch.setattr(many, "MOST_UNPACKED", 5000)
    monkeypatch.setattr(many, "read_file", lambda name, data: "长文" * 1000)
    found = read_many("x.zip", zip_of({f"{i}.txt": b"x" for i in range(9)}))
    assert [bool(d.text) for d in found] == [True] * 3 + [False] * 6
    assert all("beyond the limit" in str(d.error) for d in found[3:])


def test_bad_documents_leave_the_others_unharmed():
    found = read_many(
        "many.zip",
        zip_of({"好.txt": SAID.encode(), "bad.pdf": b"%PDF-", "sub/c.md": b"# x y", "d.bin": b"\0", "e.txt": b""}),
    )
    assert {d.name: bool(d.text) for d in found} == {
        "好.txt": True, "bad.pdf": False, "sub/c.md": True, "d.bin": False, "e.txt": False,
    }  # fmt: skip
    assert all((d.error is None) == bool(d.text) for d in found)


def test_csv_rows():
    rows = 'name,text,label\na,一二三,甲\nb,,乙\nc,"四,\n五",\n'
    found = read_many("x.csv", rows.encode("gb18030"))
    assert [(d.name, d.text, d.label) for d in found] == [("a", "一二三", "甲"), ("b", "", ""), ("c", "四,\n五", "")]
    assert found[1].error.field == "b"
    with pytest.raises(InputError, match="x.csv.*column named text"):
        read_many("x.csv", b"a,b\n1,2\n")
    with pytest.raises(InputError, match="holds no documents|column named text"):
        read_many("x.csv", b"text\n")
    with pytest.raises(InputError, match=r"\.csv or a \.zip"):
        read_many("x.tar", b"x")


def test_documents_are_opened_one_by_one(monkeypatch):
    opened = []
    monkeypatch.setattr(many, "read_file", lambda name, data: opened.append(name) or "文")
    total, found = open_many("x.zip", zip_of({"a.txt": b"a", "b.txt": b"b"}))
    assert total == 2 and not opened
    assert next(found).name == "a.txt" and opened == ["a.txt"]
