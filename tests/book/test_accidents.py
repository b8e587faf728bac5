"""Accidents of real machines, planted in a miniature book: one sentence, no loss."""

import json
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import commands
import pages
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
def test_wrong_setting_is_one_sentence(
    here, monkeypatch, capsys, variable, value, words
):
    monkeypatch.setattr(commands, "ROOT", here.root)
    monkeypatch.setattr(sys, "argv", ["commands.py", "run"])
    monkeypatch.setenv(variable, value)
    assert commands.main() == 1
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1


def test_unresolved_conflict_is_named_with_its_line(book):
    for name in ("book/index.md", "book/fersep_book/step.py"):
        path = book.path(name)
        good = path.read_text()
        conflict = "\n<<<<<<< HEAD\n{}=======\n>>>>>>> other\n"
        path.write_text(conflict.format(good))
        with pytest.raises(BookError, match=f"{name}, line 2: a conflict of git"):
            pages.site_sources(book.root)
        path.write_text(good)
    path.write_text(conflict.format(good))
    done = book.command("book")  # which reads the code first
    assert done.returncode == 1
    assert f"{name}, line 2: " in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.chapters
def test_what_is_old_or_broken_is_made_again_while_other_builds_wait(book):
    book.replace("book/index.md", "Start with", "Begin with")
    os.utime(book.path("book", "index.md"), (0, 0))
    book.replace("_toc.yml", "  - file: book/02_second\n", "")
    book.replace(FIRST, "{doc}`02_second`", "the second")
    book.executed("01_first").write_text("")
    book.path("_build", "records", "01_first.json").write_text("{")
    first = book.start("book")
    said = ""
    while "Building the pages" not in said:
        assert first.poll() is None
        said += first.stdout.readline()
    with pytest.raises(Timeout), FileLock(book.path("_build", "runner.lock"), 0):
        pass
    said += first.communicate(timeout=300)[0]
    assert "01_first                 ran in" in said
    assert "Open" in said
    assert "Begin with" in book.page("index")
    assert json.loads(book.record("01_first").read_text())["chapter"] == "01_first"
    assert not book.record("02_second").exists()
    assert not book.path("_build", "html", "book", "02_second.html").exists()


CHILD = """\
import pathlib, subprocess
child = subprocess.Popen(["sleep", "600"], start_new_session=True)
pathlib.Path("pid").write_text(str(child.pid))
"""


@pytest.mark.chapters
def test_chapter_that_fills_the_disk_is_stopped_with_all_it_started(here, monkeypatch):
    free = SimpleNamespace(free=9_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    here.change_cell("02_second", CHILD + "print('a' * 10**8)")
    words = (
        r"its cells print more than 5 MB\. .* The disk of .* is full: 9 MB are free\."
    )
    with pytest.raises(BookError, match=words):
        runner.run_stale(here.root, ["02_second"])
    pid = int(here.path("pid").read_text())
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie"


def test_kernels_wait_passively_without_make_too(here, monkeypatch):
    given = []
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **its: given.append(its["env"]))
    with pytest.raises(AttributeError):  # of the process that is none
        runner.run_stale(here.root, ["01_first"], force=True)
    assert given[0]["OMP_WAIT_POLICY"] == "PASSIVE"


def test_moved_folder_of_any_name_finds_its_packages(tmp_path):
    here, there = tmp_path / "here", tmp_path / "é there"
    here.mkdir()
    shutil.copy(ROOT / "Makefile", here)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", here / ".venv"])
    subprocess.run(["make", "link"], cwd=here, check=True)
    (here / "fersep.py").write_text("")
    here.rename(there)
    code = "import fersep, os; assert os.environ['OMP_WAIT_POLICY'] == 'PASSIVE'"
    order = [there / ".venv/bin/python", "-c", code]
    for locale in ("C", "POSIX"):
        environment = {"PATH": os.environ["PATH"], "LC_ALL": locale}
        assert subprocess.run(order, env=environment, cwd="/").returncode == 0


def test_a_reader_that_leaves_early_is_no_error():
    order = [sys.executable, "-m", "fersep", "data", "list"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(order, cwd=ROOT, **pipes) as writer:
        writer.stdout.close()
        assert writer.stderr.read() == b""
