"""Verdicts on data whose truth is known: they err as seldom as they say."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from fersep_book.evidence import Experiment, Recording
from fersep_book.outcomes import (
    OUTCOMES,
    PRESS,
    Claim,
    breaking_point,
    calibration_error,
    claims,
    judge,
    judge_recorded,
    judge_transfer,
    mean_class_accuracy,
    order_of_classes,
    say_failures,
    why_silent,
    wins,
)  # fmt: skip
from scipy import stats

from fersep.analysis import neighbor_purity

BOOK = Path(__file__).parents[2] / "book"
S, N, SEEDS = 4, 480, range(8)
LABELS = np.arange(N) % S


def recording(rng, share, purity=0.5, spread=0.1):
    """A run that is right with these chances, one a test image."""
    right = rng.random(N) < share
    said = np.where(right, LABELS, (LABELS + rng.integers(1, S, N)) % S)
    logits = 4.0 * np.eye(S)[said] + rng.normal(0, 0.1, (N, S))
    true = rng.normal(0, 1, (2, S, 6))
    arrays = {"test_logits": logits, "test_labels": LABELS, "true": true}
    arrays |= {"test_means": true[-1] / 9, "test_purity": rng.normal(purity, spread)}
    data = {"classes": list("ABCD"), "class_counts": [40, 30, 20, 10]}
    history = {"agreement": [[0.0] * S, [0.9, 0.7, 0.5, 0.1]]}
    return Recording({"data": data, "history": history}, arrays)


def experiment(
    rng, gain=0.0, of_seeds=0.02, of_images=0.1, purity=0.5, arms=("exact",)
):
    """Softmax and other arms; the true gain is a share of images."""
    hard = rng.normal(0.6, 0.15, N)
    runs = {"softmax": {k: recording(rng, hard) for k in SEEDS}}
    for arm in arms:
        luck = rng.normal(0, 0.1, N)
        luck -= luck.mean()
        runs[arm] = {
            k: recording(rng, hard + gain + luck + rng.normal(0, 0.02), purity)
            for k in SEEDS
        }
    return Experiment("known", {"seeds": list(SEEDS)}, runs)


ACCURACY = Claim("accuracy", "It rises.", "gain in accuracy", "above", 0.0, {})
PURITY = replace(ACCURACY, id="purity", outcome="change of neighbor purity")
BELOW = replace(PURITY, id="below", direction="below")


def test_without_an_effect_verdicts_are_as_rare_as_the_level_says():
    rng, wrong = np.random.default_rng(0), 0
    for _ in range(150):
        found = experiment(rng, arms=("exact", "mean"))
        claims = [ACCURACY, PURITY, BELOW]
        judged = judge(claims, dict.fromkeys(("accuracy", "purity", "below"), found))
        wrong += any(each.verdict != "undecided" for each in judged.values())
    assert wrong <= stats.binom.ppf(0.999, 150, 0.05)


@pytest.mark.parametrize(
    ("gain", "margin", "verdict"),
    [(0.2, 0.25, "holds"), (-0.2, 0.25, "fails"), (0.2, 60, "fails")],
)
def test_a_large_effect_is_seen_on_its_side_of_the_margin(gain, margin, verdict):
    found = experiment(np.random.default_rng(1), gain)
    claim = replace(ACCURACY, margin=margin)
    (judged,) = judge([claim], {"accuracy": found}).values()
    assert judged.verdict == verdict
    estimate = judged.measured["exact"]
    at = breaking_point(estimate, claim)
    for shift, word in ((-0.01, "holds"), (0.01, "undecided")):
        moved = replace(claim, margin=at + shift)
        assert judge([moved], {"accuracy": found})["accuracy"].verdict == word


def test_what_hangs_on_the_rule_of_the_centers_is_said():
    rng = np.random.default_rng(2)
    found = experiment(rng, 0.2)
    other = experiment(rng, -0.2, arms=("mean",))
    both = replace(found, runs={**found.runs, "mean": other.runs["mean"]})
    judged = judge([ACCURACY], {"accuracy": both})["accuracy"]
    assert judged.verdict == "depends"
    assert judged.reason.endswith(
        "of the centers (exact gradient: holds, mean rule: fails)"
    )


def test_nothing_is_judged_without_all_seeds_images_and_classes():
    found = experiment(np.random.default_rng(3))
    assert why_silent(None) == "no sealed experiment yet"
    assert why_silent(found) == ""
    more = replace(found, plan={"seeds": [*SEEDS, 8]})
    assert why_silent(more) == "8 of 9 seeds are recorded"
    run = found.runs["exact"][0]
    few = {**run.arrays, "test_labels": np.where(LABELS == 3, 0, LABELS)}
    few["test_labels"][:29] = 3
    starved = {
        arm: dict.fromkeys(SEEDS, Recording(run.facts, few)) for arm in found.runs
    }
    assert (
        why_silent(replace(found, runs=starved))
        == "D has 29 test images, fewer than 30"
    )
    never = run.arrays["test_logits"].copy()
    never[:, 2] = -9
    blind = dict.fromkeys(
        SEEDS, Recording(run.facts, {**run.arrays, "test_logits": never})
    )
    runs = {**found.runs, "exact": blind}
    assert (
        why_silent(replace(found, runs=runs))
        == "exact gradient: no run ever predicts C"
    )
    (judged,) = judge([ACCURACY], {"accuracy": more}).values()
    assert judged.verdict == "no verdict"
    assert np.isfinite(judged.measured["exact"].low)  # what there is so far
    none = replace(found, runs={})
    (judged,) = judge([ACCURACY], {"accuracy": none}).values()
    assert (judged.reason, judged.measured) == ("0 of 8 seeds are recorded", {})


def elsewhere(rng, share):
    """A run that recognizes this share of other faces; of one class there are few."""
    labels = np.repeat(range(S), [400, 400, 400, 29])
    right = rng.random(len(labels)) < np.where(labels == 3, 0, share)
    said = np.where(right, labels, (labels + 1) % S)
    return Recording({}, {f"{PRESS}_labels": labels, f"{PRESS}_predictions": said})


def test_transfer_has_its_own_rule():
    rng, seeds = np.random.default_rng(7), [0, 1, 2]
    shares = {"fer2013-softmax": 0.6, "fer2013-separate": 0.6, "fewer-separate": 0.4}
    runs = {a: {k: elsewhere(rng, p) for k in seeds} for a, p in shares.items()}
    found = Experiment("fer2013-transfer", {"seeds": seeds}, runs)
    assert mean_class_accuracy(found, "fewer-separate", PRESS).mean == pytest.approx(
        40, abs=4
    )
    more, loss = judge_transfer(found, 1.0).values()
    assert (more.verdict, loss.verdict) == ("holds", "undecided")
    assert more.measured["exact"].mean == pytest.approx(20, abs=5)
    assert judge_transfer(found, 40.0)["more images"].verdict == "fails"
    later = judge_transfer(replace(found, plan={"seeds": [*seeds, 3]}), 1.0)
    assert later["the loss"].verdict == "no verdict"
    assert later["the loss"].reason == "3 of 4 seeds are recorded"
    assert np.isfinite(later["the loss"].measured["exact"].low)
    none = judge_transfer(replace(found, runs={}), 1.0)["more images"]
    assert (none.reason, none.measured) == ("0 of 3 seeds are recorded", {})


def test_transfer_is_judged_wrongly_as_seldom_as_its_level_says():
    rng, wrong = np.random.default_rng(9), 0
    arms = ("fer2013-softmax", "fer2013-separate", "fewer-separate")
    for _ in range(150):  # neither images nor loss do anything
        lucky = {a: 0.6 + rng.normal(0, 0.02, 3) for a in arms}
        runs = {
            a: {k: elsewhere(rng, p[k]) for k in range(3)} for a, p in lucky.items()
        }
        found = Experiment("fer2013-transfer", {"seeds": [0, 1, 2]}, runs)
        words = {each.verdict for each in judge_transfer(found, 0.0).values()}
        wrong += words != {"undecided"}
    assert wrong <= stats.binom.ppf(0.999, 150, 0.05)


def test_an_order_of_classes_counts_all_orders():
    counts = [5, 4, 3, 2, 1]
    estimate = order_of_classes(np.array([9.0, 7, 5, 3, 1]), counts)
    assert estimate.mean == pytest.approx(1)
    assert estimate.p_value == pytest.approx(2 / 120)
    assert np.isnan(estimate.low)
    assert order_of_classes(np.ones(5), counts).p_value == 1
    rng = np.random.default_rng(4)
    small = [
        order_of_classes(rng.normal(size=5), counts).p_value <= 0.05 for _ in range(300)
    ]
    assert np.mean(small) < 0.09
    many = order_of_classes(np.arange(11.0), list(range(11)))
    assert many.p_value < 0.001


def test_every_outcome_of_an_experiment_is_a_number():
    found = experiment(np.random.default_rng(5))
    for name, measure in OUTCOMES.items():
        estimate = measure(found, "exact", 0.0)
        assert np.isfinite([estimate.mean, estimate.p_value]).all(), name
    assert OUTCOMES["agreement at the end"](found, "exact", 0.0).mean == 0.55
    assert OUTCOMES["order of agreement"](found, "exact", 0.0).mean == pytest.approx(1)


def test_claims_name_outcomes_and_rest_on_claims_in_no_circle():
    known = {claim.id: claim for claim in claims()}
    assert len(known) == 12

    def depth(id, path=()):
        assert id not in path
        return 1 + max((depth(b, (*path, id)) for b in known[id].rests_on), default=0)

    for claim in claims():
        assert bool(claim.outcome or claim.alike) == bool(claim.experiments)
        own_rule = "fer2013-transfer" in claim.experiments.values()
        assert not claim.outcome or own_rule or claim.outcome in OUTCOMES
        assert claim.direction in ("above", "below")
        assert (BOOK / f"{claim.chapter}.ipynb").is_file()
        assert depth(claim.id) < 4


def test_claims_without_a_sealed_experiment_say_so():
    real, rendered = judge_recorded("real"), judge_recorded("rendered")
    assert list(real) == list(rendered) == [claim.id for claim in claims()]
    for id in ("lambda-flat", "feature-length-flat", "more-data-transfers"):
        assert rendered[id].verdict == "not measured"
        assert rendered[id].reason == "no sealed experiment yet"
    assert real["compound-harder"].verdict == "not measured"
    assert rendered["compound-harder"].verdict == "by construction"


def test_pairs_are_counted_and_failed_runs_named_by_arm():
    found = experiment(np.random.default_rng(6), 0.2)
    assert wins(found, "exact", ACCURACY) == (8, 8)
    assert wins(found, "exact", replace(ACCURACY, direction="below")) == (0, 8)
    assert wins(found, "exact", replace(ACCURACY, outcome="order of recall")) is None
    assert say_failures(found) == "none (16 runs in all)"
    run = found.runs["exact"][0]
    stuck = run.arrays | {"test_logits": np.tile(np.eye(S)[0], (N, 1))}
    runs = found.runs["exact"] | {0: Recording(run.facts, stuck)}
    failed = replace(found, runs=found.runs | {"exact": runs})
    assert say_failures(failed) == "exact 1 of 8 (16 runs in all)"


def mapped(rng, directions, means, n=300):
    """A run whose features of unseen images lie around known means of the classes."""
    labels, seen = rng.integers(0, S, n), []
    common = rng.normal(size=(n, 6))  # what every network sees of an image
    for turn in directions:
        x = np.maximum((means[labels] + common) @ turn, 0.0) + 1e-6
        unit = x / np.linalg.norm(x, axis=1, keepdims=True)
        purity = neighbor_purity(unit, torch.tensor(labels))
        own = np.array([unit[labels == j].mean(0) for j in range(S)])
        arrays = {"test_labels": labels, "test_features": x, "test_purity": purity}
        seen.append(
            Recording({}, arrays | {"test_means": own, "true": (means @ turn)[None]})
        )
    return seen


@pytest.mark.parametrize(
    "name", ["change of neighbor purity", "change of intra-class similarity"]
)
def test_a_change_on_test_images_is_as_sure_as_other_images_allow(name):
    # The same networks meet other images again and again, so seeds have no noise.
    rng, ends = np.random.default_rng(8), []
    means, turns = rng.normal(size=(S, 6)), rng.normal(size=(2, 6, 6))
    for _ in range(60):
        plain, other = mapped(rng, turns, np.abs(means))
        runs = {"softmax": dict.fromkeys((0, 1), plain)}
        runs["exact"] = dict.fromkeys((0, 1), other)
        found = OUTCOMES[name](Experiment("known", {}, runs), "exact", 0.0)
        ends.append((found.mean, found.high - found.mean))
    means_found, halves = np.array(ends).T
    assert 0.75 < halves.mean() / (1.96 * means_found.std()) < 1.4


def test_the_calibration_error_of_three_images_is_their_mean_gap():
    logits = np.log([[0.9, 0.1], [0.3, 0.7], [0.6, 0.4]])
    arrays = {"test_logits": logits, "test_labels": np.array([0, 0, 0])}
    gaps = (0.1, 0.7, 0.4)
    assert calibration_error(Recording({}, arrays)) == pytest.approx(
        100 * sum(gaps) / 3
    )
