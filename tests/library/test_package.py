"""The library alone: what `pip install .` brings is enough."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

#: Hides what the extras bring.
ALONE = """
import sys
for name in ("IPython anywidget av fersep_book ipywidgets matplotlib nbformat openTSNE "
             "pandas papermill sklearn yaml").split():
    sys.modules[name] = None
"""


def run_alone(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    order = [sys.executable, "-c", ALONE + code]
    return subprocess.run(order, cwd=folder, capture_output=True, text=True)


def test_six_packages_are_enough():
    needed = {re.match(r"[\w-]+", line)[0] for line in PROJECT["dependencies"]}
    assert needed == {"numpy", "pillow", "scipy", "torch", "torchvision", "tqdm"}


def test_the_readmes_snippet_runs_with_the_library_alone(tmp_path):
    readme = (ROOT / "README.md").read_text("utf-8")
    (snippet,) = re.findall(r"```python\n(.*?)```", readme, re.S)
    ran = run_alone(snippet, tmp_path)
    assert ran.returncode == 0, ran.stderr


def test_every_module_but_the_map_loads_with_the_library_alone(tmp_path):
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in (ROOT / "fersep").rglob("*.py")
        if path.stem not in ("__main__", "__init__", "embedding")
    ]
    code = f"import importlib\nfor name in {modules}: importlib.import_module(name)"
    ran = run_alone(code, tmp_path)
    assert ran.returncode == 0, ran.stderr


def test_the_map_says_what_to_install(tmp_path):
    ran = run_alone("import fersep.embedding", tmp_path)
    assert "pip install fersep[tsne]" in ran.stderr
