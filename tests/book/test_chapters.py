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


@pytest.mark.parametrize("chapter", CHAPTERS, ids=[c.name for c in CHAPTERS])
def test_chapter_runs(chapter):
    ran = subprocess.run(
        [sys.executable, "book/_ext/commands.py", "run", chapter.name],
        cwd=ROOT,
        env={**os.environ, "FERSEP_PROFILE": "smoke"},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    run = nbformat.read(chapter.executed, as_version=4)
    assert run.metadata.fersep == {"key": run_key(chapter, {}), "profile": "smoke"}
    record = records.read(chapter.executed)
    assert json.loads(chapter.record.read_text("utf-8")) == records.asdict(record)
    assert record.profile == "smoke"
    assert all(check.ok for check in record.checks)
