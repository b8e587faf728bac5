"""A set of photographs, opened: as a whole, in splits, or counted."""

import hashlib
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from fersep import storage
from fersep.data.cards import Counts, card
from fersep.data.rows import say_skipped
from fersep.data.splits import (
    SHARES,
    complete_splits,
    shared_groups,
    split_by_group,
    stratify,
)
from fersep.data.twins import join_near_duplicates
from fersep.data.types import SPLITS, Array, DataError, Faces

#: Images among which near copies are looked for at each load, where splits are given.
QUICK = 10_000


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
    who : list of str, (n,)
        Person of each image, or its own name where nobody knows.
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
    who: list[str]
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

    @cached_property
    def groups(self) -> list[str]:
        """Person of each image; images that are nearly the same share a group.

        The search takes seconds for ten thousand images; what it finds is kept.
        """
        # The folder of the pixels is named by all that they and this code depend on.
        file = str(cast("np.memmap[Any, Any]", self.images).filename)
        _, groups = storage.cached_array(
            f"{self.name}_groups",
            [Path(file).parent.name],
            (1,),
            lambda _: join_near_duplicates(self.images, self.who),
        )
        return list(groups)

    @property
    def shared(self) -> list[str]:
        """Groups on both sides of the given splits."""
        return shared_groups(self.given, self.groups) if self.given else []

    @cached_property
    def _first(self) -> list[int]:
        """The first image that is the same, pixel by pixel, as each one."""
        seen: dict[bytes, int] = {}
        return [
            seen.setdefault(hashlib.blake2b(image.data).digest(), i)
            for i, image in enumerate(np.asarray(self.images))
        ]

    @property
    def copies(self) -> dict[str, int]:
        """How many images ``repeat`` an earlier one, pixel by pixel.

        And how many pictures stand in more than one of the given ``splits``.
        """
        pictures = [str(i) for i in self._first]
        across = shared_groups(self.given, pictures) if self.given else []
        return {"repeat": len(pictures) - len({*pictures}), "splits": len(across)}

    def make_whole(self) -> Faces:
        """Return all images in one piece; every class keeps its number."""
        self._begin()
        every = np.arange(len(self.classes))
        return self._take(np.arange(len(self.labels)), every, self.labels, self.who)

    def make_splits(self, splits: Sequence[str], size: int, seed: int) -> list[Faces]:
        """Return splits, of the classes that have an image: grouped, mixed, limited.

        Near copies are joined wherever a split is made here. Of many images whose
        splits are all given, only copies pixel by pixel are: nothing hangs on the rest.

        `DataError` if no image can be used, there is one class only, or a split is
        empty.
        """
        self._begin()
        present, labels = np.unique(self.labels, return_inverse=True)
        classes = tuple(self.classes[c] for c in present)
        if len(classes) < 2:
            raise DataError(
                f"{self.root} has images of one class only ({classes[0]}); a "
                "classifier needs at least two, each in a folder of its name, or all "
                "listed in faces.csv with the columns path and label"
            )
        searched = self.given is None or "validation" not in self.given
        searched = searched or len(labels) <= QUICK
        groups = self.groups if searched else [self.who[i] for i in self._first]
        if self.given is None:
            parts = split_by_group(labels, groups, seed)
        else:
            parts = complete_splits(self.given, labels, groups, seed)
            self._warn_of_shared(shared_groups(self.given, groups), searched)
        faces = []
        for split in splits:
            mine = np.flatnonzero(parts == SPLITS.index(split))
            self._check_split(split, mine, classes, labels)
            mine = mine[np.random.default_rng(seed + 1).permutation(len(mine))]
            if size:
                share = max(1, round(size * SHARES[SPLITS.index(split)]))
                mine = mine[stratify(labels[mine], share)]
            faces.append(self._take(mine, present, labels, groups))
        return faces

    def _take(
        self, mine: Array, present: Array, labels: Array, groups: Sequence[str]
    ) -> Faces:
        votes = None
        if self.votes is not None:
            shares = torch.from_numpy(self.votes[mine][:, present]).float()
            votes = shares / shares.sum(1, keepdim=True)
        return Faces(
            self.name,
            torch.from_numpy(self.images[mine]).expand(-1, 3, -1, -1),
            torch.from_numpy(labels[mine]),
            tuple(self.classes[c] for c in present),
            [groups[i] for i in mine],
            card(self.name),
            {reason: len(names) for reason, names in self.skipped.items()},
            votes,
        )

    def _warn_of_shared(self, both: Sequence[str], searched: bool) -> None:
        """Warn of people and pictures that stand in more than one given split."""
        way = f"; python -m fersep data check {self.name} FOLDER counts near copies too"
        if both:
            warnings.warn(
                f"{len(both)} people or {'nearly ' * searched}equal pictures, the "
                f"first of them {both[0]}, stand in more than one of the given splits, "
                "so results will look better than they are; given splits are never "
                "changed, splits that are made here have no such people or pictures"
                f"{'' if searched else way}",
                stacklevel=5,
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
            its = [self.who[i] for i in np.flatnonzero(labels == c)]
            way = "add images of more people, or name the people in faces.csv"
            warnings.warn(
                f"{classes[c]} has no {split} image in {self.root}: {len(its)} images "
                f"in other splits, of {len({*its})} people or unnamed pictures, the "
                f"first {min(its)}; {'add some there' if self.given else way}",
                stacklevel=5,
            )
