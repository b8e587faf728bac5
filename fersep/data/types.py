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
    """Something is wrong with the files or options of a data set.

    What a terminal could take for an order, as in the first bytes of a file that is no
    text, is written as a dot.
    """

    def __init__(self, message: str) -> None:
        super().__init__("".join(c if c.isprintable() else "·" for c in message))


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
    votes : Tensor, (n, s), optional
        The share of people who chose each class, where they voted.
    points : Tensor, (n, 24, 2), optional
        Where the points of `fersep.gates` lie, in shares of an image's width and
        height. Rendered faces have them.
    """

    name: str
    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    groups: list[str]
    card: Card
    skipped: dict[str, int] = field(default_factory=dict)
    votes: Tensor | None = None
    points: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Return an image (3, size, size) uint8 and its class number."""
        return self.images[index], int(self.labels[index])

    @cached_property
    def fingerprint(self) -> str:
        """Hash of images and labels."""
        digest = hashlib.sha256()
        for few in self.images.split(1000):  # gray ones are in memory once
            digest.update(np.ascontiguousarray(few.numpy()).data)
        digest.update(np.ascontiguousarray(self.labels.numpy()).data)
        return digest.hexdigest()


class Photo(NamedTuple):
    """One photograph before it is opened."""

    path: Path  #: Below the root; several photographs may share a file.
    code: str  #: Its class.
    group: str = ""  #: The person; empty if unknown.
    split: str = ""  #: Empty for all of a set whose splits the library makes.
    part: Any = None  #: What of the file to read; its text is in the cache's key.
    name: str = ""  #: How messages call it; its path below the root if empty.
    votes: tuple[int, ...] = ()  #: For each of the basic classes, if people voted.


@dataclass(frozen=True)
class Listing:
    """The photographs of a folder before any is opened.

    If there are none, ``nothing``, what was left out, and ``advice`` are the sentence
    of the error. ``read(path, size, part)`` gives (3, size, size) uint8, or one channel
    where all ``channels`` are the same, or None if the
    image cannot be read; ``published`` stands before `cards.PUBLISHED`. ``notes`` are
    sentences to say of the folder.
    """

    photos: Sequence[Photo]
    skipped: Skipped
    nothing: str
    advice: str
    classes: tuple[str, ...] = BASIC_CLASSES
    read: Callable[[Path, int, Any], Array | None] | None = None
    published: Counts | None = None
    notes: tuple[str, ...] = ()
    channels: int = 3
