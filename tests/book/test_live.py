"""The live figures: their equations are the library's, and a reader can move them."""

import json
import re

import nbformat
import pytest
import torch
from fersep_book import live, live_data
from matplotlib.figure import Figure
from playwright.sync_api import Browser, Page
from scipy import stats
from site_checks import AXE, AXE_COLORS, Axe
from test_live_data import CLAIMS, experiment

from fersep import equations
from fersep.losses import CenterLoss, first_centers

SCRIPT = (live.STATIC / "equations.js").read_text("utf-8")
RULES = ("exact", "published", "mean")


def random_inputs(number: int) -> list[dict]:
    """Random batches in the plane: features, labels, centers, a softmax layer, α, λ."""
    draw = torch.Generator().manual_seed(16)
    inputs = []
    for _ in range(number):
        m, s = torch.randint(2, 9, (2,), generator=draw).tolist()
        x, c, theta = (
            torch.randn(n, 2, generator=draw, dtype=torch.float64) for n in (m, s, s)
        )
        x *= 10 ** (2 * torch.rand(m, 1, generator=draw, dtype=torch.float64) - 1)
        y = torch.randint(0, s, (m,), generator=draw)
        alpha, lam = torch.rand(2, generator=draw, dtype=torch.float64).tolist()
        inputs.append(
            {"x": x, "c": c, "y": y, "theta": theta, "alpha": alpha, "lam": lam}
        )
    return inputs


def by_library(x, c, y, theta, alpha, lam) -> list[list[float]]:
    """Every number that the page must find."""
    separate = equations.separate_loss(x, c, y)
    softmax = torch.nn.functional.cross_entropy(x @ theta.T, y)
    found = [
        equations.similarity(x[0], c[0]),
        equations.intra_loss(x, c, y),
        equations.inter_loss(c),
        c.new_tensor(equations.inter_loss_floor(len(c))),
        separate,
        equations.features_gradient(x, c, y),
    ]
    for rule in RULES:
        pull = equations.intra_increment(x, c, y, rule)
        push = equations.inter_increment(c, rule)
        found += [pull, push, equations.update_centers(c, pull + push, alpha)]
    found += [softmax, equations.total_loss(softmax, separate, lam)]
    return [value.flatten().tolist() for value in found]


IN_THE_PAGE = """text => JSON.stringify(JSON.parse(text).map(given => {
    const {x, c, y, theta, alpha, lam} = given;
    const E = separateLoss;
    const separate = E.separate(x, c, y), softmax = E.softmaxLoss(x, theta, y);
    const found = [E.similarity(x[0], c[0]), E.intraLoss(x, c, y), E.interLoss(c),
        E.interFloor(c.length), separate, E.featuresGradient(x, c, y)];
    for (const rule of ['exact', 'published', 'mean']) {
        const pull = E.intraIncrement(x, c, y, rule), push = E.interIncrement(c, rule);
        const both = pull.map((row, j) => E.plus(row, push[j]));
        found.push(pull, push, E.updateCenters(c, both, alpha));
    }
    found.push(softmax, E.totalLoss(softmax, separate, lam));
    return found.map(value => [value].flat(2));
}))"""


def largest_difference(view: Page, script: str, number: int) -> float:
    """Between the page and the library, as a share of the larger of 1 and the value."""
    view.goto("about:blank")
    view.add_script_tag(content=script)
    inputs = random_inputs(number)
    plain = [
        {k: v.tolist() if torch.is_tensor(v) else v for k, v in given.items()}
        for given in inputs
    ]
    pages = json.loads(view.evaluate(IN_THE_PAGE, json.dumps(plain)))
    worst = 0.0
    for given, page in zip(inputs, pages, strict=True):
        for ours, theirs in zip(by_library(**given), page, strict=True):
            for a, b in zip(ours, theirs, strict=True):
                worst = max(worst, abs(a - b) / max(1.0, abs(a)))
    return worst


@pytest.fixture(scope="module")
def view(browser: Browser):
    page = browser.new_page()
    yield page
    page.close()


def test_the_page_computes_what_the_library_computes(view):
    assert largest_difference(view, SCRIPT, 1000) < 1e-12


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("(cosine(a, b) + 1) / 2", "(cosine(a, b) - 1) / 2"),
        ("v[k] / both - along", "v[k] / both + along"),
        ("times(-1 / (2 * x.length)", "times(1 / (2 * x.length)"),
        ("times(-1 / (2 * weight)", "times(1 / (2 * weight)"),
        ("published: m * (1 + n)", "published: m * (2 + n)"),
        ("mean: 1 + n", "mean: m + n"),
        ('rule === "exact" ? 1 / pairs', 'rule === "exact" ? 2 / pairs'),
        ("increment[j], -alpha", "increment[j], alpha"),
        ("softmax + lambda * separated", "softmax + separated"),
    ],
)
def test_a_planted_fault_is_found(view, right, wrong):
    assert SCRIPT.count(right) == 1
    assert largest_difference(view, SCRIPT.replace(right, wrong), 20) > 1e-6


# The toy of chapter 7, by its own cells, and in the page.

SETTINGS = {"rule": "exact", "lambda": 0.9, "alpha": 0.5, "eta": 0.1, "etaPoints": 1.0}


@pytest.fixture(scope="module")
def toy():
    """The names of chapter 7's cells that make the start and run Algorithm 1."""
    sizes = torch.tensor([20, 30, 16, 10, 4])
    names = {
        **{"torch": torch, "equations": equations, "first_centers": first_centers},
        **{"sizes": sizes, "n_classes": 5, "n_points": 80, "batch": 20, "n_steps": 200},
        **{"labels": torch.repeat_interleave(torch.arange(5), sizes)},
        **{"eta": SETTINGS["eta"], "eta_points": SETTINGS["etaPoints"]},
    }
    chapter = nbformat.read(live.ROOT / "book" / "07_toy.ipynb", as_version=4)
    for wanted in ("def beginning(", "def algorithm_1("):
        (cell,) = (c for c in chapter.cells if wanted in c.source)
        # The cells also run what they define; the functions are all that counts here.
        exec(re.split(r"\n\n\n(?=\w+ = )", cell.source)[0], names)
    names["start"] = start = names["beginning"](2)
    names["plain"] = live.plain_start(start)
    return names


IN_PAGE_RUN = """text => {
    const {start, labels, how} = JSON.parse(text);
    for (const rows of start.batches)
        Object.assign(start, separateLoss.step(start, rows, labels, how));
    return JSON.stringify([start.points, start.centers, start.theta]);
}"""


def run_in_page(view, toy, **settings) -> list[torch.Tensor]:
    view.goto("about:blank")
    view.add_script_tag(content=SCRIPT)
    given = {"start": toy["plain"], "labels": toy["labels"].tolist()}
    text = json.dumps(given | {"how": SETTINGS | {"loss": "separate"} | settings})
    ends = json.loads(view.evaluate(IN_PAGE_RUN, text))
    return [torch.tensor(end, dtype=torch.float64) for end in ends]


def farthest(ends, others) -> float:
    pairs = zip(ends, others, strict=True)
    return max((a - b).abs().max().item() for a, b in pairs)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("lam", [0.0, 0.9, 5.0])
def test_the_toy_in_the_page_is_the_chapters_after_200_steps(view, toy, rule, lam):
    ends = toy["algorithm_1"](toy["start"], lam, 0.5, rule)[-1]
    found = run_in_page(view, toy, rule=rule, **{"lambda": lam})
    assert farthest(found, ends) < 1e-9


def test_the_loss_of_the_toy_is_eq_9(open_page, toy):
    points, centers, theta, _ = toy["start"]
    page = open_page("page", "#live-toy?step=0&lambda=3&seed=2")
    separate = equations.separate_loss(points, centers, toy["labels"])
    softmax = torch.nn.functional.cross_entropy(points @ theta.T, toy["labels"])
    loss = equations.total_loss(softmax, separate, 3.0)
    assert f"loss {loss:.2f}" in page.locator("#live-toy .readout").inner_text()


def test_the_softmax_toy_is_the_one_without_the_separate_loss(view, toy):
    ends = toy["algorithm_1"](toy["start"], 0.0, 0.5, "exact")[-1]
    assert farthest(run_in_page(view, toy, loss="softmax"), ends) < 1e-9


def test_the_toy_with_center_loss_is_the_librarys(view, toy):
    points, centers, theta, batches = toy["start"]
    points, theta = points.clone().requires_grad_(), theta.clone().requires_grad_()
    module = CenterLoss(5, 2, alpha=0.5, init=centers).double()
    groups = [
        {"params": points, "lr": SETTINGS["etaPoints"]},
        {"params": theta, "lr": SETTINGS["eta"]},
    ]
    optimizer = torch.optim.SGD(groups)
    for rows in batches:
        x, y = points[rows], toy["labels"][rows]
        loss = torch.nn.functional.cross_entropy(x @ theta.T, y) + 0.9 * module(x, y)
        module.update(x, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    ends = points.detach(), module.centers, theta.detach()
    assert farthest(run_in_page(view, toy, loss="center"), ends) < 1e-9


# The figures, moved as a reader moves them.


def a_notebook_of(widgets) -> str:
    """A page that does with widgets what the front end of a notebook does."""
    states = [widget.get_state() for widget in widgets]
    kept = [{k: each[k] for k in ("page", "scripts", "state")} for each in states]
    texts = json.dumps([kept, states[0]["_esm"], states[0]["_css"]])
    texts = texts.replace("</", "<\\/")
    script = """
    const texts = document.getElementById("texts").textContent;
    const [states, script, css] = JSON.parse(texts);
    const place = document.currentScript.parentElement;
    document.head.append(Object.assign(document.createElement("style"),
        { textContent: css }));
    globalThis.models = states.map((state) => ({
      state, heard: [],
      get(key) { return this.state[key]; },
      set(key, value) { this.state[key] = value; },
      save_changes() { this.saved = true; },
      on(event, act) { this.heard.push(act); },
    }));
    const file = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
    import(file).then((widget) => models.forEach((model) => {
      const el = document.createElement("div");
      widget.default.render({ model, el });
      place.append(el);  // a view is shown after it was made
    }));
"""
    return (
        f'<script type="application/json" id="texts">{texts}</script>'
        f"<script>{script}</script>"
    )


#: Luck of each seed: shared by a pair, of each loss alone, of a stranger.
DRAWS = torch.randn(30, 20, 4, generator=torch.Generator().manual_seed(5))


@pytest.fixture(scope="module")
def page_file(toy, tmp_path_factory):
    """All figures, as a page of the book and as widgets of a notebook."""
    folder = tmp_path_factory.mktemp("live") / "book"
    folder.mkdir()
    (folder.parent / "_static").symlink_to(live.STATIC)
    still = Figure(figsize=(2, 1)), "A picture for a page without scripts."
    angles = torch.tensor([0.4, 0.9, 1.4, 1.9, 2.0, 2.6])
    features = torch.stack([angles.cos(), angles.sin()], 1)
    counts = torch.tensor([21, 39, 16, 10, 2, 6, 6], dtype=torch.float64)
    eye = torch.eye(7, dtype=torch.float64)
    rest = {
        rule: equations.stationary_centers(eye, counts / counts.sum(), rule).tolist()
        for rule in RULES
    }
    data = {
        "signature": {
            "features": features.tolist(),
            "labels": [0, 0, 1, 1, 2, 2],
            "centers": features[::2].tolist(),
        },
        "rules": {
            "names": ["NE", "HA", "SA", "SU", "fear", "AN", "DI"],
            "counts": counts.int().tolist(),
            "first": equations.unit(eye + 0.5)[0].tolist(),
            "rest": rest,
            "printed": [0.9] * 7,
        },
        "face": live_data.face(3, 0, {"surprise": "SU", "fear": "FE"}, "surprise"),
        "map": live_data.maps(
            {"one": (features, None, features[::2])},
            [0, 0, 1, 1, 2, 2],
            {"one": [0, 1, 1, 1, 2, 2]},
            ("happy", "sad", "fear"),
        ),
        "pairs": {
            "draws": DRAWS.tolist(),
            **{"gain": 0.5, "sd": 0.5, "r": 0.7},
        },
        "verdict": live_data.verdict(experiment(1), CLAIMS),
        "toy": {
            "starts": {"2": toy["plain"]},
            "labels": toy["labels"].tolist(),
            "how": SETTINGS,
        },
    }
    links = f'<link rel="stylesheet" href="{(live.STATIC / "live.css").as_uri()}">'
    for script in live.SHARED:
        links += f'<script defer src="{(live.STATIC / script).as_uri()}"></script>'
    shown = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FERSEP_STATIC", "1")
        patch.setattr("IPython.display.display", shown.append)
        for name in live.WORDS:
            live.show(name, still, data.get(name))
    widgets = [live.widget(name, still, data.get(name)) for name in live.WORDS]
    bodies = {
        "page": links + "<main>" + "".join(each.data for each in shown),
        "notebook": '<main class="jp-Notebook">' + a_notebook_of(widgets),
    }
    for kind, body in bodies.items():
        (folder / f"{kind}.html").write_text(
            '<!doctype html><html lang="en" data-theme="light"><meta charset="utf-8">'
            f'<title>Figures</title><body style="max-width: 46rem">{body}'
            "<h1>Figures</h1></main></body></html>",
            encoding="utf-8",
        )
    return folder


@pytest.fixture
def open_page(browser, page_file):
    """Open a page of figures; an error in a script, or a request, fails the test."""
    wrong, contexts = [], []

    def start(kind="page", where="", **options):
        contexts.append(browser.new_context(offline=True, **options))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on(
            "request",
            lambda r: r.url.startswith(("file:", "blob:")) or wrong.append(r.url),
        )
        page.goto((page_file / f"{kind}.html").as_uri() + where)
        return page

    yield start
    for context in contexts:
        context.close()
    assert wrong == []


def state(page, name):
    return page.evaluate(f"document.getElementById('live-{name}').stage.state")


def settle(page):
    """Wait until a figure has drawn, and told the address and the screen reader."""
    page.wait_for_timeout(700)


def slide(page, name, label, steps):
    """Move a slider by its keys."""
    slider = page.locator(f"#live-{name} label", has_text=label).locator("input")
    for _ in range(abs(steps)):
        slider.press("ArrowRight" if steps > 0 else "ArrowLeft")


@pytest.mark.parametrize("kind", ["page", "notebook"])
def test_every_figure_comes_to_life(open_page, kind):
    page = open_page(kind)
    for name in live.WORDS:
        figure = page.locator(f"#live-{name}")
        figure.locator("svg").first.wait_for()
        assert figure.locator("svg").count() >= 1
        assert not figure.locator("img").is_visible()
        assert "NaN" not in figure.inner_html()


def test_strangers_have_seeds_of_their_own(open_page):
    page = open_page("page", "#live-pairs?n=6&r=0.9&gain=0")
    shared, one, two, other = DRAWS[:, :6].double().unbind(2)
    losses = [0.9**0.5 * shared + 0.1**0.5 * own for own in (one, two)]
    told = []
    for first, second, paired in ((losses[0], other, False), (*losses, True)):
        noise = (second - first).var(1) if paired else first.var(1) + second.var(1)
        half = stats.t.ppf(0.975, 5 if paired else 10) * (noise / 6).sqrt()
        seen = (second - first).mean(1).abs() > half
        told.append(f"{seen.sum()} of 30 intervals leave out zero, ")
        told[-1] += f"mean width {half.mean():.2f} points"  # twice half of sd = 0.5
    text = page.locator("#live-pairs .readout").inner_text()
    assert f"strangers: {told[0]}; pairs: {told[1]}" in text


def test_jupyterlab_leaves_the_keys_to_a_figure(open_page):
    page = open_page("notebook")
    takes_keys = "document.body.addEventListener('keydown', e => e.preventDefault())"
    page.evaluate(takes_keys)
    slide(page, "pairs", "seeds", 1)
    assert state(page, "pairs")["n"] == 6


def test_python_reads_and_sets_the_state_of_a_widget(open_page):
    page = open_page("notebook")
    model = f"models[{list(live.WORDS).index('pairs')}]"
    slide(page, "pairs", "seeds", 1)
    settle(page)
    assert page.evaluate(f"{model}.saved && {model}.state.state.n") == 6
    page.evaluate(f"{model}.state.state = {{n: 9}}; {model}.heard[0]()")
    assert state(page, "pairs")["n"] == 9


def test_without_scripts_the_still_picture_stands(open_page):
    page = open_page(java_script_enabled=False)
    for name in live.WORDS:
        figure = page.locator(f"#live-{name}")
        assert figure.locator("img").is_visible()
        assert figure.locator("svg, button").count() == 0


@pytest.mark.parametrize("way", ["mouse", "touch", "keys"])
def test_a_feature_is_dragged_and_its_text_follows(open_page, way):
    page = open_page(has_touch=way == "touch", viewport={"width": 390, "height": 800})
    handle = page.locator("#live-push .handle").first
    handle.scroll_into_view_if_needed()
    before = state(page, "push")["x"]
    box = handle.locator("path").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    if way == "keys":
        for _ in range(8):
            handle.press("ArrowDown")
    elif way == "mouse":
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x, y + 40, steps=4)
        page.mouse.up()
    else:
        touch = page.context.new_cdp_session(page)
        for kind, at in (("Start", y), ("Move", y + 20), ("Move", y + 40), ("End", 0)):
            points = [] if kind == "End" else [{"x": x, "y": at}]
            touch.send(
                "Input.dispatchTouchEvent",
                {"type": f"touch{kind}", "touchPoints": points},
            )
            page.wait_for_timeout(50)
    settle(page)
    after = state(page, "push")["x"]
    assert after[1] == pytest.approx(before[1] - 0.4, abs=0.08)
    assert after[0] == pytest.approx(before[0], abs=0.07)
    words = page.locator("#live-push .readout").inner_text()
    assert page.locator("#live-push [role=status]").inner_text() == words
    assert words in page.locator("#live-push svg").first.get_attribute("aria-label")
    centers = torch.tensor([state(page, "push")["c"]] * 2)
    gradient = equations.features_gradient(
        torch.tensor([after]), centers, torch.tensor([0])
    )
    assert f"push {gradient.norm():.2f}" in words


def test_the_address_keeps_a_state_and_reset_leaves_it(open_page):
    page = open_page()
    slide(page, "toy", "λ", -3)
    settle(page)
    address = page.evaluate("location.hash")
    assert state(page, "toy")["lambda"] == 0.1
    other = open_page("page", address)
    assert state(other, "toy")["lambda"] == 0.1
    other.locator("#live-toy button", has_text="Reset").click()
    assert state(other, "toy")["lambda"] == 0.9
    for broken in (
        *("toy?loss=foo&lambda=x&alpha=", "push?x=1,2,3&c=NaN,1", "push?", "%E0%A4%A"),
        *("rules?n=-1,1e9,2.5,0,0,0,0", "verdict?seeds=0,3,0,0,0", "pairs?n=0"),
    ):
        assert "NaN" not in open_page("page", f"#live-{broken}").inner_html("main")


def test_clumps_reach_the_floor_and_the_push_brings_any_centers_there(open_page):
    page = open_page(reduced_motion="reduce")
    floor = equations.inter_loss_floor(5)
    for button in ("Clumps", "Spread evenly", "Reset", "Let them go"):
        page.locator("#live-resultant button", has_text=button).click()
        centers = torch.tensor(state(page, "resultant")["c"]).double()
        loss = equations.inter_loss(centers).item()
        assert (loss == pytest.approx(floor, abs=1e-4)) == (button != "Reset")


def test_an_opposite_feature_rests_and_another_one_goes_to_its_center(open_page):
    for x, cosine in (("-1,0", -1), ("-1,0.02", 1)):
        page = open_page("page", f"#live-push?x={x}&c=1,0", reduced_motion="reduce")
        page.locator("#live-push button", has_text="Let it go").click()
        end = torch.tensor(state(page, "push")["x"]).float()
        assert end[0] / end.norm() == pytest.approx(cosine, abs=1e-3)


def test_fear_lags_as_its_count_falls_under_the_exact_rule_alone(open_page):
    page = open_page(reduced_motion="reduce")
    said = r"exact: (\w+) lowest, (\S+); as printed: \w+ lowest, (\S+); mean.*, (\S+)\."

    def lowest():
        page.wait_for_function(
            "document.querySelector('#live-rules button').textContent === 'Play'"
        )
        page.wait_for_timeout(100)
        text = page.locator("#live-rules .readout").inner_text()
        name, *cosines = re.search(said, text).groups()
        return name, *(float(value.replace("−", "-")) for value in cosines)

    name, exact, printed, mean = lowest()
    assert name == "fear"
    assert exact < 0.6 < 0.85 < printed < 0.95 < 0.99 < mean
    slide(page, "rules", "fear", 8)
    assert lowest()[0] != "fear"
    slide(page, "rules", "fear", -10)
    assert lowest()[1] < 0.1


def test_figures_are_accessible_in_light_and_dark(open_page):
    page = open_page()
    for theme, options in (("light", AXE), ("dark", AXE_COLORS)):
        page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        found = Axe().run(page, options=options).response["violations"]
        assert [rule["id"] for rule in found] == []


def test_figures_fit_a_telephone(open_page):
    page = open_page(viewport={"width": 390, "height": 800})
    wide = "document.documentElement.scrollWidth"
    assert page.evaluate(wide) <= 390


def test_an_unknown_figure_is_refused():
    with pytest.raises(ValueError, match="no live figure 'x'; there are signature"):
        live.show("x", (Figure(), "nothing"))
