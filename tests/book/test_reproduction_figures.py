"""Figures of chapters 12-15 and the appendix: what they say follows their data."""

from __future__ import annotations

import io

import numpy as np
import pytest
from fersep_book import figures
from matplotlib.figure import Figure
from PIL import Image

from fersep import analysis

BASIC = ("NE", "HA", "SA")
MATRIX = np.array([[90, 10, 0], [5, 94, 1], [6, 0, 4]])


def gap(*values):
    return analysis.mean_interval(values)


#: name -> (a call, the same call with other data)
FIGURES = {
    "confusions": (
        lambda: figures.confusions({"ours": MATRIX}, BASIC),
        lambda: figures.confusions({"ours": MATRIX.T}, BASIC),
    ),
    "eleven classes": (
        lambda: figures.confusions({"a": np.eye(11) * 40, "b": np.eye(11)}, "A" * 11),
        lambda: figures.confusions({"a": np.ones((11, 11)), "b": np.eye(11)}, "B" * 11),
    ),
    "recall_by_size": (
        lambda: figures.recall_by_size(
            {"a": (BASIC, [9, 5, 2], [80, 70, 10], ([8, 4, 1], [90, 60, 20]))}
        ),
        lambda: figures.recall_by_size({"a": (BASIC, [9, 5, 2], [81, 70, 10], None)}),
    ),
    "redrawn_gains": (
        lambda: figures.redrawn_gains([0.1, 0.5, 0.9], [0.4, 0.04, 0.01], 0.5),
        lambda: figures.redrawn_gains([0.1, 0.5, 0.9], [0.4, 0.4, 0.01], 0.5),
    ),
    "seeds_needed": (
        lambda: figures.seeds_needed(0.4, 0.25, 5),
        lambda: figures.seeds_needed(4.0, 0.25, 1),
    ),
    "sweep": (
        lambda: figures.sweep(
            [0.1, 0.9],
            {"a": [[80, 81], [82, 83]]},
            "λ",
            ([0.1, 0.9], [85, 86]),
            [79, 80],
        ),
        lambda: figures.sweep([0.1, 0.9], {"a": [[80, 81], [70, 71]]}, "λ"),
    ),
    "differences": (
        lambda: figures.differences(["a", "b"], [gap(1.0, 2.0), gap(1.0)], "gain"),
        lambda: figures.differences(["a", "b"], [gap(1.0, 3.0), gap(1.0)], "gain"),
    ),
    "transfer": (
        lambda: figures.transfer(["a"], ["x", "y"], [[80.0, 20.0]]),
        lambda: figures.transfer(["a"], ["x", "y"], [[80.0, 30.0]]),
    ),
    "later_results": (
        lambda: figures.later_results(
            [(2021, 88.0, "one"), (2021, 88.1, "two")], (2019, 86)
        ),
        lambda: figures.later_results(
            [(2021, 89.0, "one"), (2022, 88.1, "two")], (2019, 86)
        ),
    ),
}


@pytest.fixture(autouse=True)
def sheet():
    figures.style()


@pytest.mark.parametrize("name", FIGURES)
def test_figure_is_drawn_and_its_text_follows_the_data(name):
    (figure, alt), (_, other) = (call() for call in FIGURES[name])
    assert isinstance(figure, Figure)
    assert alt.endswith(".")
    assert alt != other
    picture = Image.open(io.BytesIO(figures.png(figure)))
    assert np.asarray(picture.convert("L")).std() > 5


def test_few_images_are_shown_as_counts():
    figure, alt = figures.confusions({"ours": MATRIX}, BASIC)
    shown = [text.get_text() for text in figure.axes[0].texts]
    assert "90" in shown
    assert "4" in shown  # four images of ten, not 40 percent
    assert "40" not in shown
    assert "HA 94" in alt
    assert "NE is taken for HA" in alt


def test_the_number_of_pairs_is_the_first_that_is_enough():
    _, alt = figures.seeds_needed(0.5, 0.25, 3)
    n = int(alt.split(" need ")[1].split(" pairs")[0])
    assert analysis.student_interval(0.0, 0.5, n)[1] <= 0.25
    assert analysis.student_interval(0.0, 0.5, n - 1)[1] > 0.25
