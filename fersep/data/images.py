"""Images of files, squared; all of a data set opened once and kept."""

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
from fersep.data.cards import PUBLISHED
from fersep.data.files import below
from fersep.data.photographs import Photographs
from fersep.data.rows import say_skipped
from fersep.data.splits import join_near_duplicates
from fersep.data.types import Array, DataError, Listing


def open_photographs(
    name: str, root: Path, listing: Listing, image_size: int
) -> Photographs:
    """Open all listed images once; `DataError` if there is none.

    The cache is keyed by the names, sizes and times of the files, what of them is read
    and the code that reads it: the content itself is not read to tell whether it
    changed.
    """
    photos, read = listing.photos, listing.read or read_image
    if not photos:
        lost = say_skipped(listing.skipped)
        raise DataError(f"{listing.nothing}{lost}; {listing.advice}")
    key = [name, image_size, provenance.code_key(read.__module__)]
    for path in dict.fromkeys(photo.path for photo in photos):
        facts = path.stat()
        key += [below(root, path), facts.st_size, facts.st_mtime_ns]
    for photo in photos:
        key += [below(root, photo.path), photo.group, photo.part]
    images, found = storage.cached_array(
        name,
        key,
        (len(photos), 3, image_size, image_size),
        lambda empty: decode_all(name, listing, empty),
    )
    unreadable = set(found["unreadable"])
    kept = [photo for i, photo in enumerate(photos) if i not in unreadable]
    codes = [listing.classes.index(photo.code) for photo in kept]
    skipped = {reason: names for reason, names in listing.skipped.items() if names}
    if unreadable:
        gone = [photos[i] for i in found["unreadable"]]
        names = [photo.name or below(root, photo.path) for photo in gone]
        skipped["unreadable image"] = names
        warnings.warn(
            f"{len(names)} images of {name} cannot be read and are left out, the first "
            f"of them {names[0]}; repair or delete them",
            stacklevel=2,
        )
    return Photographs(
        name,
        root,
        listing.classes,
        listing.published or PUBLISHED.get(name, {}),
        images[: len(kept)],
        np.asarray(codes, dtype=np.int64),
        found["groups"],
        [photo.split for photo in kept] if photos[0].split else None,
        skipped,
    )


def decode_all(name: str, listing: Listing, images: Array) -> dict[str, Any]:
    """Fill images (n, 3, size, size) from the first on with those that can be read.

    Return ``unreadable``, the places of the others in the listing, and ``groups``.
    """
    photos, read = listing.photos, listing.read or read_image
    size = images.shape[-1]
    unreadable: set[int] = set()
    look: dict[str, Any] = {"leave": False, "file": sys.stdout, "mininterval": 2}
    progress = tqdm(desc=f"reading {name}", total=len(photos), **look)
    with progress, ThreadPoolExecutor(os.cpu_count()) as pool:
        # A few at a time: the pool would hold all that the disk has not taken yet.
        for start in range(0, len(photos), 1000):
            few = photos[start : start + 1000]
            pictures = pool.map(lambda photo: read(photo.path, size, photo.part), few)
            for i, picture in enumerate(pictures, start):
                if picture is None:
                    unreadable.add(i)
                else:
                    images[i - len(unreadable)] = picture
                progress.update()
    groups = [photo.group for i, photo in enumerate(photos) if i not in unreadable]
    if groups:
        groups = join_near_duplicates(images[: len(groups)], groups)
    return {"unreadable": sorted(unreadable), "groups": groups}


def read_image(
    path: Path, size: int, box: tuple[float, float, float, float] | None = None
) -> Array | None:
    """Return an image file as (3, size, size) uint8, or None if it cannot be read.

    The largest square around the middle is kept; orientation marks are obeyed. Grey
    pictures of 16 bits are brought to 8; those of 32 bits have no known white. Of the
    box (left, top, right, bottom), in pixels of the upright picture, what lies outside
    is left away; a box that lies outside altogether cannot be read.
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
