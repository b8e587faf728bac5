"""Figures of chapter 2: the alternative text follows the data."""

from __future__ import annotations

import numpy as np
import pytest
from fersep_book import figures
from matplotlib.figure import Figure

FACES = np.zeros((3, 3, 8, 8), dtype=np.uint8)
UNITS = ["4 brow lowerer", "12 lip corner puller"]


def shares(smile):
    return figures.unit_shares(["happy", "sad"], UNITS, [[0, smile], [0.8, 0]])


def cosines(near):
    matrix = [[1, near, 0.2], [near, 1, 0.1], [0.2, 0.1, 1]]
    return figures.expected_cosines({"basic": ("ABC", matrix)}, hardest=1)


def ceilings(first):
    return figures.unit_ceilings([0, 0.1], {"basic": [first, 80]}, {"basic": 40})


#: The same call with two sets of data, and what the two texts must say.
FIGURES = {
    "named_faces": (
        lambda: figures.named_faces(FACES, ["one", "two\nlines", "three"], 2),
        lambda: figures.named_faces(FACES, ["one", "two", "four"], 2),
        ("one, two lines and three", "one, two and four"),
    ),
    "class_shares": (
        lambda: figures.class_shares(["HA", "FE"], {"set": [30, 10]}),
        lambda: figures.class_shares(["HA", "FE"], {"set": [10, 10]}),
        ("HA 30 (75 %) and FE 10 (25 %)", "HA 10 (50 %)"),
    ),
    "unit_shares": (
        lambda: shares(0.9),
        lambda: shares(0.5),
        ("happy: 12; sad: 4", "happy: none; sad: 4"),
    ),
    "expected_cosines": (
        lambda: cosines(0.9),
        lambda: cosines(0.15),
        ("mean 0.40, largest A and B 0.90", "mean 0.15, largest A and C 0.20"),
    ),
    "unit_ceilings": (
        lambda: ceilings(99),
        lambda: ceilings(90),
        ("99 at 0 and 80 at 0.1", "90 at 0"),
    ),
    "unit_face": (
        lambda: figures.unit_face(FACES[0], UNITS, [0, 0.4], "person 3"),
        lambda: figures.unit_face(FACES[0], UNITS, [0, 0], "person 3"),
        ("12 lip corner puller at 0.4.", "Units: none."),
    ),
    "class_brightness": (
        lambda: figures.class_brightness(["HA", "FE"], [0, 0, 1], [10, 20, 70]),
        lambda: figures.class_brightness(["HA", "FE"], [0, 0, 0], [10, 20, 70]),
        ("medians: HA 15 and FE 70.", "medians: HA 20."),
    ),
}


@pytest.mark.parametrize("name", FIGURES)
def test_the_text_follows_the_data(name):
    *calls, words = FIGURES[name]
    figures.style()
    for call, said in zip(calls, words, strict=True):
        figure, alt = call()
        assert isinstance(figure, Figure)
        assert figures.png(figure, dpi=40)
        assert said in alt
        assert alt.endswith(".")


def test_every_face_has_its_name_under_it():
    figure, _ = figures.named_faces(FACES, ["one", "two", "three"], 2)
    titles = [axes.get_title("center") for axes in figure.axes]
    assert titles == ["one", "two", "three", ""]
