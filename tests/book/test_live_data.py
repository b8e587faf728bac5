"""The face, the map and the verdict in the page are those of the library."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from fersep_book import live, live_data, outcomes
from fersep_book.evidence import Experiment, Recording
from matplotlib.figure import Figure
from PIL import Image, ImageDraw
from playwright.sync_api import expect

from fersep import analysis, data, rendered

CLASSES = list("ABCDE")
LABELS = np.arange(200) % 5
ARMS = ("softmax", "exact", "published", "mean")


def recording(rng, arm: int, shift: float) -> Recording:
    # Some images are easy for an arm whatever the seed.
    ease = 1.0 + shift * arm + np.random.default_rng(arm).normal(0, 2, (200, 1))
    logits = rng.normal(0, 0.5, (200, 5)) + ease * np.eye(5)[LABELS]
    agreement = np.clip(rng.normal([[0.3], [0.5 + shift]], 0.2, (2, 5)), -1, 1)
    facts = {
        "data": {"classes": CLASSES, "class_counts": [90, 50, 50, 20, 10]},
        "history": {"agreement": agreement.tolist()},
    }
    arrays = {
        "test_labels": LABELS,
        "test_logits": logits,
        "test_means": rng.normal(0, 1, (5, 3)),
        "true": rng.normal(0, 1, (1, 5, 3)),
        "test_purity": rng.normal(0.5 + 0.1 * shift * arm, 0.02),
    }
    return Recording(facts, arrays)


def experiment(seed: int) -> Experiment:
    rng = np.random.default_rng(seed)
    shift = rng.choice([0.0, 0.3, 1.0])
    runs = {
        arm: {s: recording(rng, k, shift) for s in range(5)}
        for k, arm in enumerate(ARMS)
    }
    return Experiment("fer2013", {"seeds": list(range(5))}, runs)


CLAIMS = [c for c in outcomes.claims() if "fer2013" in c.experiments.values()]


def by_library(found, how, monkeypatch) -> list[dict]:
    """The verdicts under a state of the page."""
    seeds = [s for s, on in zip(found.seeds, how["seeds"], strict=True) if on]
    arms = ARMS if how["rule"] == "all" else ("softmax", how["rule"])
    runs = {arm: {s: found.runs[arm][s] for s in seeds} for arm in arms}
    some = Experiment(found.name, {"seeds": seeds}, runs)
    pairs = zip(CLAIMS, how["margin"], strict=True)
    claims = [replace(claim, margin=margin) for claim, margin in pairs]
    with monkeypatch.context() as patch:
        if how["holm"] == "none":
            patch.setattr(analysis, "adjust_p_values", lambda p_values: p_values)
        judged = outcomes.judge(claims, {c.id: some for c in claims}, how["level"])
    return [judged[claim.id] for claim in claims]


def random_state(rng) -> dict:
    seeds = (rng.random(5) < 0.7).astype(int)
    seeds[:2] = 1
    return {
        "level": float(rng.choice([0.01, 0.05, 0.2])),
        "holm": str(rng.choice(["holm", "none"])),
        "rule": str(rng.choice(["all", *ARMS[1:]])),
        "seeds": seeds.tolist(),
        "margin": [c.margin + float(rng.normal(0, 0.3)) for c in CLAIMS],
    }


def open_live(browser, name, data, change=("", "")):
    """Open a figure, with one text of its scripts changed."""
    still = Figure(figsize=(2, 1)), "A still picture."
    widget = live.widget(name, still, data)
    look = (live.STATIC / "live.css").read_text("utf-8")
    page = f"<style>{look}</style>{widget.page}<script>{widget.scripts}</script>"
    view = browser.new_page()
    view.set_content(page.replace(*change))
    return view


def open_figure(browser, found, change=("", "")):
    return open_live(browser, "verdict", live_data.verdict(found, CLAIMS), change)


JUDGE = """text => {
    const stage = document.getElementById('live-verdict').stage;
    return JSON.stringify(JSON.parse(text).map(how => stage.judge(how)));
}"""


def disagreements(view, found, monkeypatch, number: int) -> int:
    rng = np.random.default_rng(7)
    states = [random_state(rng) for _ in range(number)]
    pages = json.loads(view.evaluate(JUDGE, json.dumps(states)))
    wrong = 0
    for how, page in zip(states, pages, strict=True):
        for ours, its in zip(by_library(found, how, monkeypatch), page, strict=True):
            wrong += ours.verdict != its["verdict"]
    return wrong


@pytest.mark.parametrize("seed", range(4))
def test_the_page_judges_as_the_library_does(browser, monkeypatch, seed):
    found = experiment(seed)
    view = open_figure(browser, found)
    assert disagreements(view, found, monkeypatch, 25) == 0
    view.close()


@pytest.mark.parametrize(
    "change",
    [
        ("ofImage - ofBoth", "ofImage"),
        ("strengths.length - rank", "strengths.length"),
        ("/ n, n - 1]", "/ n, n]"),
        ("rest / ((seeds - 1)", "rest / ((seeds + 9)"),
    ],
)
def test_a_planted_fault_is_found(browser, monkeypatch, change):
    script = (live.STATIC / "live" / "statistics.js").read_text("utf-8")
    assert script.count(change[0]) == 1
    found = experiment(1)
    view = open_figure(browser, found, change)
    off = measures(view, found) > 1e-6
    assert off or disagreements(view, found, monkeypatch, 25)
    view.close()


# Chances as Holm's rule asks for them, from one test to many.
CHANCES = [0.05 / tests for tests in (1, 2, 5, 13, 36)]

MEASURES = """chances => {
    const stage = document.getElementById('live-verdict').stage;
    const low = (arm, chance) => arm.exact ??
        liveStatistics.interval(arm, 1 - chance)[0];
    return stage.measure(stage.state).flat().map(arm =>
        [arm.mean, ...chances.map(chance => low(arm, chance))]);
}"""


def measures(view, found) -> float:
    """The largest difference of means, and of chances at the ends of intervals."""
    pairs = [(claim, arm) for claim in CLAIMS for arm in ARMS[1:]]
    off = []
    for (claim, arm), its in zip(pairs, view.evaluate(MEASURES, CHANCES), strict=True):
        measure = outcomes.OUTCOMES[claim.outcome]
        off.append(its[0] - measure(found, arm, claim.margin).mean)
        if claim.outcome.startswith("order"):
            off.append(its[1] - measure(found, arm, claim.margin).p_value)
            continue
        for chance, low in zip(CHANCES, its[1:], strict=True):
            if low == its[0]:  # a point without noise
                continue
            off.append(measure(found, arm, low).p_value / chance - 1)
    return float(np.abs(off).max())


@pytest.mark.parametrize("seed", range(3))
def test_means_and_intervals_are_the_librarys(browser, seed):
    found = experiment(seed)
    view = open_figure(browser, found)
    assert measures(view, found) < 1e-9
    view.close()


def test_at_its_breaking_point_a_claim_ceases_to_hold(browser):
    found = experiment(2)
    view = open_figure(browser, found)
    state = view.evaluate("document.getElementById('live-verdict').stage.state")
    (page,) = json.loads(view.evaluate(JUDGE, json.dumps([state])))
    tried = 0
    for k, (claim, its) in enumerate(zip(CLAIMS, page, strict=True)):
        if its["breaking"] is None:
            continue
        sign = 1 if claim.direction == "above" else -1
        near = [dict(state, margin=list(state["margin"])) for _ in range(2)]
        near[0]["margin"][k] = its["breaking"] - sign * 1e-6
        near[1]["margin"][k] = its["breaking"] + sign * 1e-6
        inside, beyond = json.loads(view.evaluate(JUDGE, json.dumps(near)))
        assert inside[k]["verdict"] == "holds"
        assert beyond[k]["verdict"] != "holds"
        tried += 1
    assert tried
    view.close()


def test_a_claim_stands_only_on_claims_that_stand(browser):
    view = open_figure(browser, experiment(2))
    state = view.evaluate("document.getElementById('live-verdict').stage.state")
    ids = [claim.id for claim in CLAIMS]
    upper, base = ids.index("centers-approach"), ids.index("centers-rise")
    state["margin"][upper] = -5.0
    for margin, stands in ((-5.0, True), (5.0, False)):
        state["margin"][base] = margin
        (page,) = json.loads(view.evaluate(JUDGE, json.dumps([state])))
        assert page[upper]["verdict"] == "holds"
        assert page[upper]["stands"] is stands
        assert page[upper]["weak"] == ([] if stands else [base])
    view.close()


# The outline of the face lies where the rendered picture has brow, eye and mouth.

SIZE = 256
OUTLINE = "text => document.querySelector('.fersep-live').stage.outline(text)"


def inside(points, shift: float = 0.0):
    """Pixels inside a line in the coordinates of the head, moved down by a shift."""
    corners = [
        ((x / 0.86 + 1) * SIZE / 2, ((y + shift) / 0.86 - 0.06 + 1) * SIZE / 2)
        for x, y in points
    ]
    mask = Image.new("1", (SIZE, SIZE))
    ImageDraw.Draw(mask).polygon(corners, fill=1)
    return np.array(mask)


@pytest.mark.parametrize("units", [(), (1, 2), (4,), (5, 26), (9, 10), (12,), (20, 25)])
def test_the_outline_is_that_of_the_picture(browser, units):
    person = torch.tensor([3])
    view = open_live(browser, "face", live_data.face(3, 0, {"a": "SU", "b": "FE"}, "a"))
    strengths = [0.8 * (unit in units) for unit in rendered.UNITS]
    both = torch.tensor([strengths])[:, None].expand(1, 2, -1)
    picture = rendered.render(
        both, rendered.people(0, person), rendered.front_view(1), SIZE
    )[0].float()
    lines = view.evaluate(OUTLINE, strengths)
    dark, red = 255 - picture.mean(0).numpy(), (picture[0] - picture[2]).numpy()
    for part, look, shift in (("brow", dark, 0.12), ("eye", -red, 0.2)):
        here, beside = inside(lines[part]), inside(lines[part], shift)
        assert look[here].mean() > look[beside].mean() + 25, part
    lips = inside(lines["lips"]) & ~inside(lines["opening"])
    rosy = (picture[0] - picture[1]).numpy()
    assert rosy[lips].mean() > rosy[inside(lines["lips"], 0.25)].mean() + 25
    view.close()


def test_maps_name_the_image_under_the_pointer(browser):
    points, labels = np.array([[0, 0], [4, 0], [2, 4]]), [0, 1, 1]
    named = {"one": (points, None, points[:2]), "two": (-points, None, points[:2])}
    said = {"one": [0, 0, 1], "two": [0, 1, 0]}
    given = live_data.maps(named, labels, said, ("HA", "own"))
    view = open_live(browser, "map", given)
    box = view.locator("#live-map svg.map").first.bounding_box()
    x = box["x"] + box["width"] * (1 - 1 / 1.06) / 2
    view.mouse.move(x, box["y"] + box["height"] * 2.2 / 2.26)
    words = view.locator("#live-map .readout")
    expect(words).to_have_text(
        "Image 1 of 3: happy. one: recognized; two: recognized. "
        "Of all, 2 and 2 are recognized."
    )
    view.locator("#live-map input").press("ArrowRight")
    expect(words).to_contain_text("2 of 3: own. one: taken for happy; two: recognized")
    view.close()


def test_a_map_shows_no_person():
    few = data.load("rendered_basic", size=126)
    points = np.eye(len(few.labels))[:, :2]
    given = {"a": (points, None, points)}, few.labels, {"a": few.labels}, few.classes
    assert live_data.maps(*given, few)["faces"]["sheet"].startswith("data:image/jpeg")
    with pytest.raises(ValueError, match="rendered faces only, got fer2013"):
        live_data.maps(*given, replace(few, name="fer2013"))
