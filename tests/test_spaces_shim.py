"""Our folder `spaces` beside the PyPI package `spaces`: with it, without it, on a Space, from pytest."""

import importlib.metadata
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PLANNED = {"chat", "long_document", "simsiam", "xiangqi", "gradient_flow", "attention", "aquarium"}
SPACE = {"SYSTEM": "spaces", "SPACE_ID": "somebody/something"}

BUILDS_A_PAGE = """
import gradio as gr
import gradio.block_function
def shout(text): return text.upper()
with gr.Blocks() as page:
    box = gr.Textbox()
    box.submit(shout, box, box)
(listener,) = page.fns.values()
assert listener.fn("a") == "A"
"""

DOES_NOTHING = """
@spaces.GPU
def bare(x): return x + 1
@spaces.GPU(duration=20)
def timed(x): return x + 2
@spaces.GPU(duration=lambda x: x, size="large")
def stream(x): yield x + 3
assert (bare(0), timed(0), list(stream(0))) == (1, 2, [3])
"""


def _distribution() -> importlib.metadata.Distribution:
    try:
        return importlib.metadata.distribution("spaces")
    except importlib.metadata.PackageNotFoundError:
        if os.getenv("CI") == "true":
            raise
        pytest.skip("the PyPI package `spaces` is not installed")


def _python(code: str, *path: Path, flags: tuple[str, ...] = (), **variables: str) -> str:
    """Standard output and error of `code` in a fresh interpreter that sees the repository first."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("SPACE", "SYSTEM", "PYTHON", "ZERO"))}
    env |= {"PYTHONPATH": os.pathsep.join(map(str, [ROOT, *path])), "GRADIO_ANALYTICS_ENABLED": "False"}
    command = [sys.executable, *flags, "-c", code]
    done = subprocess.run(command, env=env | variables, cwd="/", capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def site_without_spaces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The installed packages, all but `spaces`, as a folder of links."""
    folder = tmp_path_factory.mktemp("site")
    for entry in Path(inspect.getfile(pytest)).resolve().parents[1].iterdir():
        if entry.name != "spaces" and not entry.name.startswith("spaces-"):
            (folder / entry.name).symlink_to(entry)
    return folder


def test_package_and_experiments_share_the_name() -> None:
    _distribution()
    _python(f"""
import spaces, spaces.config, spaces.zero.decorator
from pathlib import Path
assert Path(spaces.__file__).parent == Path({str(ROOT / "spaces")!r}) == Path(spaces.__path__[0])
assert spaces.GPU is spaces.zero.decorator.GPU and not spaces.ZERO_GPU
assert Path({str(ROOT)!r}) / "spaces" not in Path(spaces.config.__file__).parents
{DOES_NOTHING}{BUILDS_A_PAGE}
assert gradio.block_function.spaces is spaces
""")


def test_gradio_imported_first_leaves_a_working_package() -> None:
    # The real package refuses while gradio is half imported; gradio lives without, the next import succeeds.
    _python(BUILDS_A_PAGE + "import spaces" + DOES_NOTHING)


def test_without_the_package(site_without_spaces: Path) -> None:
    code = "import spaces\nassert len(spaces.__path__) == 1 and not spaces.ZERO_GPU"
    _python(code + DOES_NOTHING + BUILDS_A_PAGE, site_without_spaces, flags=("-S",), **SPACE)


def test_another_copy_of_this_repository_is_not_the_package(tmp_path: Path) -> None:
    _distribution()
    copy = tmp_path / "spaces" / "__init__.py"
    copy.parent.mkdir()
    copy.write_text("raise SystemExit('the wrong spaces')")
    _python("import spaces\nassert spaces.GPU is spaces.zero.decorator.GPU", tmp_path)


def test_zero_gpu_announced_on_a_machine_without_its_scheduler() -> None:
    code = "import spaces\nassert not spaces.ZERO_GPU" + DOES_NOTHING + BUILDS_A_PAGE
    said = _python(code, SPACES_ZERO_GPU="true", SPACES_GRADIO_AUTO_WRAP="true", **SPACE)
    assert "SPACES_ZERO_GPU asks for ZeroGPU, but SPACES_ZERO_DEVICE_API_URL is not set" in said


def test_zero_gpu_announced_where_torch_has_no_cuda(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("class version: cuda = None")
    api = {"SPACES_ZERO_GPU": "true", "SPACES_ZERO_DEVICE_API_URL": "http://127.0.0.1:9"}
    said = _python("import spaces\nassert not spaces.ZERO_GPU" + DOES_NOTHING, tmp_path, **api, **SPACE)
    assert "this torch is built without CUDA" in said


def test_from_pytest(tmp_path: Path) -> None:
    inner = tmp_path / "test_inner.py"
    inner.write_text("import spaces\ndef test_gpu():" + DOES_NOTHING.replace("\n", "\n    "))
    flags = ["-q", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", f"-c{ROOT / 'pyproject.toml'}"]
    command = [sys.executable, "-m", "pytest", *flags, str(inner)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_no_experiment_bears_a_name_of_the_package() -> None:
    files = _distribution().files or []
    taken = {Path(file.parts[1]).stem for file in files if file.parts[0] == "spaces" and len(file.parts) > 1}
    assert {"zero", "config", "utils", "gradio", "reloading", "_vendor"} <= taken
    ours = {entry.stem for entry in (ROOT / "spaces").iterdir() if entry.suffix in ("", ".py")}
    assert not (ours | PLANNED) & (taken - {"__init__", "__pycache__"})
