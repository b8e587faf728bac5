"""Figures: alternative text from data, one style per class, no warnings."""

import io

import numpy as np
import pytest
from fersep_book import figures
from matplotlib.figure import Figure
from PIL import Image


def circle(degrees):
    turn = np.deg2rad(np.asarray(degrees, dtype=float))
    return np.stack([np.cos(turn), np.sin(turn)], 1)


def toy(turn=0.0, dim=2):
    random = np.random.default_rng(0)
    points = random.normal(size=(30, dim)) + turn
    return points, np.arange(30) % 3, random.normal(size=(3, dim))


def relaxing(at):
    path = [circle([0, 40, 100 + step]) for step in range(4)]
    return figures.centers_relaxing(path, [0.9, 0.6, 0.4, 0.3], 0.25, at)


def rules(scale):
    weights = {"exact": [0.1, 0.2], "published": [0.01, scale], "mean": [1, 2]}
    return figures.rule_weights([1, 2], weights, {"$m$": ([10, 20], weights)})


def moment(at, dim=2):
    points, labels, centers = toy(dim=dim)
    path = [(points, centers), (2 * points, centers)]
    return figures.toy_moment(path, labels, {"intra": [0.1, 0.5]}, at)


def one_step(size):
    points, labels, centers = toy()
    return figures.toy_step(
        points,
        labels,
        centers,
        [1, 4],
        {"softmax": np.full((2, 2), size)},
        {"pull": np.full((3, 2), 0.1)},
        3.0,
    )


#: name -> (a call, the same call with other data)
FIGURES = {
    "two_vectors": (
        lambda: figures.two_vectors(30.0),
        lambda: figures.two_vectors(120.0),
    ),
    "feature_fans": (
        lambda: figures.feature_fans({"one": (circle([10, 20]), [1.0, 0.0])}),
        lambda: figures.feature_fans({"one": (circle([10, 90]), [1.0, 0.0])}),
    ),
    "zero_sum_sets": (
        lambda: figures.zero_sum_sets({"three": circle([0, 120, 240])}),
        lambda: figures.zero_sum_sets({"three": circle([0, 10, 20])}),
    ),
    "inter_cost": (
        lambda: figures.inter_cost([2, 4], {"a": [1e-3], "b": [1e-4, 2e-4]}),
        lambda: figures.inter_cost([2, 4], {"a": [2e-3], "b": [1e-4, 2e-4]}),
    ),
    "loss_ranges": (
        lambda: figures.loss_ranges({"here": (0.1, 0.6)}, 0.4),
        lambda: figures.loss_ranges({"here": (0.1, 0.7)}, 0.4),
    ),
    "feature_push": (
        lambda: figures.feature_push(0.0),
        lambda: figures.feature_push(45.0),
    ),
    "push_field": (
        lambda: figures.push_field([1.0, 0.0]),
        lambda: figures.push_field([0.0, 1.0]),
    ),
    "difference_errors": (
        lambda: figures.difference_errors(
            [1e-4, 1e-3, 1e-2],
            {"float64": [1e-6, 0.0, 1e-3]},
            {"float64": (1e-3, 1e-8)},
        ),
        lambda: figures.difference_errors(
            [1e-4, 1e-3, 1e-2],
            {"float64": [1e-6, 1e-9, 1e-3]},
            {"float64": (1e-3, 1e-8)},
        ),
    ),
    "centers_relaxing": (lambda: relaxing(0), lambda: relaxing(2)),
    "rule_weights": (lambda: rules(0.01), lambda: rules(0.05)),
    "rest_positions": (
        lambda: figures.rest_positions("AB", {"exact": [1.0, 0.7]}, [0.9, 0.8]),
        lambda: figures.rest_positions("AB", {"exact": [1.0, 0.6]}, [0.9, 0.8]),
    ),
    "center_turning": (
        lambda: figures.center_turning({"a": [0, 0.5]}, {"a": [1, 1.1]}),
        lambda: figures.center_turning({"a": [0, 0.9]}, {"a": [1, 1.1]}),
    ),
    "frozen_share": (
        lambda: figures.frozen_share([1, 5], {"float16": [1.0, 0.5]}),
        lambda: figures.frozen_share([1, 5], {"float16": [1.0, 0.1]}),
    ),
    "toy_planes": (
        lambda: figures.toy_planes({"end": toy()}),
        lambda: figures.toy_planes({"end": toy(turn=2.0)}),
    ),
    "toy_history": (
        lambda: figures.toy_history({"run": {"intra": [0, 0.5]}}),
        lambda: figures.toy_history({"run": {"intra": [0, 0.8]}}),
    ),
    "toy_spheres": (
        lambda: figures.toy_spheres({"end": toy(dim=3)}),
        lambda: figures.toy_spheres({"end": toy(turn=2.0, dim=3)}),
    ),
    "toy_moment": (lambda: moment(1), lambda: moment(0)),
    "toy_moment_in_space": (lambda: moment(1, dim=3), lambda: moment(0, dim=3)),
    "toy_step": (lambda: one_step(0.1), lambda: one_step(0.2)),
}


@pytest.fixture(autouse=True)
def sheet():
    figures.style()


@pytest.mark.parametrize("name", FIGURES)
def test_figure_is_drawn_and_described(name):
    figure, alt = FIGURES[name][0]()
    assert isinstance(figure, Figure)
    image = Image.open(io.BytesIO(figures.png(figure, dpi=40)))
    colors = image.convert("RGB").getcolors(maxcolors=1 << 20)
    assert len(colors) > 10
    assert alt.endswith(".")
    assert len(alt.split()) > 10


@pytest.mark.parametrize("name", FIGURES)
def test_alternative_text_follows_the_data(name):
    first, other = FIGURES[name]
    assert first()[1] == first()[1]
    assert first()[1] != other()[1]


def test_numbers_of_the_text_are_those_of_the_data():
    _, alt = figures.two_vectors(60.0)
    assert "60 degrees" in alt
    assert "0.750" in alt
    _, alt = figures.zero_sum_sets({"three": circle([0, 120, 240])})
    assert "0.2500" in alt


def test_every_class_has_its_own_style():
    styles = list(figures.CLASS_STYLE.values())
    assert len(styles) == 18
    assert len(set(styles)) == len(styles)
    for names in (list(figures.CLASS_STYLE)[:7], list(figures.CLASS_STYLE)[7:]):
        colors, markers = zip(*(figures.CLASS_STYLE[n] for n in names), strict=True)
        assert len(set(colors)) == len(names)
        assert len(set(markers)) == len(names)
        # Triangles mean centers.
        assert not {"^", "v"} & set(markers)


def test_pictures_are_opaque_on_white():
    figure, _ = figures.two_vectors(10.0)
    image = Image.open(io.BytesIO(figures.png(figure, dpi=40))).convert("RGBA")
    assert image.getpixel((0, 0)) == (255, 255, 255, 255)
    assert image.getextrema()[3] == (255, 255)


def test_show_carries_the_alternative_text(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    figures.show(*figures.feature_push(45.0))
    data, metadata = shown[0]._repr_mimebundle_()
    assert data["image/png"]
    assert "45 degrees" in metadata["image/png"]["alt"]


def test_a_figure_without_text_is_refused():
    figure, _ = figures.feature_push(45.0)
    with pytest.raises(ValueError, match="alternative text"):
        figures.show(figure, " ")
