"""The map from the paper to code, tests and chapters has no hole."""

import ast
import importlib
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import nbformat
import pytest
from fersep_book import coverage
from fersep_book.records import Check, Record, Value

ROOT = Path(__file__).resolve().parents[2]
ITEMS = coverage.items()
by_item = pytest.mark.parametrize("item", ITEMS, ids=[i["item"] for i in ITEMS])


@cache
def names_in(name: str) -> set[str]:
    (path,) = (ROOT / "tests").glob(f"*/{name}.py")
    tree = ast.parse(path.read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def labels(chapter: str) -> set[str]:
    found = set()
    notebook = nbformat.read(ROOT / "book" / f"{chapter}.ipynb", as_version=4)
    for cell in notebook.cells:
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
def test_chapter_shows_it(item):
    assert item["label"] in labels(item["chapter"])


def test_what_a_build_lacks_is_named():
    (item,) = (i for i in ITEMS if i["item"] == "Eq. 5")
    passed = [Check(name, "", 1, 1, 0, True) for name in item["checks"]]
    values = [Value(name, 1.0, None, 1, "") for name in item["values"]]
    whole = Record(item["chapter"], "cpu", {}, passed, values)
    assert coverage.missing(item, []) is None
    assert coverage.missing(item, [whole]) == []
    failed = [replace(check, ok=False) for check in passed]
    assert "check eq-5" in coverage.missing(item, [replace(whole, checks=failed)])
    assert coverage.missing(item, [replace(whole, values=[])]) == [
        "value grad-autograd"
    ]
