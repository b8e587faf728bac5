"""The miniature book, built once, and a copy of it for each test that changes it."""

import shutil

import pytest
from miniature import Miniature, miniature


@pytest.fixture(scope="session")
def clean(tmp_path_factory) -> Miniature:
    """Build the miniature book once."""
    book = miniature(tmp_path_factory.mktemp("clean"))
    done = book.command("book")
    assert done.returncode == 0, done.stderr
    return book


@pytest.fixture
def book(clean, tmp_path) -> Miniature:
    """Copy the built miniature book, so that a test may change it."""
    copy = tmp_path / "book"
    leave_out = shutil.ignore_patterns("__pycache__", "mathjax", "runner.lock")
    shutil.copytree(clean.root, copy, ignore=leave_out)
    return Miniature(copy)
