"""app.py: the tabs, the command line, and what importing it must not do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import app

ROOT = Path(__file__).resolve().parents[1]


def test_every_slug_has_an_experiment_of_its_name():
    for slug in app.SLUGS:
        experiment = app.load(slug)
        assert experiment.slug == slug
        assert (ROOT / "spaces" / slug / "README.md").is_file()


def test_one_tab_alone_has_no_contents_page():
    labels = [
        b.label for b in app.build(("simsiam",), with_contents=False).blocks.values() if type(b).__name__ == "Tab"
    ]
    assert labels and not any("目录" in label for label in labels)


def test_building_the_page_loads_no_weights():
    code = "import app, sys; app.build(); print('transformers.modeling_utils' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert out.strip().endswith("False")


def test_an_unknown_slug_is_named_on_the_command_line():
    done = subprocess.run([sys.executable, "app.py", "--only", "nonsense"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "nonsense" in done.stderr


def test_share_without_a_network_is_served_locally(monkeypatch, capsys):
    launched = {}
    monkeypatch.setattr(app, "reachable", lambda *_: False)
    monkeypatch.setattr(app.gr.Blocks, "launch", lambda self, **options: launched.update(options))
    app.main(["--share", "--only", "simsiam"])
    assert launched["share"] is None
    assert capsys.readouterr().out.count("\n") == 1


def test_reachable_says_no_to_a_closed_port():
    assert app.reachable(("127.0.0.1", 1), 0.5) is False


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_the_readme_names_every_tab(name):
    text = (ROOT / name).read_text("utf-8")
    assert all(f"spaces/{slug}" in text for slug in app.SLUGS)
