"""Data sets of drawn faces; no photograph takes part.

:mod:`~fersep.rendered.sampling` chooses who is on image i, what the face shows and how
it is taken; :mod:`~fersep.rendered.drawing` draws it.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from fersep import provenance, storage
from fersep.data import BASIC_CLASSES, COMPOUND_CLASSES, SPLITS, DataError, Faces, card
from fersep.data.splits import split_by_group
from fersep.data.types import Array
from fersep.rendered.drawing import render
from fersep.rendered.landmarks import landmarks
from fersep.rendered.sampling import (
    ACTION_UNITS,
    DIFFICULTIES,
    EXPRESSIONS,
    EXPRESSIONS_OF,
    FULL_SIZE,
    IMAGES_PER_PERSON,
    UNITS,
    VIEW,
    action_units,
    bayes_accuracy,
    expected_units,
    front_view,
    labels_of,
    people,
    persons_of,
    views,
)

__all__ = [
    "ACTION_UNITS", "CLASSES", "DIFFICULTIES", "EXPRESSIONS", "FULL_SIZE", "UNITS",
    "VIEW", "Look", "action_units", "bayes_accuracy", "draw", "draw_all",
    "expected_units", "front_view", "labels_of", "landmarks", "landmarks_of", "load",
    "people", "render", "views",
]  # fmt: skip

CLASSES = {"rendered_basic": BASIC_CLASSES, "rendered_compound": COMPOUND_CLASSES}

#: Further test images start here, at a person that no set of any size reaches.
_FURTHER = IMAGES_PER_PERSON * 2**40


@dataclass(frozen=True)
class Look:
    """Which faces are drawn, and how they are taken: options of `fersep.data.load`."""

    image_size: int = 48
    seed: int = 0
    difficulty: str = "default"
    counts: str = "raf"
    identity: str = "varied"


def load(
    name: str,
    root: str | Path | None,
    split: str,
    *,
    size: int = 0,
    test_size: int = 0,
    **look: Any,
) -> Faces:
    """Load one split of rendered faces, drawing all of them on the first call.

    Options are those of :func:`fersep.data.load`, without a root; DataError if one is
    out of range. Another seed draws other people; more test images leave the other
    splits as they are.
    """
    if root:
        raise DataError(f"{name} is drawn, not read; leave root out (it was {root!r})")
    size = size or FULL_SIZE[name]
    least = 3 * IMAGES_PER_PERSON * len(CLASSES[name])
    if size < least:
        raise DataError(
            f"size must be at least {least} so that every split of {name} shows every "
            f"class, or 0 for all; got {size}"
        )
    way = Look(**look)
    labels, parts = _split(name, size, way)
    own = np.flatnonzero(parts == SPLITS.index(split))
    own = np.random.default_rng(way.seed + 1).permutation(own)
    further = test_size - len(own) if split == "test" and test_size else 0
    if further < 0:
        raise DataError(
            f"test_size must be at least {len(own)}, the test images that size={size} "
            f"gives, or 0 for these; got {test_size}"
        )
    images = draw_all(name, size, **look)[own]
    index, labels = torch.from_numpy(own), labels[own]
    if further:
        more = draw_all(name, further, first=_FURTHER, **look)
        images = np.concatenate([images, more])
        index = torch.cat([index, _FURTHER + torch.arange(further)])
        labels = torch.cat([labels, labels_of(name, further, way.counts)])
    return Faces(
        name,
        torch.from_numpy(images),
        labels,
        CLASSES[name],
        _groups(index, way.identity),
        card(name),
        points=landmarks_of(name, index, labels, **look),
    )


@cache
def _split(name: str, size: int, look: Look) -> tuple[Tensor, Array]:
    """Return label and split (0, 1 or 2) of each image."""
    labels = labels_of(name, size, look.counts)
    groups = _groups(torch.arange(size), look.identity)
    return labels, split_by_group(labels.numpy(), groups, look.seed)


def _groups(index: Tensor, identity: str) -> list[str]:
    """Return what stands in one split only: a person, or an image of the only one."""
    if identity == "frozen":
        return [f"image {i}" for i in index.tolist()]
    return [f"person {i}" for i in persons_of(index, identity).tolist()]


def draw(
    name: str, index: Tensor, labels: Tensor, cover: float | None = None, **look: Any
) -> Tensor:
    """Draw images (n, 3, image_size, image_size) uint8 of given numbers and labels.

    Both are (n,) int64; ``index // 6`` is the person. Of the options of
    :func:`fersep.data.load` it takes ``image_size``, ``seed``, ``difficulty`` and
    ``identity``. A ``cover`` takes the place of what chance lays over a face: 0 is
    nothing, and chance gives 0.3 to 1, from below, or negative, from above.
    """
    way = Look(**look)
    units, person, view = _describe(name, index, labels, way)
    if cover is not None:
        view[:, VIEW.index("occluder")] = abs(cover)
        view[:, VIEW.index("occluder_y")] = cover
    return render(units, person, view, way.image_size, way.seed)


def landmarks_of(name: str, index: Tensor, labels: Tensor, **look: Any) -> Tensor:
    """Return the `landmarks` of the faces that :func:`draw` draws, (n, 24, 2)."""
    return landmarks(*_describe(name, index, labels, Look(**look)))


def _describe(
    name: str, index: Tensor, labels: Tensor, way: Look
) -> tuple[Tensor, Tensor, Tensor]:
    """Return units, persons and views of images, as `render` takes them."""
    persons = persons_of(index, way.identity)
    codes = [EXPRESSIONS_OF[name][label] for label in labels.tolist()]
    units = action_units(codes, way.seed, index, persons, way.difficulty)
    return units, people(way.seed, persons), views(way.seed, index, way.difficulty)


def draw_all(name: str, size: int, *, first: int = 0, **look: Any) -> Array:
    """Return images (size, 3, image_size, image_size) from number ``first`` on.

    They are drawn once and kept, for these options (those of :func:`load`) and this
    code. A GPU draws them where there is one; its rounding differs from a processor's.
    """
    gpu, way = torch.cuda.is_available(), Look(**look)
    labels = labels_of(name, size, way.counts)
    # On a processor, layers that fit its cache, and that the memory allocator keeps
    # instead of giving pages back and asking for them again.
    batch = max(1, 60_000 // way.image_size**2) * (300 if gpu else 1)
    starts = range(0, size, batch)

    def draw_batch(start: int) -> Array:
        index = torch.arange(start, min(start + batch, size))
        where = (first + index).to("cuda" if gpu else "cpu")
        return draw(name, where, labels[index], **look).cpu().numpy()

    def fill(pictures: Array) -> None:
        label, threads = f"drawing {name}", torch.get_num_threads()
        bar = tqdm(desc=label, total=size, leave=False, file=sys.stdout, disable=None)
        pool = ThreadPoolExecutor(
            1 if gpu else threads, initializer=torch.set_num_threads, initargs=(1,)
        )
        try:
            with bar, pool:
                parts = pool.map(draw_batch, starts)
                for start, images in zip(starts, parts, strict=True):
                    pictures[start : start + batch] = images
                    bar.update(len(images))
        finally:
            torch.set_num_threads(threads)

    key = [name, size, first, way, gpu, provenance.code_key("fersep.rendered")]
    shape = (size, 3, way.image_size, way.image_size)
    return storage.cached_array(name, key, shape, fill)[0]
