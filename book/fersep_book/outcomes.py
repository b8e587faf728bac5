"""What an experiment decides: each outcome with all the noise that it has.

An outcome is a number of an arm beside softmax, with its 95 % interval and a p-value
for a true value of ``null``. Where single test images decide, as in an accuracy, the
noise is that of seeds and of test images; where the training decides, as in a
similarity of centers, that of seeds. Where the classes are the sample, as in an order
of classes, all orders are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import permutations
from math import factorial

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor

from fersep import analysis, equations
from fersep.analysis import Interval
from fersep_book import evidence, verdicts
from fersep_book.evidence import Experiment, Recording

Measure = Callable[[Experiment, str, float], Interval]

BASE = "softmax"

#: Below this many test images of a class nothing is judged.
FEWEST_IMAGES = 30


def intra(run: Recording) -> float:
    """Mean cosine of the test features of a class and its true center, over classes."""
    means = torch.tensor(run.arrays["test_means"]).double()
    return float((_directions(run) * means).sum(1).mean())


def inter(run: Recording) -> float:
    """Mean cosine of pairs of true centers after the last epoch."""
    return 2 * equations.mean_pair_similarity(_directions(run)).item() - 1


def _directions(run: Recording) -> Tensor:
    return equations.unit(torch.tensor(run.arrays["true"][-1]).double())[0]


def calibration_error(run: Recording, bins: int = 15) -> float:
    """Mean gap of confidence and accuracy on the test images, in points.

    Images are put into bins of equal number by their confidence.
    """
    logits = run.arrays["test_logits"].astype(float)
    shares = np.exp(logits - logits.max(1, keepdims=True))
    sure = (shares / shares.sum(1, keepdims=True)).max(1)
    parts = np.array_split(np.argsort(sure), bins)
    gaps = [abs(sure[p].mean() - run.right[p].mean()) * len(p) for p in parts]
    return float(100 * sum(gaps) / len(sure))


def _change(what: Callable[[Recording], float]) -> Measure:
    def measure(found: Experiment, arm: str, null: float) -> Interval:
        pairs = zip(found.values(arm, what), found.values(BASE, what), strict=True)
        return analysis.mean_interval([new - old for new, old in pairs], null)

    return measure


def _level(what: Callable[[Recording], float]) -> Measure:
    def measure(found: Experiment, arm: str, null: float) -> Interval:
        return analysis.mean_interval(found.values(arm, what), null)

    return measure


def _gain(found: Experiment, arm: str, null: float) -> Interval:
    return found.gain(arm, BASE, null=null)


def _gain_by_class(found: Experiment, arm: str, null: float) -> Interval:
    return found.gain(arm, BASE, by_class=True, null=null)


def _order(what: Callable[[Recording], NDArray[np.float64]]) -> Measure:
    """Rank correlation of a number of each class with its training images."""

    def measure(found: Experiment, arm: str, null: float) -> Interval:
        counts = found.of(arm)[0].facts["data"]["class_counts"]
        means = np.mean([what(run) for run in found.of(arm)], axis=0)
        return order_of_classes(means, counts)

    return measure


def order_of_classes(values: NDArray[np.float64], counts: list[int]) -> Interval:
    """Return Spearman's correlation over classes, with the p-value of all orders.

    The classes are the sample, so there is no interval over seeds: its ends are not
    numbers. Every order of up to eight classes is counted; with more, 20,000 are drawn.
    """
    s = len(counts)
    a, b = stats.rankdata(values), stats.rankdata(counts)
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    if scale == 0:
        return Interval(0.0, np.nan, np.nan, s, 1.0)
    found = float(a @ b) / scale
    if factorial(s) <= factorial(8):
        orders = np.array(list(permutations(range(s))))
    else:
        rng = np.random.default_rng(0)
        orders = rng.permuted(np.tile(np.arange(s), (20_000, 1)), axis=1)
    others = a[orders] @ b / scale
    p_value = float((np.abs(others) >= abs(found) - 1e-12).mean())
    return Interval(found, np.nan, np.nan, s, p_value)


def _agreement_rise(run: Recording) -> float:
    return float((run.agreement[-1] - run.agreement[0]).mean())


#: Name of an outcome -> how an arm of an experiment is measured.
OUTCOMES: dict[str, Measure] = {
    "gain in accuracy": _gain,
    "gain in mean-class accuracy": _gain_by_class,
    "change of intra-class similarity": _change(intra),
    "change of inter-class similarity": _change(inter),
    "change of calibration error": _change(calibration_error),
    "change of neighbor purity": _change(lambda run: float(run.arrays["test_purity"])),
    "rise of agreement": _level(_agreement_rise),
    "agreement at the end": _level(lambda run: float(run.agreement[-1].mean())),
    "order of agreement": _order(lambda run: run.agreement[-1]),
    "order of recall": _order(lambda run: run.recall),
}


@dataclass(frozen=True)
class Claim:
    """One claim of the paper, and the outcome of sealed experiments that decides it.

    Attributes
    ----------
    id, sentence : str
        A short name, and the paper's words.
    outcome : str
        One of `OUTCOMES`.
    direction : {"above", "below"}
        The side of ``margin`` on which the outcome lies if the claim holds.
    margin : float
        The smallest effect that matters.
    experiments : dict of str to str
        Kind of faces ("real", "rendered") -> name of the experiment.
    rests_on : sequence of str
        Claims that this one presupposes.
    """

    id: str
    sentence: str
    outcome: str
    direction: str
    margin: float
    experiments: Mapping[str, str]
    rests_on: Sequence[str] = ()


def claims() -> list[Claim]:
    """Return the claims of the paper that sealed experiments decide."""
    return [
        Claim(each.id, each.sentence, direction=each.direction, **each.decided)
        for each in verdicts.claims()
        if each.decided
    ]


@cache
def judge_recorded(kind: str) -> dict[str, Judgment]:
    """Judge all claims on one kind of faces, "real" or "rendered", by what is recorded.

    Returns
    -------
    dict of str to Judgment
        By the claim's id, for those that have an experiment on such faces.
    """
    asked = [claim for claim in claims() if kind in claim.experiments]
    found = {claim.id: evidence.load(claim.experiments[kind]) for claim in asked}
    return judge(asked, found)


@dataclass(frozen=True)
class Judgment:
    """A verdict on one claim: the word, its reason, and what was measured by arm."""

    verdict: str
    reason: str
    measured: Mapping[str, Interval]


def judge(
    claims: Sequence[Claim], found: Mapping[str, Experiment], level: float = 0.05
) -> dict[str, Judgment]:
    """Judge claims together, all on one kind of faces.

    The p-values of all arms of all claims share one level by Holm's rule. An arm holds
    or fails where its p-value stays below the level; then its outcome lies beyond the
    margin, on the claimed side or on the other. A claim has the verdict of its arms,
    the rules of the centers, or *depends* where they differ.

    Parameters
    ----------
    claims : sequence of Claim
    found : dict of str to Experiment
        Of each claim's id, where there is one.
    level : float

    Returns
    -------
    dict of str to Judgment
    """
    measured: dict[str, dict[str, Interval]] = {}
    silent: dict[str, Judgment] = {}
    for claim in claims:
        reason = why_silent(found.get(claim.id))
        if reason:
            silent[claim.id] = Judgment("not decided", reason, {})
            continue
        experiment = found[claim.id]
        arms = [arm for arm in experiment.runs if arm != BASE] or [BASE]
        measure = OUTCOMES[claim.outcome]
        measured[claim.id] = {
            arm: measure(experiment, arm, claim.margin) for arm in arms
        }
    keys = [(id, arm) for id, arms in measured.items() for arm in arms]
    adjusted = analysis.adjust_p_values([measured[i][a].p_value for i, a in keys])
    p_values = dict(zip(keys, adjusted, strict=True))
    judged = dict(silent)
    for claim in claims:
        if claim.id in silent:
            continue
        words = {
            arm: _word(estimate, claim, p_values[claim.id, arm] < level)
            for arm, estimate in measured[claim.id].items()
        }
        judged[claim.id] = _join(words, measured[claim.id])
    return {claim.id: judged[claim.id] for claim in claims}


def _word(estimate: Interval, claim: Claim, clear: bool) -> str:
    if not clear:
        return "undecided"
    above = estimate.mean > claim.margin
    return "holds" if above == (claim.direction == "above") else "fails"


def _join(words: Mapping[str, str], measured: Mapping[str, Interval]) -> Judgment:
    if len(set(words.values())) == 1:
        return Judgment(next(iter(words.values())), "", measured)
    said = ", ".join(f"{arm}: {word}" for arm, word in words.items())
    return Judgment("depends", f"on the rule of the centers ({said})", measured)


def in_words(judged: Judgment, faces: str) -> str:
    """Say a verdict as the title of an answer, like "On real faces: undecided"."""
    if judged.reason:
        return f"On {faces} faces: {judged.verdict}, {judged.reason}"
    return f"On {faces} faces: {judged.verdict}"


def why_silent(found: Experiment | None) -> str:
    """Say why an experiment decides nothing yet; empty where it does.

    No verdict before all planned runs are there, and none where a class has under
    `FEWEST_IMAGES` test images or is never predicted by any run of an arm.
    """
    if found is None:
        return "not measured"
    if not found.complete:
        return f"{len(found.seeds)} of {len(found.plan['seeds'])} seeds are recorded"
    some = found.of(next(iter(found.runs)))[0]
    classes = some.facts["data"]["classes"]
    for name, count in zip(classes, np.bincount(some.labels), strict=True):
        if count < FEWEST_IMAGES:
            return f"{name} has {count} test images"
    for arm in found.runs:
        said = {
            int(j) for run in found.of(arm) for j in run.arrays["test_logits"].argmax(1)
        }
        for j, name in enumerate(classes):
            if j not in said:
                return f"no run of {arm} ever predicts {name}"
    return ""


def breaking_point(estimate: Interval, claim: Claim) -> float:
    """Return the margin at which a claim would just cease to hold, uncorrected."""
    return estimate.low if claim.direction == "above" else estimate.high
