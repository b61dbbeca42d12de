from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.experiment import InputError
from spaces.aquarium import readings
from spaces.aquarium.readings import read, read_file
from spaces.aquarium.water import ION

PLAIN = "day,ammonia,nitrite,nitrate\n0,0.5,0,1\n3,1.5,,\n7,2,0.4,2\n"


def test_plain_table():
    got = read(PLAIN)
    assert got.day.tolist() == [0, 3, 7] and got.start is None and got.count == 7
    assert got.values[0].tolist() == [0.5, 0, 1] and np.isnan(got.values[1, 1:]).all()


def test_ions_become_nitrogen():
    whole = read(PLAIN, unit="ion")
    assert whole.values[2] == pytest.approx([2 / ION["tan"], 0.4 / ION["no2"], 2 / ION["no3"]])
    assert 50 / ION["no3"] == pytest.approx(11.3, abs=0.01)


@pytest.mark.parametrize(
    "header",
    [
        "Date,NH3/NH4 (mg/L),NO2 (mg/L),NO3 (mg/L),notes",
        "日期,氨氮,亚硝酸盐,硝酸盐,备注",
        "date;TAN;NO2-N;NO3-N;who",
        "DATE\tAmmonia [mg/L]\tNitrite\tNitrate\tx",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_headers_separators_and_encodings(header, encoding):
    separator = next(s for s in ",;\t" if s in header)
    rows = ["2020-12-05,1,2,3,a", "2020/12/01,4,5,6,b", "2020-12-03,7,-,,c"]
    text = "\r\n".join([header, *(r.replace(",", separator) for r in rows)])
    got = read(text.encode(encoding))
    assert got.start == date(2020, 12, 1)
    assert got.day.tolist() == [0, 2, 4]
    assert got.values[:, 0].tolist() == [4, 7, 1] and got.values[2, 2] == 3


BAD = {
    "no_time": ("ammonia,nitrite\n1,2\n3,4\n", "readings"),
    "no_numbers": ("day,notes\n1,2\n3,4\n", "readings"),
    "empty": ("", "readings"),
    "header_only": ("day,ammonia\n", "readings"),
    "negative": ("day,ammonia\n0,1\n1,-1\n2,1\n3,1\n", "ammonia"),
    "nan": ("day,nitrite\n0,1\n1,nan\n2,1\n3,1\n", "nitrite"),
    "infinite": ("day,nitrate\n0,1\n1,inf\n2,1\n3,1\n", "nitrate"),
    "huge": ("day,nitrate\n0,1\n1,1e9\n2,1\n3,1\n", "nitrate"),
    "word": ("day,nitrate\n0,1\n1,high\n2,1\n3,1\n", "nitrate"),
    "late": ("day,nitrate\n0,1\n366,1\n2,1\n3,1\n", "day"),
    "missing_day": ("day,nitrate\n0,1\n,1\n2,1\n3,1\n", "day"),
    "bad_date": ("date,nitrate\n2020-12-01,1\n2020-02-30,1\n", "date"),
    "long_span": ("date,nitrate\n2020-12-01,1\n2022-12-01,1\n", "date"),
    "too_few": ("day,nitrate\n0,1\n1,1\n2,1\n", "readings"),
    "binary": ("day,nitrate\n0,\0\n", "readings"),
}


@pytest.mark.parametrize("text, field", BAD.values(), ids=BAD)
def test_bad_tables_are_named(text, field):
    for source in (text, text.encode()):
        with pytest.raises(InputError) as error:
            read(source)
        assert error.value.field == field


def test_errors_name_the_row():
    with pytest.raises(InputError) as error:
        read("day,ammonia\n0,1\n1,2\n2,minus\n3,4\n")
    assert "4" in error.value.zh and "row 4" in error.value.en and "500" in error.value.en


def test_neither_utf8_nor_chinese():
    with pytest.raises(InputError, match="GB 18030"):
        read(b"day,ammonia\n0,\xff\xff\n")


def test_too_many_rows_and_too_large_a_file(tmp_path):
    with pytest.raises(InputError, match="2000"):
        read("day,ammonia\n" + "1,1\n" * 2001)
    assert read("day,ammonia\n" + "1,1\n" * 2000).count == 2000
    file = tmp_path / "huge.csv"
    with file.open("wb") as out:
        out.truncate(20_000_000_000)  # sparse: as large as 1e9 rows, and nothing is read
    with pytest.raises(InputError, match="1 MB"):
        read_file(file)
    with pytest.raises(InputError, match="cannot be opened"):
        read_file(tmp_path / "none.csv")
    file.write_text(PLAIN)
    assert read_file(str(file)).count == 7


@pytest.mark.parametrize("unit", ["mg", None, 1])
def test_unknown_units_are_named(unit):
    with pytest.raises(InputError, match="unit"):
        read(PLAIN, unit)


LIKELY = "day,no3\n0123456789.e-;\t\"'"


@settings(deadline=None, max_examples=150)
@given(st.one_of(st.binary(max_size=300), st.text(max_size=300), st.text(LIKELY, max_size=200)))
def test_anything_is_read_or_refused_in_one_sentence(source):
    try:
        got = read(source)
    except InputError as error:
        assert error.field in {"readings", "day", "date", *readings.SERIES} and "\n" not in str(error)
    else:
        seen = got.values[np.isfinite(got.values)]
        assert (seen >= 0).all() and (np.diff(got.day) >= 0).all()


def test_what_keepers_and_spreadsheets_write_is_understood():
    got = read("date;nitrite;nitrate\n2020/12/5;0,25;<5\n2020.12.6;<0,1;10\n2020年12月7日;0.5;7,5\n")
    assert got.day.tolist() == [0, 1, 2] and got.start == date(2020, 12, 5)
    assert got.values[:, 1:].tolist() == [[0.25, 2.5], [0.05, 10], [0.5, 7.5]]
