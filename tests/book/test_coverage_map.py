"""The map from the paper to code, tests and chapters has no hole."""

from __future__ import annotations

import ast
import importlib
import re
from functools import cache
from pathlib import Path

import nbformat
import pytest
from fersep_book import coverage

ROOT = Path(__file__).resolve().parents[2]
ITEMS = coverage.items()
by_item = pytest.mark.parametrize("item", ITEMS, ids=[i["item"] for i in ITEMS])


@cache
def names_in(name: str) -> set[str]:
    tree = ast.parse((ROOT / "tests" / f"{name}.py").read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@cache
def cells(chapter: str) -> list:
    return nbformat.read(ROOT / "book" / f"{chapter}.ipynb", as_version=4).cells


@cache
def recorded(chapter: str, function: str) -> list[str]:
    """Patterns of the first argument of each `records.<function>` of a chapter."""
    code = "\n".join(c.source for c in cells(chapter) if c.cell_type == "code")
    found = []
    for node in ast.walk(ast.parse(code)):
        if not (isinstance(node, ast.Call) and node.args):
            continue
        if ast.unparse(node.func) != f"records.{function}":
            continue
        name = node.args[0]
        parts = name.values if isinstance(name, ast.JoinedStr) else [name]
        found.append(
            "".join(
                re.escape(part.value) if isinstance(part, ast.Constant) else ".+"
                for part in parts
            )
        )
    return found


def labels(chapter: str) -> set[str]:
    found = set()
    for cell in cells(chapter):
        found |= set(re.findall(r"\$\$ \(([\w-]+)\)", cell.source))
        figure = cell.metadata.get("mystnb", {}).get("figure", {})
        found.add(figure.get("name", ""))
    return found


def test_every_equation_table_and_figure_is_in_it_once():
    assert [item["item"] for item in ITEMS] == [
        *(f"Eq. {i}" for i in range(1, 10)),
        "Algorithm 1",
        *(f"Table {i}" for i in range(1, 4)),
        *(f"Figure {i}" for i in range(1, 7)),
    ]


@by_item
def test_function_exists(item):
    assert item["functions"]
    for path in item["functions"]:
        module, *names = path.split(".")
        place = importlib.import_module(f"fersep.{module}")
        for name in names:
            place = getattr(place, name)
        assert callable(place)


@by_item
def test_test_exists(item):
    assert item["tests"]
    for path in item["tests"]:
        file, name = path.split("::")
        assert name.startswith("test_")
        assert name in names_in(file), path


@by_item
def test_chapter_shows_and_records_it(item):
    chapter = item["chapter"]
    assert item["label"] in labels(chapter)
    for function, names in (("check", item["checks"]), ("value", item["values"])):
        patterns = recorded(chapter, function)
        for name in names:
            assert any(re.fullmatch(p, name) for p in patterns), f"{chapter}: {name}"


def test_what_a_build_lacks_is_named():
    (item,) = (i for i in ITEMS if i["item"] == "Eq. 5")
    whole = {
        "chapter": item["chapter"],
        "checks": [{"id": name, "ok": True} for name in item["checks"]],
        "values": [{"key": name} for name in item["values"]],
    }
    assert coverage.missing(item, []) is None
    assert coverage.missing(item, [whole]) == []
    failed = {**whole, "checks": [{**c, "ok": False} for c in whole["checks"]]}
    assert "check eq-5" in coverage.missing(item, [failed])
    assert "value grad-autograd" in coverage.missing(item, [{**whole, "values": []}])
