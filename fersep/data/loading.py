"""Splits made of listed files, and what a folder holds."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from fersep.data.files import say_skipped
from fersep.data.images import decode
from fersep.data.splits import (
    SHARES,
    complete_splits,
    only_present,
    shared_groups,
    split_by_group,
    stratify,
)
from fersep.data.types import (
    SPLITS,
    Array,
    Card,
    DataError,
    Faces,
    Listing,
    Survey,
    fingerprint,
)


def make_survey(
    name: str, root: Path, listing: Listing, card: Card, image_size: int = 48
) -> Survey:
    """Open every listed image and say what was found and what was left out."""
    images, kept, groups, skipped = decode(name, root, listing, image_size)
    labels = np.asarray(listing.labels, dtype=np.int64)[kept]
    splits = [listing.splits[i] for i in kept] if listing.splits else None
    where = np.asarray(splits or ["all"] * len(kept))
    found = {
        split: {
            code: int(((where == split) & (labels == c)).sum())
            for c, code in enumerate(listing.classes)
        }
        for split in (*SPLITS, "all")
        if split in where
    }
    shared = shared_groups(splits, groups) if splits else []
    return Survey(
        name,
        card,
        listing.classes,
        found,
        listing.published,
        skipped,
        shared,
        images,
        labels,
    )


def make_splits(
    name: str,
    root: Path,
    listing: Listing,
    card: Card,
    splits: Sequence[str] = SPLITS,
    *,
    image_size: int = 48,
    size: int = 0,
    seed: int = 0,
) -> list[Faces]:
    """Turn listed files into splits: decode once, group, split, limit.

    Raises
    ------
    DataError
        If no image can be used, fewer than two classes are left or a split is empty.
    """
    images, kept, groups, skipped = decode(name, root, listing, image_size)
    counted = {reason: len(names) for reason, names in skipped.items()}
    if len(kept) == 0:
        raise DataError(
            f"{root} has no image that can be read{say_skipped(skipped)}; give "
            f"the folder that holds the images of {name}"
        )
    labels = np.asarray(listing.labels, dtype=np.int64)[kept]
    classes, labels = only_present(listing.classes, labels)
    if len(classes) < 2:
        raise DataError(
            f"{root} has images of one class only ({classes[0]}); a classifier needs "
            "at least two"
        )
    if listing.splits is None:
        parts = split_by_group(labels, groups, seed)
    else:
        parts = complete_splits([listing.splits[i] for i in kept], labels, groups, seed)
    faces = []
    for split in splits:
        mine = np.flatnonzero(parts == SPLITS.index(split))
        if len(mine) == 0:
            way = "give a root that holds them" if listing.splits else "add people"
            raise DataError(
                f"{root} leaves no {split} image of {name}{say_skipped(skipped)}; {way}"
            )
        if listing.splits is None:
            _say_missing_classes(root, split, classes, labels, groups, mine)
        mine = mine[np.random.default_rng(seed + 1).permutation(len(mine))]
        if size:
            share = max(1, round(size * SHARES[SPLITS.index(split)]))
            mine = mine[stratify(labels[mine], share)]
        pictures = torch.from_numpy(images[mine])
        numbers = torch.from_numpy(labels[mine])
        faces.append(
            Faces(
                name,
                pictures,
                numbers,
                classes,
                [groups[i] for i in mine],
                card,
                counted,
                fingerprint(pictures, numbers),
            )
        )
    return faces


def _say_missing_classes(
    root: Path,
    split: str,
    classes: Sequence[str],
    labels: Array,
    groups: Sequence[str],
    mine: Array,
) -> None:
    for c in sorted(set(range(len(classes))) - set(labels[mine].tolist())):
        its = np.flatnonzero(labels == c).tolist()
        people = sorted({groups[i] for i in its})
        warnings.warn(
            f"{classes[c]} has no {split} image: number of its images in {root}: "
            f"{len(its)}, of people on them by the file names: {len(people)}, the "
            f"first is {people[0]}; add images of more people, or name the people in "
            "faces.csv",
            stacklevel=3,
        )
