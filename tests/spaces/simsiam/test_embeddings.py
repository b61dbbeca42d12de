import io
import zipfile

import numpy as np
import pytest

from shared.experiment import InputError
from spaces.simsiam import embeddings

Z = np.arange(12, dtype=np.float64).reshape(4, 3) / 7


def refused(path, word=""):
    with pytest.raises(InputError) as error:
        embeddings.read(path)
    assert error.value.field == "embeddings" and word in error.value.en
    return error.value.en


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i8", "u1", "b1", ">f4"])
def test_npy_of_any_real_type(tmp_path, dtype):
    path = tmp_path / "z.npy"
    np.save(path, Z.astype(dtype))
    read = embeddings.read(path)
    assert read.dtype == np.float32 and np.array_equal(read, Z.astype(dtype).astype(np.float32))


def test_npz_takes_the_array_of_rows(tmp_path):
    path = tmp_path / "z.npz"
    np.savez_compressed(path, labels=np.arange(4), what=Z)
    assert np.allclose(embeddings.read(path), Z)
    np.savez(path, embeddings=Z, weights=np.zeros((5, 5)))
    assert np.allclose(embeddings.read(path), Z)
    np.savez(path, one=Z, other=Z)
    refused(path, "one, other")
    np.savez(path, labels=np.arange(4))
    refused(path, "labels")


CSV = {
    "plain": "1,2\n3,4\n5,6\n",
    "header": "a,b\n1,2\n3,4\n5,6\n",
    "semicolons": "1;2\n3;4\n5;6",
    "tabs": "x\ty\n1\t2\n3\t4\n5\t6\n",
    "spaces": "1 2\n3  4\n5 6\n\n",
    "names": "id,a,b\ncat,1,2\ndog,3,4\ncow,5,6\n",
    "quoted": 'id,a,b\n"cat, small",1,2\n"dog",3,4\n"cow",5,6\n',
    "bom": "\ufeffa,b\r\n1,2\r\n3,4\r\n5,6\r\n",
    "exponents": "1e0,2.0E0\n3,+4\n5,6",
}


@pytest.mark.parametrize("name", CSV)
def test_csv_dialects(tmp_path, name):
    path = tmp_path / "z.csv"
    path.write_text(CSV[name], "utf-8")
    assert embeddings.read(path).tolist() == [[1, 2], [3, 4], [5, 6]]


BAD = {
    "ragged": ("1,2\n3,4\n5\n", "line 3"),
    "text": ("a,b\n1,2\n3,x\n", "line 3"),
    "empty cell": ("1,2\n3,\n", "line 2"),
    "nan": ("1,2\nnan,4\n", "row 2"),
    "infinite": ("1,2\n3,inf\n1e999,1\n", "in 2 rows"),
    "one row": ("a,b\n1,2\n", "two rows"),
    "words": ("a,b\nc,d\n", "columns"),
    "empty": ("", "two rows"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_csv_is_refused_by_line(tmp_path, name):
    path = tmp_path / "z.csv"
    path.write_text(BAD[name][0])
    refused(path, BAD[name][1])


def test_not_text_is_refused(tmp_path):
    (tmp_path / "z.csv").write_bytes(b"\xff\xfe\x00\x01" * 50)
    refused(tmp_path / "z.csv", "UTF-8")


@pytest.mark.parametrize("array, word", [
    (np.zeros(5), "1 axes"), (np.zeros((2, 3, 4)), "3 axes"),
    (np.zeros((3, 5000)), "4096"), (np.zeros((3, 0)), "3 × 0"),
    (np.zeros((1, 3)), "two rows"), (np.zeros((3, 3), complex), "real"), (np.array([["a", "b"]] * 3), "real"),
    (np.full((3, 2), np.nan), "3 rows"), (np.full((3, 2), 1e300), "infinity"),
])  # fmt: skip
def test_bad_arrays_are_refused(tmp_path, array, word):
    np.save(tmp_path / "z.npy", array)
    refused(tmp_path / "z.npy", word)


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("unpickled",))


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_never_unpickles(tmp_path, suffix):
    array = np.empty((2, 2), object)
    array[:] = Trap()
    path = tmp_path / f"z.{suffix}"
    (np.save if suffix == "npy" else np.savez)(path, array)
    refused(path, "real")


def header(shape):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return file.getvalue()


def test_headers_that_lie(tmp_path):
    (tmp_path / "z.npy").write_bytes(header((10**9, 10**3)))
    refused(tmp_path / "z.npy", "million")
    (tmp_path / "z.npy").write_bytes(header((10, 10)) + bytes(40))
    refused(tmp_path / "z.npy", "damaged")
    with zipfile.ZipFile(tmp_path / "z.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("z.npy", header((10**6, 4096)) + bytes(10**7))
    refused(tmp_path / "z.npz", "million")


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_damaged_files(tmp_path, suffix):
    path = tmp_path / f"z.{suffix}"
    (np.save if suffix == "npy" else np.savez_compressed)(path, np.random.default_rng(0).normal(size=(50, 8)))
    whole = path.read_bytes()
    for content in (b"", b"hello", whole[: len(whole) // 2], whole[:20]):
        path.write_bytes(content)
        refused(path, "damaged")


def test_size_and_suffix(tmp_path, monkeypatch):
    np.save(tmp_path / "z.npy", Z)
    (tmp_path / "z.pkl").write_bytes(b"x")
    refused(tmp_path / "z.pkl", ".npy")
    monkeypatch.setattr(embeddings, "FILE_BYTES", 100)
    refused(tmp_path / "z.npy", "MB")
