"""Which code and which versions made a result."""

import ast
import hashlib
import os
import platform
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_PACKAGES = ("fersep", "torch", "torchvision", "numpy", "openTSNE", "papermill")


def provenance(device: str = "cpu") -> dict[str, Any]:
    """Return revision, versions and device (a GPU by its model); no host, no path."""
    if device.startswith("cuda"):
        import torch

        device = torch.cuda.get_device_name(device)
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return {"revision": _revision(), "versions": versions, "device": device}


@cache
def _revision() -> str:
    if given := os.environ.get("FERSEP_REVISION"):
        return given
    root = Path(__file__).parents[1]
    if not (root / ".git").exists():  # installed inside somebody else's repository
        return "unknown"
    order = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(order, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def code_key(*modules: str) -> str:
    """Return a hash of modules and of all that they import from their own packages.

    Modules are full names, like ``fersep.training``. Comments, docstrings, layout and
    what only type checkers import do not count; nor do the packages of others.
    """
    digest = hashlib.sha256()
    for path in sorted(reached_files(modules)):
        text = path.read_text(encoding="utf-8")
        bare = _read(text, str(path))[0] if path.suffix == ".py" else text
        digest.update(f"{path.name}\0{bare}\0".encode())
    return digest.hexdigest()


def reached_files(modules: Iterable[str]) -> set[Path]:
    """Return the files of modules and of all that they import from their own packages.

    A JSON or TOML file that a module names, and that lies beside it, is among them.
    Imports are absolute in this project; a relative one is not followed.
    """
    waiting = list(modules)
    own = {name.partition(".")[0] for name in waiting}
    found: set[Path] = set()
    while waiting:
        first, *rest = waiting.pop().split(".")
        if first not in own or not (root := _root(first)):
            continue
        # Importing a.b.c runs a and a.b too; a last part may be a name defined there.
        places = [root.joinpath(*rest[:i]) for i in range(len(rest) + 1)]
        files = {f for p in places for f in (p / "__init__.py", p.with_suffix(".py"))}
        for path in files - found:
            if path.is_file():
                text = path.read_text(encoding="utf-8")
                _, imports, named = _read(text, str(path))
                beside = {path.parent / name for name in named}
                found |= {path, *(file for file in beside if file.is_file())}
                waiting += imports
    return found


def imported_names(code: str, place: str = "") -> list[str]:
    """Return every module that code may import, also one whose name is a string."""
    return list(_read(code, place)[1])


_WITH_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@cache
def _read(code: str, place: str) -> tuple[str, list[str], list[str]]:
    """Return what counts of some code, the modules it imports, the files it names."""
    tree = ast.parse(code, place)  # a syntax error names the place
    for node in ast.walk(tree):
        if isinstance(node, _WITH_DOCSTRING) and ast.get_docstring(node) is not None:
            del node.body[0]
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    imports: list[str] = []
    texts: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            imports += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.append(node.value)
    imports += [text for text in texts if text.startswith("fersep.")]
    files = [text for text in texts if text.endswith((".json", ".toml"))]
    return ast.unparse(tree), imports, files


@cache
def _root(package: str) -> Path | None:
    found = find_spec(package)
    return Path(found.origin).parent if found and found.origin else None
