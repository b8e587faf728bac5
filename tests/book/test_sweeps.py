"""Chapter 13 on data whose truth is known: intervals and choices say what is so."""

from dataclasses import replace

import numpy as np
import pytest
from fersep_book import outcomes
from fersep_book.evidence import Experiment, Recording
from scipy import stats
from test_checkers import as_cases, judge, names_of, untried

CLASSES = {"data": {"classes": list("ABCD")}}
SEEDS = range(3)


def experiment(rng, gains, images=400, of_seeds=0.01):
    """Arms whose shares of right images differ from the first arm's by known gains.

    Images are hard for all arms alike, and a little for each arm of its own.
    """
    labels = np.arange(images) % 4
    hard = rng.uniform(0.3, 0.9, images)
    runs = {}
    for arm, gain in gains.items():
        own = hard + gain + rng.uniform(-0.05, 0.05, images)
        runs[arm] = {}
        for seed in SEEDS:
            right = rng.random(images) < own + rng.normal(0, of_seeds)
            said = np.where(right, labels, (labels + rng.integers(1, 4, images)) % 4)
            kept = {"test_labels": labels, "test_predictions": said}
            runs[arm][seed] = Recording(CLASSES, kept)
    plan = {"arms": {arm: {"lam": len(arm)} for arm in gains}, "seeds": list(SEEDS)}
    return Experiment("known", plan, runs)


@pytest.mark.parametrize("of_seeds", [0.01, 0.08])
def test_simultaneous_intervals_all_hold_the_truth_as_often_as_they_say(of_seeds):
    rng, missed = np.random.default_rng(0), 0
    gains = {"base": 0.0, "a": 0.0, "b": 0.02, "c": -0.03, "d": 0.05, "e": 0.0}
    for _ in range(120):
        gaps = outcomes.beside(experiment(rng, gains, of_seeds=of_seeds), "base")
        missed += any(
            not gap.low <= 100 * gains[arm] <= gap.high for arm, gap in gaps.items()
        )
    assert missed <= stats.binom.ppf(0.999, 120, 0.05)


def test_softmax_does_not_count_among_the_settings_compared():
    found = experiment(np.random.default_rng(1), {"base": 0.0, "a": 0.1, "b": 0.1})
    found.plan["arms"]["b"]["lam"] = 0
    gaps = outcomes.beside(found, "base")
    assert gaps["a"] == found.gain("a", "base", level=0.95)
    assert gaps["b"] == found.gain("b", "base", level=0.95)


@pytest.mark.parametrize(
    ("gain", "margin", "verdict", "by_kind"),
    [
        (0.0, 20, "holds", "holds"),
        (0.2, 2, "fails", "depends"),
        (0.0, 0.01, "undecided", "undecided"),
    ],
)
def test_alike_are_settings_with_short_intervals_alone(gain, margin, verdict, by_kind):
    found = experiment(
        np.random.default_rng(2), {"base": 0.0, "a": 0.0, "b": gain}, 3000
    )
    alike = {"base": "base", "arms": {"all": ["a", "b"]}}
    claim = outcomes.Claim("x", "Alike.", margin=margin, alike=alike)
    judged = outcomes.judge([claim], {"x": found})["x"]
    assert (judged.verdict, judged.reason) == (verdict, "")
    part = replace(found, plan=found.plan | {"seeds": [0, 1, 2, 3]})
    assert outcomes.judge([claim], {"x": part})["x"].verdict == "no verdict"
    kinds = {"base": "base", "arms": {"a": ["a"], "b": ["b"]}, "open": "a layer"}
    told = outcomes.judge([replace(claim, alike=kinds)], {"x": found})["x"]
    assert told.verdict == by_kind


@pytest.mark.parametrize("spread", [0.0, 0.03])
def test_a_choice_on_one_half_is_read_off_without_bias_on_the_other(spread):
    worth_of_choice = names_of("13_sweeps")["worth_of_choice"]
    rng = np.random.default_rng(3)
    shares = rng.normal(0, spread, 11)
    seems, wins, truth = [], [], []
    for _ in range(400):
        hard = rng.uniform(0.2, 0.9, 300)
        right = rng.random((11, 300)) < hard + shares[:, None]
        each = worth_of_choice(right, splits=3, seed=rng)
        seems.append(each[0])
        wins.append(each[1])
        fresh = rng.random((11, 150)) < hard[:150] + shares[:, None]
        best = fresh.mean(1).argmax()
        truth.append(100 * (shares[best] - shares.mean()))
    noise = (np.var(wins) / 400 + np.var(truth) / 400) ** 0.5
    assert abs(np.mean(wins) - np.mean(truth)) < 4 * noise
    assert np.mean(seems) > np.mean(wins) + 1


# Exercises 13.1 and 13.2.


def simulated(k, sigma):
    return np.random.default_rng(0).normal(0, sigma, (40_000, k)).max(1).mean()


def by_integral(k, sigma):
    x = np.linspace(-9, 9, 9001)
    return sigma * np.trapezoid(
        k * x * stats.norm.pdf(x) * stats.norm.cdf(x) ** (k - 1), x
    )


def blom(k, sigma):
    return sigma * stats.norm.ppf((k - 0.375) / (k + 0.25))


ANSWERS = {
    ("13_sweeps", "is_expected_best"): (
        [simulated, by_integral, blom],
        [
            lambda k, sigma: 0.0,
            lambda k, sigma: sigma * (2 * np.log(k)) ** 0.5,
            lambda k, sigma: sigma * stats.norm.ppf(k / (k + 1)),
            lambda k, sigma: blom(k, 1.0),
            lambda k, sigma: sigma / k**0.5,
        ],
    ),
    ("13_sweeps", "is_noise_behind"): (
        [
            lambda k, span: span / 2 / by_integral(k, 1.0),
            lambda k, span: span / np.ptp(
                np.random.default_rng(1).normal(size=(40_000, k)), axis=1
            ).mean(),
        ],
        [
            lambda k, span: span / by_integral(k, 1.0),
            lambda k, span: span / 2,
            lambda k, span: span / 4,
            lambda k, span: span / k**0.5,
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("place", "answer", "right"), as_cases(ANSWERS))
def test_checker_tells_right_from_wrong(place, answer, right):
    assert judge(*place, answer) == right


def test_every_checker_is_tried():
    assert untried(ANSWERS) == set()
