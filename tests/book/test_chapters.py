"""Every chapter of the book, in a real kernel, through papermill."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from chapters import chapters, run_key
from fersep_book import records

pytestmark = pytest.mark.chapters

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = chapters(ROOT)


@pytest.fixture(scope="module")
def ran(request):
    """What the command says that runs all chapters under test, side by side."""
    asked = [getattr(item, "callspec", None) for item in request.session.items]
    here = [c.params["chapter"] for c in asked if c and "chapter" in c.params]
    return subprocess.run(
        [sys.executable, "book/_ext/commands.py", "run"]
        + [chapter.name for chapter in here if chapter in CHAPTERS],
        cwd=ROOT,
        env={**os.environ, "FERSEP_PROFILE": "smoke"},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("chapter", CHAPTERS, ids=[c.name for c in CHAPTERS])
def test_chapter_runs(chapter, ran):
    assert chapter.executed.is_file(), ran.stderr
    run = nbformat.read(chapter.executed, as_version=4)
    fresh = {"key": run_key(chapter, {}), "profile": "smoke"}
    assert run.metadata.fersep == fresh, ran.stderr
    record = records.read(chapter.executed)
    assert json.loads(chapter.record.read_text("utf-8")) == records.asdict(record)
    assert record.profile == "smoke"
    assert all(check.ok for check in record.checks)


def test_the_command_says_that_all_went_well(ran):
    assert ran.returncode == 0, ran.stderr
