"""The verdict chapter in a real kernel, with records made for the purpose."""

import re
from pathlib import Path

import nbformat
import papermill
import pytest
from fersep_book import records
from fersep_book.records import Record, Value
from nbformat.v4 import new_code_cell

pytestmark = [
    pytest.mark.chapters,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

CHAPTER = Path(__file__).resolve().parents[2] / "book" / "16_verdict.ipynb"


def record(profile: str, data: str) -> Record:
    """Return a record that could not be clearer: 5 points gained, give or take 0.1."""
    values = [
        Value("basic.accuracy.gain", 5.0, 0.1, 5, "%"),
        Value("similarity.inter.gain", 0.2, 0.01, 5, ""),
    ]
    parameters = {"data": data, "lam": 0.9, "width": 64}
    origin = {"device": "cpu", "seconds": 1.0}
    return Record("12_accuracy", profile, parameters, [], values, origin)


def judged(folder: Path, monkeypatch) -> tuple[dict[str, float], str]:
    """Run the chapter beside a build folder; return its values and its page."""
    monkeypatch.setenv("FERSEP_BUILD", str(folder / "_build"))
    monkeypatch.setenv("FERSEP_STATIC", "1")
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    # Its recorded runs are those of this folder.
    notebook = nbformat.read(CHAPTER, as_version=4)
    here = f"import pathlib\nrecords.ROOT = pathlib.Path({str(folder)!r})"
    notebook.cells.insert(0, new_code_cell(f"from fersep_book import records\n{here}"))
    nbformat.write(notebook, folder / CHAPTER.name)
    target = folder / "out.ipynb"
    papermill.execute_notebook(
        str(folder / CHAPTER.name),
        str(target),
        parameters={"draws": 100},
        progress_bar=False,
    )
    tables = [
        re.sub(r"<[^>]+>", " ", output.data.get("text/html", ""))
        for cell in nbformat.read(target, as_version=4).cells
        for output in cell.get("outputs", [])
        if "data" in output
    ]
    found = {value.key: value.mean for value in records.read(target).values}
    return found, " ".join(" ".join(tables).split())


def test_without_any_record(tmp_path, monkeypatch):
    found, page = judged(tmp_path, monkeypatch)
    assert found["verdict.holds"] == found["verdict.fails"] == 0
    # Each claim on two kinds of faces, and one claim under three rules in two sources.
    assert page.count("not measured") == 2 * found["verdict.claims"] + 2 * 3
    assert "needs RAF-DB" in page


def test_smoke_shows_numbers_and_judges_nobody(tmp_path, monkeypatch):
    of_build = tmp_path / "_build" / "records" / "12_accuracy.json"
    records.write(of_build, record("smoke", "rendered_basic"))
    found, page = judged(tmp_path, monkeypatch)
    assert found["verdict.holds"] == found["verdict.fails"] == 0
    assert re.search(
        r"accuracy rises 5\.00 \[[\d., ]+\] %; smoke run: no verdict", page
    )


def test_build_and_recorded_runs_stay_apart(tmp_path, monkeypatch):
    of_build = tmp_path / "_build" / "records" / "12_accuracy.json"
    records.write(of_build, record("smoke", "rendered_basic"))
    runs = [record("gpu", "rendered_basic"), record("gpu", "facial_expressions")]
    records.write(tmp_path / "results" / "gpu" / "runs.json", runs)
    found, page = judged(tmp_path, monkeypatch)
    assert (found["verdict.holds"], found["verdict.fails"]) == (2, 2)
    build, recorded = page.split("2 recorded runs; 2 of them recorded with an earlier")
    assert "accuracy rises 5.00" in build
    assert "holds" not in build.split("This build:")[1]
    gain = r"5\.00 \[[\d., ]+\] %; holds"
    assert re.search(rf"accuracy rises {gain} {gain}", recorded)
    inter = r"0\.200 \[[\d., ]+\]; fails"
    assert re.search(rf"inter falls {inter} {inter}", recorded)
