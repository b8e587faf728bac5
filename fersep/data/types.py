"""What a set of photographs consists of: its card, a listing, loaded faces."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

SPLITS = ("train", "validation", "test")

Array = NDArray[Any]

#: Reason -> names of the files or rows that are left out for it.
Skipped = defaultdict[str, list[str]]

#: Split (or "all") -> class -> number of images.
Counts = Mapping[str, Mapping[str, int]]


class DataError(ValueError):
    """Something is wrong with the files or options of a data set."""


@dataclass(frozen=True)
class Card:
    """Where images come from and what their labels mean.

    Attributes
    ----------
    name, source, people, consent, license, labels, biases : str
    citation : str
        Empty where there is nothing to cite.
    redistributable : bool
        False keeps the faces out of pages.
    """

    name: str
    source: str
    people: str
    consent: str
    license: str
    labels: str
    biases: str
    citation: str = ""
    redistributable: bool = False


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
    """

    name: str
    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    groups: list[str]
    card: Card
    skipped: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Return an image (3, size, size) uint8 and its class number."""
        return self.images[index], int(self.labels[index])

    @cached_property
    def fingerprint(self) -> str:
        """Hash of images and labels."""
        digest = hashlib.sha256(np.ascontiguousarray(self.images.numpy()).data)
        digest.update(np.ascontiguousarray(self.labels.numpy()).data)
        return digest.hexdigest()


class Photo(NamedTuple):
    """One photograph before it is opened.

    Attributes
    ----------
    path : Path
        The file, below the root; several photographs may share one.
    code : str
        Its class.
    group : str
        The person on it, as far as known; else a name no other one has.
    split : str
        Where it stands; empty for all of a set whose splits the library makes.
    part : object
        What of the file to read: for `read_image` a box (left, top, right, bottom) in
        pixels, or None for the whole image. Its text is part of the key of the cache.
    name : str
        How messages call it; its path below the root if empty.
    """

    path: Path
    code: str
    group: str
    split: str = ""
    part: Any = None
    name: str = ""


@dataclass(frozen=True)
class Listing:
    """The photographs of a folder before any is opened.

    Attributes
    ----------
    photos : sequence of Photo
    classes : tuple of str
    skipped : dict of str to list of str
        Every file or row left out, by name, under its reason.
    published : dict of str to dict of str to int
        What should be found in this layout: split -> class -> number of images.
    read : callable or None
        ``read(path, size, part)`` -> (3, size, size) uint8, or None if the image cannot
        be read; `read_image` if None.
    """

    photos: Sequence[Photo]
    classes: tuple[str, ...]
    skipped: dict[str, list[str]]
    published: Counts
    read: Callable[[Path, int, Any], Array | None] | None = None
