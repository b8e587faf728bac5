"""The interactive figure: prepared frames for the book, a slider in Jupyter."""

import base64
import io
from html.parser import HTMLParser

import pytest
from fersep_book import explore
from matplotlib.figure import Figure
from PIL import Image


def draw(value):
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([0, 1], [0, len(str(value))])
    return figure, f'The value is {value}; "quoted" & <marked>.'


class Page(HTMLParser):
    """Collects elements and sees to it that every one is closed."""

    VOID = ("img", "input")

    def __init__(self, html):
        super().__init__()
        self.elements, self.open, self.words = [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), list(self.open)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append((data.strip(), list(self.open)))

    def all(self, tag):
        return [attrs for name, attrs, _ in self.elements if name == tag]

    def is_labeled(self, control, words):
        around = next(path for tag, _, path in self.elements if tag == control)
        return around[-1] == "label" and (words, around) in self.words


@pytest.fixture
def output(monkeypatch):
    """Run a call in the book ("1") or in Jupyter, and return what it displays."""

    def run(static, call, *args):
        shown = []
        monkeypatch.setenv("FERSEP_STATIC", static)
        monkeypatch.setattr("IPython.display.display", shown.append)
        call(*args)
        return shown[0]

    return run


@pytest.fixture
def page(output):
    stops = [0.5, 1.0, "λ = 5"]
    return Page(output("1", explore.explore, stops, draw, "Strength & <sign>").data)


def test_html_is_balanced_with_one_native_slider_that_announces_its_value(page):
    assert page.open == []
    (slider,) = page.all("input")
    assert slider["type"] == "range"
    assert (slider["min"], slider["max"], slider["value"]) == ("0", "2", "0")
    assert slider["aria-valuetext"] == "0.5"
    live = [attrs for _, attrs, _ in page.elements if "aria-live" in attrs]
    assert [attrs["aria-live"] for attrs in live] == ["polite"]
    assert page.is_labeled("input", "Strength & <sign>")


def test_one_frame_per_value_with_its_own_text(page):
    frames = page.all("img")
    assert [frame["data-value"] for frame in frames] == ["0.5", "1", "λ = 5"]
    assert [frame["alt"] for frame in frames] == [
        f'The value is {value}; "quoted" & <marked>.' for value in (0.5, 1.0, "λ = 5")
    ]
    assert ["hidden" in frame for frame in frames] == [False, True, True]
    for frame in frames:
        kind, data = frame["src"].split(",", 1)
        assert kind == "data:image/png;base64"
        Image.open(io.BytesIO(base64.b64decode(data))).verify()


def test_nothing_is_fetched_ids_cannot_clash_and_frames_are_small(page, output):
    data = output("1", explore.explore, range(9), draw, "x").data
    assert "http" not in data
    assert "<script" not in data
    assert len(data) < 300_000
    for _, attrs, _ in page.elements:
        assert not {"id", "href", "srcset"} & set(attrs)


def test_a_live_slider_redraws(output):
    slider, picture = output("0", explore.explore, [1, 2], draw, "x").children
    assert slider.description == "x"
    assert "The value is 1" in picture.value
    slider.value = 2
    assert "The value is 2" in picture.value


def test_a_slider_without_stops_is_refused():
    with pytest.raises(ValueError, match="at least one value"):
        explore.explore([], draw, "x")


CONTROLS = {"λ": (0.0, 0.1, 0.9), "images": range(10, 13), "rule": ("exact", "mean")}
PRESETS = {
    "softmax <alone>": {"λ": 0.0},
    "the paper's": {"λ": 0.9, "rule": "mean"},
}


def draw_values(values):
    assert set(values) == set(CONTROLS)
    return draw(", ".join(f"{name}={value}" for name, value in values.items()))


def test_a_panel_in_the_book_lists_its_presets_with_one_frame_each(output):
    given = draw_values, CONTROLS, PRESETS, "Setting & rule"
    page = Page(output("1", explore.panel, *given).data)
    assert page.open == []
    assert len(page.all("select")) == 1
    assert page.is_labeled("select", "Setting & rule")
    titles = [word for word, path in page.words if path[-1:] == ["option"]]
    assert titles == list(PRESETS)
    frames = page.all("img")
    assert [frame["data-value"] for frame in frames] == titles
    assert ["hidden" in frame for frame in frames] == [False, True]
    assert "λ=0.0, images=10, rule=exact" in frames[0]["alt"]
    assert "λ=0.9, images=10, rule=mean" in frames[1]["alt"]
    assert not any("id" in attrs for _, attrs, _ in page.elements)


@pytest.fixture
def live(output):
    box = output("0", explore.panel, draw_values, CONTROLS, PRESETS, "Setting")
    chooser, dials, picture = box.children
    return chooser, {dial.description: dial for dial in dials.children}, picture


def test_a_control_redraws_and_says_that_no_preset_holds(live):
    chooser, dials, picture = live
    assert (chooser.value, list(dials)) == ("softmax <alone>", list(CONTROLS))
    dials["λ"].value = 0.1
    assert "λ=0.1, images=10, rule=exact" in picture.value
    assert chooser.value == explore.BY_HAND


def test_a_preset_moves_its_controls_and_leaves_the_others(live):
    chooser, dials, picture = live
    dials["images"].value = 12
    chooser.value = "the paper's"
    assert [dials[name].value for name in CONTROLS] == [0.9, 12, "mean"]
    assert "λ=0.9, images=12, rule=mean" in picture.value
    assert chooser.value == "the paper's"


def test_a_preset_draws_once(output):
    values = []

    def counted(given):
        values.append(given)
        return draw_values(given)

    box = output("0", explore.panel, counted, CONTROLS, PRESETS, "Setting")
    box.children[0].value = "the paper's"
    assert len(values) == 2


@pytest.mark.parametrize(
    ("controls", "presets", "message"),
    [
        ({}, PRESETS, "at least one control"),
        (CONTROLS, {}, "at least one preset"),
        ({"λ": (0.5,)}, {"a": {}}, "'λ' needs at least two stops"),
        (CONTROLS, {"a": {"α": 0.5}}, "'α', which is no control.*λ, images, rule"),
        (CONTROLS, {"a": {"λ": 0.5}}, "'λ' to 0.5.*none of its stops 0, 0.1, 0.9"),
    ],
)
def test_a_panel_that_cannot_work_is_refused(controls, presets, message):
    with pytest.raises(ValueError, match=message):
        explore.panel(draw_values, controls, presets, "x")
