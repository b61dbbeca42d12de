"""Upload this repository to a Hugging Face Space.

    HF_TOKEN=hf_… python -m shared.deploy --space USER/NAME
    python -m shared.deploy --space USER/NAME --dry-run

A Space refuses binaries over plain git, so the files go through huggingface_hub's upload_folder. What
goes up is the last commit: only tracked files, none of them changed since, and without those that only
development needs. Files of the Space that are no longer here are deleted there.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import HfHubHTTPError

ROOT = Path(__file__).resolve().parents[1]
# The hub applies an uploaded .gitignore to the upload itself; tracked files have passed it already.
LEFT_OUT = ("tests/", "benchmarks/", ".ci/", ".github/", ".gitignore")


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, say what goes up, upload it; any obstacle is one sentence and exit status 1."""
    parser = argparse.ArgumentParser(description="Upload this repository to a Hugging Face Space.")
    parser.add_argument("--space", default=os.getenv("SPACE", ""), help="USER/NAME; default: $SPACE")
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository; default: this one")
    parser.add_argument("--dry-run", action="store_true", help="list the files and sizes, upload nothing")
    options = parser.parse_args(arguments)
    _check_space(options.space)
    files = files_to_upload(options.root)
    for name, size in sorted(files.items(), key=lambda file: file[1]) if options.dry_run else ():
        print(f"{size / 1024:>12,.1f} KB  {name}")
    print(f"{len(files)} files, {sum(files.values()) / 2**20:.1f} MB, to the Space {options.space}")
    if not options.dry_run:
        print(upload(options.root, options.space, list(files)))


def files_to_upload(root: Path) -> dict[str, int]:
    """Names and sizes in bytes of the files of the last commit that a Space needs."""
    changed = _git(root, "status", "--porcelain", "--untracked-files=no").splitlines()
    if changed:
        sys.exit(f"Commit first: {len(changed)} tracked file(s) have changed, for example {changed[0][3:]}.")
    lines = _git(root, "ls-tree", "-r", "-l", "-z", "HEAD").rstrip("\0").split("\0")
    listed = (line.split("\t", 1) for line in lines)
    files = {name: int(facts.split()[3]) for facts, name in listed if facts.split()[1] == "blob"}
    files = {name: size for name, size in files.items() if not name.startswith(LEFT_OUT)}
    _check_readme(root, files)
    return files


def upload(root: Path, space: str, files: Sequence[str]) -> str:
    """Create the Space if it is missing, make its files those of `files`, and return its address."""
    if not get_token():
        sys.exit("No token: set HF_TOKEN to one with write access (https://huggingface.co/settings/tokens).")
    api = HfApi()
    with tempfile.TemporaryDirectory() as folder:
        for name in files:
            copy = Path(folder, name)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / name, copy)
        try:
            address = api.create_repo(space, repo_type="space", space_sdk="gradio", exist_ok=True)
            api.upload_folder(
                repo_id=space,
                repo_type="space",
                folder_path=folder,
                commit_message="Deploy " + _git(root, "log", "-1", "--format=%h: %s").strip(),
                delete_patterns="*",
            )
        except HfHubHTTPError as error:
            sys.exit(f"Hugging Face refused the upload to {space}: {_first_line(error)}")
        except Exception as error:
            reason = f"{type(error).__name__}: {_first_line(error)}"
            sys.exit(f"{api.endpoint} could not be reached, or broke off ({reason}).")
    return str(address)


def _check_space(space: str) -> None:
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", space):
        sys.exit("Name the Space: --space USER/NAME, or SPACE=USER/NAME make deploy.")


def _check_readme(root: Path, files: dict[str, int]) -> None:
    readme = (root / "README.md").read_text(encoding="utf-8") if "README.md" in files else ""
    front = re.match(r"---\n(.*?)\n---\n", readme, re.DOTALL)
    if not front or not re.search(r"^sdk: *gradio", front[1], re.MULTILINE):
        sys.exit("README.md needs a Space's front matter (sdk: gradio between lines of ---), or it does not start.")


def _git(root: Path, *command: str) -> str:
    try:
        done = subprocess.run(["git", *command], cwd=root, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        sys.exit(f"{root} is not a git repository with a commit: there is no list of the files to upload.")
    return done.stdout


def _first_line(error: Exception) -> str:
    return next(filter(None, str(error).splitlines()), type(error).__name__)


if __name__ == "__main__":
    main()
