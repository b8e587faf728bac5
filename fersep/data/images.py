"""Images of files, squared; all of a data set opened once and kept."""

from __future__ import annotations

import os
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps
from tqdm import tqdm

from fersep import provenance, storage
from fersep.data.files import below
from fersep.data.photographs import Photographs
from fersep.data.splits import join_near_duplicates
from fersep.data.types import Array, Card, Listing


def open_photographs(
    name: str, root: Path, listing: Listing, card: Card, image_size: int
) -> Photographs:
    """Open all listed images once.

    The cache is keyed by the names, sizes and times of the files, what of them is read
    and the code that reads it: the content itself is not read to tell whether it
    changed.
    """
    n = len(listing.paths)
    read = listing.read or read_image
    parts = listing.parts or [None] * n
    key = [name, image_size, provenance.code_key(read.__module__)]
    for path in dict.fromkeys(listing.paths):
        facts = path.stat()
        key += [below(root, path), facts.st_size, facts.st_mtime_ns]
    for path, group, part in zip(listing.paths, listing.groups, parts, strict=True):
        key += [below(root, path), group, part]
    images, found = storage.cached_array(
        name,
        key,
        (n, 3, image_size, image_size),
        lambda empty: decode_all(name, listing, empty),
    )
    kept = np.delete(np.arange(n), found["unreadable"])
    skipped = {reason: names for reason, names in listing.skipped.items() if names}
    if found["unreadable"]:
        names = listing.names or [below(root, path) for path in listing.paths]
        skipped["unreadable image"] = lost = [names[i] for i in found["unreadable"]]
        warnings.warn(
            f"{len(lost)} images of {name} cannot be read and are left out, the first "
            f"of them {lost[0]}; repair or delete them",
            stacklevel=2,
        )
    return Photographs(
        name,
        root,
        card,
        listing.classes,
        listing.published,
        images[: len(kept)],
        np.asarray(listing.labels, dtype=np.int64)[kept],
        found["groups"],
        [listing.splits[i] for i in kept] if listing.splits else None,
        skipped,
    )


def decode_all(name: str, listing: Listing, images: Array) -> dict[str, Any]:
    """Fill images (n, 3, size, size) from the first on with those that can be read.

    Returns
    -------
    dict
        ``unreadable``, the places of the others in the listing, and ``groups``.
    """
    n, _, size, _ = images.shape
    read = listing.read or read_image
    parts = listing.parts or [None] * n
    unreadable: list[int] = []
    progress = tqdm(
        desc=f"reading {name}", total=n, leave=False, file=sys.stdout, mininterval=2
    )
    with progress, ThreadPoolExecutor(os.cpu_count()) as pool:
        # A few at a time: the pool would hold all that the disk has not taken yet.
        for start in range(0, n, 1000):
            few = slice(start, start + 1000)
            paths = listing.paths[few]
            pictures = pool.map(read, paths, [size] * len(paths), parts[few])
            for i, picture in enumerate(pictures, start):
                if picture is None:
                    unreadable.append(i)
                else:
                    images[i - len(unreadable)] = picture
                progress.update()
    kept = np.delete(np.arange(n), unreadable)
    groups = [listing.groups[i] for i in kept]
    groups = join_near_duplicates(images[: len(kept)], groups)
    return {"unreadable": unreadable, "groups": groups}


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
            needed = (2 * size, 2 * size)
            if box is not None:
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
