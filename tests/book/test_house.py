"""The library knows nothing of the book, and its imports run one way."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = [path.stem for path in (ROOT / "book").glob("[0-9]*.ipynb")]
MODULES = sorted((ROOT / "fersep").rglob("*.py"))
EACH_MODULE = pytest.mark.parametrize(
    "path", MODULES, ids=[path.relative_to(ROOT).as_posix() for path in MODULES]
)

#: What the library must not name: the book, its pages and headings, its tests.
OF_THE_BOOK = re.compile(
    r"fersep_book|\bchapters?\b|\b(?:the|its) book\b|_toc\.yml|\.html#|"
    r"\btests/|\btest_\w+\.py|\b(?:" + "|".join(CHAPTERS) + r")\b",
    re.IGNORECASE,
)

#: A part of the library -> the parts that it must not import.
FORBIDDEN = {
    "equations": {"losses", "models", "data", "rendered", "training", "analysis"},
    "losses": {"models", "data", "rendered", "training", "embedding"},
    "models": {"losses", "data", "rendered", "training", "analysis", "embedding"},
    "data": {"losses", "models", "training", "embedding"},
    "rendered": {"losses", "models", "training", "embedding"},
    "analysis": {"data", "rendered", "training"},
    "embedding": {"data", "rendered", "training"},
}

#: What `pip install fersep` brings along.
CORE = {"fersep", "torch", "torchvision", "numpy", "scipy", "PIL", "tqdm"}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imports(nodes: Iterator[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def at_import(node: ast.AST) -> Iterator[ast.AST]:
    """Give what runs when a module is imported; a ``try`` guards what is in it."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Try):
            yield child
            yield from at_import(child)


@EACH_MODULE
def test_library_names_nothing_of_the_book(path):
    assert OF_THE_BOOK.findall(path.read_text("utf-8")) == []


@EACH_MODULE
def test_imports_run_one_way(path):
    part = path.relative_to(ROOT / "fersep").with_suffix("").parts[0]
    used = [name.split(".") for name in imports(ast.walk(tree_of(path)))]
    own = {name[1] for name in used if name[0] == "fersep" and len(name) > 1}
    assert own & FORBIDDEN.get(part, set()) == set()


@EACH_MODULE
def test_import_needs_only_the_core(path):
    found = {name.split(".")[0] for name in imports(at_import(tree_of(path)))}
    assert found - CORE - sys.stdlib_module_names == set()


@pytest.mark.parametrize(
    ("folder", "module"), [(".", "fersep"), ("book/_ext", "papermill_book")]
)
def test_import_does_not_wait_for_torch(folder, module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT / folder)
    assert done.returncode == 0
