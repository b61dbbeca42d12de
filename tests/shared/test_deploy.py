"""`make deploy` against a hub on this machine: what arrives in the Space, and what is refused before."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from shared import deploy
from tests.shared.fake_hub import FakeHub

ROOT = Path(__file__).resolve().parents[2]
README = "---\ntitle: Test\nsdk: gradio\napp_file: app.py\n---\n# Test\n"
WEIGHTS = bytes(range(256)) * 400


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A small repository with weights, a name with a space, tests, and untracked and ignored files."""
    root = tmp_path / "repository"
    files = {
        "README.md": README.encode(),
        "app.py": "print('你好')\n".encode(),
        "spaces/chat/weights/model.safetensors": WEIGHTS,
        "spaces/chat/a name.txt": b"text\n",
        "spaces/chat/__init__.py": b"",
        "tests/test_app.py": b"assert True\n",
        ".gitignore": b"*.log\n*.safetensors\n",
    }
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    _git(root, "init", "-q")
    _git(root, "add", "-f", ".")
    _git(root, "commit", "-q", "-m", "Begin")
    (root / "secret.env").write_text("HF_TOKEN=hf_secret")
    (root / "run.log").write_text("ignored")
    return root


def _git(root: Path, *command: str) -> None:
    author = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    subprocess.run(["git", *author, *command], cwd=root, check=True, capture_output=True)


def _deploy(root: Path, hub: FakeHub | None, **variables: str) -> subprocess.CompletedProcess:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING", "SPACE"))}
    kept |= {"HF_HOME": str(root.parent / "home"), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    kept |= {"HF_ENDPOINT": hub.url if hub else "http://127.0.0.1:9"}
    command = [sys.executable, "-m", "shared.deploy", "--root", str(root), "--space", "somebody/lab"]
    return subprocess.run(command, env=kept | variables, cwd=ROOT, capture_output=True, text=True)


def test_a_space_receives_the_last_commit(repository: Path) -> None:
    # Xet has a protocol of its own; without it the client takes the LFS routes, whose contents we can see.
    hub = FakeHub()
    done = _deploy(repository, hub, HF_TOKEN=hub.token, HF_HUB_DISABLE_XET="1")
    assert done.returncode == 0, done.stderr
    assert hub.spaces["somebody/lab"] == {
        ".gitattributes": b"*.safetensors filter=lfs\n",
        "README.md": README.encode(),
        "app.py": "print('你好')\n".encode(),
        "spaces/chat/weights/model.safetensors": WEIGHTS,
        "spaces/chat/a name.txt": b"text\n",
        "spaces/chat/__init__.py": b"",
    }
    assert list(hub.stored.values()) == [WEIGHTS]
    assert re.fullmatch(r"Deploy [0-9a-f]{7,}: Begin", hub.messages[0])
    assert f"{hub.url}/spaces/somebody/lab" in done.stdout

    # The second time the Space exists; what is no longer here goes.
    _git(repository, "rm", "-q", "spaces/chat/a name.txt")
    _git(repository, "commit", "-q", "-m", "Remove")
    assert _deploy(repository, hub, HF_TOKEN=hub.token, HF_HUB_DISABLE_XET="1").returncode == 0
    hub.close()
    assert "spaces/chat/a name.txt" not in hub.spaces["somebody/lab"]
    assert ".gitattributes" in hub.spaces["somebody/lab"]


def test_texts_alone_take_the_ordinary_route(repository: Path) -> None:
    _git(repository, "rm", "-q", "spaces/chat/weights/model.safetensors")
    _git(repository, "commit", "-q", "-m", "Lighter")
    hub = FakeHub()
    done = _deploy(repository, hub, HF_TOKEN=hub.token)
    hub.close()
    assert done.returncode == 0, done.stderr
    assert hub.spaces["somebody/lab"]["app.py"] == "print('你好')\n".encode() and not hub.stored


def test_refused_by_the_hub_or_unreachable_in_one_sentence(repository: Path) -> None:
    hub = FakeHub()
    refused = _deploy(repository, hub, HF_TOKEN="hf_wrong")
    hub.close()
    assert refused.returncode == 1 and hub.spaces == {}
    assert refused.stderr.startswith("Hugging Face refused the upload to somebody/lab: ")
    assert "Traceback" not in refused.stderr
    unreachable = _deploy(repository, None, HF_TOKEN="hf_any")
    assert unreachable.returncode == 1 and "could not be reached" in unreachable.stderr
    assert "Traceback" not in unreachable.stderr


def _exit(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "SPACE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(deploy, "get_token", lambda: None)
    with pytest.raises(SystemExit) as error:
        deploy.main(arguments)
    return str(error.value)


def test_dry_run_lists_sizes_and_needs_no_token(repository: Path, capsys: pytest.CaptureFixture) -> None:
    deploy.main(["--root", str(repository), "--space", "somebody/lab", "--dry-run"])
    printed = capsys.readouterr().out
    assert re.search(r"100\.0 KB  spaces/chat/weights/model\.safetensors", printed)
    assert "5 files, 0.1 MB, to the Space somebody/lab" in printed
    assert not any(word in printed for word in ("secret", "run.log", "test_app", ".gitignore"))


def test_obstacles_in_one_sentence(repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    here = ["--root", str(repository), "--space", "somebody/lab"]
    assert _exit(monkeypatch, *here).startswith("No token: set HF_TOKEN")
    assert _exit(monkeypatch, "--root", str(repository)).startswith("Name the Space: --space USER/NAME")
    assert _exit(monkeypatch, "--root", str(tmp_path), "--space", "a/b").endswith("the files to upload.")
    (repository / "app.py").write_text("print('changed')\n")
    assert _exit(monkeypatch, *here) == "Commit first: 1 tracked file(s) have changed, for example app.py."
    (repository / "README.md").write_text("# Test\n")
    _git(repository, "commit", "-q", "-a", "-m", "No front matter")
    assert _exit(monkeypatch, *here).startswith("README.md needs a Space's front matter")
