"""The experiments, in a package that steps aside for Hugging Face's package of the same name.

gradio does `import spaces` for the PyPI package (`@spaces.GPU`, `gradio_auto_wrap`) and finds this folder
instead. So this module looks for the real package on `sys.path`, adds its folder to `__path__` behind our
own, and runs its code in this namespace: `spaces.GPU`, `spaces.zero` and `spaces.simsiam` then live side
by side. Where the package is missing, or ZeroGPU is announced on a machine that cannot have it, `GPU`
returns the function as is.

Two rules follow. `import spaces` comes before torch (ZeroGPU patches it). No experiment may bear the name
of one of the package's own modules: zero, config, utils, gradio, reloading, _vendor.
"""

import importlib.util
import os
import sys
import warnings
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any


def _real_package() -> ModuleSpec | None:
    """The PyPI package, known by its zero/decorator.py: another copy of this repository has none."""
    here = Path(__file__).resolve().parent
    for entry in sys.path:
        folder = Path(entry or ".", "spaces").resolve()
        if folder != here and (folder / "zero" / "decorator.py").is_file():
            return importlib.util.spec_from_file_location(__name__, folder / "__init__.py")
    return None


def _zero_gpu_wanted() -> bool:
    return os.getenv("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")  # the package's own reading


def _zero_gpu_obstacle() -> str | None:
    """Why this machine cannot be ZeroGPU: the package's import would end in an obscure error."""
    if not os.getenv("SPACES_ZERO_DEVICE_API_URL"):
        return "SPACES_ZERO_DEVICE_API_URL is not set"
    if importlib.util.find_spec("torch") is None:
        return "torch is not installed"
    import torch

    return None if torch.version.cuda else "this torch is built without CUDA"


def GPU(task: Callable | None = None, *, duration: Any = None, size: str | None = None, **_: Any) -> Callable:
    """`spaces.GPU` without ZeroGPU: bare or with arguments, on functions and generators, it does nothing."""
    return task if callable(task) else lambda function: function


def gradio_auto_wrap(task: Callable | None) -> Callable | None:
    """What gradio calls on every listener of a Space; without ZeroGPU it changes nothing."""
    return task


_real, _obstacle = _real_package(), _zero_gpu_obstacle() if _zero_gpu_wanted() else None
ZERO_GPU = _real is not None and _zero_gpu_wanted() and _obstacle is None

if _obstacle:
    warnings.warn(f"SPACES_ZERO_GPU asks for ZeroGPU, but {_obstacle}: running on this machine", stacklevel=2)
elif _real is not None:
    # Relative imports of the real code resolve through __path__, ours first.
    __path__.append(str(Path(_real.origin).parent))
    exec(_real.loader.get_code(__name__), globals())
