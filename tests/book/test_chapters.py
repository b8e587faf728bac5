"""Every chapter of the book, in a real kernel, through papermill."""

import json
from pathlib import Path

import nbformat
import pytest
from chapters import chapters, run_key
from fersep_book import records

pytestmark = pytest.mark.chapters

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = chapters(ROOT)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=[c.name for c in CHAPTERS])
def test_chapter_runs(chapter, chapters_said):
    assert chapter.executed.is_file(), chapters_said
    run = nbformat.read(chapter.executed, as_version=4)
    fresh = {"key": run_key(chapter, {}), "profile": "smoke"}
    assert run.metadata.fersep == fresh, chapters_said
    record = records.read(chapter.executed)
    assert json.loads(chapter.record.read_text("utf-8")) == records.asdict(record)
    assert record.profile == "smoke"
    assert all(check.ok for check in record.checks)
