"""The live figures: their equations are the library's, and a reader can move them."""

import json
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Browser, Page

from fersep import equations

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = (ROOT / "book" / "_static" / "equations.js").read_text("utf-8")
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
        ("published: m * (1 + n)", "published: m * n"),
        ("mean: 1 + n", "mean: m + n"),
        ('rule === "exact" ? 1 / pairs', 'rule === "exact" ? 2 / pairs'),
        ("increment[j], -alpha", "increment[j], alpha"),
        ("softmax + lambda * separated", "softmax + separated"),
    ],
)
def test_a_planted_fault_is_found(view, right, wrong):
    assert SCRIPT.count(right) == 1
    assert largest_difference(view, SCRIPT.replace(right, wrong), 20) > 1e-6
