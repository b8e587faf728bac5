"""The verdict chapter in a real kernel, with records made for the purpose."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import papermill
import pytest
from fersep_book import records

pytestmark = [
    pytest.mark.chapters,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

CHAPTER = Path(__file__).resolve().parents[2] / "book" / "16_verdict.ipynb"


def record(profile: str, data: str) -> dict:
    """Return a record that could not be clearer: 5 points gained, give or take 0.1."""
    return {
        "chapter": "12_accuracy",
        "profile": profile,
        "parameters": {"data": data, "lam": 0.9, "width": 64},
        "checks": [],
        "values": [
            {
                "key": "basic.accuracy.gain",
                "mean": 5.0,
                "spread": 0.1,
                "n": 5,
                "unit": "%",
            },
            {
                "key": "similarity.inter.gain",
                "mean": 0.2,
                "spread": 0.01,
                "n": 5,
                "unit": "",
            },
        ],
        "provenance": {"device": "cpu", "seconds": 1.0},
    }


def judged(folder: Path, monkeypatch) -> tuple[dict[str, float], str]:
    """Run the chapter beside a build folder; return its values and its page."""
    monkeypatch.setenv("FERSEP_BUILD", str(folder / "_build"))
    monkeypatch.setenv("FERSEP_STATIC", "1")
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    target = folder / "out.ipynb"
    papermill.execute_notebook(
        str(CHAPTER),
        str(target),
        parameters={"draws": 100},
        kernel_name="python3",
        language="python",
        progress_bar=False,
    )
    tables = [
        re.sub(r"<[^>]+>", " ", output.data.get("text/html", ""))
        for cell in nbformat.read(target, as_version=4).cells
        for output in cell.get("outputs", [])
        if "data" in output
    ]
    found = {entry["key"]: entry["mean"] for entry in records.read(target)["values"]}
    return found, " ".join(" ".join(tables).split())


def write(path: Path, content) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(content))


def test_without_any_record(tmp_path, monkeypatch):
    found, page = judged(tmp_path, monkeypatch)
    assert found["verdict.holds"] == found["verdict.fails"] == 0
    # Each claim on two kinds of faces, and one claim under three rules in two sources.
    assert page.count("not measured") == 2 * found["verdict.claims"] + 2 * 3
    assert "needs RAF-DB" in page


def test_smoke_shows_numbers_and_judges_nobody(tmp_path, monkeypatch):
    write(
        tmp_path / "_build" / "records" / "12_accuracy.json",
        record("smoke", "rendered_basic"),
    )
    found, page = judged(tmp_path, monkeypatch)
    assert found["verdict.holds"] == found["verdict.fails"] == 0
    assert re.search(
        r"accuracy rises 5\.00 \[[\d., ]+\] %; smoke run: no verdict", page
    )


def test_build_and_recorded_runs_stay_apart(tmp_path, monkeypatch):
    write(
        tmp_path / "_build" / "records" / "12_accuracy.json",
        record("smoke", "rendered_basic"),
    )
    write(
        tmp_path / "results" / "gpu" / "runs.json",
        [record("gpu", "rendered_basic"), record("gpu", "facial_expressions")],
    )
    found, page = judged(tmp_path, monkeypatch)
    assert (found["verdict.holds"], found["verdict.fails"]) == (2, 2)
    build, recorded = page.split("2 recorded runs; 2 of them recorded with an earlier")
    assert "accuracy rises 5.00" in build
    assert "holds" not in build.split("This build:")[1]
    gain = r"5\.00 \[[\d., ]+\] %; holds"
    assert re.search(rf"accuracy rises {gain} {gain}", recorded)
    inter = r"0\.200 \[[\d., ]+\]; fails"
    assert re.search(rf"inter falls {inter} {inter}", recorded)
