import io
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from shared.experiment import InputError
from spaces.simsiam import data


def png(color=(200, 30, 30), size=(40, 30), format="PNG"):
    file = io.BytesIO()
    Image.new("RGB", size, color).save(file, format)
    return file.getvalue()


def make_zip(path, entries, **options):
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def test_digits_are_whole_and_apart():
    digits = data.load("digits")
    assert digits.train.shape == (1297, 1, 8, 8) and digits.held_out.shape == (500, 1, 8, 8)
    assert digits.train.dtype == torch.uint8 and digits.train.max() == 255
    assert sorted(set(digits.train_labels.tolist())) == list(range(10))


def test_zip_with_folders_is_labelled(tmp_path):
    entries = {f"{kind}/{i}.png": png((i, 0, 250 * (kind == "blue"))) for kind in ("red", "blue") for i in range(30)}
    images, skipped = data.read_zip(make_zip(tmp_path / "a.zip", entries))
    assert skipped == [] and images.classes == ("blue", "red")
    assert images.train.shape == (48, 3, 32, 32) and images.held_out.shape == (12, 3, 32, 32)
    blue = images.train[images.train_labels == 0]
    assert (blue[:, 2] == 250).all() and len(blue) + (images.train_labels == 1).sum() == 48


def test_zip_without_folders_has_no_labels(tmp_path):
    images, _ = data.read_zip(make_zip(tmp_path / "a.zip", {f"{i}.jpg": png(format="JPEG") for i in range(40)}))
    assert images.train_labels is None and images.classes == ()


def test_bad_files_are_named_and_skipped(tmp_path):
    good = {f"{i}.png": png() for i in range(32)}
    bad = {
        "text.png": b"hello",
        "cut.png": png()[:60],
        "<img onerror=x>.svg": b"<svg/>",
        "__MACOSX/x": b"",
        "empty.png": b"",
    }
    images, skipped = data.read_zip(make_zip(tmp_path / "a.zip", good | bad))
    assert len(images.train) + len(images.held_out) == 32
    assert {name for name, *_ in skipped} == {"text.png", "cut.png", "<img onerror=x>.svg", "empty.png"}


def test_bombs_are_skipped(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "FILE_BYTES", 100_000)
    monkeypatch.setattr(data, "PIXELS", 1_000_000)
    good = {f"{i}.png": png() for i in range(32)}
    bombs = {"zeros.png": bytes(10**7), "wide.png": png(size=(20_000, 100))}
    path = make_zip(tmp_path / "a.zip", good | bombs, compression=zipfile.ZIP_DEFLATED)
    skipped = {name: en for name, _, en in data.read_zip(path)[1]}
    assert "larger" in skipped["zeros.png"] and "megapixels" in skipped["wide.png"]


def test_limits_of_the_zip(tmp_path, monkeypatch):
    path = make_zip(tmp_path / "a.zip", {f"{i}.png": png() for i in range(40)})
    monkeypatch.setattr(data, "ZIP_IMAGES", 35)
    images, skipped = data.read_zip(path)
    assert len(images.train) + len(images.held_out) == 35 and len(skipped) == 5
    for name, value in {"ZIP_FILES": 39, "ZIP_BYTES": 100, "FEWEST": 36}.items():
        with monkeypatch.context() as patch, pytest.raises(InputError, match="images"):
            patch.setattr(data, name, value)
            data.read_zip(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"hello" * 100])
def test_no_zip_is_refused(tmp_path, content):
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    with pytest.raises(InputError, match="images"):
        data.read_zip(path)


def test_cifar_format(tmp_path):
    for name, count in (("train_50000", 30), ("test_10000", 20)):
        parts = [np.frombuffer(png((i * 8, 0, 0), (32, 32), "JPEG"), np.uint8) for i in range(count)]
        offset = np.cumsum([0, *map(len, parts)])
        labels = np.arange(count) % 10
        np.savez(
            tmp_path / f"{name}.npz", jpeg=np.concatenate(parts), offset=offset, label=labels, names=list("abcdefghij")
        )
    cifar = data.load("cifar10", tmp_path)
    assert cifar.train.shape == (30, 3, 32, 32) and cifar.held_out.shape == (20, 3, 32, 32)
    assert abs(int(cifar.train[10, 0].float().mean()) - 80) < 3 and cifar.train_labels[13] == 3


def test_the_real_cifar_is_read_where_it_is(request):
    request.getfixturevalue("data")  # skips where it is not; its name is the module's here
    cifar = data.load("cifar10")
    assert cifar.train.shape == (5000, 3, 32, 32) and "cat" in cifar.classes
    assert 300 < torch.bincount(cifar.train_labels).min()


def test_missing_data_is_named(tmp_path):
    for name in ("cifar10", "images"):
        with pytest.raises(InputError, match="dataset"):
            data.load(name, tmp_path)
