"""Figures: drawn from small data, told in words, and refused where data do not fit."""

from __future__ import annotations

import importlib
import inspect
import io
import pkgutil

import numpy as np
import pytest
from fersep_book import figures
from fersep_book.figures import parts
from matplotlib.figure import Figure
from PIL import Image

from fersep import analysis

RANDOM = np.random.default_rng(0)
POINTS = np.array([[1.0, 0.1], [1.0, -0.1], [-0.1, 1.0], [0.1, 1.0]])
CENTERS = np.eye(2)
LABELS = [0, 0, 1, 1]
FACES = np.zeros((3, 3, 8, 8), dtype=np.uint8)
UNITS = ["4 brow lowerer", "12 lip corner puller"]
CONFUSED = np.array([[90, 10, 0], [5, 94, 1], [6, 0, 4]])
HISTORY = {
    "softmax_loss": [2, 1],
    "intra_loss": [1, 0.5],
    "validation_accuracy": [0, 9],
}
RULES = {"exact": [0.1, 0.2], "published": [0.01, 0.03], "mean": [1, 2]}
LOSSES = figures.BOTH_LOSSES


def toy(dim):
    return (
        RANDOM.normal(size=(30, dim)),
        np.arange(30) % 3,
        RANDOM.normal(size=(3, dim)),
    )


def circle(*degrees):
    turn = np.deg2rad(degrees)
    return np.stack([np.cos(turn), np.sin(turn)], 1)


def gap(*values):
    return analysis.mean_interval(values)


def stage(push):
    return POINTS, CENTERS, 0.1 * POINTS[:, ::-1], push * np.ones((2, 2))


def of_seeds(rows):
    return ["a", "b"], rows, [gap(*column) for column in zip(*rows, strict=True)]


#: Function -> calls, each with what its text must say.
CALLS = {
    "chapter_01.pull_and_push": [
        (
            ({"now": stage(0.2)}, LABELS),
            "features and their center 1.00, of different centers 0.00",
        ),
    ],
    "chapter_01.two_losses_on_one_network": [
        ((64, 11), "64 numbers; a linear layer makes 11 numbers"),
    ],
    "chapter_01.printed_changes": [
        (
            ({"one": (["a", "b"], [0.1, 0.2], [0.3, 0.1])}, [("before", "after")]),
            "before to after: a 0.10 to 0.30 and b 0.20 to 0.10",
        ),
    ],
    "chapter_02.named_faces": [
        ((FACES, ["one", "two\nlines", ""], 2), "3 faces: one and two lines."),
    ],
    "chapter_02.unit_shares": [
        ((["happy", "sad"], UNITS, [[0, 0.9], [0.8, 0]], 0), "happy: 12; sad: 4"),
        ((["happy", "sad"], UNITS, [[0, 0.5], [0.8, 0]], 0), "happy: none; sad: 4"),
    ],
    "chapter_02.expected_cosines": [
        (
            ({"basic": ("ABC", [[1, 0.9, 0.2], [0.9, 1, 0.1], [0.2, 0.1, 1]])},),
            "mean 0.40, largest A and B 0.90, A and C 0.20 and B and C 0.10",
        ),
    ],
    "chapter_02.unit_ceilings": [
        (([0, 0.1], {"basic": [99, 80]}, {"basic": 40}), "99 at 0 and 80 at 0.1"),
    ],
    "chapter_02.unit_face": [
        ((FACES[0], UNITS, [0, 0.4], "person 3"), "12 lip corner puller at 0.4."),
        ((FACES[0], UNITS, [0, 0], "person 3"), "Units: none."),
    ],
    "chapter_02.class_brightness": [
        ((["HA", "FE"], [0, 0, 1], [10, 20, 70]), "medians: HA 15 and FE 70."),
        ((["HA", "FE"], [0, 0, 0], [10, 20, 70]), "medians: HA 20."),
    ],
    "chapter_03.own_and_rival": [
        (([0.9, 0.8, 0.2], [0.1, 0.85, 0.1]), "1 features are nearer to another"),
    ],
    "chapter_03.cosine_tables": [
        (
            ("AB", np.eye(2) + np.array([[[0.1]], [[0.0]]])),
            "A 1.05 and B 1.05. With other centers: 0.05 to 0.05",
        ),
        (("AB", np.eye(2)[None]), "mean over 1 seeds"),
        (("AB", np.array([[[1, 0.2], [np.nan, np.nan]]] * 2)), "A 1.00 and B nan"),
    ],
    "chapter_03.seeds_with_intervals": [
        ((*of_seeds([[0.1, 0.2], [0.3, 0.4]]), [0.5, 0.6]), "a 0.20 (-1.07 to 1.47)"),
        ((*of_seeds([[0.1, 0.2]]), None), "mean: a 0.10 and b 0.20."),
    ],
    "chapter_03.interval_coverage": [
        (([2, 3], [0.95, 0.951], [0.7, 0.81]), "2 seeds 95 and 70 and 3 seeds 95"),
    ],
    "chapter_03.repeated_experiments": [
        (
            (([-1.0, 0.2], [1.0, 0.8]), ([0.1, 0.6], [0.9, 0.8]), 0.5, 2.0),
            "unpaired: 2 of 2 intervals hold the truth, 1 exclude zero, median width "
            "1.30 points. paired by seed: 1 of 2 intervals hold the truth, 2",
        ),
    ],
    "chapter_03.disagreements": [(("AB", [3, 0], [1, 2]), "together 3 and 3")],
    "chapter_04.two_vectors": [((60.0,), "point is at 0.750, where the cosine is 0.5")],
    "chapter_04.feature_fans": [
        (({"one": (circle(60, -60), [1.0, 0.0])},), "one: L_intra 0.250"),
    ],
    "chapter_04.zero_sum_sets": [
        (
            ({"three": circle(0, 120, 240), "two": circle(0, 0)},),
            "three: mean similarity 0.2500, closest pair 0.25, length of the sum 0.00; "
            "two: mean similarity 1.0000, closest pair 1.00, length of the sum 2.00",
        ),
    ],
    "chapter_04.inter_cost": [
        (
            ([2, 4], {"a": [1e-3], "b": [1e-4, 2e-4]}),
            "a: 0.001 seconds at 2 classes; b",
        ),
    ],
    "chapter_04.loss_ranges": [
        (({"here": (0.1, 0.6)}, 0.4), "here (0.100, 0.600). The floor of L_inter is a"),
    ],
    "chapter_05.feature_push": [
        ((0.0,), "point is at 0.000"),
        ((45.0,), "point is at 0.354"),
    ],
    "chapter_05.push_field": [
        (
            ([0.0, 1.0],),
            "90 degrees above the horizontal. At a right angle the push has",
        ),
        (([1.0, 0.0],), "length 1.00 at distance 0.5 and 0.25 at distance 2"),
    ],
    "chapter_06.centers_relaxing": [
        (
            ([circle(0, 40), circle(0, 90)], [0.9, 0.5], 0.0, 1),
            "after 1 steps; their sum has length 1.41. Right: L_inter falls from 0.900",
        ),
    ],
    "chapter_06.rule_weights": [
        (
            ([1, 2], RULES, {"$m$": ([10, 20], RULES)}),
            "published, push over pull against m: from 0.01 at 10 to 0.03 at 20",
        ),
    ],
    "chapter_06.rest_positions": [
        (
            ("AB", {"exact": [1.0, 0.7]}, [0.8, 0.9]),
            "0.90 down to 0.80 (A). At rest, exact: from 1.00 down to 0.70 (B)",
        ),
    ],
    "chapter_06.center_turning": [
        (({"a": [0, 0.5]}, {"a": [1, 1.1]}), "0.00 to 0.50, length times 1.100"),
    ],
    "chapter_06.frozen_share": [
        (([1, 5], {"float16": [1.0, 0.5]}), "length 1 and 5: float16 100% and 50%"),
    ],
    "chapter_07.toy_panels": [
        (({"end": (POINTS, LABELS, CENTERS)},), "their centers 1.00, of different"),
        (({"end": toy(3)},), "Directions of features as points on a sphere"),
    ],
    "chapter_07.toy_history": [
        (({"run": {"intra": [0, 0.5], "inter": [0, -1]}},), "intra 0.50 and inter -1"),
    ],
    "chapter_07.toy_moment": [
        (
            ([(POINTS, CENTERS)] * 2, LABELS, {"intra": [0.1, 0.5]}, 1),
            "At this step intra 0.50.",
        ),
        (([toy(3)[::2]], np.arange(30) % 3, {"intra": [0.1]}, 0), "on a sphere"),
    ],
    "chapter_07.toy_step": [
        (
            (POINTS, LABELS, CENTERS, [1, 3], {"softmax": [[0.3, 0.4]] * 2})
            + ({"pull": [[0.1, 0]] * 2}, 3.0),
            "softmax 0.500 on a feature and pull 0.100 on a center",
        ),
    ],
    "chapter_08.training_curves": [
        (([HISTORY], [HISTORY] * 2), "2 epochs for two losses, mean over 2 seeds."),
    ],
    "chapter_08.paired_seeds": [
        (
            (["accuracy"], [[80, 81]], [[82, 82]], [gap(2.0, 1.0)], 40.0),
            "+1.50 points, 95 %: -4.85 to +7.85; always naming the largest class",
        ),
        ((["accuracy"], [[80]], [[82]], [gap(2.0)], 40.0), "softmax +2.00 points;"),
    ],
    "chapter_08.class_recalls": [
        (
            ("AB", [1, 9], {LOSSES[0]: [[50, 80], [52, 90]], LOSSES[1]: [[np.nan, 7]]}),
            "softmax loss: B 85 and A 51. softmax + separate loss: B 7 and A untested",
        ),
    ],
    "chapter_09.similarity_row": [
        (
            ("AB", [[0.9, 0.8, 0.85, 0.1]], [[1, 1, 1, 0]] * 2)
            + ({name: [0.5] * 4 for name in LOSSES},),
            "A 0.90, B 0.80, intra mean 0.85 and inter mean 0.10",
        ),
    ],
    "chapter_10.convergence": [
        (
            (["HA", "FE"], [[0.1, -0.2], [0.9, 0.8]], [0.5, 0.5], [0.9, 0.9]),
            "HA from 0.10 to 0.90 and FE from -0.20 to 0.80",
        ),
        ((["HS", "SA"], [[0.1, -0.2], [0.9, 0.8]], None, None), "over 2 epochs"),
    ],
    "chapter_10.agreement_at": [
        (
            (["HA", "FE"], [90, 10], [[0, 0], [0.9, 0.8]], [[0, 0], [0.1, 0.2]], 2),
            "Epoch 2, cosine of learned and true center. With the separate loss: HA 0.90",
        ),
    ],
    "chapter_11.maps": [
        (
            ({"a": (POINTS, None, CENTERS), "b": (POINTS, CENTERS, CENTERS)}, LABELS)
            + (["HA", "FE"],),
            "b: 4 points; the two nearest true centers are HA and FE",
        ),
    ],
    "chapter_12.confusions": [
        (
            ({"ours": CONFUSED}, ("NE", "HA", "SA")),
            "NE 90, HA 94 and SA 40; most often NE is taken for HA",
        ),
        (
            ({"a": np.eye(11) * 40, "b": np.ones((11, 11))}, "A" * 11),
            "a: percent right",
        ),
    ],
    "chapter_12.recall_by_size": [
        (
            ({"a": ("AB", [9, 5], [80, 70], ([8, 4], [90, 60]))},),
            "a: A 80 and B 70",
        ),
        (({"a": ("AB", [9, 5], [80, 70], None)},), "a: A 80 and B 70"),
    ],
    "chapter_12.redrawn_gains": [
        (([0.1, 0.5, 0.9], [0.4, 0.04, 0.01], 0.5), "67 percent are significant"),
    ],
    "chapter_12.seeds_needed": [
        ((0.4, 0.25, 5), "0.25 points need 13 pairs"),
        ((4.0, 0.25, 1), "0.25 points need more than 40 pairs"),
    ],
    "chapter_13.sweep": [
        (
            ([0.1, 0.9], {"a": [[80, 81], [82, 83]]}, "λ")
            + (([0.1, 0.9], [85, 86]), [79, 80]),
            "a: means from 80.5 to 82.5 percent, the best at 0.9. without it 79.5 "
            "percent. the paper: 85.00 to 86.00 percent",
        ),
    ],
    "chapter_15.transfer": [
        ((["a"], ["x, y", "z"], [[80.0, 20.0]]), "trained on a: x, y 80 and z 20"),
    ],
    "chapter_16.printed_sweep": [
        (
            ([0.1, 0.5, 0.9], [85.0, 86.0, 85.4], 3068),
            "85.00 to 86.00 percent, best at",
        ),
    ],
    "appendix.later_results": [
        (
            ([(2021, 88.0, "one"), (2021, 88.1, "two")], (2019, 86)),
            "the paper 86.00, later one 88.00 in 2021 and two 88.10 in 2021",
        ),
    ],
    "shared.face_rows": [
        (
            (FACES, ["a", "b", "c"], ["one row"]),
            "1 rows: one row; the columns are a, b",
        ),
    ],
    "shared.face_grid": [((FACES, [0, 0, 1], ["HA", "FE"]), "2 of HA and 1 of FE")],
    "shared.class_shares": [
        ((["HA", "FE"], {"set": [30, 10]}), "set: HA 30 (75 %) and FE 10 (25 %)"),
        ((["HA", "FE"], {"a": [1, 3], "b": [1, 1]}), "a: HA 1 (25 %) and FE 3 (75 %)"),
    ],
    "shared.difference_errors": [
        (
            ([1e-4, 1e-3, 1e-2], {"float64": [1e-6, 0.0, 1e-3]})
            + ({"float64": (1e-3, 1e-8)},),
            "float64: lowest error 1e-06 at step 1e-04",
        ),
    ],
    "shared.differences": [
        (
            (["a", "b"], [gap(1.0, 2.0), gap(1.0)], "gain"),
            "(-4.85 to +7.85) and b +1.00",
        ),
    ],
    "shared.printed_gains": [
        (
            (["RAF-DB"], [3068], [85.0], [86.0]),
            "a gain of 1.00 with a standard error of",
        ),
    ],
}


def function(name):
    module, _, word = name.partition(".")
    return getattr(importlib.import_module(f"fersep_book.figures.{module}"), word)


@pytest.fixture(autouse=True)
def sheet():
    figures.use_style()


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [(name, *call) for name, calls in CALLS.items() for call in calls],
)
def test_a_figure_is_drawn_and_told_from_its_data(name, given, said):
    figure, alt = function(name)(*given)
    assert isinstance(figure, Figure)
    picture = Image.open(io.BytesIO(figures.png(figure, dpi=40)))
    assert np.asarray(picture.convert("L")).std() > 1
    assert said in alt
    assert alt.endswith(".")


def test_every_figure_of_the_book_is_tried():
    found = set()
    for module in pkgutil.iter_modules(figures.__path__):
        if module.name in ("style", "parts"):
            continue
        rooms = importlib.import_module(f"fersep_book.figures.{module.name}")
        found |= {
            f"{module.name}.{name}"
            for name, each in inspect.getmembers(rooms, inspect.isfunction)
            if each.__module__ == rooms.__name__ and not name.startswith("_")
        }
    assert found == set(CALLS)


MANY = {name: [0.1, 0.2] for name in "abcdefghi"}


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("chapter_02.unit_ceilings", ([0, 1], MANY, MANY), "at most 2 .* got 9: a, b"),
        ("chapter_02.named_faces", (FACES, ["one", "two"], 2), "2 names .* 3 faces"),
        ("chapter_04.inter_cost", ([2, 4], MANY), "at most 3 series"),
        ("chapter_04.loss_ranges", (MANY, 0.1), "at most 8 series"),
        ("chapter_06.center_turning", (MANY, MANY), "at most 4 series"),
        ("chapter_06.frozen_share", ([1, 2], MANY), "at most 3 series"),
        ("chapter_07.toy_history", (dict.fromkeys("abcde", MANY),), "at most 4 series"),
        ("chapter_07.toy_history", ({"x": MANY, "y": {}},), "'y' measures"),
        ("chapter_07.toy_moment", ([(POINTS, CENTERS)], LABELS, MANY, 0), "at most 3"),
        ("chapter_08.class_recalls", ("AB", [1, 2], MANY), "at most 2 series"),
        ("chapter_13.sweep", ([1, 2], MANY, "λ", ([1], [2]), [3]), "at most 3 series"),
        ("shared.difference_errors", ([1, 2], MANY, {}), "at most 2 series"),
        ("chapter_04.zero_sum_sets", ({"a": np.ones((19, 2))},), "at most 18 classes"),
    ],
)
def test_no_series_is_left_out_without_a_word(name, given, message):
    with pytest.raises(ValueError, match=message):
        function(name)(*given)


def test_every_class_has_its_own_style():
    styles = list(figures.CLASS_STYLE.values())
    assert len(set(styles)) == len(styles) == 18
    for names in (list(figures.CLASS_STYLE)[:7], list(figures.CLASS_STYLE)[7:]):
        colors, markers = zip(*(figures.CLASS_STYLE[n] for n in names), strict=True)
        assert len(set(colors)) == len(set(markers)) == len(names)
        # Triangles mean centers.
        assert not {"^", "v"} & set(markers)


def test_few_images_are_shown_as_counts():
    figure, _ = function("chapter_12.confusions")({"a": CONFUSED}, ("NE", "HA", "SA"))
    shown = [text.get_text() for text in figure.axes[0].texts]
    assert "90" in shown
    assert "4" in shown  # four images of ten, not 40 percent
    assert "40" not in shown


def test_the_number_of_pairs_is_the_first_that_is_enough():
    assert analysis.student_interval(0.0, 0.4, 13)[1] <= 0.25
    assert analysis.student_interval(0.0, 0.4, 12)[1] > 0.25


def test_a_center_without_a_push_has_no_arrow():
    def arrows(push):
        figure, _ = function("chapter_01.pull_and_push")({"now": stage(push)}, LABELS)
        return sum(text.arrow_patch is not None for text in figure.axes[0].texts)

    assert arrows(0.2) == arrows(0.0) + len(CENTERS)


def test_an_interval_that_misses_the_truth_looks_different():
    figure, _ = function("chapter_03.repeated_experiments")(
        ([0.2], [0.8]), ([0.1, 0.6], [0.9, 0.8]), 0.5, 2.0
    )
    held, missed = figure.axes[1].lines[:2]
    assert (held.get_linestyle(), missed.get_linestyle()) == ("-", ":")


def test_numbers_and_names_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="zip"):
        parts.named("AB", [0.1])


def test_a_page_shows_a_white_picture_with_its_text(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    figures.show(*function("chapter_05.feature_push")(45.0))
    data, metadata = shown[0]._repr_mimebundle_()
    assert "45 degrees" in metadata["image/png"]["alt"]
    image = Image.open(io.BytesIO(shown[0].data)).convert("RGBA")
    assert data["image/png"]
    assert image.getpixel((0, 0)) == (255, 255, 255, 255)
    assert image.getextrema()[3] == (255, 255)


def test_a_figure_without_text_is_refused():
    with pytest.raises(ValueError, match="alternative text"):
        figures.show(Figure(), " ")
