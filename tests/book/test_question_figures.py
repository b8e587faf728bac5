"""Figures of chapters 1 and 3: what they count and say follows their data."""

from __future__ import annotations

import io

import numpy as np
import pytest
from fersep_book import figures
from matplotlib.figure import Figure
from PIL import Image

from fersep import analysis

POINTS = np.array([[1.0, 0.1], [1.0, -0.1], [-0.1, 1.0], [0.1, 1.0]])
CENTERS = np.array([[1.0, 0.0], [0.0, 1.0]])


def pulled(push):
    stage = (POINTS, CENTERS, 0.1 * POINTS[:, ::-1], push * np.ones((2, 2)))
    return figures.pull_and_push({"now": stage}, [0, 0, 1, 1])


def seeds(rows):
    intervals = [analysis.mean_interval(column) for column in np.transpose(rows)]
    return figures.seeds_with_intervals(["a", "b"], rows, intervals, [0.5, 0.6])


FIGURES = {
    "pull_and_push": lambda: pulled(0.2),
    "no pull": lambda: pulled(0.0),
    "two_losses_on_one_network": lambda: figures.two_losses_on_one_network(64, 11),
    "printed_changes": lambda: figures.printed_changes(
        {"one": (["a", "b"], [0.1, 0.2], [0.3, 0.1])}, [("before", "after")]
    ),
    "own_and_rival": lambda: figures.own_and_rival([0.9, 0.8, 0.2], [0.1, 0.85, 0.1]),
    "cosine_tables": lambda: figures.cosine_tables(
        "AB", np.eye(2) + np.array([[[0.1]], [[0.0]]])
    ),
    "one seed": lambda: figures.cosine_tables("AB", np.eye(2)[None]),
    "untested class": lambda: figures.cosine_tables(
        "AB", np.array([[[1, 0.2], [np.nan, np.nan]]] * 2)
    ),
    "seeds_with_intervals": lambda: seeds([[0.1, 0.2], [0.3, 0.4]]),
    "a single seed": lambda: seeds([[0.1, 0.2]]),
    "interval_coverage": lambda: figures.interval_coverage(
        [2, 3], [0.95, 0.951], [0.7, 0.81]
    ),
    "repeated_experiments": lambda: figures.repeated_experiments(
        ([-1.0, 0.2], [1.0, 0.8]), ([0.1, 0.6], [0.9, 0.8]), 0.5, 2.0
    ),
    "disagreements": lambda: figures.disagreements("AB", [3, 0], [1, 2]),
}


@pytest.fixture(autouse=True)
def sheet():
    figures.style()


@pytest.mark.parametrize("name", FIGURES)
def test_figure_is_drawn_and_described(name):
    figure, alt = FIGURES[name]()
    assert isinstance(figure, Figure)
    image = Image.open(io.BytesIO(figures.png(figure, dpi=40)))
    assert len(image.convert("RGB").getcolors(maxcolors=1 << 20)) > 10
    assert alt.endswith(".")
    assert len(alt.split()) > 10


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("own_and_rival", "1 features are nearer to another center"),
        ("repeated_experiments", "paired by seed: 1 of 2 intervals hold the truth, 2"),
        ("repeated_experiments", "unpaired: 2 of 2 intervals hold the truth, 1"),
        ("disagreements", "together 3 and 3"),
        ("pull_and_push", "features and their center 1.00, of different centers 0.00"),
        ("two_losses_on_one_network", "64 numbers; a linear layer makes 11 numbers"),
        ("cosine_tables", "A 1.05 and B 1.05. With other centers: 0.05 to 0.05"),
    ],
)
def test_alternative_text_counts_right(name, said):
    assert said in FIGURES[name]()[1]


def arrows(figure):
    return sum(text.arrow_patch is not None for text in figure.axes[0].texts)


def test_a_center_without_a_push_has_no_arrow():
    assert arrows(pulled(0.2)[0]) == arrows(pulled(0.0)[0]) + len(CENTERS)


def test_an_interval_that_misses_the_truth_looks_different():
    lines = FIGURES["repeated_experiments"]()[0].axes[1].lines
    held, missed = lines[0], lines[1]
    assert (held.get_linestyle(), missed.get_linestyle()) == ("-", ":")
