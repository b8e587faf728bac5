"""Splits by group, and which images are nearly the same."""

import hashlib
import warnings
from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from scipy.fft import dctn
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from fersep.data.types import SPLITS, Array

#: Of the images in each split that is made here.
SHARES = (0.7, 0.1, 0.2)

#: The longest waves of a grey copy of 16 x 16 pixels, in which faces differ most.
LOW = np.add.outer(np.arange(16), np.arange(16)) <= 4


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
    both = shared_groups(splits, groups)
    if both:
        warnings.warn(
            f"{len(both)} people or pairs of nearly equal images, the first of them "
            f"{both[0]}, stand in more than one of the given splits, so results will "
            "look better than they are; given splits are never changed, splits that "
            "are made here have no such people or pairs",
            stacklevel=2,
        )
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


def join_near_duplicates(images: Array, groups: Sequence[str]) -> list[str]:
    """Join the groups of images that are nearly the same.

    Candidates agree in at least 56 of 64 signs of neighboring brightness (a difference
    hash); they are joined if small grey copies of them correlate above .98 or, where
    there is little contrast, differ by less than 1 of 255 on average. Two photographs
    of one scene stay apart; the same photograph brightened or compressed again does
    not. Images are (n, 3, size, size) uint8.
    """
    bits, small = _shrink(images)
    # Of equal copies one is enough: a thousand of them would be half a million pairs.
    seen: dict[bytes, int] = {}
    first_of = [
        seen.setdefault(hashlib.blake2b(row.data).digest(), i)
        for i, row in enumerate(small)
    ]
    copies = np.stack([first_of, np.arange(len(images))], axis=1)
    one = np.unique(first_of)
    pairs = np.concatenate([_alike(small[one]), _equally_flat(small[one])])
    first, second = np.concatenate([one[pairs], copies]).T
    agree = (bits[first] == bits[second]).sum(1) >= 56
    names, node = np.unique(groups, return_inverse=True)
    first, second = node[first[agree]], node[second[agree]]
    shape = (len(names), len(names))
    links = coo_array((np.ones(len(first)), (first, second)), shape=shape)
    _, component = connected_components(links, directed=False)
    # The first member of a component is its smallest name.
    _, smallest = np.unique(component, return_index=True)
    joined: list[str] = names[smallest[component[node]]].tolist()
    return joined


def _shrink(images: Array) -> tuple[Array, Array]:
    """Return signs of neighboring brightness (n, 64) and grey copies (n, 256)."""
    n = len(images)
    bits = np.empty((n, 64), dtype=bool)
    small = np.empty((n, 256), dtype=np.float32)
    pool = torch.nn.functional.adaptive_avg_pool2d
    for start in range(0, n, 2000):
        few = slice(start, start + 2000)
        grey = torch.from_numpy(np.array(images[few])).float().mean(1, keepdim=True)
        rows = pool(grey, (8, 9))[:, 0]
        bits[few] = (rows[:, :, 1:] > rows[:, :, :-1]).flatten(1).numpy()
        small[few] = pool(grey, (16, 16)).flatten(1).numpy()
    return bits, small


def _alike(small: Array) -> Array:
    """Return pairs (n, 2) of rows that correlate above .98.

    A correlation of r is a distance of sqrt(2 - 2r) on the sphere. Projections never
    lengthen a distance, so a search among the longest waves misses no pair, and
    hundreds of thousands of images take minutes instead of hours.
    """
    centered = small - small.mean(1, keepdims=True)
    contrast = np.linalg.norm(centered, axis=1)
    rows = np.flatnonzero(contrast > 0)
    unit = centered[rows] / contrast[rows, None]
    waves = dctn(unit.reshape(-1, 16, 16), axes=(1, 2), norm="ortho")
    tree = cKDTree(waves[:, LOW])
    pairs = tree.query_pairs(np.sqrt(2 - 2 * 0.98) + 1e-5, output_type="ndarray")
    same = np.empty(len(pairs), dtype=bool)
    for start in range(0, len(pairs), 100_000):
        i, j = pairs[start : start + 100_000].T
        same[start : start + 100_000] = np.einsum("nd,nd->n", unit[i], unit[j]) > 0.98
    return rows[pairs[same]]


def _equally_flat(small: Array) -> Array:
    """Return pairs (n, 2) of rows of little contrast that differ by less than 1."""
    rows = np.flatnonzero(small.std(1) < 10)
    blocks = small[rows].reshape(-1, 16, 16).mean(2)
    tree = cKDTree(blocks)
    pairs = tree.query_pairs(16, p=1, output_type="ndarray")
    i, j = pairs.T
    return rows[pairs[np.abs(small[rows[i]] - small[rows[j]]).mean(1) < 1]]
