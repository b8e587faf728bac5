"""What the data sets share: the loaded images, splits by group, the image cache."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import sys
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from fersep import records

SPLITS = ("train", "validation", "test")
SHARES = (0.7, 0.1, 0.2)
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"}

Array = NDArray[Any]


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


@dataclass(frozen=True)
class Listing:
    """Image files with their labels, before any image is opened.

    Attributes
    ----------
    paths : list of Path
    labels : list of int
    groups : list of str
    splits : list of str or None
        Given splits; None where the library makes them.
    classes : tuple of str
    skipped : Counter
    """

    paths: list[Path]
    labels: list[int]
    groups: list[str]
    splits: list[str] | None
    classes: tuple[str, ...]
    skipped: Counter[str]


def load_listing(
    name: str,
    root: Path,
    listing: Listing,
    card: Card,
    split: str,
    *,
    image_size: int = 48,
    size: int = 0,
    seed: int = 0,
) -> Faces:
    """Turn listed files into one split: decode once, group, split, limit.

    Raises
    ------
    DataError
        If no image can be used or fewer than two classes are left.
    """
    images, index = decoded(name, root, listing, image_size)
    kept = np.asarray(index["kept"], dtype=np.int64)
    if len(kept) == 0:
        raise DataError(
            f"{root} has no image that can be read{left_out(index['skipped'])}; give "
            f"the folder that holds the images of {name}"
        )
    labels = np.asarray(listing.labels, dtype=np.int64)[kept]
    classes, labels = only_present(listing.classes, labels)
    if len(classes) < 2:
        raise DataError(
            f"{root} has images of one class only ({classes[0]}); a classifier needs "
            "at least two"
        )
    groups = index["groups"]
    if listing.splits is None:
        parts = split_by_group(labels, groups, seed)
    else:
        parts = given_splits([listing.splits[i] for i in kept], labels, groups, seed)
    mine = np.flatnonzero(parts == SPLITS.index(split))
    if listing.splits is None:
        _say_missing_classes(root, split, classes, labels, groups, mine)
    order = np.random.default_rng(seed + 1).permutation(len(mine))
    mine = mine[order]
    if size:
        share = max(1, round(size * SHARES[SPLITS.index(split)]))
        mine = mine[stratified(labels[mine], share)]
    if len(mine) == 0:
        raise DataError(
            f"{root} leaves no {split} image; add images of more people, or name the "
            "splits yourself"
        )
    chosen = torch.from_numpy(np.ascontiguousarray(images[mine]))
    numbers = torch.from_numpy(labels[mine])
    return Faces(
        name,
        chosen,
        numbers,
        classes,
        [groups[i] for i in mine],
        card,
        dict(index["skipped"]),
        fingerprint(chosen, numbers),
    )


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
    people: dict[str, set[int]] = {}
    for group, part in zip(groups, parts.tolist(), strict=True):
        people.setdefault(group, set()).add(part)
    both = sorted(g for g, where in people.items() if len(where) > 1)
    if both:
        warnings.warn(
            f"{len(both)} people or pairs of nearly equal images, the first of them "
            f"{both[0]}, stand in more than one of the given splits, so results will "
            "look better than they are; leave the splits to fersep to mend this",
            stacklevel=2,
        )
    if not (parts == 1).any():
        train = np.flatnonzero(parts == 0)
        inner = split_by_group(labels[train], [groups[i] for i in train.tolist()], seed)
        parts[train[inner == 1]] = 1
    return parts


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
    hash); they are joined if small grey copies of them correlate above .98 or differ by
    less than 1 of 255 on average. Two photographs of one scene stay apart; the same
    photograph brightened or compressed again does not.

    Parameters
    ----------
    images : array, (n, 3, size, size) uint8
    groups : sequence of str, (n,)

    Returns
    -------
    list of str, (n,)
    """
    n = len(images)
    bits = np.empty((n, 64), dtype=np.float32)
    small = np.empty((n, 256), dtype=np.float32)
    for start in range(0, n, 2000):
        grey = torch.from_numpy(np.array(images[start : start + 2000])).float().mean(1)
        shrink = torch.nn.functional.adaptive_avg_pool2d
        rows = shrink(grey[:, None], (8, 9))[:, 0]
        signs = (rows[:, :, 1:] > rows[:, :, :-1]).flatten(1)
        bits[start : start + 2000] = signs.float().mul(2).sub(1).numpy()
        copies = shrink(grey[:, None], (16, 16)).flatten(1)
        small[start : start + 2000] = copies.numpy()
    centered = small - small.mean(1, keepdims=True)
    centered /= np.linalg.norm(centered, axis=1, keepdims=True) + 1e-6
    parent = {g: g for g in groups}

    def root(g: str) -> str:
        while parent[g] != g:
            parent[g] = parent[parent[g]]
            g = parent[g]
        return g

    for start in range(0, n, 1000):
        agree = bits[start : start + 1000] @ bits[start:].T
        first, second = np.nonzero(agree >= 48)
        for i, j in zip(first + start, second + start, strict=True):
            if i >= j:
                continue
            same = np.abs(small[i] - small[j]).mean() < 1
            if same or centered[i] @ centered[j] > 0.98:
                a, b = sorted((root(groups[int(i)]), root(groups[int(j)])))
                parent[b] = a
    return [root(g) for g in groups]


def decoded(
    name: str, root: Path, listing: Listing, image_size: int
) -> tuple[Array, dict[str, Any]]:
    """Return all readable images, memory-mapped, and their index; decode them once.

    The cache is keyed by the names, sizes and times of the files and by the code that
    reads them. It appears whole or not at all.
    """
    stamp = hashlib.sha256(f"{name} {image_size}".encode())
    stamp.update(records.syntax_hash([__file__]).encode())
    for path, group in zip(listing.paths, listing.groups, strict=True):
        facts = path.stat()
        stamp.update(f"{path}\0{group}\0{facts.st_size}\0{facts.st_mtime_ns}".encode())
    stamp.update(json.dumps(sorted(listing.skipped.items())).encode())
    folder = records.build_dir() / "data" / f"{name}-{stamp.hexdigest()[:20]}"
    # Another process may finish the same folder first.
    with suppress(FileExistsError), records.whole_folder(folder) as part:
        _decode_all(name, root, listing, image_size, part)
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    if index["unreadable"]:
        first = index["unreadable"][0]
        warnings.warn(
            f"{len(index['unreadable'])} images of {name} cannot be read and are left "
            f"out, the first of them {first}; repair or delete them",
            stacklevel=2,
        )
    return np.load(folder / "images.npy", mmap_mode="r"), index


def _decode_all(
    name: str, root: Path, listing: Listing, image_size: int, folder: Path
) -> None:
    kept: list[int] = []
    unreadable: list[str] = []
    shape = (len(listing.paths), 3, image_size, image_size)
    pictures = np.empty(shape, dtype=np.uint8)
    with ThreadPoolExecutor(2) as pool:
        results = tqdm(
            pool.map(partial(read_image, size=image_size), listing.paths),
            desc=f"reading {name}",
            total=len(listing.paths),
            leave=False,
            file=sys.stdout,
            mininterval=2,
        )
        for i, picture in enumerate(results):
            if picture is None:
                unreadable.append(str(listing.paths[i].relative_to(root)))
            else:
                pictures[len(kept)] = picture
                kept.append(i)
    pictures = pictures[: len(kept)]
    groups = [listing.groups[i] for i in kept]
    skipped = Counter(listing.skipped)
    if unreadable:
        skipped["unreadable image"] = len(unreadable)
    index = {
        "kept": kept,
        "groups": near_duplicates(pictures, groups) if kept else [],
        "skipped": skipped,
        "unreadable": unreadable,
    }
    np.save(folder / "images.npy", pictures)
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")


def read_image(path: Path, size: int) -> Array | None:
    """Return an image file as (3, size, size) uint8, or None if it cannot be read.

    The largest square around the middle is kept; orientation marks are obeyed. Grey
    pictures of 16 bits are brought to 8; those of 32 bits have no known white.
    """
    try:
        with Image.open(path) as image:
            image.draft("RGB", (2 * size, 2 * size))
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith("I;16"):
                upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
            if upright.mode in ("I", "F"):
                return None
            upright = upright.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    square = ImageOps.fit(upright, (size, size), Image.Resampling.LANCZOS)
    return np.asarray(square).transpose(2, 0, 1)


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
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise DataError(
            f"line {line} of {path} is not UTF-8 text; save the table as UTF-8"
        ) from None
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        columns = [(c or "").strip() for c in reader.fieldnames or []]
        reader.fieldnames = columns
        if not set(needed) <= set(columns):
            raise DataError(
                f"{path} needs the columns {' and '.join(needed)} in its first line, "
                f"separated by commas, got {', '.join(columns) or 'nothing'}"
            )
        return [{c: (row[c] or "").strip() for c in columns} for row in reader]
    except csv.Error as error:
        raise DataError(
            f"line {reader.line_num + 1} of {path} cannot be read ({error}); save the "
            "table as comma-separated text"
        ) from None


def left_out(skipped: Mapping[str, int]) -> str:
    """Return in words why files were left out, to stand inside a message."""
    reasons = ", ".join(f"{reason}: {n}" for reason, n in skipped.items() if n)
    return f" (left out: {reasons})" if reasons else ""
