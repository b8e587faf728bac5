"""Checkers of the exercises of chapters 9 to 12, tried on right and wrong answers."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from scipy import stats
from test_checkers import as_cases, judge, untried

from fersep.analysis import accuracy, mean_class_accuracy


def turned(shares, lengths, along, s):
    both = np.array(shares) * lengths, 2 / (s * (s - 1)) * np.array(along)
    return np.flatnonzero(both[0] < both[1]).tolist()


def turned_one_by_one(shares, lengths, along, s):
    pairs = s * (s - 1) / 2
    return [j for j in range(s) if pairs * shares[j] * lengths[j] < along[j]]


def of_ranks(method):
    return lambda a, b: np.corrcoef(*(stats.rankdata(v, method) for v in (a, b)))[0, 1]


def purities(same, labels):
    return [float(same[labels == j].mean()) for j in sorted(set(labels.tolist()))]


def purities_by_sums(same, labels):
    sums, counts = torch.bincount(labels, same), torch.bincount(labels)
    return (sums / counts)[counts > 0]


def by_student(spread, half, quantile=0.975):
    n = 2
    while stats.t.ppf(quantile, n - 1) * spread / math.sqrt(n) > half:
        n += 1
    return n


def by_halving(spread, half):
    few, many = 1, 10_000
    while many - few > 1:
        n = (few + many) // 2
        wide = stats.t.interval(0.95, n - 1, scale=spread / math.sqrt(n))[1] > half
        few, many = (n, many) if wide else (few, n)
    return many


def merged(matrix, j, into=None):
    moved = matrix.clone()
    into = matrix.sum(1).argmax() if into is None else into
    moved[:, into] += matrix[:, j]
    moved[:, j] = 0 if into != j else moved[:, j]
    return accuracy(moved), mean_class_accuracy(moved)


def merged_by_product(matrix, j):
    move = torch.eye(len(matrix), dtype=matrix.dtype)
    move[j] = 0
    move[j, matrix.sum(1).argmax()] = 1
    return accuracy(matrix @ move), mean_class_accuracy(matrix @ move)


def with_share(count):
    def share(before, after):
        return float(np.mean([count(a, b) for a, b in zip(before, after, strict=True)]))

    return share


CHECKERS = {
    ("09_similarity", "is_cosine"): (
        [lambda v: 2 * v - 1, lambda v: math.cos(math.acos(v - (1 - v)))],
        [lambda v: v, lambda v: (v + 1) / 2, lambda v: 2 * v, lambda v: 1 - 2 * v],
    ),
    ("09_similarity", "is_best_mean_cosine"): (
        [lambda s, free: -1 / (s - 1) if free else 0, lambda s, free: free / (1 - s)],
        [
            lambda s, free: -1 / s if free else 0,
            lambda s, free: -1 / (s - 1),
            lambda s, free: (s - 2) / (2 * (s - 1)) if free else 0.5,
        ],
    ),
    ("10_convergence", "is_turned_away"): (
        [turned, turned_one_by_one],
        [
            lambda w, n, a, s: turned(w, np.ones(s), a, s),
            lambda w, n, a, s: turned(w, n, np.ones(s), s),
            lambda w, n, a, s: turned(w, n, np.array(a) / 2, s),
            lambda w, n, a, s: [],
        ],
    ),
    ("10_convergence", "is_rank_correlation"): (
        [of_ranks("average"), lambda a, b: stats.spearmanr(a, b).statistic],
        [
            *map(of_ranks, ("dense", "min", "ordinal")),
            lambda a, b: np.corrcoef(a, b)[0, 1],
            lambda a, b: stats.kendalltau(a, b).statistic,
            lambda a, b: math.nan,
        ],
    ),
    ("11_tsne", "is_share_kept"): (
        [
            with_share(lambda a, b: len(set(a) & set(b)) / len(a)),
            with_share(lambda a, b: (Counter(a) & Counter(b)).total() / len(a)),
        ],
        [
            with_share(lambda a, b: len(set(a) & set(b)) / len(set(a) | set(b))),
            with_share(lambda a, b: np.mean(np.equal(a, b))),
            with_share(lambda a, b: 1 - len(set(a) & set(b)) / len(a)),
            with_share(lambda a, b: math.nan),
        ],
    ),
    ("11_tsne", "is_class_purities"): (
        [purities, purities_by_sums],
        [
            lambda same, y: torch.bincount(y, same) / torch.bincount(y),  # the gaps too
            lambda same, y: [float(same.mean())] * len(y.unique()),
            lambda same, y: purities(same, y)[::-1],
            lambda same, y: torch.bincount(y, same)[y.unique()] / len(y),
        ],
    ),
    ("12_accuracy", "is_number_of_seeds"): (
        [by_student, by_halving],
        [
            lambda spread, half: max(2, math.ceil((1.96 * spread / half) ** 2)),
            lambda spread, half: by_student(spread, half) + 1,
            lambda spread, half: by_student(spread, half, 0.95),
            lambda spread, half: by_student(spread, 2 * half),
        ],
    ),
    ("12_accuracy", "is_without_class"): (
        [merged, merged_by_product],
        [
            lambda m, j: merged(m, j, into=0),
            lambda m, j: merged(m, j, into=int(m.sum(0).argmin())),
            lambda m, j: merged(m.T, j),
            lambda m, j: merged(m, j)[::-1],
            lambda m, j: (accuracy(m), mean_class_accuracy(m)),
        ],
    ),
}


@pytest.mark.parametrize(("place", "answer", "right"), as_cases(CHECKERS))
def test_checker_tells_right_from_wrong(place, answer, right):
    assert judge(*place, answer) == right


def test_every_checker_of_these_chapters_is_tried():
    assert untried(CHECKERS) == set()
