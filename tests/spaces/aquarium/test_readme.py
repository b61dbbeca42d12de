import re
from pathlib import Path

import spaces.aquarium


def test_the_readmes_example_runs():
    text = (Path(spaces.aquarium.__file__).parent / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.S)
    said: dict = {}
    exec(code, said)
    assert said["run"].tan.max() > 0 and said["known"].estimates[0].determined


def test_the_readme_names_every_module():
    folder = Path(spaces.aquarium.__file__).parent
    text = (folder / "README.md").read_text(encoding="utf-8")
    missing = [p.name for p in folder.glob("*.py") if f"`{p.name}`" not in text and p.name != "__init__.py"]
    assert not missing
