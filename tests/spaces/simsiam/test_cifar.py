"""CIFAR-10's download against a small server: progress, the checksum, and a clear sentence where it fails."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from shared.experiment import InputError
from spaces.simsiam import cifar, data


def archive(names: tuple[str, ...]) -> bytes:
    """A tar.gz as CIFAR-10's, with 40 records in each batch."""
    buffer, rng = io.BytesIO(), np.random.default_rng(0)
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name in names:
            records = rng.integers(0, 256, (40, cifar.RECORD), dtype=np.uint8)
            records[:, 0] %= 10
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = records.size
            tar.addfile(info, io.BytesIO(records.tobytes()))
    return buffer.getvalue()


@pytest.fixture
def serve():
    servers = []

    def start(body: bytes) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/c.tar.gz"

    yield start
    for server in servers:
        server.shutdown()


def test_the_download_ends_at_one_and_loads(serve, tmp_path, monkeypatch):
    body = archive(("batches.meta.txt", "data_batch_1.bin", "data_batch_2.bin", "test_batch.bin"))
    cache = tmp_path / "cifar10.npz"
    shares = list(cifar.fetch(serve(body), hashlib.md5(body).hexdigest(), cache))
    assert shares == sorted(shares) and shares[-1] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["cifar10.npz"]
    monkeypatch.setattr(cifar, "CACHE", cache)
    monkeypatch.setattr(data, "DATA", tmp_path / "nothing")
    images = data.load("cifar10")
    assert images.train.shape == (40, 3, 32, 32) and images.held_out.shape == (40, 3, 32, 32)
    assert set(images.train_labels.tolist()) <= set(range(10)) and images.classes[3] == "cat"


@pytest.mark.parametrize("fault", ["checksum", "batch", "closed"])
def test_a_failed_download_says_what_to_do_and_leaves_nothing(serve, tmp_path, fault):
    body = archive(("data_batch_1.bin",))
    md5 = "0" * 32 if fault == "checksum" else hashlib.md5(body).hexdigest()
    url = "http://127.0.0.1:1/" if fault == "closed" else serve(body)
    with pytest.raises(InputError, match="dataset"):
        list(cifar.fetch(url, md5, tmp_path / "cifar10.npz"))
    assert not list(tmp_path.iterdir())
