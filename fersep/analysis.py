"""What the paper measures, and how sure one may be of it.

Features are (n, d), labels (n,) int64 with values 0 .. s - 1, centers (s, d).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from fersep import equations


@dataclass(frozen=True)
class SimilarityTable:
    """One row of Table 1, as raw cosines.

    Attributes
    ----------
    intra : Tensor, (s,)
        Mean cosine of the features of each class and its center; NaN for a class
        without a feature.
    intra_mean : float
        Mean of ``intra`` over the classes that have features.
    inter : float
        Mean cosine over all pairs of different centers.
    """

    intra: Tensor
    intra_mean: float
    inter: float

    def on_equation_1(self) -> Self:
        """Return the same row on the scale of Eq. 1, ``(cosine + 1) / 2``.

        The paper does not say which of the two scales it printed.
        """
        return type(self)(
            (self.intra + 1) / 2, (self.intra_mean + 1) / 2, (self.inter + 1) / 2
        )


@dataclass(frozen=True)
class Interval:
    """An estimate from n values with its 95 % interval.

    The p-value is that of a true value of zero; NaN where none is tested.
    """

    mean: float
    low: float
    high: float
    n: int
    p_value: float = float("nan")


def true_centers(features: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Return the mean feature of each class, the paper's "true centers" (s, d).

    Raises
    ------
    ValueError
        If a label is out of range or a class has no feature.
    """
    equations.check_labels(labels, num_classes)
    sums, counts = equations.class_sums(features, labels, num_classes)
    if bool((counts == 0).any()):
        empty = (counts == 0).nonzero()[:, 0].tolist()
        raise ValueError(
            f"no feature of the classes {empty}; a class needs at least one image "
            "to have a center"
        )
    return sums / counts[:, None]


def similarity_table(
    features: Tensor, labels: Tensor, centers: Tensor | None = None
) -> SimilarityTable:
    """Measure one row of Table 1.

    Parameters
    ----------
    features : Tensor, (n, d)
    labels : Tensor, (n,) int64
    centers : Tensor, (s, d), optional
        The learned centers; by default the true ones, which exist for any loss.

    Raises
    ------
    ValueError
        If shapes do not fit, a label is out of range, or a vector is zero.
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

    Raises
    ------
    ValueError
        If shapes differ or a center is zero.
    """
    return 2 * equations.similarity(learned, true) - 1


def confusion(labels: Tensor, predictions: Tensor, num_classes: int) -> Tensor:
    """Count images by true class (rows) and predicted class (columns): (s, s) int64.

    Raises
    ------
    ValueError
        If a class number is out of range.
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
    """Return the mean over classes of their recall, in percent.

    Classes without an image do not count.
    """
    totals = matrix.sum(1)
    recalls = matrix.diag()[totals > 0] / totals[totals > 0]
    return 100 * recalls.mean().item()


def majority_accuracy(matrix: Tensor) -> float:
    """Return the accuracy of always naming the largest class, in percent."""
    totals = matrix.sum(1)
    return 100 * totals.max().item() / totals.sum().item()


def accuracy_interval(correct: int, n: int) -> Interval:
    """Return an accuracy with its 95 % Wilson interval, in percent.

    It covers the chance of the test images alone, not of the seed.

    Raises
    ------
    ValueError
        If not ``0 <= correct <= n`` with n at least 1.
    """
    if not (n >= 1 and 0 <= correct <= n):
        raise ValueError(
            f"correct must lie in 0 to n and n be at least 1; got "
            f"correct={correct}, n={n}"
        )
    bounds = stats.binomtest(correct, n).proportion_ci(0.95, method="wilson")
    return Interval(100 * correct / n, 100 * bounds.low, 100 * bounds.high, n)


def mean_interval(values: Sequence[float]) -> Interval:
    """Return the mean of values with its 95 % interval of Student's t.

    One value has no spread to judge by: its interval is not a number.
    """
    n = len(values)
    if n == 0:
        raise ValueError("values is empty; give at least one")
    mean = float(np.mean(values))
    if n == 1:
        return Interval(mean, float("nan"), float("nan"), 1)
    if np.ptp(values) <= 1e-12 * np.abs(values).max():  # all equal but for rounding
        return Interval(mean, mean, mean, n, 0.0 if mean else 1.0)
    test = stats.ttest_1samp(values, 0.0)
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

    Parameters
    ----------
    first, second : sequence of float
        One value per seed, in the same order of seeds.

    Raises
    ------
    ValueError
        If the lengths differ or are zero.
    """
    if len(first) != len(second):
        raise ValueError(
            f"paired values need equal lengths, got {len(first)} and {len(second)}"
        )
    return mean_interval([b - a for a, b in zip(first, second, strict=True)])


def mcnemar_p_value(gained: int, lost: int) -> float:
    """Return the exact two-sided McNemar p-value of two models on the same images.

    It says whether *these two models* differ; nothing about other seeds.

    Parameters
    ----------
    gained, lost : int
        Images that only the second, and only the first, of the two names rightly.
    """
    if gained + lost == 0:
        return 1.0
    return float(stats.binomtest(gained, gained + lost, 0.5).pvalue)


def standard_deviation(values: Sequence[float]) -> float | None:
    """Return the standard deviation over seeds; None for one value, which has none."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Return Spearman's rank correlation; 0 if one sequence is constant: no order."""
    a, b = np.asarray(first), np.asarray(second)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(stats.spearmanr(a, b).statistic)


def in_words(change: Interval, digits: int = 2, unit: str = "") -> str:
    """Say a paired difference as a sentence part that claims no more than it shows.

    Parameters
    ----------
    change : Interval
        From :func:`paired_test`.
    digits : int
        Decimals to print.
    unit : str
        Printed behind the mean, for example "points".
    """
    mean = f"{change.mean:+.{digits}f}{' ' + unit if unit else ''}".replace("-", "−")
    if change.n == 1:
        return f"changed by {mean} in a single pair of runs, which cannot show a spread"
    bounds = f"{change.low:+.{digits}f} to {change.high:+.{digits}f}".replace("-", "−")
    behind = f"(95 % interval {bounds}, {change.n} pairs)"
    if change.low > 0 or change.high < 0:
        verb = "rose" if change.low > 0 else "fell"
        return f"{verb} by {mean.lstrip('+−')} {behind}"
    return f"showed no clear change: {mean} {behind}"
