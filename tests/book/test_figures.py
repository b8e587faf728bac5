"""Figures: drawn from small data, told in words, and refused where data do not fit."""

import base64
import importlib
import inspect
import io
import pkgutil
import re
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
from bs4 import BeautifulSoup
from fersep_book import figures
from fersep_book.figures import parts, style
from matplotlib.figure import Figure
from PIL import Image

from fersep import analysis

POINTS = np.array([[1.0, 0.1], [1.0, -0.1], [-0.1, 1.0], [0.1, 1.0]])
CENTERS = np.eye(2)
LABELS = [0, 0, 1, 1]
TOY = (POINTS, LABELS, CENTERS)
FACES = np.zeros((3, 3, 8, 8), dtype=np.uint8)
UNITS = ["4 brow lowerer", "12 lip corner puller"]
RULES = {"exact": [0.1, 0.2], "published": [0.01, 0.03], "mean": [1, 2]}


def all_figures():
    """Return the public functions of all modules of figures, by their names."""
    found = {}
    for each in pkgutil.iter_modules(figures.__path__):
        if each.name not in ("style", "parts", "scorecard"):  # this one draws HTML
            module = importlib.import_module(f"fersep_book.figures.{each.name}")
            for name, function in inspect.getmembers(module, inspect.isfunction):
                if function.__module__ == module.__name__ and name[0] != "_":
                    found[name] = function
    return SimpleNamespace(**found)


F = all_figures()


def circle(*degrees):
    turn = np.deg2rad(degrees)
    return np.stack([np.cos(turn), np.sin(turn)], 1)


def gap(*values):
    return analysis.mean_interval(values)


def push(size):
    stage = POINTS, CENTERS, 0.1 * POINTS[:, ::-1], size * np.ones((2, 2))
    return F.pull_and_push({"now": stage}, LABELS)


def repeated(unpaired):
    return F.repeated_experiments(unpaired, ([0.1, 0.6], [0.9, 0.8]), 0.5, 2.0)


def confusion():
    matrix = [[90, 10, 0], [5, 94, 1], [6, 0, 4]]
    return F.confusions({"ours": matrix}, ("NE", "HA", "SA"))


#: What the text must say -> a figure of small data.
CASES = {
    "their center 1.00, of different centers 0.00": lambda: push(0.2),
    "64 numbers; a linear": lambda: F.two_losses_on_one_network(64, 11),
    "before to after: a 0.10 to 0.30 and b 0.20 to 0.10": lambda: F.printed_changes(
        {"one": (["a", "b"], [0.1, 0.2], [0.3, 0.1])}, [("before", "after")]
    ),
    "one, x: b 200 and a 10. one, y: b 3 and a 4": lambda: F.class_sizes(
        {"one": ("ab", {"x": [10, 200], "y": [4, 3]})}
    ),
    "3 faces: one and two l.": lambda: F.named_faces(FACES, ["one", "two\nl", ""], 2),
    "A: 12; B: 4": lambda: F.unit_shares("AB", UNITS, [[0, 0.9], [0.8, 0]], 0),
    "mean 0.40, largest A and B 0.90, A and C": lambda: F.expected_cosines(
        {"basic": ("ABC", [[1, 0.9, 0.2], [0.9, 1, 0.1], [0.2, 0.1, 1]])}
    ),
    "99 at 0 and 80 at": lambda: F.unit_ceilings([0, 1], {"a": [99, 80]}, {"a": 40}),
    "puller at 0.4.": lambda: F.unit_face(FACES[0], UNITS, [0, 0.4], "person 3"),
    "Units: none.": lambda: F.unit_face(FACES[0], UNITS, [0, 0], "person 3"),
    "A 15 and B 70.": lambda: F.class_brightness("ABC", [0, 0, 1], [10, 20, 70]),
    "1 features are": lambda: F.own_and_rival([0.9, 0.8, 0.2], [0.1, 0.85, 0.1]),
    "A 1.00 and B 0.90. With other centers: 0.10 to 0.20": lambda: F.cosine_table(
        "AB", [[1, 0.2], [0.1, 0.9]]
    ),
    "A 1.00 and B nan": lambda: F.cosine_table("AB", [[1, 0.2], [np.nan] * 2]),
    "over 2 epochs. Within classes from 0.90 to 0.75": lambda: F.cosines_by_epoch(
        [[0.9, 0.8], [0.9, 0.7]], [[0.9, 0.5], [0.8, 0.4]]
    ),
    "right 0.50 to 0.30, least 0.20.": lambda: F.loss_by_length(
        [0.5, 1, 2], {"right": [0.5, 0.2, 0.3]}
    ),
    "x: 95 % at 2 and 70 % at 3.": lambda: F.interval_coverage(
        [2, 3], {"x": [0.95, 0.7]}, "Title"
    ),
    "median width 0.50 points. pairs: 1 of 2 intervals hold the truth, 2": (
        lambda: repeated(([0.2], [0.7]))
    ),
    "at 0.750, where the cosine is 0.5": lambda: F.two_vectors(60.0),
    "one: L_intra 0.250": lambda: F.feature_fans({"one": (circle(60, -60), [1, 0])}),
    "similarity 0.2500, closest pair 0.25, length of the sum 0.00; two: mean": lambda: (
        F.zero_sum_sets({"three": circle(0, 120, 240), "two": circle(0, 0)})
    ),
    "b: 0.002 seconds at 4": lambda: F.inter_cost(
        {"a": [(2, 1)], "b": [(2, 1), (4, 2e-3)]}
    ),
    "here (0.100, 0.600). The": lambda: F.loss_ranges({"here": (0.1, 0.6)}, 0.4),
    "point is at 0.000": lambda: F.feature_push(0.0),
    "point is at 0.354": lambda: F.feature_push(45.0),
    "90 degrees above": lambda: F.push_field([0.0, 1.0]),
    "length 1.00 at distance 0.5 and 0.25": lambda: F.push_field([1.0, 0.0]),
    "exact: pull 0.500, push 0.250.": lambda: F.two_forces(
        [[1, 0]], [0], [[0, 1]], {"exact": ([[0.5, 0]], [[0, 0.25]])}
    ),
    "published, push over pull against m: from 0.01 at 10 to 0.03 at 20": lambda: (
        F.rule_weights([1, 2], RULES, {"$m$": ([10, 20], RULES)})
    ),
    "exact, distance 0.10 at 0 and 0.80 at 0.5, fear from 1.00 to 0.10": lambda: (
        F.rest_by_likeness(
            [0, 0.5], {"exact": [[1] * 7, [0.1] * 7]}, [0.9] * 7, (0.4, 0.6)
        )
    ),
    "0.50, length times 1.1": lambda: F.center_turning(
        {"a": [0, 0.5]}, {"a": [1, 1.1]}
    ),
    "loss from 0.90 to 0.50, ratio from 1.0 to 4.0": lambda: F.toy_criteria(
        {
            "softmax": [[0.9, 0.9, 2], [0.6, 0.6, 3]],
            "separate": [[0.9, 0.9, 1], [0.5, 0.5, 4]],
        }
    ),
    "from below, plain 55.0 to 35.0 percent; from above": lambda: F.under_covers(
        {
            f"from {side}": {"plain": {0.0: gap(60, 50), 1.0: gap(40, 30)}}
            for side in ("below", "above")
        },
        "gates",
        trained=1.0,
        chance=38.0,
    ),
    "2 rendered faces, bare and covered, with a disk for each gate, as large as it is "
    "open: mean 1.00 and 0.50": lambda: F.gates_on_faces(
        np.zeros((2, 2, 3, 8, 8), np.uint8),
        np.stack([np.ones((2, 3)), np.full((2, 3), 0.5)]),
        [[0.2, 0.2], [0.8, 0.8], [0.5, 0.5]],
        "gates",
    ),
    "1 and 5: float16 100% and": lambda: F.frozen_share([1, 5], {"float16": [1, 0.5]}),
    "their centers 1.00, of different": lambda: F.toy_panels({"end": TOY}),
    "a rises in 1 of 2, mean +0.05 (−1.86 to +1.96)": lambda: F.toy_pairs(
        {"a": [(0.5, 0.7), (0.6, 0.5)]}, [gap(0.2, -0.1)]
    ),
    "one 0.500 on a feature and two 0.100 on a center": lambda: F.toy_step(
        *TOY, [1, 3], {"one": [[0.3, 0.4]] * 2}, {"two": [[0.1, 0]] * 2}, 3.0
    ),
    "as printed +2.00 at the end, and up to 3.0 points on": lambda: F.pairs_by_epoch(
        {"softmax": [[50, 60]] * 2, "as printed": [[53, 61], [49, 63]]}, "accuracy"
    ),
    "x at the end: softmax 1.000 and mean rule 2.000.": lambda: F.loss_terms(
        {"$x$": {"softmax": [[3, 1]], "mean rule": [[3, 2]]}}
    ),
    "HA from 0.10 to 0.90 and FE from -0.20 to 0.80": lambda: F.convergence(
        ["HA", "FE"], [[0.1, -0.2], [0.9, 0.8]], [0.5, 0.5], [0.9, 0.9]
    ),
    "over 2 epochs": lambda: F.convergence(["HS", "SA"], [[0, -1], [1, 1]], None, None),
    "b: 4 points; the two nearest true centers are A and B": lambda: F.maps(
        {"a": (POINTS, None, CENTERS), "b": (POINTS, CENTERS, CENTERS)}, LABELS, "AB"
    ),
    "NE 90, HA 94 and SA 40; most often NE is taken for HA": lambda: confusion(),
    "a: percent right A 100": lambda: F.confusions({"a": np.eye(11) * 40}, "A" * 11),
    "a +1.50 (−4.85 to +7.85) undecided and b +1.00.": lambda: F.gains(
        {"x": {"a": (gap(1, 2), [1, 2], "undecided")}, "y": {"b": (gap(1), [1], "")}},
        "Title",
        margin=1,
    ),
    "NE 0.90 and 0.80": lambda: F.predicted(["NE"], [[0.9]], [[0.8]]),
    "Seeds and test images: 3 pairs 0.80": lambda: F.half_widths(
        [[2, 0.5, 0.9], [3, 0.4, 0.8]], 0.25
    ),
    "a, x +0.10 (−0.10 to +0.30)": lambda: F.interval_groups(
        {"a": {"x": analysis.Interval(0.1, -0.1, 0.3, 4)}},
        "gain",
        margin=0.2,
        paper=0.7,
    ),
    "a, 0 +0.10 (−9.00 to +9.00); a, 1 −2.00; the paper 1 −0.20.": lambda: F.beside_one(
        "01",
        {"a": {"0": analysis.Interval(0.1, -9.0, 9.0, 4), "1": gap(-2.0)}},
        "λ",
        title="Title",
        paper={"1": -0.2},
        apart="0",
    ),
    "x, tried on z: softmax 1.0 and separate 1.5 (−4.9 to 7.9); guessing 14.3.": (
        lambda: F.transfer(
            {"z": {"x": ({"softmax": gap(1), "separate": gap(1, 2)}, 100 / 7)}}, "Title"
        )
    ),
    "the paper 86.00, later one 88.00 in 2021 and two": lambda: F.later_results(
        [(2021, 88.0, "one"), (2021, 88.1, "two")], (2019, 86)
    ),
    "1 rows: one row": lambda: F.face_rows(FACES, "abc", ["one row"]),
    "2 of A and 1 of B": lambda: F.face_grid(FACES, [0, 0, 1], "AB"),
    "float64: lowest error 1e-06 at step 1e-04": lambda: F.difference_errors(
        [1e-4, 1e-3, 1e-2], {"float64": [1e-6, 0.0, 1e-3]}, {"float64": (1e-3, 1e-8)}
    ),
}


@pytest.fixture(autouse=True)
def sheet():
    figures.use_style()


@pytest.mark.parametrize("said", CASES)
def test_a_figure_is_drawn_and_told_from_its_data(said):
    figure, alt = CASES[said]()
    assert isinstance(figure, Figure)
    picture = Image.open(io.BytesIO(style.png(figure, dpi=40)))
    assert np.asarray(picture.convert("L")).std() > 1
    assert said in alt
    assert alt.endswith(".")


def test_every_figure_of_the_book_is_tried():
    calls = " ".join(inspect.getsource(inspect.getmodule(push)).split())
    assert [name for name in vars(F) if f"F.{name}(" not in calls] == []


MANY = {name: [0.1, 0.2] for name in "abcdefghi"}


@pytest.mark.parametrize(
    ("message", "call"),
    [
        ("at most 2 .* got 9: a, b", lambda: F.unit_ceilings([0, 1], MANY, MANY)),
        ("2 names .* 3 faces", lambda: F.named_faces(FACES, ["one", "two"], 2)),
        ("at most 3", lambda: F.inter_cost({key: [(2, 1)] for key in MANY})),
        ("at most 4", lambda: F.center_turning(MANY, MANY)),
        ("at most 3", lambda: F.frozen_share([1, 2], MANY)),
        (
            "at most 2",
            lambda: F.toy_step(*TOY, [1, 3], dict.fromkeys("abc", [[1, 1]] * 2), {}, 3),
        ),
        ("at most 2", lambda: F.difference_errors([1, 2], MANY, {"a": (1, 1)} | MANY)),
        ("at most 18 classes", lambda: F.zero_sum_sets({"a": np.ones((19, 2))})),
        ("zip", lambda: parts.say("{} {}", "AB", [0.1])),
    ],
)
def test_nothing_is_left_out_without_a_word(message, call):
    with pytest.raises(ValueError, match=message):
        call()


def test_every_class_has_its_own_style():
    styles = list(style.CLASS_STYLE.values())
    assert len(set(styles)) == len(styles) == 18
    for kind in (styles[:7], styles[7:]):
        colors, markers = zip(*kind, strict=True)
        assert len(set(colors)) == len(set(markers)) == len(kind)
        # Triangles mean centers.
        assert not {"^", "v"} & set(markers)


def test_few_images_are_shown_as_counts():
    shown = [text.get_text() for text in confusion()[0].axes[0].texts]
    assert {"90", "4"} <= set(shown)  # four images of ten, not 40 percent
    assert "40" not in shown


def test_the_number_of_pairs_is_the_first_that_is_enough():
    assert analysis.student_interval(0.0, 0.4, 13)[1] <= 0.25
    assert analysis.student_interval(0.0, 0.4, 12)[1] > 0.25


def test_a_center_without_a_push_has_no_arrow():
    with_push, without = (
        sum(text.arrow_patch is not None for text in push(size)[0].axes[0].texts)
        for size in (0.2, 0.0)
    )
    assert with_push == without + len(CENTERS)


def test_an_interval_that_misses_the_truth_looks_different():
    held, missed = repeated(([0.2], [0.8]))[0].axes[1].lines[:2]
    assert (held.get_linestyle(), missed.get_linestyle()) == ("-", ":")


def test_a_page_shows_a_picture_with_its_text_that_follows_the_dark(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    figures.show(*F.feature_push(45.0))
    page = BeautifulSoup(shown[0].data, "html.parser")
    assert "45 degrees" in page.find(role="img")["aria-label"]
    ids = {element["id"] for element in page.find_all(id=True)}
    used = set(re.findall(r'(?:href="|url\()#([^")]+)', shown[0].data))
    assert used <= ids
    inks = set(re.findall(r"(?:fill|stroke): ([^;\"]*)", shown[0].data)) - {"none"}
    assert inks
    assert all(ink.startswith("light-dark(#") for ink in inks), inks


def test_a_phone_gets_a_narrow_figure_with_its_panels_below_each_other():
    figure, _ = repeated(([0.2], [0.7]))
    style.lay_out_for_phone(figure)
    style.png(figure)
    first, second = (axes.get_position() for axes in figure.axes)
    assert figure.get_figwidth() < style.WIDTH / 1.9
    assert second.y1 < first.y0


def test_marks_that_are_a_picture_have_one_for_the_dark():
    points = np.random.default_rng(0).normal(size=(1200, 2))
    figure, _ = F.maps({"one": (points, None, np.eye(2))}, [0] * 1200, ["HA", "SA"])
    page = BeautifulSoup(style.svg(figure), "html.parser")
    seen = []
    for group in ("g.light", "g.dark"):
        data = page.select_one(f"{group} image")["xlink:href"].partition(",")[2]
        with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
            pixels = np.asarray(picture.convert("RGBA")).reshape(-1, 4)
        seen.append(pixels[pixels[:, 3].argmax(), :3].astype(int))
    happy = style.CLASS_STYLE["HA"][0]
    partner = style.light_dark(happy).split(",")[1].rstrip(")")
    for pixel, color in zip(seen, (happy, partner), strict=True):
        rgb = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
        assert np.abs(pixel - rgb).max() < 8
    faces = np.full((8, 3, 16, 16), 200, np.uint8)
    page = style.svg(F.face_grid(faces, [0] * 8, ["HA"])[0])
    assert "<image" in page
    assert 'class="dark"' not in page


def test_a_diagram_brings_its_own_narrow_form():
    figure, alt = F.two_losses_on_one_network(64, 11)
    assert figure.narrow.get_figwidth() == style.PHONE_WIDTH
    words = [
        {text.get_text() for text in f.axes[0].texts} for f in (figure, figure.narrow)
    ]
    assert words[0] == words[1]
    wide, narrow = (style.svg(each) for each in (figure, figure.narrow))
    assert wide in style.picture(figure, alt)
    assert f'<div class="phone" style="display:none">{narrow}' in style.picture(
        figure, alt
    )
    for each in (figure, figure.narrow):
        style.png(each)
        sides = [p.get_window_extent() for p in each.axes[0].patches]
        boxes = [b for b in sides if b.width > 20]
        assert len(boxes) == 8
        assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))


@pytest.mark.parametrize(
    "color", [style.INK, style.GRAY, *(c for c, _ in style.CLASS_STYLE.values())]
)
def test_a_color_stands_out_from_the_ground_of_the_dark(color):
    def light(code):
        parts = [int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        parts = [
            p / 12.92 if p <= 0.04 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
        ]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    partner = style.light_dark(color).split(",")[1].rstrip(")")
    assert (light(partner) + 0.05) / (light("#14181e") + 0.05) > 4


def test_a_figure_without_text_is_refused():
    with pytest.raises(ValueError, match="alternative text"):
        figures.show(Figure(), " ")


def test_an_answer_is_a_box_with_its_source():
    box = BeautifulSoup(
        F.answer("Fails", ["a < b."], "Experiment x").data, "html.parser"
    )
    assert box.select_one(".admonition-title").text == "Fails"
    assert [p.text for p in box.select("p")[1:]] == ["a < b.", "Experiment x"]


def test_a_phone_breaks_long_names_of_rows():
    figure, axes = parts.one_panel(2)
    axes.set_yticks([0, 1], ["locality preserving loss", "softmax"])
    style.lay_out_for_phone(figure)
    shown = [label.get_text() for label in axes.get_yticklabels()]
    assert shown == ["locality\npreserving loss", "softmax"]


def test_a_table_brings_decimal_points_in_line_and_has_one_minus_sign():
    rows = [["a", "-1.25", "28,709"], ["b", 3, 12345], ["c", "0.5", "–"]]
    page = BeautifulSoup(
        figures.table(["x", "y", "n"], rows, "Caption").data, "html.parser"
    )
    shown = [[cell.get_text() for cell in row("td")] for row in page.tbody("tr")]
    assert [numbers[1] for numbers in shown] == ["28\u202f709", "12\u202f345", "–"]
    behind = [text.partition(".")[2] or text[2:] for text, _ in shown]
    assert behind == ["25", "\u2007\u2007", "5\u2007"]
    for padding in page.select(".pad"):
        padding.decompose()  # as a card does
    shown = [[cell.get_text() for cell in row("td")] for row in page.tbody("tr")]
    assert [text for text, _ in shown] == ["−1.25", "3", "0.5"]


def test_two_classes_of_one_hue_are_told_apart_in_the_dark():
    def lightness(color):
        partner = style.light_dark(color).split(",")[1].rstrip(")")
        red, green, blue = (int(partner[i : i + 2], 16) for i in (1, 3, 5))
        return max(red, green, blue) + min(red, green, blue)

    assert lightness(style.SKY) - lightness(style.BLUE) > 70


def test_a_long_finding_fits_its_figure():
    figure, _ = parts.one_panel(2)
    parts.finding(figure, "Something is found in the long run " * 4)
    figure.draw_without_rendering()
    (title,) = figure.texts
    assert title.get_window_extent().x1 < figure.bbox.x1


def test_a_phone_breaks_no_formula_of_a_tick():
    figure, axes = parts.one_panel(2)
    axes.plot([1, 2], [1e-3, 1e3])
    axes.set_yscale("log")
    figure.draw_without_rendering()
    style.lay_out_for_phone(figure)
    ticks = [label.get_text() for label in axes.get_yticklabels()]
    assert any("$" in tick for tick in ticks)
    assert not any("\n" in tick for tick in ticks)
