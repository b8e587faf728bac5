"""A set of photographs, opened: as a whole, in splits, or counted."""

import hashlib
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from fersep.data.cards import Counts, card
from fersep.data.rows import say_skipped
from fersep.data.splits import (
    SHARES,
    complete_splits,
    shared_groups,
    split_by_group,
    stratify,
)
from fersep.data.types import SPLITS, Array, DataError, Faces


@dataclass(frozen=True)
class Photographs:
    """What a folder holds of a data set: the images that can be read, and the rest.

    Attributes
    ----------
    name : str
    root : Path
    classes : tuple of str
    published : dict of str to dict of str to int
        Split, or "all" -> class -> number of images; empty where nothing is published.
    images : array, (n, 3, image_size, image_size) uint8
        Memory-mapped; one channel where all are the same.
    labels : array, (n,) int64
    groups : list of str, (n,)
        Person of each image; images that are nearly the same share a group.
    given : list of str, (n,), or None
        Given splits.
    skipped : dict of str to list of str
        Every file or row left out, by name, under its reason.
    notes : tuple of str
        Sentences to say of the folder.
    people : Counter
        Person -> number of images, where names or the data set tell who it is.
    votes : array, (n, s) int64, or None
        How many people chose each class.
    """

    name: str
    root: Path
    classes: tuple[str, ...]
    published: Counts
    images: Array
    labels: Array
    groups: list[str]
    given: list[str] | None
    skipped: dict[str, list[str]]
    notes: tuple[str, ...]
    people: Counter[str]
    votes: Array | None

    @property
    def counts(self) -> Counts:
        """Number of images by split, or "all" if none is given, and class."""
        where = np.asarray(self.given or ["all"] * len(self.labels))
        return {
            split: {
                code: int(((where == split) & (self.labels == c)).sum())
                for c, code in enumerate(self.classes)
            }
            for split in (*SPLITS, "all")
            if split in where
        }

    @property
    def shared(self) -> list[str]:
        """Groups on both sides of the given splits."""
        return shared_groups(self.given, self.groups) if self.given else []

    @property
    def copies(self) -> dict[str, int]:
        """How many images ``repeat`` an earlier one, pixel by pixel.

        And how many pictures stand in more than one of the given ``splits``.
        """
        pictures = [
            hashlib.blake2b(image.tobytes()).hexdigest() for image in self.images
        ]
        across = shared_groups(self.given, pictures) if self.given else []
        return {"repeat": len(pictures) - len({*pictures}), "splits": len(across)}

    def make_whole(self) -> Faces:
        """Return all images in one piece; every class keeps its number."""
        self._begin()
        every = np.arange(len(self.classes))
        return self._take(np.arange(len(self.labels)), every, self.labels)

    def make_splits(self, splits: Sequence[str], size: int, seed: int) -> list[Faces]:
        """Return splits, of the classes that have an image: grouped, mixed, limited.

        `DataError` if no image can be used, there is one class only, or a split is
        empty.
        """
        self._begin()
        present, labels = np.unique(self.labels, return_inverse=True)
        classes = tuple(self.classes[c] for c in present)
        if len(classes) < 2:
            raise DataError(
                f"{self.root} has images of one class only ({classes[0]}); a "
                "classifier needs at least two, each in a folder of its name"
            )
        if self.given is None:
            parts = split_by_group(labels, self.groups, seed)
        else:
            parts = complete_splits(self.given, labels, self.groups, seed)
        faces = []
        for split in splits:
            mine = np.flatnonzero(parts == SPLITS.index(split))
            self._check_split(split, mine, classes, labels)
            mine = mine[np.random.default_rng(seed + 1).permutation(len(mine))]
            if size:
                share = max(1, round(size * SHARES[SPLITS.index(split)]))
                mine = mine[stratify(labels[mine], share)]
            faces.append(self._take(mine, present, labels))
        return faces

    def _take(self, mine: Array, present: Array, labels: Array) -> Faces:
        votes = None
        if self.votes is not None:
            shares = torch.from_numpy(self.votes[mine][:, present]).float()
            votes = shares / shares.sum(1, keepdim=True)
        return Faces(
            self.name,
            torch.from_numpy(self.images[mine]).expand(-1, 3, -1, -1),
            torch.from_numpy(labels[mine]),
            tuple(self.classes[c] for c in present),
            [self.groups[i] for i in mine],
            card(self.name),
            {reason: len(names) for reason, names in self.skipped.items()},
            votes,
        )

    def _begin(self) -> None:
        """Say what is to be said of the folder; raise if it has no image."""
        for note in self.notes:
            warnings.warn(f"{self.root}: {note}", stacklevel=4)
        if len(self.labels) == 0:
            raise DataError(
                f"{self.root} has no image that can be read{say_skipped(self.skipped)};"
                f" give the folder that holds the images of {self.name}"
            )

    def _check_split(
        self, split: str, mine: Array, classes: Sequence[str], labels: Array
    ) -> None:
        """Raise if a split is empty; warn if it lacks a class."""
        if len(mine) == 0:
            raise DataError(
                f"{self.root} leaves no {split} image of {self.name}"
                f"{say_skipped(self.skipped)}; its {len(self.labels)} images are of "
                f"{len(set(self.groups))} people or pictures that are not nearly the "
                "same; add others"
            )
        if self.given and split not in self.given:
            return
        for c in sorted(set(range(len(classes))) - set(labels[mine].tolist())):
            its = np.flatnonzero(labels == c).tolist()
            if self.given:
                warnings.warn(
                    f"{classes[c]} has no {split} image in {self.root}, only "
                    f"{len(its)} in other splits; add some, or leave the class out",
                    stacklevel=4,
                )
                continue
            people = sorted({self.groups[i] for i in its})
            warnings.warn(
                f"{classes[c]} has no {split} image: number of its images in "
                f"{self.root}: {len(its)}, of people on them by the file names: "
                f"{len(people)}, the first is {people[0]}; add images of more people, "
                "or name the people in faces.csv",
                stacklevel=4,
            )
