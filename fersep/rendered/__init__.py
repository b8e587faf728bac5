"""Data sets of drawn faces; no photograph takes part.

Every number comes from a hash of (seed, index), so that one image never depends on how
many are asked for. :mod:`fersep.rendered.face` draws.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from fersep import provenance, storage
from fersep.data import BASIC_CLASSES, COMPOUND_CLASSES
from fersep.data.splits import split_by_group
from fersep.data.types import SPLITS, Card, DataError, Faces, fingerprint
from fersep.rendered.face import (
    ACTION_UNITS,
    PERSON,
    UNITS,
    VIEW,
    front_view,
    mixed,
    render,
    units_of,
)  # fmt: skip

__all__ = [
    "ACTION_UNITS", "CLASSES", "COUNTS", "DIFFICULTIES", "EXPRESSIONS", "PERSON",
    "UNITS", "VIEW", "action_units", "bayes_accuracy", "class_counts", "draw",
    "expected_units", "front_view", "load", "people", "render", "unit_sweep",
    "units_of", "views",
]  # fmt: skip


#: Share of faces of each expression that show a unit, after Du, Tao and Martinez
#: (2014), Table 1. Units of the prototype, known only to be above .7, stand at .9.
_SHARES = {
    "NE": "",
    "HA": "12:.9 25:.9 6:.51",
    "SA": "4:.9 15:.9 1:.6 6:.5 11:.26 17:.67",
    "SU": "1:.9 2:.9 25:.9 26:.9 5:.66",
    "FE": "1:.9 4:.9 20:.9 25:.9 2:.57 5:.63 26:.33",
    "AN": "4:.9 7:.9 24:.9 10:.26 17:.52 23:.29",
    "DI": "9:.9 10:.9 17:.9 4:.31 24:.26",
    "HS": "1:.9 2:.9 12:.9 25:.9 5:.64 26:.67",
    "HD": "10:.9 12:.9 25:.9 4:.32 6:.61 9:.59",
    "SF": "1:.9 4:.9 20:.9 25:.9 2:.46 5:.24 6:.34 15:.3",
    "SA_": "4:.9 15:.9 6:.26 7:.48 11:.2 17:.5",
    "SS": "1:.9 4:.9 25:.9 26:.9 2:.27 6:.31",
    "SD": "4:.9 10:.9 1:.49 6:.61 9:.2 11:.35 15:.54 17:.47 25:.43",
    "FA": "4:.9 20:.9 25:.9 5:.4 7:.39 10:.3 11:.33",
    "FS": "1:.9 2:.9 5:.9 20:.9 25:.9 4:.47 10:.35 11:.22 26:.51",
    "AS": "4:.9 25:.9 26:.9 5:.35 7:.5 10:.34",
    "AD": "4:.9 10:.9 17:.9 7:.6 9:.57 24:.36",
    "DS": "1:.9 2:.9 5:.9 10:.9 4:.45 9:.37 17:.66 24:.33",
}

EXPRESSIONS: dict[str, dict[int, float]] = {
    code: {int(u): float(p) for u, p in (pair.split(":") for pair in text.split())}
    for code, text in _SHARES.items()
}

#: Training images of RAF-DB in each class, which the rendered classes follow.
COUNTS = {
    "rendered_basic": (2524, 4772, 1982, 1290, 281, 705, 717),
    "rendered_compound": (562, 219, 107, 130, 68, 597, 117, 444, 138, 667, 113),
}

CLASSES = {
    "rendered_basic": BASIC_CLASSES,
    "rendered_compound": COMPOUND_CLASSES,
}

#: All images of RAF-DB, training and test.
FULL_SIZE = {"rendered_basic": 15339, "rendered_compound": 3954}

IMAGES_PER_PERSON = 6

#: Interventions: how many images each class has, and who is on them.
CLASS_COUNTS = ("raf", "balanced", "swapped")
IDENTITIES = ("varied", "frozen")

#: Further test images start here, at a person that no set of any size reaches.
_FURTHER = IMAGES_PER_PERSON * 2**40

#: Spread of each part of a view; shares of grey, occluded, shadowed and compressed
#: images; intensity of the weakest shown unit; probability of a stray unit, which the
#: table does not list: it leaves out what fewer than a fifth of the people show.
_SPREADS = {
    "yaw": (0.1, 0.33, 0.45), "pitch": (0.06, 0.11, 0.22), "roll": (0.06, 0.12, 0.25),
    "zoom": (0.04, 0.09, 0.14), "shift": (0.03, 0.06, 0.1), "light": (0.3, 1.0, 1.2),
    "contrast": (0.1, 0.3, 0.4), "brightness": (0.08, 0.14, 0.25),
    "warmth": (0.05, 0.1, 0.2), "blur": (0.0, 1.25, 1.5), "noise": (0.01, 0.065, 0.09),
    "grey": (0.0, 0.1, 0.2), "occluder": (0.0, 0.5, 0.6), "stray": (0.0, 0.045, 0.1),
    "weakest": (0.4, 0.25, 0.2), "shadow": (0.0, 0.45, 0.55),
    "compression": (0.0, 0.4, 0.5),
}  # fmt: skip

DIFFICULTIES: dict[str, dict[str, float]] = {
    name: {part: spread[i] for part, spread in _SPREADS.items()}
    for i, name in enumerate(("easy", "default", "hard"))
}

CARD = Card(
    name="Rendered faces",
    source="fersep.rendered draws them; no photograph takes part",
    people="Nobody: every person is a list of random numbers",
    consent="Not needed, since no real person is shown",
    license="drawn by this library",
    labels="The expression whose action units were drawn; it is right by construction, "
    "yet units of two expressions may overlap",
    biases="Skin, age, beard and glasses are drawn independently of the expression; "
    "the faces show only what the authors of the library thought of",
    redistributable=True,
)

Array = NDArray[Any]


def hashed(seed: int, stream: int, counters: Tensor, columns: int) -> Tensor:
    """Return uniform numbers that depend on seed, stream, counter and column only.

    Parameters
    ----------
    seed, stream : int
    counters : Tensor, (n,) int64
    columns : int

    Returns
    -------
    Tensor, (n, columns) float32
        In [0, 1), multiples of 2^-24.
    """
    column = torch.arange(columns, device=counters.device)
    z = mixed(torch.full_like(counters, seed * 1_000_003 + stream))
    z = mixed(z + counters)[:, None] + column
    return (mixed(z) >> 40 & 0xFFFFFF).float() / 2**24


def people(seed: int, persons: Tensor) -> Tensor:
    """Return persons of given numbers (n,) int64: (n, 27) in [0, 1), see `PERSON`."""
    return hashed(seed, 1, persons, len(PERSON))


def action_units(
    classes: list[str], seed: int, index: Tensor, persons: Tensor, difficulty: str
) -> Tensor:
    """Draw the action units of images.

    Parameters
    ----------
    classes : list of str, (n,)
        Expressions, keys of `EXPRESSIONS`.
    seed : int
    index, persons : Tensor, (n,) int64
        Number of each image and of its person.
    difficulty : str

    Returns
    -------
    Tensor, (n, 2, 17)
        Intensities from 0 to 1 of the left and right half of the picture.
    """
    spread = _spread(difficulty)
    chance = expected_units(classes, difficulty).to(index.device)
    draw = hashed(seed, 2, index, 3 * len(UNITS)).unflatten(1, (3, len(UNITS)))
    habit = 0.85 + 0.15 * hashed(seed, 3, persons, len(UNITS))
    shown = (draw[:, 0] < chance).float()
    low = spread["weakest"]
    strength = shown * (low + (1 - low) * draw[:, 1]) * habit
    lean = 0.15 * (2 * draw[:, 2] - 1)
    return torch.stack([strength * (1 - lean), strength * (1 + lean)], 1).clamp(0, 1)


def expected_units(classes: list[str], difficulty: str = "easy") -> Tensor:
    """Return the probability of each unit (n, 17) in faces of given expressions.

    A unit that the table does not list for an expression is a stray one. It has the
    probability that the difficulty gives it, 0 for "easy".
    """
    stray = _spread(difficulty)["stray"]
    rows = [[EXPRESSIONS[c].get(u, stray) for u in UNITS] for c in classes]
    return torch.tensor(rows).reshape(len(classes), len(UNITS))


def views(seed: int, index: Tensor, difficulty: str) -> Tensor:
    """Draw the views of images (n,) int64: (n, 26), see `VIEW`."""
    spread = _spread(difficulty)
    flat = hashed(seed, 4, index, len(VIEW))
    bell = flat + hashed(seed, 5, index, len(VIEW)) - 1
    column = dict(zip(VIEW, flat.T, strict=True))
    around = dict(zip(VIEW, bell.T, strict=True))
    view = {name: around[name] * 2 * spread[name] for name in ("yaw", "pitch", "roll")}
    view["zoom"] = around["zoom"] * 2 * spread["zoom"]
    for axis in ("x", "y"):
        view[f"shift_{axis}"] = around[f"shift_{axis}"] * 2 * spread["shift"]
        view[f"gaze_{axis}"] = around[f"gaze_{axis}"]
        view[f"occluder_{axis}"] = around[f"occluder_{axis}"]
    view["light_x"] = around["light_x"] * 2 * spread["light"]
    view["light_y"] = -0.4 + around["light_y"] * spread["light"]
    for name in ("contrast", "brightness", "warmth"):
        view[name] = (2 * column[name] - 1) * spread[name]
    for name in ("blur", "noise"):
        view[name] = column[name] ** 2 * spread[name]
    view["grey"] = (column["grey"] < spread["grey"]).float()
    # Above 0 something covers the face; the number says how large it is.
    share = spread["occluder"]
    covered = (column["occluder"] < share).float()
    view["occluder"] = covered * (0.3 + 0.7 * column["occluder"] / max(share, 1e-6))
    for name in ("shadow", "compression"):
        share = spread[name]
        there = (column[name] < share).float()
        view[name] = there * (0.3 + 0.7 * column[name] / max(share, 1e-6))
    view["shadow_turn"] = 2 * math.pi * column["shadow_turn"]
    view["shadow_at"] = 0.8 * column["shadow_at"] - 0.2
    for name in ("back_1", "back_2", "back_3"):
        view[name] = column[name]
    return torch.stack([view[name] for name in VIEW], 1)


def _spread(difficulty: str) -> dict[str, float]:
    if difficulty not in DIFFICULTIES:
        raise DataError(
            f"difficulty must be one of {', '.join(DIFFICULTIES)}; got {difficulty!r}"
        )
    return DIFFICULTIES[difficulty]


def class_counts(name: str, counts: str = "raf") -> tuple[int, ...]:
    """Return how often each class comes, in proportion.

    Parameters
    ----------
    name : str
        A key of `COUNTS`.
    counts : {"raf", "balanced", "swapped"}
        As in RAF-DB, all alike, or RAF-DB's with two classes changed about: happy and
        fear, or the most and the least frequent of the compound classes.

    Raises
    ------
    DataError
        If ``counts`` is none of these.
    """
    if counts not in CLASS_COUNTS:
        raise DataError(
            f"counts must be one of {', '.join(CLASS_COUNTS)}; got {counts!r}"
        )
    own = list(COUNTS[name])
    if counts == "balanced":
        return (1,) * len(own)
    if counts == "swapped":
        # In the basic set happy is the most and fear the least frequent class too.
        most, least = own.index(max(own)), own.index(min(own))
        own[most], own[least] = own[least], own[most]
    return tuple(own)


def labels_of(name: str, size: int, counts: str = "raf") -> Tensor:
    """Return the labels (size,) of the first images of a data set.

    Classes come in the proportions of `class_counts`. The first three rounds show every
    class, so that each can stand in every split.
    """
    own = np.asarray(class_counts(name, counts), dtype=float)
    share = own / own.sum()
    seen = np.zeros(len(share))
    labels = []
    for i in range(size):
        label = i % len(share)
        if i >= 3 * len(share):
            label = int(np.argmax(share * (i + 1) - seen))
        seen[label] += 1
        labels.append(label)
    return torch.tensor(labels, dtype=torch.int64)


def bayes_accuracy(name: str, counts: str = "raf", difficulty: str = "easy") -> float:
    """Return the accuracy of the best classifier that sees which units are shown.

    All 2^17 sets of units are gone through, so the number is exact. It bounds what an
    image can tell: units are drawn from the expression, all the rest of an image is
    not.
    """
    codes = [unit_name(name, label) for label in range(len(CLASSES[name]))]
    joint = torch.tensor(class_counts(name, counts), dtype=torch.float64)[:, None]
    joint = joint / joint.sum()
    for chance in expected_units(codes, difficulty).double().T:
        both = torch.stack([1 - chance, chance], 1)
        joint = (joint[:, :, None] * both[:, None, :]).flatten(1)
    return float(joint.max(0).values.sum())


def unit_name(name: str, label: int) -> str:
    """Return the key of `EXPRESSIONS` of a label; sadly angry shares SA with sad."""
    code = CLASSES[name][label]
    return "SA_" if (name, code) == ("rendered_compound", "SA") else code


def draw(
    name: str,
    index: Tensor,
    labels: Tensor,
    *,
    image_size: int = 48,
    seed: int = 0,
    difficulty: str = "default",
    identity: str = "varied",
) -> tuple[Tensor, Tensor]:
    """Draw the images of given numbers.

    Parameters
    ----------
    name : str
        A key of `COUNTS`.
    index : Tensor, (n,) int64
        Numbers of the images; ``index // 6`` is the person.
    labels : Tensor, (n,) int64
    image_size, seed, difficulty, identity
        As in `load`.

    Returns
    -------
    images : Tensor, (n, 3, image_size, image_size) uint8
    units : Tensor, (n, 17)
        What was drawn, the mean of both sides.
    """
    persons = persons_of(index, identity)
    codes = [unit_name(name, int(label)) for label in labels]
    units = action_units(codes, seed, index, persons, difficulty)
    view = views(seed, index, difficulty)
    images = render(units, people(seed, persons), view, image_size, seed)
    return images, units.mean(1)


def persons_of(index: Tensor, identity: str = "varied") -> Tensor:
    """Return who is on each image; with "frozen" person 0 is on all of them.

    Raises
    ------
    DataError
        If ``identity`` is neither "varied" nor "frozen".
    """
    if identity not in IDENTITIES:
        raise DataError(
            f"identity must be one of {', '.join(IDENTITIES)}; got {identity!r}"
        )
    persons = index // IMAGES_PER_PERSON
    return torch.zeros_like(persons) if identity == "frozen" else persons


def unit_sweep(
    unit: int,
    intensities: Sequence[float],
    persons: Sequence[int],
    *,
    image_size: int = 48,
    seed: int = 0,
) -> Tensor:
    """Draw persons from straight ahead while one unit moves and all else rests.

    Parameters
    ----------
    unit : int
        A key of `ACTION_UNITS`.
    intensities : sequence of float, (k,)
        From 0 to 1.
    persons : sequence of int, (n,)
        Numbers of the persons.

    Returns
    -------
    Tensor, (n, k, 3, image_size, image_size) uint8

    Raises
    ------
    DataError
        If the unit is unknown.
    """
    steps = torch.cat([units_of({unit: float(a)}) for a in intensities])
    who = people(seed, torch.as_tensor(persons))
    n, k = len(who), len(steps)
    return render(
        steps.repeat(n, 1, 1),
        who.repeat_interleave(k, 0),
        front_view(n * k),
        image_size,
    ).unflatten(0, (n, k))


def load(
    name: str,
    root: str | Path | None,
    split: str,
    *,
    image_size: int = 48,
    size: int = 0,
    seed: int = 0,
    difficulty: str = "default",
    counts: str = "raf",
    identity: str = "varied",
    test_size: int = 0,
) -> Faces:
    """Load one split of rendered faces, drawing all of them on the first call.

    Parameters
    ----------
    name : {"rendered_basic", "rendered_compound"}
    root : None
        Rendered faces need no folder.
    split : {"train", "validation", "test"}
    image_size : int
    size : int
        Images in all three splits together; 0 stands for as many as RAF-DB has.
    seed : int
        Another seed draws other people.
    difficulty : {"easy", "default", "hard"}
    counts : {"raf", "balanced", "swapped"}
        Images of each class, see `class_counts`.
    identity : {"varied", "frozen"}
        With "frozen" one person is on every image; splits are then by image.
    test_size : int
        Test images; 0 stands for the fifth that ``size`` gives, and a larger number
        adds images of people who are in no other split. The other splits do not change.

    Returns
    -------
    Faces

    Raises
    ------
    DataError
        If an option is out of range.
    """
    _spread(difficulty)
    class_counts(name, counts)
    if root:
        raise DataError(f"{name} is drawn, not read; leave root out (it was {root!r})")
    least = 3 * IMAGES_PER_PERSON * len(CLASSES[name])
    size = size or FULL_SIZE[name]
    if size < least:
        raise DataError(
            f"size must be at least {least} so that every split of {name} shows every "
            f"class, or 0 for all; got {size}"
        )
    labels, parts = _layout(name, size, seed, counts, identity)
    mine = np.flatnonzero(parts == SPLITS.index(split))
    mine = mine[np.random.default_rng(seed + 1).permutation(len(mine))]
    options = (image_size, seed, difficulty, counts, identity)
    images = drawn(name, size, *options)[mine]
    numbers = labels[torch.from_numpy(mine)]
    groups = _groups(torch.from_numpy(mine), identity)
    further = test_size - len(mine) if split == "test" and test_size else 0
    if further < 0:
        raise DataError(
            f"test_size must be at least {len(mine)}, the test images that size={size} "
            f"gives, or 0 for these; got {test_size}"
        )
    if further:
        more = drawn(name, further, *options, first=_FURTHER)
        images = np.concatenate([images, more])
        numbers = torch.cat([numbers, labels_of(name, further, counts)])
        groups += _groups(_FURTHER + torch.arange(further), identity)
    chosen = torch.from_numpy(np.ascontiguousarray(images))
    return Faces(
        name,
        chosen,
        numbers,
        CLASSES[name],
        groups,
        CARD,
        {},
        fingerprint(chosen, numbers),
    )


@cache
def _layout(
    name: str, size: int, seed: int, counts: str, identity: str
) -> tuple[Tensor, Array]:
    """Return label and split (0, 1 or 2) of each image."""
    labels = labels_of(name, size, counts)
    groups = _groups(torch.arange(size), identity)
    return labels, split_by_group(labels.numpy(), groups, seed)


def _groups(index: Tensor, identity: str) -> list[str]:
    """Return what stands in one split only: a person, or an image of the only one."""
    if identity == "frozen":
        return [f"image {i}" for i in index.tolist()]
    return [f"person {i}" for i in persons_of(index, identity).tolist()]


def drawn(
    name: str,
    size: int,
    image_size: int,
    seed: int,
    difficulty: str,
    counts: str = "raf",
    identity: str = "varied",
    first: int = 0,
    device: str = "",
) -> Array:
    """Return images (size, 3, image_size, image_size) from number ``first`` on.

    They are drawn once into one memory-mapped file. The cache is keyed by the options,
    the device and the renderer's code, and appears whole or not at all. ``device`` is
    a GPU where there is one, else the processor; rounding differs between the two.
    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    options = [name, size, image_size, seed, difficulty, counts, identity, first]
    options.append(device)
    text = json.dumps([*options, provenance.code_key("fersep.rendered")])
    key = hashlib.sha256(text.encode()).hexdigest()[:20]
    folder = storage.build_folder() / "data" / f"{name}-{key}"
    # Another process may finish the same folder first.
    with suppress(FileExistsError), storage.whole_folder(folder) as part:
        pictures = np.lib.format.open_memmap(
            part / "images.npy", "w+", np.uint8, (size, 3, image_size, image_size)
        )
        labels = labels_of(name, size, counts)
        _draw_all(pictures, name, labels, seed, difficulty, identity, first, device)
        pictures.flush()
    images: Array = np.load(folder / "images.npy", mmap_mode="r")
    return images


def _draw_all(
    pictures: Array,
    name: str,
    labels: Tensor,
    seed: int,
    difficulty: str,
    identity: str,
    first: int,
    device: str,
) -> None:
    """Fill pictures (n, 3, size, size), on a processor by one thread on each core."""
    n, image_size = len(pictures), pictures.shape[-1]
    on_gpu = device != "cpu"
    batch = batch_of(image_size) * (300 if on_gpu else 1)

    def fill(start: int) -> None:
        index = torch.arange(start, min(start + batch, n))
        images, _ = draw(
            name,
            (first + index).to(device),
            labels[index],
            image_size=image_size,
            seed=seed,
            difficulty=difficulty,
            identity=identity,
        )
        pictures[start : start + batch] = images.cpu().numpy()

    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(
        1 if on_gpu else cores(), initializer=lambda: torch.set_num_threads(1)
    )
    try:
        batches = tqdm(
            pool.map(fill, range(0, n, batch)),
            total=-(-n // batch),
            desc=f"drawing {name}",
            leave=False,
            file=sys.stdout,
            mininterval=1,
            disable=None,
        )
        for _ in batches:
            pass
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)


def batch_of(image_size: int) -> int:
    """Return how many images a processor draws at once.

    Their layers fit its cache, and stay so small that the memory allocator keeps them
    instead of giving pages back and asking for them again.
    """
    return max(1, 60_000 // image_size**2)


def cores() -> int:
    """Return the processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
