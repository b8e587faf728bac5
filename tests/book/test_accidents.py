"""Accidents of real machines, planted in a miniature book: one sentence, no loss."""

import json
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest
import runner
from chapters import BookError
from filelock import FileLock, Timeout
from miniature import ROOT

FIRST = "book/01_first.ipynb"


@pytest.fixture
def here(book, monkeypatch):
    """Let this process run the chapters of the miniature book."""
    for name in ("FERSEP_BUILD", "PYTHONPATH"):
        monkeypatch.setenv(name, book.environment[name])
    return book


@pytest.mark.parametrize(
    ("name", "old", "new", "sentence"),
    [
        (FIRST, '"cells": [', "<<<<<<< HEAD", f"{FIRST}, line 2: "),
        (FIRST, "size: int = 3", "size: int = = 3", f"{FIRST}, cell 2, line 1: "),
        ("_toc.yml", "root: ", "root: [", "_toc.yml, line 3: "),
        ("_toc.yml", "02_second", "03_third", "_toc.yml names book/03_third, "),
        ("_config.yml", "title: ", "- ", "_config.yml, line 2: "),
    ],
)
def test_broken_file_is_named_with_its_line(here, name, old, new, sentence):
    here.replace(name, old, new)
    with pytest.raises(BookError) as told:
        runner.run_stale(here.root)
    assert str(told.value).startswith(sentence)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("FERSEP_TIMEOUT", "abc", "FERSEP_TIMEOUT is a number of seconds, not 'abc'"),
        ("FERSEP_BUILD", "/dev/null/_build", "/dev/null/_build cannot be written"),
    ],
)
def test_wrong_setting_is_one_sentence(book, variable, value, words):
    done = book.command("run", **{variable: value})
    assert done.returncode == 1
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["book/fersep_book/step.py", "book/index.md"])
def test_unresolved_conflict_is_named_with_its_line(book, name):
    path = book.path(name)
    first, rest = path.read_text().split("\n", 1)
    path.write_text(f"{first}\n<<<<<<< HEAD\n{rest}=======\n>>>>>>> other\n")
    done = book.command("book")
    assert done.returncode == 1
    assert f"{name}, line 2: " in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.chapters
def test_what_is_old_or_broken_is_made_again_and_what_is_gone_goes(book):
    book.replace("book/index.md", "Start with", "Begin with")
    os.utime(book.path("book", "index.md"), (0, 0))
    book.replace("_toc.yml", "  - file: book/02_second\n", "")
    book.replace(FIRST, "{doc}`02_second`", "the second")
    book.executed("01_first").write_text("")
    book.path("_build", "records", "01_first.json").write_text("{")
    done = book.command("book")
    assert done.returncode == 0, done.stderr
    assert "01_first                 ran in" in done.stdout
    assert "Begin with" in book.page("index")
    assert json.loads(book.record("01_first").read_text())["chapter"] == "01_first"
    assert not book.record("02_second").exists()
    assert not book.path("_build", "html", "book", "02_second.html").exists()


@pytest.mark.chapters
def test_other_builds_wait_until_the_pages_are_written(book):
    book.replace("book/index.md", "Start with", "Begin with")
    first = book.start("book")
    while "Building the pages" not in first.stdout.readline():
        assert first.poll() is None
    with pytest.raises(Timeout), FileLock(book.path("_build", "runner.lock"), 0):
        pass
    assert "Open" in first.communicate(timeout=120)[0]


CHILD = """\
import pathlib, subprocess
child = subprocess.Popen(["sleep", "60"], start_new_session=True)
pathlib.Path("pid").write_text(str(child.pid))
"""


@pytest.mark.chapters
def test_no_process_outlives_its_chapter(here):
    here.change_cell("02_second", CHILD)
    runner.run_stale(here.root, ["02_second"])
    pid = int(here.path("pid").read_text())
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie"


@pytest.mark.chapters
@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("print('a' * 10**8)", "its cells print more than 5 MB."),
        ("raise OSError(28, 'No space')", r"The disk of .* is full: 9 MB are free\."),
    ],
)
def test_chapter_that_fills_the_disk_is_stopped(here, monkeypatch, source, words):
    free = SimpleNamespace(free=9_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    here.change_cell("02_second", source)
    with pytest.raises(BookError, match=words):
        runner.run_stale(here.root, ["02_second"])


def test_moved_folder_of_any_name_finds_its_packages(tmp_path):
    here, there = tmp_path / "here", tmp_path / "é there"
    here.mkdir()
    shutil.copy(ROOT / "Makefile", here)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", here / ".venv"])
    subprocess.run(["make", "link"], cwd=here, check=True)
    (here / "fersep.py").write_text("")
    here.rename(there)
    order = [there / ".venv/bin/python", "-c", "import fersep"]
    for locale in ("C", "POSIX"):
        environment = {"PATH": os.environ["PATH"], "LC_ALL": locale}
        assert subprocess.run(order, env=environment, cwd="/").returncode == 0


def test_a_reader_that_leaves_early_is_no_error():
    order = [sys.executable, "-m", "fersep", "data", "list"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(order, cwd=ROOT, **pipes) as writer:
        writer.stdout.close()
        assert writer.stderr.read() == b""
