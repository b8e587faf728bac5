"""What a set of photographs consists of: a listing, then loaded faces."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from fersep.data.cards import BASIC_CLASSES, Card, Counts

SPLITS = ("train", "validation", "test")

Array = NDArray[Any]

#: Reason -> names of the files or rows that are left out for it.
Skipped = defaultdict[str, list[str]]


class DataError(ValueError):
    """Something is wrong with the files or options of a data set."""


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
    """One photograph before it is opened."""

    path: Path  #: Below the root; several photographs may share a file.
    code: str  #: Its class.
    group: str  #: The person, as far as known; else a name no other one has.
    split: str = ""  #: Empty for all of a set whose splits the library makes.
    part: Any = None  #: What of the file to read; its text is in the cache's key.
    name: str = ""  #: How messages call it; its path below the root if empty.


@dataclass(frozen=True)
class Listing:
    """The photographs of a folder before any is opened.

    If there are none, ``nothing``, what was left out, and ``advice`` are the sentence
    of the error. ``read(path, size, part)`` gives (3, size, size) uint8, or None if the
    image cannot be read; ``published`` stands before `cards.PUBLISHED`.
    """

    photos: Sequence[Photo]
    skipped: Skipped
    nothing: str
    advice: str
    classes: tuple[str, ...] = BASIC_CLASSES
    read: Callable[[Path, int, Any], Array | None] | None = None
    published: Counts | None = None
