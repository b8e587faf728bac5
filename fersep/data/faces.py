"""What the data sets share: the loaded images, splits by group, the image cache.

The module of a set of photographs offers three things:

``CARD``
    A `Card`, for all names of the module.
``PUBLISHED``
    Name -> split -> class -> number of images, as published; ``{}`` where nothing is.
    The split is "all" where the data set has none of its own.
``listed(name, root)``
    A `Listing`: every usable image with label, group and, if given, split, before any
    image is opened; and every file or row that is not used, by name, under its reason.

Everything else is done here, the same way for all: `decoded` opens each image once,
`chosen` makes splits of them, `surveyed` says what was found and what was left out.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import posixpath
import sys
import unicodedata
import warnings
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from scipy.fft import dctn
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from fersep import provenance, storage

SPLITS = ("train", "validation", "test")
SHARES = (0.7, 0.1, 0.2)
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"}

#: The longest waves of a grey copy of 16 x 16 pixels, in which faces differ most.
LOW = np.add.outer(np.arange(16), np.arange(16)) <= 4

Array = NDArray[Any]
K = TypeVar("K")
V = TypeVar("V")


class DataError(ValueError):
    """Something is wrong with the files or options of a data set."""


@dataclass(frozen=True)
class Card:
    """Where images come from and what their labels mean.

    Attributes
    ----------
    name, source, people, consent, license, labels, biases : str
    redistributable : bool
        False keeps the faces out of pages.
    citation : str
        Empty where there is nothing to cite.
    """

    name: str
    source: str
    people: str
    consent: str
    license: str
    labels: str
    biases: str
    redistributable: bool
    citation: str = ""


@dataclass(frozen=True, eq=False)
class Faces(Dataset[tuple[Tensor, int]]):
    """One split of a data set, in memory.

    Attributes
    ----------
    name : str
    images : Tensor, (n, 3, size, size) uint8
    labels : Tensor, (n,) int64
    classes : tuple of str
        Names of the classes 0 .. s - 1.
    groups : list of str
        Person of each image; an unknown one is a group of its own.
    card : Card
    skipped : dict of str to int
        Why files of the whole data set were left out, and how many.
    fingerprint : str
        Hash of images and labels.
    """

    name: str
    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    groups: list[str]
    card: Card
    skipped: dict[str, int] = field(default_factory=dict)
    fingerprint: str = ""

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Return an image (3, size, size) uint8 and its class number."""
        return self.images[index], int(self.labels[index])


#: Reason -> names of the files or rows that are left out for it.
Skipped = defaultdict[str, list[str]]

#: Split (or "all") -> class -> number of images.
Counts = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Listing:
    """Images with their labels, before any image is opened.

    Attributes
    ----------
    paths : list of Path
        The file of each image, below the root; images may share a file.
    labels : list of int
    groups : list of str
        Person of each image, as far as known; else a name no other image has.
    splits : list of str or None
        Given splits; None where the library makes them.
    classes : tuple of str
    skipped : dict of str to list of str
        Every file or row left out, by name, under its reason.
    published : dict of str to dict of str to int
        What should be found in this layout: split -> class -> number of images.
    parts : list or None
        What of the file to read, handed to ``read``: for `read_image` a box
        (left, top, right, bottom) in pixels, or None for the whole image. Plain
        values whose text tells them apart: it is part of the key of the cache.
    names : list of str or None
        How messages call each image; its path below the root if None.
    read : callable or None
        ``read(path, size, part)`` -> (3, size, size) uint8, or None if the image cannot
        be read; `read_image` if None.
    """

    paths: list[Path]
    labels: list[int]
    groups: list[str]
    splits: list[str] | None
    classes: tuple[str, ...]
    skipped: dict[str, list[str]]
    published: Counts = field(default_factory=dict)
    parts: list[Any] | None = None
    names: list[str] | None = None
    read: Callable[[Path, int, Any], Array | None] | None = None


@dataclass(frozen=True)
class Survey:
    """What a folder holds of a data set.

    Attributes
    ----------
    name : str
    card : Card
    classes : tuple of str
    counts : dict of str to dict of str to int
        Split, or "all" if none is given -> class -> number of readable images.
    published : dict of str to dict of str to int
        The same as published; empty where nothing is.
    skipped : dict of str to list of str
        Every file or row left out, by name, under its reason.
    shared : list of str
        Groups (people, or images that are nearly the same) on both sides of the given
        splits.
    images : array, (n, 3, image_size, image_size) uint8
        All readable images, memory-mapped.
    labels : array, (n,) int64
    """

    name: str
    card: Card
    classes: tuple[str, ...]
    counts: Counts
    published: Counts
    skipped: dict[str, list[str]]
    shared: list[str]
    images: Array
    labels: Array


def surveyed(
    name: str, root: Path, listing: Listing, card: Card, image_size: int = 48
) -> Survey:
    """Open every listed image and say what was found and what was left out."""
    images, kept, groups, skipped = decoded(name, root, listing, image_size)
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
    shared = on_both_sides(splits, groups) if splits else []
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


def chosen(
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
    images, kept, groups, skipped = decoded(name, root, listing, image_size)
    counted = {reason: len(names) for reason, names in skipped.items()}
    if len(kept) == 0:
        raise DataError(
            f"{root} has no image that can be read{left_out(skipped)}; give "
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
        parts = given_splits([listing.splits[i] for i in kept], labels, groups, seed)
    faces = []
    for split in splits:
        mine = np.flatnonzero(parts == SPLITS.index(split))
        if len(mine) == 0:
            way = "give a root that holds them" if listing.splits else "add people"
            raise DataError(
                f"{root} leaves no {split} image of {name}{left_out(skipped)}; {way}"
            )
        if listing.splits is None:
            _say_missing_classes(root, split, classes, labels, groups, mine)
        mine = mine[np.random.default_rng(seed + 1).permutation(len(mine))]
        if size:
            share = max(1, round(size * SHARES[SPLITS.index(split)]))
            mine = mine[stratified(labels[mine], share)]
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


def fingerprint(images: Tensor, labels: Tensor) -> str:
    """Return a hash of images and labels."""
    digest = hashlib.sha256(np.ascontiguousarray(images.numpy()).data)
    digest.update(np.ascontiguousarray(labels.numpy()).data)
    return digest.hexdigest()


def only_present(
    classes: Sequence[str], labels: Array
) -> tuple[tuple[str, ...], Array]:
    """Return the classes that have an image, and labels counted among these."""
    present = sorted(set(labels.tolist()))
    renumber = np.full(len(classes), -1, dtype=np.int64)
    renumber[present] = np.arange(len(present))
    return tuple(classes[i] for i in present), renumber[labels]


def split_by_group(labels: Array, groups: Sequence[str], seed: int) -> Array:
    """Return 0, 1 or 2 (train, validation, test) for each image, whole groups together.

    Each class comes close to 70, 10 and 20 percent. Rare classes are placed first; a
    class of three groups has one in every split wherever that robs no other class.
    """
    rng = np.random.default_rng(seed)
    names = sorted(set(groups))
    names = [names[i] for i in rng.permutation(len(names))]
    place = {name: i for i, name in enumerate(names)}
    of_group = np.asarray([place[g] for g in groups])
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


def given_splits(
    splits: Sequence[str], labels: Array, groups: Sequence[str], seed: int
) -> Array:
    """Return given splits as 0, 1, 2; a missing validation split comes out of train."""
    parts = np.asarray([SPLITS.index(s) for s in splits])
    both = on_both_sides(splits, groups)
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


def on_both_sides(splits: Sequence[str], groups: Sequence[str]) -> list[str]:
    """Return the groups that stand in more than one split."""
    first: dict[str, str] = {}
    return sorted(
        {
            group
            for group, split in zip(groups, splits, strict=True)
            if first.setdefault(group, split) != split
        }
    )


def stratified(labels: Array, number: int) -> Array:
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
    seen = np.zeros_like(counts)
    keep = []
    for i, label in enumerate(labels.tolist()):
        if seen[label] < take[label]:
            seen[label] += 1
            keep.append(i)
    return np.asarray(keep)


def near_duplicates(images: Array, groups: Sequence[str]) -> list[str]:
    """Join the groups of images that are nearly the same.

    Candidates agree in at least 56 of 64 signs of neighboring brightness (a difference
    hash); they are joined if small grey copies of them correlate above .98 or, where
    there is little contrast, differ by less than 1 of 255 on average. Two photographs
    of one scene stay apart; the same photograph brightened or compressed again does
    not.

    Parameters
    ----------
    images : array, (n, 3, size, size) uint8
    groups : sequence of str, (n,)

    Returns
    -------
    list of str, (n,)
    """
    n = len(images)
    bits = np.empty((n, 64), dtype=bool)
    small = np.empty((n, 256), dtype=np.float32)
    for start in range(0, n, 2000):
        grey = torch.from_numpy(np.array(images[start : start + 2000])).float().mean(1)
        shrink = torch.nn.functional.adaptive_avg_pool2d
        rows = shrink(grey[:, None], (8, 9))[:, 0]
        signs = (rows[:, :, 1:] > rows[:, :, :-1]).flatten(1)
        bits[start : start + 2000] = signs.numpy()
        greys = shrink(grey[:, None], (16, 16)).flatten(1)
        small[start : start + 2000] = greys.numpy()
    # Of equal copies one is enough: a thousand of them would be half a million pairs.
    seen: dict[bytes, int] = {}
    first_of = [
        seen.setdefault(hashlib.blake2b(row.data).digest(), i)
        for i, row in enumerate(small)
    ]
    copies = np.stack([first_of, np.arange(n)], axis=1)
    one = np.unique(first_of)
    pairs = np.concatenate([_alike(small[one]), _equally_flat(small[one])])
    first, second = np.concatenate([one[pairs], copies]).T
    agree = (bits[first] == bits[second]).sum(1) >= 56
    names = sorted(set(groups))
    place = {name: i for i, name in enumerate(names)}
    node = np.asarray([place[group] for group in groups])
    first, second = node[first[agree]], node[second[agree]]
    shape = (len(names), len(names))
    links = coo_array((np.ones(len(first)), (first, second)), shape=shape)
    _, component = connected_components(links, directed=False)
    # The first member of a component is its smallest name.
    _, smallest = np.unique(component, return_index=True)
    return [names[smallest[component[i]]] for i in node]


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


def decoded(
    name: str, root: Path, listing: Listing, image_size: int
) -> tuple[Array, Array, list[str], dict[str, list[str]]]:
    """Open all listed images once.

    The cache is keyed by the names, sizes and times of the files, what of them is read
    and the code that reads it: the content itself is not read to tell whether it
    changed. It appears whole or not at all.

    Returns
    -------
    images : array, (n, 3, image_size, image_size) uint8
        Memory-mapped.
    kept : array, (n,) int64
        The place of each readable image in the listing.
    groups : list of str, (n,)
        Those of the listing; images that are nearly the same share one.
    skipped : dict of str to list of str
        Those of the listing and the unreadable images.
    """
    code = _code((listing.read or read_image).__module__)
    stamp = hashlib.sha256(f"{name} {image_size} {code}".encode())
    for path in dict.fromkeys(listing.paths):
        facts = path.stat()
        known = f"{_below(root, path)}\0{facts.st_size}\0{facts.st_mtime_ns}\0"
        stamp.update(known.encode(errors="surrogateescape"))
    for i, (path, group) in enumerate(zip(listing.paths, listing.groups, strict=True)):
        part = listing.parts[i] if listing.parts else None
        known = f"{_below(root, path)}\0{group}\0{part}\0"
        stamp.update(known.encode(errors="surrogateescape"))
    folder = storage.build_folder() / "data" / f"{name}-{stamp.hexdigest()[:20]}"
    # Another process may finish the same folder first.
    with suppress(FileExistsError), storage.whole_folder(folder) as part:
        _decode_all(name, listing, image_size, part)
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    skipped = {reason: names for reason, names in listing.skipped.items() if names}
    if index["unreadable"]:
        names = [
            listing.names[i] if listing.names else _below(root, listing.paths[i])
            for i in index["unreadable"]
        ]
        skipped["unreadable image"] = names
        warnings.warn(
            f"{len(names)} images of {name} cannot be read and are left "
            f"out, the first of them {names[0]}; repair or delete them",
            stacklevel=2,
        )
    kept = np.delete(np.arange(len(listing.paths)), index["unreadable"])
    return _mapped(folder, len(kept), image_size), kept, index["groups"], skipped


@cache
def _code(module: str) -> str:
    return provenance.code_key(module)


def _mapped(folder: Path, n: int, image_size: int) -> Array:
    shape = (n, 3, image_size, image_size)
    if n == 0:
        return np.empty(shape, dtype=np.uint8)
    return np.memmap(folder / "images.u8", np.uint8, "r", shape=shape)


def _below(root: Path, path: Path) -> str:
    return str(path).removeprefix(str(root)).lstrip(os.sep)


def _decode_all(name: str, listing: Listing, image_size: int, folder: Path) -> None:
    n = len(listing.paths)
    read = listing.read or read_image
    parts = listing.parts or [None] * n
    unreadable: list[int] = []
    progress = tqdm(
        desc=f"reading {name}", total=n, leave=False, file=sys.stdout, mininterval=2
    )
    file = (folder / "images.u8").open("wb")
    with file, progress, ThreadPoolExecutor(os.cpu_count()) as pool:
        # A few at a time: the pool would hold all that the disk has not taken yet.
        for start in range(0, n, 1000):
            few = slice(start, start + 1000)
            sizes = [image_size] * len(parts[few])
            pictures = pool.map(read, listing.paths[few], sizes, parts[few])
            for i, picture in enumerate(pictures, start):
                if picture is None:
                    unreadable.append(i)
                else:
                    file.write(np.ascontiguousarray(picture).data)
                progress.update()
    lost = set(unreadable)
    groups = [group for i, group in enumerate(listing.groups) if i not in lost]
    groups = near_duplicates(_mapped(folder, len(groups), image_size), groups)
    index = {"unreadable": unreadable, "groups": groups}
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")


def read_image(
    path: Path, size: int, box: tuple[float, float, float, float] | None = None
) -> Array | None:
    """Return an image file as (3, size, size) uint8, or None if it cannot be read.

    The largest square around the middle is kept; orientation marks are obeyed. Grey
    pictures of 16 bits are brought to 8; those of 32 bits have no known white.

    Parameters
    ----------
    path : Path
    size : int
        Side in pixels.
    box : (left, top, right, bottom), optional
        The part of the upright picture to use, in its pixels; what lies outside the
        picture is left away, and a box that lies outside altogether cannot be read.
    """
    try:
        with Image.open(path) as image:
            wide = image.width
            if box is None:
                image.draft("RGB", (2 * size, 2 * size))
            else:
                zoom = 2 * size / max(1.0, min(box[2] - box[0], box[3] - box[1]))
                needed = (int(image.width * zoom), int(image.height * zoom))
                image.draft("RGB", needed)
            scale = image.width / wide
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith("I;16"):
                upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
            if upright.mode in ("I", "F"):
                return None
            upright = upright.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    if box is not None:
        left, top, right, bottom = (round(side * scale) for side in box)
        left, top = max(left, 0), max(top, 0)
        right, bottom = min(right, upright.width), min(bottom, upright.height)
        if left >= right or top >= bottom:
            return None
        upright = upright.crop((left, top, right, bottom))
    return square_image(upright, size)


def square_image(image: Image.Image, size: int) -> Array:
    """Return the largest square around the middle as (3, size, size) uint8."""
    square = ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS)
    return np.asarray(square).transpose(2, 0, 1)


class Files:
    """The image files below a folder, to be found by name.

    Hidden files are passed over. Links are followed inside the root, not out of it.

    Parameters
    ----------
    folder, root : Path
        Names count from the folder; links may not leave the root.
    skipped : Skipped
        Takes the files that are no image and the links that lead nowhere or outside.
    suffixes : set of str, optional
        Other endings than those of images, in lower case.

    Raises
    ------
    DataError
        If the folder itself is a link out of the root.

    Attributes
    ----------
    paths : dict of str to Path
        Name with ``/`` -> path, in the order of the names.
    """

    def __init__(
        self,
        folder: Path,
        root: Path,
        skipped: Skipped,
        suffixes: Collection[str] = SUFFIXES,
    ) -> None:
        self.paths: dict[str, Path] = {}
        inside = os.path.realpath(root)
        if not Path(os.path.realpath(folder)).is_relative_to(inside):
            raise DataError(
                f"{folder} is a link that leaves the root {root}; put the folder "
                "itself there"
            )

        def walk(place: str, above: str, chain: tuple[str, ...]) -> None:
            with os.scandir(place) as found:
                entries = sorted(found, key=lambda entry: entry.name)
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                real = ""
                if entry.is_symlink():
                    real = os.path.realpath(entry.path)
                    reason = ""
                    if not os.path.exists(real):
                        reason = "link to nothing"
                    elif not Path(real).is_relative_to(inside):
                        reason = "link that leaves the root"
                    elif real in chain:
                        reason = "link to a folder it stands in"
                    if reason:
                        skipped[reason].append(_below(root, Path(entry.path)))
                        continue
                if entry.is_dir():
                    real = real or os.path.join(chain[-1], entry.name)
                    walk(entry.path, f"{above}{entry.name}/", (*chain, real))
                elif not entry.is_file():
                    continue
                elif os.path.splitext(entry.name)[1].lower() in suffixes:
                    self.paths[above + entry.name] = Path(entry.path)
                else:
                    path = _below(root, Path(entry.path))
                    skipped["file that is no image"].append(path)

        walk(str(folder), "", (os.path.realpath(folder),))
        self._plain = {_plain(name): name for name in self.paths}

    def find(self, name: str) -> str | None:
        """Return a name of `paths`, also if case or Unicode form are written otherwise.

        None if there is no such file.
        """
        name = posixpath.normpath(name.replace("\\", "/"))
        return name if name in self.paths else self._plain.get(_plain(name))


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def leaves(name: str) -> bool:
    """Say whether a relative path leads out of its folder, or is none."""
    name = posixpath.normpath(name.replace("\\", "/"))
    return name.startswith(("../", "/")) or name == ".." or name[1:2] == ":"


def no_file(name: str) -> str:
    """Return the reason why a row whose file is not found is left out."""
    return "row that leaves the root" if leaves(name) else "row without an image file"


def agreed(said: Mapping[K, Sequence[tuple[str, V]]], skipped: Skipped) -> dict[K, V]:
    """Return what is said of each image where all rows agree.

    Parameters
    ----------
    said : dict of image to list of (row, fact)
        ``row`` names the row in `skipped`.
    skipped : Skipped
        Takes rows that repeat another, and all rows that contradict each other.
    """
    known = {}
    for image, rows in said.items():
        if any(fact != rows[0][1] for _, fact in rows):
            names = [row for row, _ in rows]
            skipped["rows that contradict each other"].extend(names)
        else:
            skipped["row that repeats another"].extend(row for row, _ in rows[1:])
            known[image] = rows[0][1]
    return known


def checked_root(name: str, root: str | Path | None) -> Path:
    """Return the folder of a data set.

    Raises
    ------
    DataError
        If it was not given or is no folder.
    """
    if not root:
        raise DataError(
            f"{name} needs root, the folder that holds its files: -p root FOLDER"
        )
    folder = Path(root).expanduser()
    if not folder.is_dir():
        raise DataError(
            f"root {root} is no folder; give the folder that holds the files of {name}"
        )
    return folder


def read_table(path: Path, needed: Sequence[str]) -> list[dict[str, str]]:
    """Return the rows of a table with a header, all cells without outer spaces.

    Raises
    ------
    DataError
        If the file is no comma-separated UTF-8 text or lacks a needed column.
    """
    reader = csv.DictReader(text_lines(path))
    try:
        columns = [(c or "").strip() for c in reader.fieldnames or []]
        reader.fieldnames = columns
        if not set(needed) <= set(columns):
            raise DataError(
                f"{path} needs the columns {' and '.join(needed)} in its first line, "
                f"separated by commas; it begins with {', '.join(columns)[:60]!r}"
            )
        return [{c: (row[c] or "").strip() for c in columns} for row in reader]
    except csv.Error as error:
        raise DataError(
            f"line {reader.line_num + 1} of {path} cannot be read ({error}); save the "
            "table as comma-separated text"
        ) from None


def text_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a UTF-8 text, one at a time: some tables fill the memory.

    Raises
    ------
    DataError
        If a line is no UTF-8 text.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError:
                raise DataError(
                    f"line {number} of {path} is not UTF-8 text; save the table as "
                    "UTF-8"
                ) from None


def counts(
    classes: Sequence[str], **splits: Sequence[int]
) -> dict[str, dict[str, int]]:
    """Return split -> class -> number, of numbers in the order of the classes."""
    return {
        split: dict(zip(classes, numbers, strict=True))
        for split, numbers in splits.items()
    }


def left_out(skipped: Mapping[str, Sequence[str]]) -> str:
    """Return in words why files were left out, to stand inside a message."""
    reasons = ", ".join(f"{reason}: {len(n)}" for reason, n in skipped.items() if n)
    return f" (left out: {reasons})" if reasons else ""
