"""What sealed experiments decide about the paper's claims.

An outcome is a number of an arm beside softmax, with its 95 % interval and a p-value
for a true value of ``null``. Where test images decide, as in an accuracy, the
noise is that of seeds and of test images; where the training images decide, as in a
similarity of centers, that of seeds. Where the classes are the sample, as in an order
of classes, all orders are counted.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import permutations
from math import factorial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from scipy.special import stdtrit
from torch import Tensor

from fersep import analysis, equations
from fersep.analysis import Interval
from fersep_book import evidence
from fersep_book.evidence import Experiment, Recording
from fersep_book.figures import parts

Array = NDArray[np.float64]
Number = Callable[[Recording], float]
Numbers = Callable[[Recording], Array]
Measure = Callable[[Experiment, str, float], Interval]

BASE = "softmax"

#: Below this many test images of a class nothing is judged.
FEWEST_IMAGES = 30

#: What fer2013-transfer asks of press photographs -> the arms it compares, new and old.
TRANSFER = {
    "more images": ("fer2013-separate", "fewer-separate"),
    "the loss": ("fer2013-separate", "fer2013-softmax"),
}
PRESS = "facial_expressions"


def accuracy(run: Recording) -> float:
    """Share of the test images that a run recognizes, in percent."""
    return float(100 * run.right.mean())


def intra_by_class(run: Recording) -> Tensor:
    """Mean cosine of the test features of each class and its true center, (s,)."""
    means = torch.tensor(run.arrays["test_means"]).double()
    return (_directions(run) * means).sum(1)


def intra(run: Recording) -> float:
    """Mean over the classes of `intra_by_class`."""
    return float(intra_by_class(run).nanmean())


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
    gaps = [abs((sure[p] - run.right[p]).sum()) for p in parts]
    return float(100 * sum(gaps) / len(sure))


def changes(found: Experiment, arm: str, what: Number) -> list[float]:
    """Return by how much a number of an arm differs from softmax, for each seed."""
    pairs = zip(found.values(arm, what), found.values(BASE, what), strict=True)
    return [new - old for new, old in pairs]


def _change(what: Number, found: Experiment, arm: str, null: float) -> Interval:
    return analysis.mean_interval(changes(found, arm, what), null)


def _change_on_images(
    what: Number, by_image: Numbers, found: Experiment, arm: str, null: float
) -> Interval:
    """Change of a number that hangs on the test images: seeds and images are noise.

    The noise of images is read off the pairs of runs that keep features, those of one
    seed. It holds what images and seeds do together, which that of seeds holds too, so
    the interval is rather too wide than too narrow.
    """
    values = changes(found, arm, what)
    of_images, images = image_noise(found, arm, by_image)
    seeds = len(values)
    if seeds == 1 or not of_images:
        return analysis.mean_interval(values, null)
    of_seeds = np.var(values, ddof=1) / seeds

    def half(chance: float) -> float:
        s, i = stdtrit([seeds - 1, images], chance / 2) ** 2
        return float(s * of_seeds + i * of_images) ** 0.5

    return analysis.interval_from(half, float(np.mean(values)), seeds, null=null)


def image_noise(found: Experiment, arm: str, by_image: Numbers) -> tuple[float, int]:
    """Variance by test images of a change of an arm, and its degrees of freedom.

    Zero where no run keeps features.
    """
    apart = [
        by_image(new) - by_image(old)
        for new, old in zip(found.of(arm), found.of(BASE), strict=True)
        if "test_features" in new.arrays
    ]
    images = len(found.of(arm)[0].labels)
    return float(np.mean([each.var() for each in apart] or [0])) / images, images - 1


def cosines_by_image(run: Recording) -> Array:
    """What each test image adds to `intra`: its cosine from that of its class, (n,).

    Classes count alike, so an image of a class with few counts more.
    """
    directions = equations.unit(torch.tensor(run.arrays["test_features"]).double())[0]
    cosines = (directions * _directions(run)[run.labels]).sum(1).numpy()
    counts = np.bincount(run.labels)
    means = np.bincount(run.labels, cosines) / counts.clip(1)
    weight = len(cosines) / (counts > 0).sum() / counts.clip(1)
    return np.asarray(weight[run.labels] * (cosines - means[run.labels]))


def purity_by_image(run: Recording) -> Array:
    """What each test image adds to the neighbor purity, (n,).

    That is the share of its own neighbors, and what it changes in the shares of those
    whose neighbor it is. Without the second, the noise of images is far too small.
    """
    x = equations.unit(torch.tensor(run.arrays["test_features"]).float())[0]
    labels, cosines = torch.tensor(run.labels), x @ x.T
    near = cosines.fill_diagonal_(-2).topk(analysis.NEIGHBORS).indices
    same = (labels[near] == labels[:, None]).float()
    own = same.mean(1)
    as_neighbor = torch.zeros(len(x)).index_add(
        0, near.flatten(), (same - own[:, None]).flatten()
    )
    return np.asarray(own + as_neighbor / analysis.NEIGHBORS)


def _level(what: Number, found: Experiment, arm: str, null: float) -> Interval:
    return analysis.mean_interval(found.values(arm, what), null)


def _order(what: Numbers, found: Experiment, arm: str, null: float) -> Interval:
    """Rank correlation of a number of each class with its training images."""
    counts = found.of(arm)[0].facts["data"]["class_counts"]
    return order_of_classes(np.mean([what(r) for r in found.of(arm)], axis=0), counts)


def order_of_classes(values: Array, counts: list[int]) -> Interval:
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


#: Outcome -> the number of one run that it compares with that of softmax.
CHANGES: dict[str, Number] = {
    "gain in accuracy": accuracy,
    "gain in mean-class accuracy": lambda run: float(run.recall.mean()),
    "change of intra-class similarity": intra,
    "change of inter-class similarity": inter,
    "change of calibration error": calibration_error,
    "change of neighbor purity": lambda run: float(run.arrays["test_purity"]),
}
#: Those that hang on the test images -> what each image adds to the number.
BY_IMAGE = {
    "change of intra-class similarity": cosines_by_image,
    "change of neighbor purity": purity_by_image,
}

#: Outcome -> how an arm of an experiment is measured.
OUTCOMES: dict[str, Measure] = {
    **{name: partial(_change, what) for name, what in CHANGES.items()},
    **{n: partial(_change_on_images, CHANGES[n], by) for n, by in BY_IMAGE.items()},
    "gain in accuracy": lambda found, arm, null: found.gain(arm, BASE, null=null),
    "gain in mean-class accuracy": lambda found, arm, null: found.gain(
        arm, BASE, by_class=True, null=null
    ),
    "rise of agreement": partial(
        _level, lambda run: float((run.agreement[-1] - run.agreement[0]).mean())
    ),
    "agreement at the end": partial(
        _level, lambda run: float(run.agreement[-1].mean())
    ),
    "order of agreement": partial(_order, lambda run: run.agreement[-1]),
    "order of recall": partial(_order, lambda run: run.recall),
}


def by_rule(found: Experiment, outcome: str) -> dict[str, Interval]:
    """Return an outcome beside softmax under each rule of the centers, by its words."""
    measure = OUTCOMES[outcome]
    return {words: measure(found, arm, 0.0) for arm, words in evidence.RULES.items()}


def beside(found: Experiment, base: str) -> dict[str, Interval]:
    """Return the gain of every other arm over one arm, with simultaneous intervals.

    Bonferroni's rule makes them hold together with 95 %. Softmax is no setting of the
    loss: it does not count, and its interval is of the same level as the others.
    """
    arms = [arm for arm in found.runs if arm != base]
    counted = [arm for arm in arms if found.plan["arms"][arm].get("lam") != 0]
    level = 1 - 0.05 / max(len(counted), 1)
    return {arm: found.gain(arm, base, level=level) for arm in arms}


def compare(ours: tuple[float, float], printed: float, margin: float) -> str:
    """Return ``equal``, ``different`` or ``undecided``, from our interval."""
    low, high = printed - margin, printed + margin
    if low <= ours[0] and ours[1] <= high:
        return "equal"
    return "different" if ours[1] < low or high < ours[0] else "undecided"


@dataclass(frozen=True)
class Claim:
    """One claim of the paper, and the outcome of sealed experiments that decides it.

    Attributes
    ----------
    id, sentence : str
        A short name, and the paper's words.
    outcome : str
        One of `OUTCOMES`; empty while no sealed experiment measures the claim.
    direction : {"above", "below"}
        The side of ``margin`` on which the outcome lies if the claim holds.
    margin : float
        The smallest effect that matters.
    experiments : dict of str to str
        Kind of faces ("real", "rendered") -> name of the experiment.
    alike : mapping
        Of a claim that settings do equally well, instead of an outcome: ``base``, an
        arm; ``arms``, words -> arms that lie within the margin of it; ``open``, what
        the words tell apart.
    rests_on : sequence of str
        Claims that this one presupposes.
    says, where, chapter : str
        The claim in our words, its place in the paper, the chapter that measures it.
    by_construction : str, optional
        Why rendered faces could not have shown anything else.
    """

    id: str
    sentence: str
    outcome: str = ""
    direction: str = "above"
    margin: float = 0.0
    experiments: Mapping[str, str] = field(default_factory=dict)
    alike: Mapping[str, Any] = field(default_factory=dict)
    rests_on: Sequence[str] = ()
    says: str = ""
    where: str = ""
    chapter: str = ""
    by_construction: str | None = None


@dataclass(frozen=True)
class Judgment:
    """A verdict on one claim: the word, its reason, and what was measured by arm.

    Where it *depends*, ``words`` has the verdict of each arm.
    """

    verdict: str
    reason: str
    measured: Mapping[str, Interval]
    words: Mapping[str, str] = field(default_factory=dict)


@cache
def claims() -> list[Claim]:
    """Return the claims of the paper."""
    path = Path(__file__).with_name("claims.json")
    entries = json.loads(path.read_text(encoding="utf-8"))
    return [Claim(**entry.pop("decided"), **entry) for entry in entries]


@cache
def judge_recorded(kind: str) -> dict[str, Judgment]:
    """Judge all claims on one kind of faces, "real" or "rendered", by what is recorded.

    The judgments stand under the claims' ids.
    """
    known = {c.id: c.by_construction for c in claims() if kind == "rendered"}
    asked = [claim for claim in claims() if not known.get(claim.id)]
    found = {
        claim.id: evidence.load(claim.experiments[kind])
        for claim in asked
        if kind in claim.experiments
    }
    own_rule = [c for c in asked if c.experiments.get(kind) == "fer2013-transfer"]
    judged = judge([claim for claim in asked if claim not in own_rule], found)
    for claim in own_rule:
        both = judge_transfer(found[claim.id], claim.margin)
        judged[claim.id] = both["more images"]
    for claim in claims():
        if claim.id not in judged:
            why = str(claim.by_construction)
            judged[claim.id] = Judgment("by construction", why, {})
    return {claim.id: judged[claim.id] for claim in claims()}


def enough(labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which images are of a class with at least `FEWEST_IMAGES` of them, (n,)."""
    return np.asarray(np.bincount(labels)[labels] >= FEWEST_IMAGES)


def mean_class_accuracy(
    found: Experiment, arm: str, part: str, base: str | None = None, null: float = 0.0
) -> Interval:
    """Return mean-class accuracy on some images, or how far an arm is above another.

    Classes with fewer than `FEWEST_IMAGES` of the images take no part.
    """
    images = enough(found.of(arm)[0].arrays[f"{part}_labels"])
    return found.gain(arm, base, part=part, by_class=True, images=images, null=null)


def judge_transfer(found: Experiment, margin: float) -> dict[str, Judgment]:
    """Judge the questions of fer2013-transfer together, by the rule in its file.

    They are asked of press photographs: `TRANSFER` has the arms that they compare.
    """
    measured = {
        question: mean_class_accuracy(found, new, PRESS, base, margin)
        for question, (new, base) in TRANSFER.items()
        if found.begun
    }
    if reason := _what_lacks(found):
        arms = {name: {"exact": each} for name, each in measured.items()}
        word = "no verdict"
        return {name: Judgment(word, reason, arms.get(name, {})) for name in TRANSFER}
    words = in_one_level(measured, margin)
    return {
        name: Judgment(words[name], "", {"exact": estimate})
        for name, estimate in measured.items()
    }


def in_one_level(gains: Mapping[str, Interval], margin: float) -> dict[str, str]:
    """Judge gains that share a level of 5 % by Holm's rule, with p-values at a margin.

    A gain *holds* above the margin and *fails* below it, if by more than chance.
    """
    p_values = analysis.adjust_p_values([gain.p_value for gain in gains.values()])
    words = ["holds" if gain.mean > margin else "fails" for gain in gains.values()]
    words = [
        w if p < 0.05 else "undecided" for w, p in zip(words, p_values, strict=True)
    ]
    return dict(zip(gains, words, strict=True))


def judge(
    claims: Sequence[Claim], found: Mapping[str, Experiment], level: float = 0.05
) -> dict[str, Judgment]:
    """Judge claims together, all on one kind of faces.

    The p-values of all arms of all claims share one level by Holm's rule. An arm holds
    or fails where its p-value stays below the level; then its outcome lies beyond the
    margin, on the claimed side or on the other. A claim has the verdict of its arms,
    the rules of the centers, or *depends* where they differ. While runs are missing
    there is no verdict, but what was measured so far. ``found`` has the experiment of
    each claim's id, where there is one; the judgments stand under the same ids.
    """
    measured = {c.id: _measure_arms(c, found.get(c.id)) for c in claims}
    silent = {c.id: why_silent(found.get(c.id)) for c in claims}
    keys = [(id, arm) for id in measured if not silent[id] for arm in measured[id]]
    adjusted = analysis.adjust_p_values([measured[i][a].p_value for i, a in keys])
    p_values = dict(zip(keys, adjusted, strict=True))
    judged = {}
    for claim in claims:
        arms, reason = measured[claim.id], silent[claim.id]
        if reason:
            word = "no verdict" if claim.id in found else "not measured"
            judged[claim.id] = Judgment(word, reason, arms)
            continue
        if claim.alike:
            judged[claim.id] = _judge_alike(claim, found[claim.id])
            continue
        words = {
            arm: _word(estimate, claim, p_values[claim.id, arm] < level)
            for arm, estimate in arms.items()
        }
        judged[claim.id] = _join(words, arms)
    return judged


def _measure_arms(claim: Claim, found: Experiment | None) -> dict[str, Interval]:
    if found is None or not found.begun or claim.alike:
        return {}
    measure = OUTCOMES[claim.outcome]
    arms = [arm for arm in found.runs if arm != BASE]
    return {arm: measure(found, arm, claim.margin) for arm in arms}


def _word(estimate: Interval, claim: Claim, clear: bool) -> str:
    if not clear:
        return "undecided"
    above = estimate.mean > claim.margin
    return "holds" if above == (claim.direction == "above") else "fails"


def _judge_alike(claim: Claim, found: Experiment) -> Judgment:
    """Judge whether arms are as good as another, by the interval of each."""
    gaps, words = beside(found, claim.alike["base"]), {}
    for name, arms in claim.alike["arms"].items():
        ends = [(gaps[arm].low, gaps[arm].high) for arm in arms]
        each = {compare(pair, 0.0, claim.margin) for pair in ends}
        words[name] = "holds" if each == {"equal"} else "undecided"
        words[name] = "fails" if "different" in each else words[name]
    return _join(words, {}, claim.alike.get("open", ""))


def _join(
    words: Mapping[str, str],
    measured: Mapping[str, Interval],
    of_paper: str = "the rule of the centers",
) -> Judgment:
    if len(set(words.values())) == 1:
        return Judgment(next(iter(words.values())), "", measured)
    said = ", ".join(
        f"{evidence.RULES.get(arm, arm)}: {word}" for arm, word in words.items()
    )
    return Judgment("depends", f"on {of_paper} ({said})", measured, words)


def in_words(judged: Judgment, faces: str) -> str:
    """Say a verdict as the title of an answer, like "On real faces: undecided"."""
    if judged.reason:
        return f"On {faces} faces: {judged.verdict}, {judged.reason}"
    return f"On {faces} faces: {judged.verdict}"


def reasons(judged: Mapping[str, Judgment]) -> list[str]:
    """Say what stands behind verdicts, a sentence each, by what is judged."""
    return [
        f"{what}: {j.verdict}{',' * (j.verdict != 'depends')} {j.reason}."
        for what, j in judged.items()
        if j.reason
    ]


def on_rendered(*ids: str) -> str:
    """Say what rendered faces answer to some claims, as a sentence of an answer."""
    judged = judge_recorded("rendered")
    said = [
        f"“{c.says.lower()}”: {judged[c.id].verdict}" for c in claims() if c.id in ids
    ]
    why = dict.fromkeys(judged[id].reason for id in ids if judged[id].reason)
    reason = f" ({'; '.join(why)})" if why else ""
    return f"On rendered faces: {'; '.join(said)}{reason}."


def why_silent(found: Experiment | None) -> str:
    """Say why an experiment decides nothing yet; empty where it does.

    No verdict before all planned runs are there, and none where a class has under
    `FEWEST_IMAGES` test images or is never predicted by any run of an arm.
    """
    if found is None:
        return "no sealed experiment yet"
    if not found.complete:
        return _what_lacks(found)
    some = found.of(next(iter(found.runs)))[0]
    classes = some.facts["data"]["classes"]
    words = parts.class_words(classes)
    for name, count in zip(words, np.bincount(some.labels), strict=True):
        if count < FEWEST_IMAGES:
            return f"{name} has {count} test images, fewer than {FEWEST_IMAGES}"
    for arm in found.runs:
        for name in never_said(found, arm):
            rule = evidence.RULES.get(arm, arm)
            return f"{rule}: no run ever predicts {words[classes.index(name)]}"
    return ""


def never_said(found: Experiment, arm: str, part: str = "test") -> list[str]:
    """Return the classes that no run of an arm names on any image of a part."""
    runs = found.of(arm)
    said = {int(j) for run in runs for j in np.unique(run.predicted(part))}
    return [c for j, c in enumerate(runs[0].facts["data"]["classes"]) if j not in said]


def _what_lacks(found: Experiment) -> str:
    planned = len(found.plan["seeds"])
    said = f"{len(found.seeds)} of {planned} seeds are recorded"
    return "" if found.complete else said


def breaking_point(estimate: Interval, claim: Claim) -> float:
    """Return the margin at which a claim would just cease to hold, uncorrected."""
    return estimate.low if claim.direction == "above" else estimate.high


def wins(found: Experiment, arm: str, claim: Claim) -> tuple[int, int] | None:
    """Count the pairs in which an arm beats softmax, and all pairs.

    None if the claim's outcome is no change from softmax.
    """
    if claim.outcome not in CHANGES or not found.begun:
        return None
    each = changes(found, arm, CHANGES[claim.outcome])
    sign = 1 if claim.direction == "above" else -1
    return sum(sign * change > 0 for change in each), len(each)


def say_failures(found: Experiment) -> str:
    """Say how many trainings of each arm ended near the share of the largest class.

    Near is within two points. Such runs stay in.
    """
    said, runs = [], len(found.networks) * len(found.seeds)
    for arm in found.networks:
        each = found.of(arm)
        least = 100 * np.bincount(each[0].labels).max() / len(each[0].labels) + 2
        if failed := sum(accuracy(run) < least for run in each):
            said.append(f"{arm} {failed} of {len(each)}")
    return f"{', '.join(said) or 'none'} ({runs} runs in all)"


_SAID = {
    "holds": ("holds", "hold"),
    "fails": ("fails", "fail"),
    "depends": ("depends on an open choice", "depend on an open choice"),
    "undecided": ("is undecided", "are undecided"),
    "by construction": ("is so by construction", "are so by construction"),
    "no verdict": ("has no verdict", "have no verdict"),
    "not measured": ("is not measured", "are not measured"),
}


def sum_up(judged: Mapping[str, Judgment], faces: str) -> str:
    """Say in one sentence what was found for all claims on one kind of faces."""
    counts = Counter(each.verdict for each in judged.values())
    said = [
        f"{counts[word]} {forms[counts[word] > 1]}"
        for word, forms in _SAID.items()
        if counts[word]
    ]
    why = {j.reason for j in judged.values() if j.verdict == "no verdict"}
    because = f" ({why.pop()})" if len(why) == 1 else ""
    return f"Of {len(judged)} claims on {faces} faces {', '.join(said)}{because}"
