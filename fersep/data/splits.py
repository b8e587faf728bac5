"""Splits by group: a person, or images that are nearly the same."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from fersep.data.types import SPLITS, Array

#: Of the images in each split that is made here.
SHARES = (0.7, 0.1, 0.2)


def split_by_group(labels: Array, groups: Sequence[str], seed: int) -> Array:
    """Return 0, 1 or 2 (train, validation, test) for each image, whole groups together.

    Each class comes close to 70, 10 and 20 percent. Rare classes are placed first; a
    class of three groups has one in every split wherever that robs no other class.
    """
    names, of_group = np.unique(groups, return_inverse=True)
    of_group = np.random.default_rng(seed).permutation(len(names)).argsort()[of_group]
    s = int(labels.max()) + 1
    counts = np.zeros((len(names), s), dtype=np.int64)
    np.add.at(counts, (of_group, labels), 1)
    totals = counts.sum(0)
    want = np.outer(SHARES, totals).astype(float)
    has = np.zeros((3, s), dtype=np.int64)
    part = np.full(len(names), -1, dtype=np.int64)

    def put(group: int, where: int) -> None:
        part[group] = where
        has[where] += counts[group]

    for c in np.argsort(totals, kind="stable"):
        waiting = [g for g in np.flatnonzero(counts[:, c]).tolist() if part[g] < 0]
        waiting.sort(key=lambda g: -counts[g, c])
        for where in (2, 1):
            smallest = len(waiting) - 1
            if has[where, c] == 0 and len(waiting) > 1:
                put(waiting.pop(smallest), where)
        if has[0, c] == 0 and waiting:
            put(waiting.pop(0), 0)
        for g in waiting:
            put(g, int(np.argmax(want[:, c] - has[:, c])))
    _fill_empty(part, counts, has)
    return part[of_group]


def _fill_empty(part: Array, counts: Array, has: Array) -> None:
    """Move small groups to splits that lack one of their classes, robbing no class."""
    for c in np.argsort(counts.sum(0), kind="stable").tolist():
        owners = np.flatnonzero(counts[:, c])
        if len(owners) < 3:
            continue
        for where in (0, 2, 1):
            for g in owners[np.argsort(counts[owners].sum(1), kind="stable")].tolist():
                spare = has[part[g]] - counts[g]
                if has[where, c] == 0 and (spare[counts[g] > 0] > 0).all():
                    has[part[g]] = spare
                    has[where] += counts[g]
                    part[g] = where


def complete_splits(
    splits: Sequence[str], labels: Array, groups: Sequence[str], seed: int
) -> Array:
    """Return given splits as 0, 1, 2; a missing validation split comes out of train."""
    parts = np.asarray([SPLITS.index(s) for s in splits])
    if not (parts == 1).any():
        train = np.flatnonzero(parts == 0)
        inner = split_by_group(labels[train], [groups[i] for i in train.tolist()], seed)
        parts[train[inner == 1]] = 1
    return parts


def shared_groups(splits: Sequence[str], groups: Sequence[str]) -> list[str]:
    """Return the groups that stand in more than one split."""
    sides = Counter(group for group, _ in set(zip(groups, splits, strict=True)))
    return sorted(group for group, n in sides.items() if n > 1)


def stratify(labels: Array, number: int) -> Array:
    """Return indices of at most ``number`` images, each class with its share.

    A class with an image keeps at least one, even if that makes it more.
    """
    if number >= len(labels):
        return np.arange(len(labels))
    counts = np.bincount(labels)
    exact = number * counts / len(labels)
    take = np.maximum(np.floor(exact).astype(np.int64), counts > 0)
    while take.sum() > number and take.max() > 1:
        take[np.argmax(np.where(take > 1, take - exact, -np.inf))] -= 1
    while take.sum() < number:
        take[np.argmax(np.where(take < counts, exact - take, -np.inf))] += 1
    keep = [np.flatnonzero(labels == c)[:n] for c, n in enumerate(take)]
    return np.sort(np.concatenate(keep))
