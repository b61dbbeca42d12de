import json
import lzma

import pytest

from shared.experiment import InputError
from shared.jsonl import read_rows

ROWS = [{"text": "一"}, {"text": "二", "n": 2}]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.xz"])
def test_rows_come_back_and_blank_lines_are_passed_over(tmp_path, name):
    written = "\n\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS)
    (tmp_path / name).write_bytes(lzma.compress(written.encode()) if name.endswith(".xz") else written.encode())
    assert list(read_rows(tmp_path / name)) == list(read_rows(tmp_path / name, "text")) == ROWS


@pytest.mark.parametrize("second", ["{", "[1]", "3"])
def test_the_line_that_is_no_object_is_named(tmp_path, second):
    (tmp_path / "a.jsonl").write_text('{"text": "x"}\n' + second)
    with pytest.raises(InputError, match="line 2") as error:
        list(read_rows(tmp_path / "a.jsonl"))
    assert error.value.field == "a.jsonl"


def test_a_missing_field_is_named(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": 3}')
    with pytest.raises(InputError, match="line 1 .* field text"):
        list(read_rows(tmp_path / "a.jsonl", "text"))


@pytest.mark.parametrize("content", [b"\xff\xfe{}", lzma.compress(b'{"a": 1}')[:-9]])
def test_what_cannot_be_read_is_said(tmp_path, content):
    path = tmp_path / ("a.jsonl" if content[:1] == b"\xff" else "a.jsonl.xz")
    path.write_bytes(content)
    for broken in (path, tmp_path / "none.jsonl"):
        with pytest.raises(InputError, match="no readable"):
            list(read_rows(broken))
