"""Chapter 16 in a real kernel, its scorecard, and the checkers of its exercises."""

import re
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import papermill
import pytest
from fersep_book import outcomes, records
from fersep_book.figures.scorecard import scorecard
from nbformat.v4 import new_code_cell
from test_checkers import as_cases, judge, untried
from test_outcomes import experiment

CHAPTER = Path(__file__).resolve().parents[2] / "book" / "16_verdict.ipynb"


@pytest.mark.chapters
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_without_any_result_nothing_is_judged(tmp_path, monkeypatch):
    monkeypatch.setenv("FERSEP_BUILD", str(tmp_path / "_build"))
    monkeypatch.setenv("FERSEP_STATIC", "1")
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    (tmp_path / "experiments").symlink_to(CHAPTER.parents[1] / "experiments")
    notebook = nbformat.read(CHAPTER, as_version=4)
    here = f"import pathlib\nevidence.ROOT = pathlib.Path({str(tmp_path)!r})"
    notebook.cells.insert(0, new_code_cell(f"from fersep_book import evidence\n{here}"))
    nbformat.write(notebook, tmp_path / "16_verdict.ipynb")
    papermill.execute_notebook(
        str(tmp_path / "16_verdict.ipynb"),
        str(tmp_path / "out.ipynb"),
        progress_bar=False,
    )
    found = {v.key: v.mean for v in records.read(tmp_path / "out.ipynb").values}
    assert found["verdict.claims"] == 12
    assert all(found[f"verdict.{w}"] == 0 for w in ("holds", "fails", "depends"))
    outputs = [
        output["data"].get("text/html", "")
        for cell in nbformat.read(tmp_path / "out.ipynb", as_version=4).cells
        for output in cell.get("outputs", [])
        if "data" in output
    ]
    page = " ".join(re.sub(r"<[^>]+>", " ", " ".join(outputs)).split())
    assert "0 of 10 seeds are recorded" in page
    assert "needs RAF-DB" in page
    assert "equal:" not in page
    assert "different:" not in page


def drawn(found, claim) -> str:
    real = outcomes.judge([claim], {claim.id: found} if found else {})
    other = outcomes.judge([claim], {})
    return scorecard([claim], {"real": real, "rendered": other}, "A title.").data


CLAIM = outcomes.Claim(
    "gain", "It rises.", "gain in accuracy", margin=0.25, says="More", chapter="12_x"
)


def test_scorecard_says_each_verdict_in_words_and_draws_what_was_measured():
    found = experiment(np.random.default_rng(7), 0.2)
    whole = drawn(found, CLAIM)
    assert "✓ holds" in whole
    assert re.search(
        r"gain in accuracy, in points: exact gradient \+1\d\.\d\d \(", whole
    )
    assert '<a href="12_x.html">More</a>' in whole
    part = drawn(replace(found, plan={"seeds": range(9)}), CLAIM)
    assert "no verdict" in part
    assert "exact gradient +1" in part
    assert "holds</b>" not in part
    assert "Not measured: " in drawn(None, CLAIM)
    assert "<svg height" not in drawn(None, CLAIM)


@pytest.mark.parametrize("direction", ["above", "below"])
def test_the_shaded_part_is_the_claimed_side(direction):
    found = experiment(np.random.default_rng(8), 0.2)
    page = drawn(found, replace(CLAIM, direction=direction))
    start, width = map(
        float, re.search(r'<rect x="([\d.]+)%" width="([\d.]+)%', page).groups()
    )
    if direction == "above":
        assert start + width == pytest.approx(100, abs=0.02)
    else:
        assert start == 0
    dot = float(re.search(r'<svg x="([\d.]+)%', page).group(1))
    assert (start < dot < start + width) == (direction == "above")


def test_all_is_summed_up_in_one_sentence():
    words = ("holds", "holds", "fails", "no verdict")
    judged = {
        str(k): outcomes.Judgment(word, "4 of 10 seeds" * (k == 3), {})
        for k, word in enumerate(words)
    }
    assert outcomes.sum_up(judged, "real") == (
        "Of 4 claims on real faces 2 hold, 1 fails, 1 has no verdict (4 of 10 seeds)"
    )


# Exercises 16.1 and 16.2.


def needed(delta, d, level=1.96, power=0.8416):
    return ((level * d**0.5 + power * (d - delta**2) ** 0.5) / delta) ** 2


def by_search(delta, d):
    n = 10.0
    while (delta * n - 1.96 * (d * n) ** 0.5) / (n * (d - delta**2)) ** 0.5 < 0.8416:
        n *= 1.01
    return n


def recall(counts):
    return np.diag(counts) / counts.sum(1)


CHECKERS = {
    ("16_verdict", "is_test_images"): (
        [needed, lambda delta, d: 7.85 * d / delta**2, by_search],
        [
            lambda delta, d: needed(delta, d, power=0),  # half of them miss it
            lambda delta, d: 2 * 0.86 * 0.14 * (2.8 / delta) ** 2,  # strangers
            lambda delta, d: needed(delta, d, level=0),
            lambda delta, d: needed(delta, d) ** 0.5,
        ],
    ),
    ("appendix_since_then", "is_best_cosine"): (
        [lambda: 0.0, lambda: float((np.eye(7, 9) @ np.eye(9, 7))[0, 1])],
        [lambda: -1 / 6, lambda: 1 / 6, lambda: 0.5, lambda: -1.0],
    ),
    ("16_verdict", "is_mean_over_classes"): (
        [
            lambda c: recall(c).mean(),
            lambda c: sum(row[j] / sum(row) for j, row in enumerate(c)) / len(c),
        ],
        [
            lambda c: np.trace(c) / c.sum(),  # by images
            lambda c: recall(c.T).mean(),  # of what was said
            lambda c: np.median(recall(c)),
            lambda c: 100 * recall(c).mean(),
        ],
    ),
}


@pytest.mark.parametrize(("place", "answer", "right"), as_cases(CHECKERS))
def test_checkers_take_right_answers_and_refuse_wrong_ones(place, answer, right):
    assert judge(*place, answer) == right


def test_every_checker_is_tried():
    assert untried(CHECKERS) == set()
