"""What the paper measures, and how sure one may be of it.

Features are (n, d), labels (n,) int64 with values 0 .. s - 1, centers (s, d).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy import stats
from scipy.optimize import brentq
from scipy.special import stdtrit
from torch import Tensor

from fersep import equations

#: Nearest neighbors whose classes say how pure a place among features is.
NEIGHBORS = 15


@dataclass(frozen=True)
class SimilarityTable:
    """One row of Table 1, as raw cosines.

    ``intra`` (s,) holds the mean cosine of the features of each class and its center,
    NaN for a class without a feature; ``intra_mean`` is its mean over the classes that
    have features. ``inter`` is the mean cosine over all pairs of different centers.
    """

    intra: Tensor
    intra_mean: float
    inter: float


@dataclass(frozen=True)
class Interval:
    """An estimate from n values with its 95 % interval.

    The p-value is that of a true value of zero, unless a function was given another
    one; NaN where none is tested.
    """

    mean: float
    low: float
    high: float
    n: int
    p_value: float = float("nan")


def true_centers(features: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Return the mean feature of each class, the paper's "true centers" (s, d).

    ValueError if a label is out of range or a class has no feature.
    """
    equations.check_labels(labels, num_classes)
    sums, counts = equations.class_sums(features, labels, num_classes)
    if empty := (counts == 0).nonzero()[:, 0].tolist():
        raise ValueError(
            f"no feature of the classes {empty}; a class needs at least one image "
            "to have a center"
        )
    return sums / counts[:, None]


def similarity_table(
    features: Tensor, labels: Tensor, centers: Tensor | None = None
) -> SimilarityTable:
    """Measure one row of Table 1 with the learned centers (s, d).

    Without them it takes the true centers, which exist for any loss. ValueError if
    shapes do not fit, a label is out of range, or a vector is zero.
    """
    if centers is None:
        centers = true_centers(features, labels, int(labels.max()) + 1)
    equations.check_batch(features, centers, labels)
    unit_centers = equations.unit(centers)[0]
    cosines = (equations.unit(features)[0] * unit_centers[labels]).sum(-1)
    sums, counts = equations.class_sums(cosines[:, None], labels, len(centers))
    intra = sums[:, 0] / counts
    inter = 2 * equations.mean_pair_similarity(unit_centers) - 1
    return SimilarityTable(intra, intra.nanmean().item(), inter.item())


def center_agreement(learned: Tensor, true: Tensor) -> Tensor:
    """Return the cosine (s,) of each learned center and its true center.

    ValueError if shapes differ or a center is zero.
    """
    return 2 * equations.similarity(learned, true) - 1


def neighbor_purity(points: ArrayLike, labels: Tensor, k: int = NEIGHBORS) -> float:
    """Return the mean share of the k nearest neighbors that have the point's class.

    Works on features (n, d) and on a map (n, 2) alike, so the two can be compared.
    ValueError if there are not more than k points.
    """
    points = torch.as_tensor(points)
    if len(points) <= k:
        raise ValueError(f"{k} neighbors need more than {k} points, got {len(points)}")
    shares = []
    for start in range(0, len(points), 1000):
        part = slice(start, start + 1000)
        distances = torch.cdist(points[part], points)
        own = torch.arange(start, start + len(distances), device=points.device)
        distances[torch.arange(len(own), device=points.device), own] = torch.inf
        nearest = distances.topk(k, largest=False).indices
        shares.append((labels[nearest] == labels[part, None]).double().mean(1))
    return float(torch.cat(shares).mean())


def confusion(labels: Tensor, predictions: Tensor, num_classes: int) -> Tensor:
    """Count images by true class (rows) and predicted class (columns): (s, s) int64.

    ValueError if a class number is out of range.
    """
    equations.check_labels(labels, num_classes)
    equations.check_labels(predictions, num_classes)
    cells = labels * num_classes + predictions
    counts = torch.bincount(cells, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def accuracy(matrix: Tensor) -> float:
    """Return the share of right predictions in a confusion matrix, in percent."""
    return 100 * matrix.diag().sum().item() / matrix.sum().item()


def mean_class_accuracy(matrix: Tensor) -> float:
    """Return the mean recall of the classes that have images, in percent."""
    totals = matrix.sum(1)
    recalls = matrix.diag()[totals > 0] / totals[totals > 0]
    return 100 * recalls.mean().item()


def majority_accuracy(matrix: Tensor) -> float:
    """Return the accuracy of always naming the largest class, in percent."""
    totals = matrix.sum(1)
    return 100 * totals.max().item() / totals.sum().item()


def accuracy_interval(correct: int, n: int) -> Interval:
    """Return an accuracy with its 95 % Wilson interval, in percent.

    It covers the chance of the test images alone, not of the seed. ValueError if not
    ``0 <= correct <= n`` with n at least 1.
    """
    bounds = stats.binomtest(correct, n).proportion_ci(0.95, method="wilson")
    return Interval(100 * correct / n, 100 * bounds.low, 100 * bounds.high, n)


def mean_interval(values: Sequence[float], null: float = 0.0) -> Interval:
    """Return the mean of values with its 95 % interval of Student's t.

    One value has no spread to judge by: its interval is not a number. The p-value is
    that of a true mean of ``null``.
    """
    n = len(values)
    if n == 0:
        raise ValueError("values is empty; give at least one")
    mean = float(np.mean(values))
    if n == 1:
        return Interval(mean, float("nan"), float("nan"), 1)
    if np.ptp(values) <= 1e-12 * np.abs(values).max():  # all equal but for rounding
        return Interval(mean, mean, mean, n, float(mean == null))
    test = stats.ttest_1samp(values, null)
    low, high = map(float, test.confidence_interval(0.95))
    return Interval(mean, low, high, n, float(test.pvalue))


def student_interval(
    mean: float, spread: float, n: int, level: float = 0.95
) -> tuple[float, float]:
    """Return Student's confidence interval of the mean of n values, at least 2.

    `spread` is their standard deviation, with n - 1 in the denominator.
    """
    half = float(stats.t.ppf(0.5 + level / 2, n - 1)) * spread / n**0.5
    return mean - half, mean + half


def paired_test(first: Sequence[float], second: Sequence[float]) -> Interval:
    """Return ``second - first`` over paired seeds: Student's paired t-test.

    Both give one value per seed, in the same order of seeds. ValueError if the lengths
    differ or are zero.
    """
    if len(first) != len(second):
        raise ValueError(
            f"paired values need equal lengths, got {len(first)} and {len(second)}"
        )
    return mean_interval([b - a for a, b in zip(first, second, strict=True)])


def two_way_interval(
    values: ArrayLike,
    strata: ArrayLike | None = None,
    *,
    level: float = 0.95,
    null: float = 0.0,
) -> Interval:
    """Return the mean of paired differences with both noises: seeds and images.

    Seeds and test images are two samples; each pair of runs meets each image once. The
    variance of the mean is that over seeds, with few degrees of freedom, plus that over
    images, with many, less that of their interaction, which both hold. The squares of
    Student's half-widths add up (Graybill and Wang): one factor for the sum, with
    Satterthwaite's degrees of freedom, would promise too much with few seeds.

    Parameters
    ----------
    values : array, (seeds, images)
        Like (right of one loss) − (right of the other).
    strata : array, (images,), optional
        Class of each image, for a mean in which all classes count alike.
    level : float
        Of the interval.
    null : float
        The true value that the p-value tests.

    Returns
    -------
    Interval
        ``n`` is the number of seeds.

    Raises
    ------
    ValueError
        If there are fewer than 2 seeds or 2 images of a class.
    """
    values = np.asarray(values, float)
    seeds, images = values.shape
    strata = np.zeros(images, int) if strata is None else np.asarray(strata)
    names, counts = np.unique(strata, return_counts=True)
    if seeds < 2 or min(counts) < 2:
        raise ValueError(
            f"two-way noise needs 2 seeds and 2 images of each class; got {seeds} "
            f"seeds and at least {min(counts)} images"
        )
    by_seed, of_images, of_both = np.zeros(seeds), 0.0, 0.0
    for name, n in zip(names, counts, strict=True):
        part = values[:, strata == name]
        rows, columns = part.mean(1), part.mean(0)
        by_seed += rows / len(names)
        of_images += columns.var(ddof=1) / n / len(names) ** 2
        rest = part - columns - (rows - rows.mean())[:, None]
        freedom = (seeds - 1) * (n - 1)
        of_both += (rest**2).sum() / freedom / (n * seeds) / len(names) ** 2
    of_seeds = by_seed.var(ddof=1) / seeds
    of_rest = max(of_images - of_both, 0.0)

    def half(chance: float) -> float:
        s, i = stdtrit([seeds - 1, images - len(names)], chance / 2) ** 2
        return float(max(s * of_seeds + i * of_rest, i * of_images)) ** 0.5

    return interval_from(half, float(by_seed.mean()), seeds, level=level, null=null)


def interval_from(
    half: Callable[[float], float],
    mean: float,
    n: int,
    *,
    level: float = 0.95,
    null: float = 0.0,
) -> Interval:
    """Return an interval whose half-width is known for each chance to miss the truth.

    The p-value of ``null`` is the chance at which the interval just reaches it.
    """
    reach, gap = half(1 - level), abs(mean - null)
    if reach == 0:
        p_value = float(gap == 0)
    elif half(1e-90) <= gap:
        p_value = 0.0
    else:
        p_value = float(np.exp(brentq(lambda p: half(np.exp(p)) - gap, -207, 0)))
    return Interval(mean, mean - reach, mean + reach, n, p_value)


def adjust_p_values(p_values: Sequence[float]) -> list[float]:
    """Return Holm's p-values of several claims that are judged together."""
    order = np.argsort(p_values)
    factors = np.arange(len(order), 0, -1)
    steps = np.maximum.accumulate(factors * np.asarray(p_values)[order])
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(steps, 1)
    return [float(p) for p in adjusted]


def standard_deviation(values: Sequence[float]) -> float | None:
    """Return the standard deviation over seeds; None for one value, which has none."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Return Spearman's rank correlation; 0 if one sequence is constant: no order."""
    a, b = np.asarray(first), np.asarray(second)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(stats.spearmanr(a, b).statistic)
